/* libvmx/run.c: scripted guests. */
#include "suite.h"

#include "inject.h"

#include <base/bits.h>
#include <base/spinlock.h>
#include <hw/nmi.h>

static int setup32(void **state)
{
    suite_setup(state);
    vmx_state_protected32(&suite.vcpu, 0x100000, 0);
    return 0;
}

static void run_and_expect(enum vmx_run expected)
{
    struct vmx_exit exit;
    assert_int_equal(vmx_vcpu_run(&suite.vcpu, &exit), expected);
}

static void vmcall_with_registers(struct fake_guest *guest)
{
    for (unsigned i = 0; i < HW_GPR_COUNT; i++) {
        if (i != HW_RSP) {
            guest->gprs->gpr[i] += 0x100 + i;
        }
    }
    fake_guest_vmcall(guest);
}

static void test_registers_go_round(void **state)
{
    (void)state;
    vcpu_set_gpr(&suite.vcpu, VCPU_R15, 5);
    suite_run_to_exit(vmcall_with_registers, VMX_EXIT_VMCALL);
    assert_int_equal(vcpu_gpr(&suite.vcpu, VCPU_R15), 0x100 + 15 + 5);
    assert_true(fake_vmcs_launched(suite.vmcs));
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL); /* VMRESUME */
    assert_int_equal(vcpu_gpr(&suite.vcpu, VCPU_R15), 2 * (0x100 + 15) + 5);
    assert_int_equal(suite.vcpu.exits[VMX_EXIT_VMCALL], 2);
}

static void run_forever(struct fake_guest *guest)
{
    fake_guest_run(guest, 1000);
    fake_guest_vmcall(guest);
}

static void test_host_nmi_in_the_guest(void **state) /* REQ-SMP-3, REQ-STK-5 */
{
    (void)state;
    fake_guest_set(0, run_forever, NULL);
    suite_run_to_exit(run_forever, VMX_EXIT_VMCALL);
    fake_send_nmi(0); /* arrives in root operation: the handler counts it */
    run_and_expect(VMX_RUN_NMI);
    assert_true(hw_nmi_take());
    assert_false(hw_nmi_take());
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
}

static void nmi_to_itself(struct fake_guest *guest)
{
    if (guest->entry == 0) {
        fake_send_nmi(0); /* as another CPU would, at this moment */
        fake_guest_run(guest, 1000);
        fail();
    }
    fake_guest_vmcall(guest);
}

static void test_nmi_exit_is_noted_and_unblocked(void **state) /* REQ-SMP-3 */
{
    (void)state;
    fake_guest_set(0, nmi_to_itself, NULL);
    run_and_expect(VMX_RUN_NMI);
    assert_true(hw_nmi_take());
    assert_false(fake_nmi_blocked(0));
    assert_int_equal(fake_exits(0, VMX_EXIT_EXCEPTION_NMI), 1);
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
}

static void test_nmi_flood_goes_on(void **state) /* REQ-SMP-3 */
{
    (void)state;
    fake_guest_set(0, run_forever, NULL);
    for (unsigned i = 0; i < 1000; i++) {
        fake_send_nmi(0);
        run_and_expect(VMX_RUN_NMI);
        assert_true(hw_nmi_take());
        vmx_vcpu_post_nmi(&suite.vcpu);
        suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
        fake_field_set(0, VMCS_GUEST_INTERRUPTIBILITY, 0); /* the guest's IRET */
    }
    assert_int_equal(fake_delivery_count(0), 1000); /* each one reached the guest, once */
}

static void handler_with_iret(struct fake_guest *guest)
{
    fake_guest_run(guest, 100);
    if (guest->entry == 1) {
        fake_guest_iret(guest);
        fake_guest_run(guest, 100);
        fail(); /* the window exits first */
    }
    fake_guest_vmcall(guest);
}

static void test_second_nmi_waits_for_iret(void **state) /* REQ-SMP-3 */
{
    (void)state;
    struct vmx_exit exit;
    fake_guest_set(0, handler_with_iret, NULL);
    vmx_vcpu_post_nmi(&suite.vcpu);
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
    assert_int_equal(fake_delivery_count(0), 1);
    vmx_vcpu_post_nmi(&suite.vcpu); /* the guest is in its NMI handler */
    exit = suite_run_to_exit(NULL, VMX_EXIT_NMI_WINDOW);
    assert_int_equal(fake_delivery_count(0), 1);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
    assert_int_equal(fake_delivery_count(0), 2);
    assert_int_equal(last_delivery()->type, 2);
    assert_false(field(VMCS_PROC_CONTROLS) & PROC_NMI_WINDOW);
}

static void test_nmi_before_entry_keeps_the_event(void **state) /* REQ-SMP-3, REQ-SMP-5 */
{
    (void)state;
    fake_guest_set(0, run_forever, NULL);
    vmx_vcpu_inject_ud(&suite.vcpu);
    fake_send_nmi(0);
    run_and_expect(VMX_RUN_NMI);
    assert_int_equal(fake_delivery_count(0), 0);
    assert_int_equal(field(VMCS_ENTRY_INTERRUPTION_INFO), 0);
    assert_true(hw_nmi_take());
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
    assert_int_equal(fake_delivery_count(0), 1);
    assert_int_equal(last_delivery()->vector, X86_UD);
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
    assert_int_equal(fake_delivery_count(0), 1);
}

static void test_delivery_cut_short_is_repeated(void **state) /* REQ-SMP-5 */
{
    (void)state;
    struct vmx_exit exit;
    fake_guest_set(0, run_forever, NULL);
    fake_delivery_stack(0, 0x5000); /* not mapped by EPT */
    vcpu_inject_exception(&suite.vcpu, X86_GP, true, 0x28);
    for (unsigned i = 0; i < 3; i++) {
        exit = suite_run_to_exit(NULL, VMX_EXIT_EPT_VIOLATION);
        assert_true(exit.qualification & EPT_VIOLATION_WRITE);
        assert_int_equal(exit.gpa.v & ~PAGE_MASK, 0x5000);
    }
    fake_delivery_stack(0, ~0ULL);
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
    assert_int_equal(fake_delivery_count(0), 1);
    assert_int_equal(last_delivery()->vector, X86_GP);
    assert_int_equal(last_delivery()->error_code, 0x28);
}

static void test_nmi_delivery_cut_short_is_repeated(void **state) /* REQ-SMP-3, REQ-SMP-5 */
{
    (void)state;
    fake_guest_set(0, run_forever, NULL);
    fake_delivery_stack(0, 0x5000);
    vmx_vcpu_post_nmi(&suite.vcpu);
    suite_run_to_exit(NULL, VMX_EXIT_EPT_VIOLATION);
    suite_run_to_exit(NULL, VMX_EXIT_EPT_VIOLATION);
    fake_delivery_stack(0, ~0ULL);
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
    assert_int_equal(fake_delivery_count(0), 1);
    assert_int_equal(last_delivery()->type, 2);
}

static void touch_memory(struct fake_guest *guest)
{
    static const uint64_t addresses[] = {0x100000000, 0x3fffffffffff};
    uint8_t byte = 1;
    fake_guest_write(guest, addresses[guest->entry], &byte, 1);
}

static void test_ept_violation_address_is_64_bit(void **state) /* REQ-MEM-2 */
{
    (void)state;
    struct vmx_exit exit = suite_run_to_exit(touch_memory, VMX_EXIT_EPT_VIOLATION);
    assert_int_equal(exit.gpa.v, 0x100000000);
    exit = suite_run_to_exit(NULL, VMX_EXIT_EPT_VIOLATION); /* last byte below MAXPHYADDR = 46 */
    assert_int_equal(exit.gpa.v, 0x3fffffffffff);
}

static void iret_with_violation(struct fake_guest *guest)
{
    fake_guest_exit(guest, VMX_EXIT_EPT_VIOLATION, EPT_VIOLATION_NMI_UNBLOCKED | 1, 0);
}

static void test_iret_that_will_be_repeated_blocks_nmis_again(void **state) /* REQ-SMP-3 */
{
    (void)state;
    suite_run_to_exit(iret_with_violation, VMX_EXIT_EPT_VIOLATION);
    assert_int_equal(field(VMCS_GUEST_INTERRUPTIBILITY), BLOCKING_BY_NMI);
    vmx_vcpu_post_nmi(&suite.vcpu);
    suite_run_to_exit(NULL, VMX_EXIT_EPT_VIOLATION);
    assert_int_equal(fake_delivery_count(0), 0);
}

static void raise_page_fault(struct fake_guest *guest)
{
    if (guest->entry == 0) {
        fake_guest_raise(guest, X86_PF, true, 6);
        fail();
    }
    fake_guest_vmcall(guest);
}

static void test_exceptions_exit_when_asked(void **state) /* REQ-PAL-9 */
{
    (void)state;
    vmx_vcpu_set_exception_bitmap(&suite.vcpu, 1U << X86_PF);
    struct vmx_exit exit = suite_run_to_exit(raise_page_fault, VMX_EXIT_EXCEPTION_NMI);
    assert_int_equal(exit.interruption_info & 0xff, X86_PF);
    assert_int_equal(exit.interruption_error_code, 6);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME); /* the guest's after all */
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
    assert_int_equal(last_delivery()->vector, X86_PF);
    assert_int_equal(last_delivery()->error_code, 6);
}

static void test_refused_guest_state(void **state)
{
    (void)state;
    struct vmx_exit exit;
    fake_guest_set(0, run_forever, NULL);
    fake_field_set(0, VMCS_GUEST_RFLAGS, 0); /* bit 1 must be 1 */
    vmx_vcpu_post_nmi(&suite.vcpu);
    assert_int_equal(vmx_vcpu_run(&suite.vcpu, &exit), VMX_RUN_EXIT);
    assert_int_equal(field(VMCS_ENTRY_INTERRUPTION_INFO), 0);
    assert_true(suite.vcpu.nmi_pending); /* it was not delivered */
    assert_true(exit.entry_failed);
    assert_int_equal(exit.reason, VMX_EXIT_ENTRY_GUEST_STATE);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_GUEST_SHUTDOWN);
    assert_false(suite.vcpu.launched);
    fake_field_set(0, VMCS_GUEST_RFLAGS, 2);
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
}

static void test_refused_controls(void **state)
{
    (void)state;
    struct vmx_exit exit;
    fake_guest_set(0, run_forever, NULL);
    fake_field_set(0, VMCS_PIN_CONTROLS, 0);
    assert_int_equal(vmx_vcpu_run(&suite.vcpu, &exit), VMX_RUN_FAILED);
    assert_int_equal(exit.instruction_error, 7); /* VM entry with invalid control fields */
    fake_fail_nth(FAKE_VMX_ENTER, 1, HW_VMX_FAIL_INVALID);
    assert_int_equal(vmx_vcpu_run(&suite.vcpu, &exit), VMX_RUN_FAILED);
    assert_int_equal(exit.instruction_error, 0);
}

static void triple_fault(struct fake_guest *guest)
{
    fake_guest_triple_fault(guest);
}

static void test_triple_faults(void **state)
{
    (void)state;
    struct vmx_exit exit = suite_run_to_exit(triple_fault, VMX_EXIT_TRIPLE_FAULT);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_GUEST_SHUTDOWN);
    vcpu_inject_exception(&suite.vcpu, X86_DF, true, 0);
    vmx_vcpu_inject_gp(&suite.vcpu); /* a fault in the delivery of #DF, by our own injection */
    uint64_t entries = fake_calls(FAKE_VMX_ENTER);
    exit = suite_run_to_exit(NULL, VMX_EXIT_TRIPLE_FAULT);
    assert_int_equal(fake_calls(FAKE_VMX_ENTER), entries);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_GUEST_SHUTDOWN);
}

static void spoil_tag(struct fake_guest *guest)
{
    suite.vcpu.tag ^= 1;
    fake_guest_vmcall(guest);
}

static void test_spoilt_vcpu_is_reported(void **state) /* REQ-STK-6 */
{
    (void)state;
    struct vmx_exit exit;
    fake_guest_set(0, spoil_tag, NULL);
    assert_int_equal(FAKE_CATCH(vmx_vcpu_run(&suite.vcpu, &exit)), FAKE_END_CHECK);
    assert_non_null(strstr(fake_ending_text(), "tag"));
}

static void unknown_exit(struct fake_guest *guest)
{
    fake_guest_exit(guest, 79, 0, 0);
}

static void test_unknown_reasons_are_counted(void **state)
{
    (void)state;
    struct vmx_exit exit = suite_run_to_exit(unknown_exit, 79);
    assert_int_equal(suite.vcpu.exits[VMX_EXIT_REASON_COUNT - 1], 1);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_NOT_HANDLED);
}

static void cpuid(struct fake_guest *guest)
{
    fake_guest_cpuid(guest, 0, 0);
}

static void test_frequent_exit_costs_few_vmreads(void **state) /* REQ-MSR-9 */
{
    (void)state;
    struct vmx_exit exit = suite_run_to_exit(cpuid, VMX_EXIT_CPUID);
    fake_calls_clear();
    exit = suite_run_to_exit(NULL, VMX_EXIT_CPUID);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
    assert_true(fake_calls(FAKE_VMREAD) <= 5); /* reason, RIP, length, interruptibility, RFLAGS */
    assert_true(fake_calls(FAKE_VMWRITE) <= 1);
}

/* REQ-SMP-2: Bochs stores "active" when an NMI exits in HLT; the guest must not run at F000:FFF0.
 */
static void test_parked_cpu_stays_halted(void **state)
{
    (void)state;
    vmx_state_park(&suite.vcpu);
    fake_field_set(0, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    fake_send_nmi(0);
    run_and_expect(VMX_RUN_NMI);
    assert_true(hw_nmi_take());
    assert_int_equal(field(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
    vmx_state_sipi(&suite.vcpu, 0x9f);
    suite_run_to_exit(vmcall_with_registers, VMX_EXIT_VMCALL);
    assert_int_equal(field(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
}

/* INIT is latched until the guest runs again, and by then the lock has been given back. */
static void test_init_stops_no_lock_holder(void **state) /* REQ-BOOT-7 */
{
    (void)state;
    struct spinlock lock = {0};
    fake_guest_set(0, run_forever, NULL);
    for (unsigned i = 0; i < 3; i++) {
        suite_run_to_exit(NULL, i == 0 ? VMX_EXIT_VMCALL : VMX_EXIT_INIT);
        spinlock_lock(&lock);
        fake_send_init(0);
        fake_send_init(0); /* one or two, while there is one latched */
        assert_int_equal(fake_cpu_state(0), FAKE_CPU_RUNNING);
        spinlock_unlock(&lock);
    }
    assert_int_equal(fake_exits(0, VMX_EXIT_INIT), 2);
    suite_run_to_exit(NULL, VMX_EXIT_INIT);
    suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_registers_go_round, setup32),
        cmocka_unit_test_setup(test_init_stops_no_lock_holder, setup32),
        cmocka_unit_test_setup(test_host_nmi_in_the_guest, setup32),
        cmocka_unit_test_setup(test_nmi_exit_is_noted_and_unblocked, setup32),
        cmocka_unit_test_setup(test_nmi_flood_goes_on, setup32),
        cmocka_unit_test_setup(test_second_nmi_waits_for_iret, setup32),
        cmocka_unit_test_setup(test_nmi_before_entry_keeps_the_event, setup32),
        cmocka_unit_test_setup(test_delivery_cut_short_is_repeated, setup32),
        cmocka_unit_test_setup(test_nmi_delivery_cut_short_is_repeated, setup32),
        cmocka_unit_test_setup(test_ept_violation_address_is_64_bit, setup32),
        cmocka_unit_test_setup(test_iret_that_will_be_repeated_blocks_nmis_again, setup32),
        cmocka_unit_test_setup(test_exceptions_exit_when_asked, setup32),
        cmocka_unit_test_setup(test_refused_guest_state, setup32),
        cmocka_unit_test_setup(test_refused_controls, setup32),
        cmocka_unit_test_setup(test_triple_faults, setup32),
        cmocka_unit_test_setup(test_spoilt_vcpu_is_reported, setup32),
        cmocka_unit_test_setup(test_unknown_reasons_are_counted, setup32),
        cmocka_unit_test_setup(test_frequent_exit_costs_few_vmreads, setup32),
        cmocka_unit_test_setup(test_parked_cpu_stays_halted, setup32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
