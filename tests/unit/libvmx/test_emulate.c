/* libvmx/emulate.c: what the guest sees of each exit. */
#include "suite.h"

#include <vmx/cpuid.h>

static int setup32(void **state)
{
    suite_setup(state);
    vmx_state_protected32(&suite.vcpu, 0x100000, 0);
    return 0;
}

static enum vmx_action emulate_reason(uint32_t reason)
{
    struct vmx_exit exit = {.reason = reason};
    return vmx_emulate(&suite.vcpu, &exit);
}

static void ask_cpuid(struct fake_guest *guest)
{
    const uint32_t *leaf = guest->arg;
    fake_guest_cpuid(guest, leaf[0], leaf[1]);
}

static struct hw_cpuid guest_cpuid(uint32_t leaf, uint32_t subleaf)
{
    uint32_t leaves[2] = {leaf, subleaf};
    fake_guest_set(0, ask_cpuid, leaves);
    uint64_t rip = field(VMCS_GUEST_RIP);
    struct vmx_exit exit = suite_run_to_exit(NULL, VMX_EXIT_CPUID);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
    assert_int_equal(field(VMCS_GUEST_RIP), rip + 2);
    const uint64_t *gpr = suite.vcpu.gprs.gpr;
    assert_int_equal((gpr[HW_RAX] | gpr[HW_RBX] | gpr[HW_RCX] | gpr[HW_RDX]) >> 32, 0);
    return (struct hw_cpuid){(uint32_t)gpr[HW_RAX], (uint32_t)gpr[HW_RBX], (uint32_t)gpr[HW_RCX],
                             (uint32_t)gpr[HW_RDX]};
}

static void test_cpuid(void **state) /* REQ-MSR-10 */
{
    (void)state;
    assert_int_equal(guest_cpuid(0, 0).ebx, 0x756e6547);
    assert_int_equal(guest_cpuid(0x40000000, 0).ebx, VMX_CPUID_SIGNATURE_EBX);
    assert_int_equal(guest_cpuid(1, 0).ecx & (1U << 5 | 1U << 31), 1U << 31);
    assert_int_equal(guest_cpuid(4, 1).eax, fake_cpuid_get(4, 1, FAKE_EAX));
    assert_int_equal(guest_cpuid(0x14, 0).eax, 0);
    assert_int_equal(guest_cpuid(0x17, 0).eax, guest_cpuid(0x16, 0).eax); /* past the last */
}

static void test_cpuid_follows_the_guests_cr4(void **state) /* REQ-CR-7 */
{
    (void)state;
    assert_true(fake_cr_get(0, 4) & CR4_OSXSAVE); /* ours is on */
    assert_false(guest_cpuid(1, 0).ecx & 1U << 27);
    assert_false(guest_cpuid(7, 0).ecx & 1U << 4);
    fake_field_set(0, VMCS_GUEST_CR4, field(VMCS_GUEST_CR4) | CR4_OSXSAVE);
    assert_true(guest_cpuid(1, 0).ecx & 1U << 27);
    suite.vcpu.gprs.gpr[HW_RAX] = 7; /* without running it: this CPU model has no PKE */
    suite.vcpu.gprs.gpr[HW_RCX] = 0;
    fake_field_set(0, VMCS_GUEST_CR4, field(VMCS_GUEST_CR4) | CR4_PKE);
    assert_int_equal(emulate_reason(VMX_EXIT_CPUID), VMX_RESUME);
    assert_true(suite.vcpu.gprs.gpr[HW_RCX] & 1U << 4);
}

static void execute(struct fake_guest *guest)
{
    fake_guest_vmx_instruction(guest, *(const uint32_t *)guest->arg);
}

static void test_vmx_instructions_are_undefined(void **state) /* REQ-MSR-10 */
{
    (void)state;
    static const uint32_t reasons[] = {VMX_EXIT_VMCLEAR, VMX_EXIT_VMLAUNCH, VMX_EXIT_VMPTRLD,
                                       VMX_EXIT_VMPTRST, VMX_EXIT_VMREAD,   VMX_EXIT_VMRESUME,
                                       VMX_EXIT_VMWRITE, VMX_EXIT_VMXOFF,   VMX_EXIT_VMXON,
                                       VMX_EXIT_INVEPT,  VMX_EXIT_INVVPID};
    uint32_t reason;
    for (unsigned i = 0; i < COUNT(reasons); i++) {
        reason = reasons[i];
        fake_guest_set(0, execute, &reason);
        fake_deliveries_clear(0);
        uint64_t rip = field(VMCS_GUEST_RIP);
        struct vmx_exit exit = suite_run_to_exit(NULL, reason);
        assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
        assert_int_equal(field(VMCS_GUEST_RIP), rip);
        suite_run_to_exit(NULL, reason);
        assert_int_equal(fake_delivery_count(0), 1);
        assert_int_equal(last_delivery()->vector, X86_UD);
        assert_false(last_delivery()->has_error_code);
    }
    assert_int_equal(emulate_reason(VMX_EXIT_GETSEC), VMX_RESUME);
    assert_int_equal(suite.vcpu.event.info & 0xff, X86_UD);
}

static void invd(struct fake_guest *guest)
{
    fake_guest_invd(guest);
}

static void test_invd_writes_back(void **state)
{
    (void)state;
    struct vmx_exit exit = suite_run_to_exit(invd, VMX_EXIT_INVD);
    uint64_t rip = field(VMCS_GUEST_RIP);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
    assert_int_equal(fake_calls(FAKE_WBINVD), 1);
    assert_int_equal(field(VMCS_GUEST_RIP), rip + 2);
}

static void test_task_switch_is_refused(void **state)
{
    (void)state;
    struct vmx_exit exit = {.reason = VMX_EXIT_TASK_SWITCH, .qualification = 0x4000002b};
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
    assert_int_equal(suite.vcpu.event.info & 0xff, X86_GP);
    assert_int_equal(suite.vcpu.event.error_code, 0x28);
    assert_true(fake_console_contains("task switch to selector 0x2b"));
    fake_console_clear();
    vmx_state_protected32(&suite.vcpu, 0x100000, 0);
    assert_int_equal(vmx_emulate(&suite.vcpu, &exit), VMX_RESUME);
    assert_string_equal(fake_console_text(), ""); /* a guest cannot flood the log */
}

static void test_who_is_left_to_the_hypapp(void **state)
{
    (void)state;
    static const uint32_t reasons[] = {VMX_EXIT_EXTERNAL_INTERRUPT,
                                       VMX_EXIT_INIT,
                                       VMX_EXIT_SIPI,
                                       VMX_EXIT_HLT,
                                       VMX_EXIT_VMCALL,
                                       VMX_EXIT_IO,
                                       VMX_EXIT_EPT_VIOLATION,
                                       VMX_EXIT_EPT_MISCONFIGURATION,
                                       VMX_EXIT_MTF,
                                       VMX_EXIT_PREEMPTION_TIMER,
                                       79};
    for (unsigned i = 0; i < COUNT(reasons); i++) {
        assert_int_equal(emulate_reason(reasons[i]), VMX_NOT_HANDLED);
    }
    assert_int_equal(emulate_reason(VMX_EXIT_INTERRUPT_WINDOW), VMX_RESUME);
    assert_int_equal(emulate_reason(VMX_EXIT_NMI_WINDOW), VMX_RESUME);
    assert_int_equal(emulate_reason(VMX_EXIT_TRIPLE_FAULT), VMX_GUEST_SHUTDOWN);
}

static void test_any_exit_ends_in_an_action(void **state) /* REQ-PAL-10: never a halt */
{
    (void)state;
    for (volatile uint32_t reason = 0; reason < 200; reason++) {
        struct vmx_exit exit = {
            .reason = reason, .qualification = ~0ULL, .interruption_info = 0x80000306};
        volatile enum vmx_action action = (enum vmx_action)99;
        assert_int_equal(FAKE_CATCH(action = vmx_emulate(&suite.vcpu, &exit)), FAKE_RETURNED);
        assert_true(action <= VMX_NOT_HANDLED);
        vmx_state_protected32(&suite.vcpu, 0x100000, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_cpuid, setup32),
        cmocka_unit_test_setup(test_cpuid_follows_the_guests_cr4, setup32),
        cmocka_unit_test_setup(test_vmx_instructions_are_undefined, setup32),
        cmocka_unit_test_setup(test_invd_writes_back, setup32),
        cmocka_unit_test_setup(test_task_switch_is_refused, setup32),
        cmocka_unit_test_setup(test_who_is_left_to_the_hypapp, setup32),
        cmocka_unit_test_setup(test_any_exit_ends_in_an_action, setup32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
