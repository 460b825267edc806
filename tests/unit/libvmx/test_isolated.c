/* libvmx/isolated.c: isolated code beside a guest, scripted. */
#include "isolated_suite.h"

#include <hw/cpu.h>
#include <hw/nmi.h>

static void test_init_leaves_the_guest_loaded(void **state)
{
    (void)state;
    static const enum fake_model models[] = {FAKE_MODEL_SKYLAKE, FAKE_MODEL_SANDY_BRIDGE,
                                             FAKE_MODEL_NO_1G_EPT};
    for (unsigned i = 0; i < COUNT(models); i++) {
        suite_start(models[i]);
        isolated_make(true);
        assert_int_equal(fake_current_vmcs(0), suite.vmcs.v);
        assert_true(vcpu_is_loaded(&suite.vcpu));
        assert_false(vcpu_is_loaded(&isolated));
        assert_int_equal(vcpu_cpu(&isolated), 0);
        vcpu_load(&isolated);
        assert_int_equal(fake_current_vmcs(0), isolated_vmcs.v);
        assert_false(vcpu_is_loaded(&suite.vcpu));
        assert_null(fake_entry_check(0));
        assert_int_equal(field(VMCS_VPID), 2); /* not the guest's */
        assert_int_equal(field(VMCS_PROC2_CONTROLS) & ~suite.caps.proc2, PROC2_EPT | PROC2_VPID);
    }
}

static void test_init_fails(void **state)
{
    (void)state;
    static const enum fake_call calls[] = {FAKE_VMCLEAR, FAKE_VMPTRLD, FAKE_VMWRITE};
    for (unsigned i = 0; i < COUNT(calls); i++) {
        void *page;
        suite_start(FAKE_MODEL_SKYLAKE);
        fake_fail_nth(calls[i], 1, HW_VMX_FAIL_VALID | 2 << 8);
        assert_int_equal(
            vmx_vcpu_init_isolated(&isolated, &suite.vcpu, &suite.config, suite_page(&page), NULL),
            STATUS_HARDWARE);
        assert_int_equal(fake_current_vmcs(0), suite.vmcs.v);
        assert_true(vcpu_is_loaded(&suite.vcpu));
    }
}

static void leave_traces(struct fake_guest *guest)
{
    for (unsigned i = 0; i < HW_GPR_COUNT; i++) {
        guest->gprs->gpr[i] = 0x5ec0 + i;
    }
    fake_guest_put(guest, VMCS_GUEST_DS_SELECTOR, 3); /* a null selector */
    fake_guest_put(guest, VMCS_GUEST_DS_ACCESS_RIGHTS, ACCESS_RIGHTS_UNUSABLE);
    fake_guest_put(guest, VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_TF | 0xd5);
    fake_guest_put(guest, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DEBUG_BS);
    fake_guest_vmcall(guest);
}

static void test_nothing_outlives_the_end(void **state) /* REQ-PAL-4 */
{
    (void)state;
    vcpu_set_gpr(&suite.vcpu, VCPU_RBX, 0x1234);
    vcpu_isolated_start(&isolated, &start_64);
    assert_int_equal(isolated_run(leave_traces).reason, VCPU_STOP_CALL);
    vcpu_isolated_end(&isolated, &suite.vcpu);
    assert_int_equal(fake_current_vmcs(0), suite.vmcs.v);
    assert_int_equal(vcpu_gpr(&suite.vcpu, VCPU_RBX), 0x1234);
    for (unsigned gpr = 0; gpr < HW_GPR_COUNT; gpr++) {
        assert_int_equal(isolated.gprs.gpr[gpr], 0);
    }
    /* Other code, or 32-bit code, which uses these segments, does not see what was loaded there. */
    struct vcpu_isolated_start other = start_64;
    other.nested_root += 0x1000;
    vcpu_isolated_start(&isolated, &other);
    assert_int_equal(field(VMCS_GUEST_DS_SELECTOR), field(VMCS_GUEST_ES_SELECTOR));
    assert_int_equal(field(VMCS_GUEST_DS_ACCESS_RIGHTS), 0xc0f3);
    assert_int_equal(field(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), 0);
    assert_int_equal(vcpu_rflags(&isolated), RFLAGS_FIXED1);
    assert_null(fake_entry_check(0));
}

static void vmcall(struct fake_guest *guest)
{
    fake_guest_vmcall(guest);
}

static void test_each_vcpu_has_its_launch_state(void **state)
{
    (void)state;
    suite_run_to_exit(vmcall, VMX_EXIT_VMCALL);
    for (unsigned i = 0; i < 3; i++) {
        vcpu_isolated_start(&isolated, &start_64);
        assert_int_equal(isolated_run(NULL).reason, VCPU_STOP_CALL);
        vcpu_skip_instruction(&isolated);
        assert_int_equal(vcpu_rip(&isolated), start_64.rip + 3);
        assert_int_equal(isolated_run(NULL).reason, VCPU_STOP_CALL);
        vcpu_isolated_end(&isolated, &suite.vcpu);
        suite_run_to_exit(NULL, VMX_EXIT_VMCALL);
    }
    assert_int_equal(isolated.exits[VMX_EXIT_VMCALL], 6);
    assert_int_equal(suite.vcpu.exits[VMX_EXIT_VMCALL], 4);
}

static void test_start_costs_few_vmwrites(void **state)
{
    (void)state;
    vcpu_isolated_set_budget(&isolated, 1000000);
    vcpu_isolated_start(&isolated, &start_64);
    vcpu_isolated_end(&isolated, &suite.vcpu);
    fake_calls_clear();
    vcpu_isolated_start(&isolated, &start_64);
    assert_int_equal(fake_calls(FAKE_VMWRITE), 4); /* RIP, RSP, RFLAGS, timer */
    assert_int_equal(fake_calls(FAKE_VMREAD), 0);
    assert_int_equal(fake_calls(FAKE_VMPTRLD), 1);
    vcpu_isolated_end(&isolated, &suite.vcpu);
    assert_int_equal(fake_calls(FAKE_VMWRITE), 4);
    assert_int_equal(fake_calls(FAKE_VMPTRLD), 2);
    assert_int_equal(fake_calls(FAKE_XSAVE), 0);
}

static void test_another_space_is_invalidated_first(void **state) /* REQ-EPT-1 */
{
    (void)state;
    struct vcpu_isolated_start other = start_64;
    other.invalidate = true;
    fake_calls_clear();
    vcpu_isolated_start(&isolated, &other);
    assert_int_equal(fake_calls(FAKE_INVEPT), 1);
    vcpu_isolated_end(&isolated, &suite.vcpu);
    vcpu_isolated_start(&isolated, &start_64);
    assert_int_equal(fake_calls(FAKE_INVEPT), 1);
    vcpu_isolated_end(&isolated, &suite.vcpu);
}

static void page_fault(struct fake_guest *guest)
{
    fake_guest_linear(guest, 0x4711000);
    fake_guest_raise(guest, X86_PF, true, 7);
    fail();
}

static void vector_instruction(struct fake_guest *guest)
{
    uint8_t value;
    fake_guest_vector_read(guest, guest->entry == 0 ? FAKE_X87 : FAKE_AVX, &value);
    fail();
}

static void forbidden_instruction(struct fake_guest *guest)
{
    uint64_t value;
    uint32_t port;
    switch (guest->entry) {
    case 0:
        fake_guest_rdmsr(guest, IA32_APIC_BASE, &value);
        break;
    case 1:
        fake_guest_wrmsr(guest, IA32_PAT, 0);
        break;
    case 2:
        fake_guest_mov_to_cr(guest, 3, HW_RAX);
        break;
    case 3:
        fake_guest_mov_dr(guest, 0, HW_RAX, false);
        break;
    case 4:
        fake_guest_hlt(guest);
        break;
    case 5:
        fake_guest_in(guest, 0x60, 1, &port);
        break;
    default:
        fake_guest_invd(guest);
        break;
    }
    fail();
}

static void test_exceptions_stop(void **state) /* REQ-PAL-9 */
{
    (void)state;
    hw_write_cr2(0x99);
    vcpu_isolated_start(&isolated, &start_64);
    struct vcpu_stop stop = isolated_run(page_fault);
    assert_int_equal(stop.reason, VCPU_STOP_EXCEPTION);
    assert_int_equal(stop.vector, X86_PF);
    assert_int_equal(stop.error_code, 7);
    assert_int_equal(stop.address, 0x4711000);
    assert_int_equal(hw_read_cr2(), 0x99); /* the guest's */
    stop = isolated_run(vector_instruction);
    assert_int_equal(stop.reason, VCPU_STOP_EXCEPTION);
    assert_int_equal(stop.vector, X86_NM);
    stop = isolated_run(NULL);
    assert_int_equal(stop.vector, X86_UD);
    assert_int_equal(fake_delivery_count(0), 0);
}

static void test_forbidden_instructions_stop(void **state) /* REQ-PAL-4, REQ-PAL-9 */
{
    (void)state;
    vcpu_isolated_start(&isolated, &start_64);
    fake_guest_set(0, forbidden_instruction, NULL);
    for (unsigned i = 0; i < 7; i++) {
        struct vcpu_stop stop = isolated_run(NULL);
        assert_int_equal(stop.reason, VCPU_STOP_EXCEPTION);
        assert_int_equal(stop.vector, X86_GP);
        assert_int_equal(vcpu_rip(&isolated), start_64.rip);
    }
}

static void touch(struct fake_guest *guest)
{
    uint8_t byte;
    fake_guest_read(guest, 0x100000, &byte, 1);
}

static void test_other_stops(void **state) /* REQ-PAL-9 */
{
    (void)state;
    struct vcpu_stop stop;
    vcpu_isolated_start(&isolated, &start_64);
    assert_int_equal(isolated_run(touch).reason, VCPU_STOP_OTHER); /* not in its nested tables */
    vmx_isolated_stop(&(struct vmx_exit){.reason = VMX_EXIT_VMCALL, .entry_failed = true}, &stop);
    assert_int_equal(stop.reason, VCPU_STOP_OTHER);
}

static void cpuid(struct fake_guest *guest)
{
    fake_guest_cpuid(guest, 1, 0);
}

static void test_cpuid_is_emulated(void **state)
{
    (void)state;
    vcpu_isolated_start(&isolated, &start_64);
    assert_int_equal(isolated_run(cpuid).reason, VCPU_STOP_CPUID);
    assert_int_equal(vmx_emulate(&isolated, &(struct vmx_exit){.reason = VMX_EXIT_CPUID}),
                     VMX_RESUME);
    assert_int_equal(vcpu_rip(&isolated), start_64.rip + 2);
    assert_false(vcpu_gpr(&isolated, VCPU_RCX) & 1 << 27); /* OSXSAVE */
    assert_false(vcpu_gpr(&isolated, VCPU_RCX) & 1 << 5);  /* VMX */
}

static void loop_forever(struct fake_guest *guest)
{
    fake_guest_run(guest, 1000000000);
    fail();
}

static void test_budget_ends_loops(void **state) /* REQ-PAL-9 */
{
    (void)state;
    assert_true(vcpu_isolated_set_budget(&isolated, 100000));
    assert_false(field(VMCS_PIN_CONTROLS) & PIN_PREEMPTION_TIMER); /* the guest has no limit */
    for (unsigned i = 0; i < 2; i++) {
        uint64_t before = fake_tsc();
        vcpu_isolated_start(&isolated, &start_64);
        assert_int_equal(isolated_run(loop_forever).reason, VCPU_STOP_TIMER);
        assert_in_range(fake_tsc() - before, 100000, 110000);
        vcpu_isolated_end(&isolated, &suite.vcpu);
    }
}

static void run_a_while(struct fake_guest *guest)
{
    fake_guest_run(guest, 30000);
    fake_guest_vmcall(guest);
}

static void test_budget_counts_all_entries(void **state) /* REQ-PAL-9 */
{
    (void)state;
    assert_true(vcpu_isolated_set_budget(&isolated, 100000));
    vcpu_isolated_start(&isolated, &start_64);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(isolated_run(i == 0 ? run_a_while : NULL).reason, VCPU_STOP_CALL);
        fake_tsc_advance(50000); /* of the hypervisor's time */
    }
    assert_int_equal(isolated_run(NULL).reason, VCPU_STOP_TIMER);
}

static void test_budget_that_cannot_be(void **state)
{
    (void)state;
    assert_false(vcpu_isolated_set_budget(&isolated, 1ULL << 40));
    assert_true(vcpu_isolated_set_budget(&isolated, 1000));
    assert_true(vcpu_isolated_set_budget(&isolated, 0));
    vcpu_isolated_start(&isolated, &start_64);
    assert_false(field(VMCS_PIN_CONTROLS) & PIN_PREEMPTION_TIMER);
    vcpu_isolated_end(&isolated, &suite.vcpu);
    suite.caps.exit &= ~((uint64_t)EXIT_SAVE_PREEMPTION_TIMER << 32);
    assert_false(vcpu_isolated_set_budget(&isolated, 1000));
}

static void interrupted(struct fake_guest *guest)
{
    fake_send_interrupt(0, 0x31);
    fake_guest_run(guest, 1000);
    if (guest->entry == 0) {
        fake_send_nmi(0);
        fake_guest_run(guest, 1000);
        fail();
    }
    fake_guest_vmcall(guest);
}

static void accept_interrupts(struct fake_guest *guest)
{
    fake_guest_sti(guest);
    fake_guest_run(guest, 1000);
    fake_guest_vmcall(guest);
}

static void test_interrupts_wait_and_nmis_are_kicks(void **state) /* REQ-PAL-6 */
{
    (void)state;
    struct vmx_exit exit;
    vcpu_isolated_start(&isolated, &start_64);
    fake_guest_set(0, interrupted, NULL);
    assert_int_equal(vmx_vcpu_run(&isolated, &exit), VMX_RUN_NMI);
    assert_int_equal(hw_nmi_take(), 1);
    assert_false(fake_nmi_blocked(0));
    assert_int_equal(isolated_run(NULL).reason, VCPU_STOP_CALL);
    assert_int_equal(fake_delivery_count(0), 0);
    vcpu_isolated_end(&isolated, &suite.vcpu);
    suite_run_to_exit(accept_interrupts, VMX_EXIT_VMCALL);
    assert_int_equal(last_delivery()->vector, 0x31);
}

static void test_misuse_is_a_bug_of_ours(void **state)
{
    (void)state;
    struct vcpu_isolated_start start = start_64;
    assert_int_equal(FAKE_CATCH(vcpu_isolated_end(&isolated, &suite.vcpu)), FAKE_END_CHECK);
    start.width = VCPU_16BIT;
    assert_int_equal(FAKE_CATCH(vcpu_isolated_start(&isolated, &start)), FAKE_END_CHECK);
    start = start_64;
    start.vector = true; /* there is no area to save the guest's */
    assert_false(vcpu_isolated_has_vector(&isolated));
    assert_int_equal(FAKE_CATCH(vcpu_isolated_start(&isolated, &start)), FAKE_END_CHECK);
    vcpu_isolated_start(&isolated, &start_64);
    assert_int_equal(FAKE_CATCH(vcpu_isolated_start(&isolated, &start_64)), FAKE_END_CHECK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_leaves_the_guest_loaded),
        cmocka_unit_test(test_init_fails),
        cmocka_unit_test_setup(test_nothing_outlives_the_end, isolated_setup),
        cmocka_unit_test_setup(test_each_vcpu_has_its_launch_state, isolated_setup),
        cmocka_unit_test_setup(test_another_space_is_invalidated_first, isolated_setup),
        cmocka_unit_test_setup(test_start_costs_few_vmwrites, isolated_setup),
        cmocka_unit_test_setup(test_exceptions_stop, isolated_setup),
        cmocka_unit_test_setup(test_forbidden_instructions_stop, isolated_setup),
        cmocka_unit_test_setup(test_other_stops, isolated_setup),
        cmocka_unit_test_setup(test_cpuid_is_emulated, isolated_setup),
        cmocka_unit_test_setup(test_budget_ends_loops, isolated_setup),
        cmocka_unit_test_setup(test_budget_counts_all_entries, isolated_setup),
        cmocka_unit_test_setup(test_budget_that_cannot_be, isolated_setup),
        cmocka_unit_test_setup(test_interrupts_wait_and_nmis_are_kicks, isolated_setup),
        cmocka_unit_test_setup(test_misuse_is_a_bug_of_ours, isolated_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
