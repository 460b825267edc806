/* libvmx/inject.c: what is delivered, when, and how often. */
#include "suite.h"

#include "inject.h"

#include <hw/cpu.h>

#define VALID INTERRUPTION_VALID
#define EXTERNAL(vector) (VALID | INTERRUPTION_EXTERNAL | (vector))
#define EXCEPTION(vector) (VALID | INTERRUPTION_HARDWARE_EXCEPTION | (vector))
#define NMI (VALID | INTERRUPTION_NMI | 2)

static int setup32(void **state)
{
    suite_setup(state);
    vmx_state_protected32(&suite.vcpu, 0x100000, 0);
    return 0;
}

/* As if the exit before had interrupted the delivery of that event. */
static bool record(uint32_t info, uint32_t error_code, uint32_t bytes)
{
    fake_field_set(0, VMCS_IDT_VECTORING_INFO, info);
    fake_field_set(0, VMCS_IDT_VECTORING_ERROR_CODE, error_code);
    fake_field_set(0, VMCS_EXIT_INSTRUCTION_LENGTH, bytes);
    return vmx_inject_record(&suite.vcpu);
}

static void assert_prepared(uint32_t info, uint32_t windows)
{
    vmx_inject_prepare(&suite.vcpu);
    assert_int_equal(field(VMCS_ENTRY_INTERRUPTION_INFO), info);
    assert_int_equal(field(VMCS_PROC_CONTROLS) & (PROC_NMI_WINDOW | PROC_INTERRUPT_WINDOW),
                     windows);
    const char *error = fake_entry_check(0);
    if (error) {
        fail_msg("VM entry would refuse: %s", error);
    }
}

static void entered(void)
{
    fake_field_set(0, VMCS_ENTRY_INTERRUPTION_INFO, 0); /* the CPU clears the valid bit */
    vmx_inject_done(&suite.vcpu);
}

static void test_interrupted_events_come_again(void **state) /* REQ-SMP-5 */
{
    (void)state;
    static const struct {
        uint32_t info, error_code, bytes;
    } cases[] = {
        {EXTERNAL(0x30), 0, 0},
        {EXCEPTION(X86_UD), 0, 0},
        {EXCEPTION(X86_PF) | INTERRUPTION_ERROR_CODE, 0x6, 0},
        {VALID | INTERRUPTION_SOFTWARE_INTERRUPT | 0x80, 0, 2},
        {VALID | INTERRUPTION_PRIVILEGED_SOFTWARE | 1, 0, 1},
        {VALID | INTERRUPTION_SOFTWARE_EXCEPTION | 3, 0, 1},
        {NMI, 0, 0},
    };
    for (unsigned i = 0; i < COUNT(cases); i++) {
        setup32(state);
        fake_field_set(0, VMCS_GUEST_RFLAGS, 2 | RFLAGS_IF);
        assert_true(record(cases[i].info | 1 << 12, cases[i].error_code, cases[i].bytes));
        assert_prepared(cases[i].info, 0);
        if (cases[i].info & INTERRUPTION_ERROR_CODE) {
            assert_int_equal(field(VMCS_ENTRY_EXCEPTION_ERROR_CODE), cases[i].error_code);
        }
        if (cases[i].bytes) {
            assert_int_equal(field(VMCS_ENTRY_INSTRUCTION_LENGTH), cases[i].bytes);
        }
        entered();
        assert_false(vmx_inject_is_needed(&suite.vcpu)); /* once */
    }
}

static void test_no_vectoring(void **state)
{
    (void)state;
    assert_false(record(0x306, 0, 0));
    assert_false(vmx_inject_is_needed(&suite.vcpu));
}

static void test_cancelled_entry_keeps_everything(void **state) /* REQ-SMP-3, REQ-SMP-5 */
{
    (void)state;
    record(EXCEPTION(X86_UD), 0, 0);
    vmx_vcpu_post_nmi(&suite.vcpu);
    for (unsigned i = 0; i < 3; i++) {
        assert_prepared(EXCEPTION(X86_UD), PROC_NMI_WINDOW);
        vmx_inject_cancel(&suite.vcpu);
        assert_int_equal(field(VMCS_ENTRY_INTERRUPTION_INFO), 0);
    }
    assert_prepared(EXCEPTION(X86_UD), PROC_NMI_WINDOW);
    entered();
    assert_prepared(NMI, 0);
    vmx_inject_cancel(&suite.vcpu);
    assert_prepared(NMI, 0);
    entered();
    assert_false(vmx_inject_is_needed(&suite.vcpu));
}

static void test_nmi_waits_for_its_window(void **state) /* REQ-SMP-3 */
{
    (void)state;
    static const uint32_t blocking[] = {BLOCKING_BY_NMI, BLOCKING_BY_MOV_SS, BLOCKING_BY_STI};
    for (unsigned i = 0; i < COUNT(blocking); i++) {
        setup32(state);
        fake_field_set(0, VMCS_GUEST_RFLAGS, 2 | RFLAGS_IF);
        fake_field_set(0, VMCS_GUEST_INTERRUPTIBILITY, blocking[i]);
        vmx_vcpu_post_nmi(&suite.vcpu);
        vmx_vcpu_post_nmi(&suite.vcpu); /* the latch holds one */
        assert_prepared(0, PROC_NMI_WINDOW);
        entered();
        fake_field_set(0, VMCS_GUEST_INTERRUPTIBILITY, 0);
        assert_prepared(NMI, 0);
        entered();
        assert_false(vmx_inject_is_needed(&suite.vcpu));
    }
}

static void test_interrupted_nmi_is_unblocked_and_the_next_one_waits(void **state)
{
    (void)state; /* REQ-SMP-3, REQ-SMP-5 */
    fake_field_set(0, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_NMI);
    record(NMI, 0, 0);
    assert_int_equal(field(VMCS_GUEST_INTERRUPTIBILITY), 0);
    vmx_vcpu_post_nmi(&suite.vcpu);
    assert_prepared(NMI, PROC_NMI_WINDOW);
    entered();
    assert_true(suite.vcpu.nmi_pending);
}

static void test_held_nmi(void **state) /* REQ-PAL-6 */
{
    (void)state;
    vmx_vcpu_post_nmi(&suite.vcpu);
    vmx_vcpu_hold_nmi(&suite.vcpu, true);
    assert_prepared(0, 0);
    entered();
    vmx_vcpu_hold_nmi(&suite.vcpu, false);
    assert_prepared(NMI, 0);
}

static void test_parked_cpu_takes_no_nmi(void **state) /* REQ-SMP-2 */
{
    (void)state;
    vmx_state_park(&suite.vcpu);
    vmx_vcpu_post_nmi(&suite.vcpu);
    assert_prepared(0, 0);
    assert_int_equal(field(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
}

static void test_injection_ends_hlt(void **state)
{
    (void)state;
    fake_field_set(0, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
    vmx_vcpu_inject_gp(&suite.vcpu);
    assert_prepared(EXCEPTION(X86_GP) | INTERRUPTION_ERROR_CODE, 0);
    assert_int_equal(field(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
}

static void test_exceptions(void **state)
{
    (void)state;
    vcpu_inject_page_fault(&suite.vcpu, 0x12345678, 7);
    assert_prepared(EXCEPTION(X86_PF) | INTERRUPTION_ERROR_CODE, 0);
    assert_int_equal(field(VMCS_ENTRY_EXCEPTION_ERROR_CODE), 7);
    assert_int_equal(hw_read_cr2(), 0x12345678);
    assert_true(field(VMCS_GUEST_RFLAGS) & RFLAGS_RF);
    entered();
    vmx_vcpu_inject_ud(&suite.vcpu);
    assert_prepared(EXCEPTION(X86_UD), 0);
    assert_int_equal(FAKE_CATCH(vcpu_inject_exception(&suite.vcpu, 32, false, 0)), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH(vcpu_inject_exception(&suite.vcpu, 2, false, 0)), FAKE_END_CHECK);
}

static void test_debug_trap_leaves_rf(void **state)
{
    (void)state;
    vcpu_inject_exception(&suite.vcpu, X86_DB, false, 0);
    assert_false(field(VMCS_GUEST_RFLAGS) & RFLAGS_RF);
    suite.vcpu.event.info = 0;
    vcpu_inject_exception(&suite.vcpu, X86_DF, true, 0);
    assert_false(field(VMCS_GUEST_RFLAGS) & RFLAGS_RF);
}

static void test_no_error_code_in_real_mode(void **state) /* REQ-CR-6 */
{
    (void)state;
    vmx_state_real(&suite.vcpu, 0, 0x7c00, 0x7c00, 0);
    vmx_vcpu_inject_gp(&suite.vcpu);
    assert_prepared(EXCEPTION(X86_GP), 0);
}

/* SDM table "Conditions for Generating a Double Fault", all 32 x 32 pairs of vectors. */
static void test_exception_during_exception(void **state) /* REQ-SMP-5 */
{
    for (unsigned first = 0; first < 22; first++) {
        for (unsigned second = 0; second < 22; second++) {
            if (first == X86_NMI || second == X86_NMI) {
                continue;
            }
            setup32(state);
            bool c1 = first == 0 || (first >= 10 && first <= 13) || first == 21;
            bool c2 = second == 0 || (second >= 10 && second <= 13) || second == 21;
            bool p1 = first == 14 || first == 20;
            bool p2 = second == 14 || second == 20;
            record(EXCEPTION(first), 0, 0);
            vcpu_inject_exception(&suite.vcpu, second, false, 0);
            bool shutdown = first == X86_DF && (c2 || p2 || second == X86_DF);
            bool twice = (c1 && c2) || (p1 && (c2 || p2));
            assert_int_equal(suite.vcpu.triple_fault, shutdown);
            if (!shutdown) {
                assert_int_equal(suite.vcpu.event.info,
                                 twice ? (EXCEPTION(X86_DF) | INTERRUPTION_ERROR_CODE)
                                       : EXCEPTION(second));
            }
        }
    }
}

static void test_exception_overtakes_an_interrupt(void **state) /* REQ-SMP-5 */
{
    (void)state;
    fake_field_set(0, VMCS_GUEST_RFLAGS, 2 | RFLAGS_IF);
    record(EXTERNAL(0x41), 0, 0);
    vmx_vcpu_inject_gp(&suite.vcpu);
    assert_prepared(EXCEPTION(X86_GP) | INTERRUPTION_ERROR_CODE, PROC_INTERRUPT_WINDOW);
    entered();
    fake_field_set(0, VMCS_GUEST_RFLAGS, 2); /* the handler of #GP has interrupts off */
    assert_prepared(0, PROC_INTERRUPT_WINDOW);
    entered();
    fake_field_set(0, VMCS_GUEST_RFLAGS, 2 | RFLAGS_IF);
    fake_field_set(0, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI);
    assert_prepared(0, PROC_INTERRUPT_WINDOW);
    entered();
    fake_field_set(0, VMCS_GUEST_INTERRUPTIBILITY, 0);
    assert_prepared(EXTERNAL(0x41), 0);
    entered();
    assert_false(vmx_inject_is_needed(&suite.vcpu));
}

static void test_exception_overtakes_other_events(void **state) /* REQ-SMP-3, REQ-SMP-5 */
{
    record(NMI, 0, 0);
    vmx_vcpu_inject_gp(&suite.vcpu);
    assert_prepared(EXCEPTION(X86_GP) | INTERRUPTION_ERROR_CODE, PROC_NMI_WINDOW);
    entered();
    assert_prepared(NMI, 0);
    setup32(state); /* INT 80H is executed again by the guest itself */
    record(VALID | INTERRUPTION_SOFTWARE_INTERRUPT | 0x80, 0, 2);
    vmx_vcpu_inject_gp(&suite.vcpu);
    assert_prepared(EXCEPTION(X86_GP) | INTERRUPTION_ERROR_CODE, 0);
    entered();
    assert_false(vmx_inject_is_needed(&suite.vcpu));
}

static void test_reflection(void **state)
{
    (void)state;
    struct vmx_exit exit = {.qualification = 0x1234,
                            .interruption_info = EXCEPTION(X86_PF) | INTERRUPTION_ERROR_CODE,
                            .interruption_error_code = 5};
    vmx_vcpu_reflect_exception(&suite.vcpu, &exit);
    assert_int_equal(hw_read_cr2(), 0x1234);
    assert_prepared(EXCEPTION(X86_PF) | INTERRUPTION_ERROR_CODE, 0);
    assert_int_equal(field(VMCS_ENTRY_EXCEPTION_ERROR_CODE), 5);
    entered();
    fake_field_set(0, VMCS_EXIT_INSTRUCTION_LENGTH, 1);
    exit = (struct vmx_exit){.interruption_info =
                                 VALID | INTERRUPTION_SOFTWARE_EXCEPTION | X86_BP | 1 << 12};
    vmx_vcpu_reflect_exception(&suite.vcpu, &exit);
    assert_prepared(VALID | INTERRUPTION_SOFTWARE_EXCEPTION | X86_BP, 0);
    assert_int_equal(field(VMCS_ENTRY_INSTRUCTION_LENGTH), 1);
}

static void read_dr6(struct fake_guest *guest)
{
    fake_guest_mov_dr(guest, 6, HW_R8, false);
    fake_guest_vmcall(guest);
}

static void test_reflected_debug_exception_sets_dr6(void **state)
{
    (void)state;
    struct vmx_exit exit = {.qualification = 1ULL << 63 | 1 << 14,
                            .interruption_info = EXCEPTION(X86_DB)};
    vmx_vcpu_reflect_exception(&suite.vcpu, &exit);
    suite_run_to_exit(read_dr6, VMX_EXIT_VMCALL);
    assert_int_equal(suite.vcpu.gprs.gpr[HW_R8], 0xffff4ff0);
    assert_int_equal(last_delivery()->vector, X86_DB);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

/*
 * Random histories against what must be conserved: each interrupt that was cut short is delivered
 * exactly once, NMIs as often as the one-deep latch was filled, and no entry is ever refused.
 */
static void test_random_histories(void **state) /* REQ-SMP-3, REQ-SMP-5 */
{
    uint32_t seed = 1;
    unsigned owed_interrupts = 0, owed_nmis = 0;
    setup32(state);
    for (unsigned step = 0; step < 20000; step++) {
        uint32_t rflags = 2 | (next_random(&seed) & 1 ? RFLAGS_IF : 0);
        fake_field_set(0, VMCS_GUEST_RFLAGS, rflags);
        uint32_t blocking = next_random(&seed) % 3 == 0 ? BLOCKING_BY_NMI : 0;
        fake_field_set(0, VMCS_GUEST_INTERRUPTIBILITY, blocking);
        bool deliverable = (rflags & RFLAGS_IF) && !vmx_event_is_valid(suite.vcpu.interrupt);
        if (deliverable && next_random(&seed) % 4 == 0) {
            record(EXTERNAL(0x20 + next_random(&seed) % 200), 0, 0);
            owed_interrupts++;
        }
        if (next_random(&seed) % 3 == 0) {
            owed_nmis += !suite.vcpu.nmi_pending;
            vmx_vcpu_post_nmi(&suite.vcpu);
        }
        if (next_random(&seed) % 4 == 0) {
            vmx_vcpu_inject_ud(&suite.vcpu);
        }
        vmx_inject_prepare(&suite.vcpu);
        if (fake_entry_check(0)) {
            fail_msg("step %u: %s", step, fake_entry_check(0));
        }
        if (next_random(&seed) % 5 == 0) {
            vmx_inject_cancel(&suite.vcpu);
            vmx_inject_prepare(&suite.vcpu);
        }
        uint32_t info = (uint32_t)field(VMCS_ENTRY_INTERRUPTION_INFO);
        owed_nmis -= info == NMI;
        owed_interrupts -= (info & (VALID | INTERRUPTION_TYPE)) == VALID;
        entered();
        assert_int_equal(owed_nmis, suite.vcpu.nmi_pending);
        assert_int_equal(owed_interrupts, vmx_event_is_valid(suite.vcpu.interrupt));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupted_events_come_again),
        cmocka_unit_test_setup(test_no_vectoring, setup32),
        cmocka_unit_test_setup(test_cancelled_entry_keeps_everything, setup32),
        cmocka_unit_test(test_nmi_waits_for_its_window),
        cmocka_unit_test_setup(test_interrupted_nmi_is_unblocked_and_the_next_one_waits, setup32),
        cmocka_unit_test_setup(test_held_nmi, setup32),
        cmocka_unit_test_setup(test_parked_cpu_takes_no_nmi, setup32),
        cmocka_unit_test_setup(test_injection_ends_hlt, setup32),
        cmocka_unit_test_setup(test_exceptions, setup32),
        cmocka_unit_test_setup(test_debug_trap_leaves_rf, setup32),
        cmocka_unit_test_setup(test_no_error_code_in_real_mode, setup32),
        cmocka_unit_test(test_exception_during_exception),
        cmocka_unit_test_setup(test_exception_overtakes_an_interrupt, setup32),
        cmocka_unit_test_setup(test_exception_overtakes_other_events, setup32),
        cmocka_unit_test_setup(test_reflection, setup32),
        cmocka_unit_test_setup(test_reflected_debug_exception_sets_dr6, setup32),
        cmocka_unit_test(test_random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
