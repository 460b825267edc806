/* VM entry and exit: launch state, every CPU model, what each class of broken rule gives. */
#include "small_vmm.h"

static void guest_cpuid(struct fake_guest *guest)
{
    fake_guest_cpuid(guest, 0x11223344, 5);
}

static void test_every_model_enters(void **state)
{
    (void)state;
    for (int model = 0; model < FAKE_MODEL_LOCKED_OFF; model++) {
        struct fake_config config = fake_config_default();
        config.model = (enum fake_model)model;
        fake_machine_reset(&config);
        vmm_prepare();
        fake_guest_set(0, guest_cpuid, NULL);
        struct hw_gprs gprs = {{0}};
        assert_string_equal(fake_entry_check(0) ? fake_entry_check(0) : "", "");
        assert_int_equal(vmm_enter(&gprs), REASON_CPUID);
        assert_int_equal(vmcs_value(F_INSTRUCTION_LENGTH), 2);
        assert_int_equal(gprs.gpr[HW_RAX], 0x11223344);
        assert_int_equal(gprs.gpr[HW_RCX], 5);
        assert_int_equal(fake_exits(0, REASON_CPUID), 1);
    }
}

static void test_launch_state(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    fake_guest_set(0, guest_cpuid, NULL);
    assert_int_equal(hw_vmx_enter(&gprs, true), HW_VMX_FAIL_VALID);
    assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 5);
    assert_int_equal(hw_vmx_enter(&gprs, false), HW_VMX_OK);
    assert_int_equal(hw_vmx_enter(&gprs, false), HW_VMX_FAIL_VALID);
    assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 4);
    assert_int_equal(hw_vmx_enter(&gprs, true), HW_VMX_OK);
    hw_vmclear(vmcs_of(0));
    assert_int_equal(hw_vmx_enter(&gprs, false), HW_VMX_FAIL_INVALID);
}

struct broken_field {
    uint32_t field;
    uint64_t value;
};

static void test_broken_controls_fail_with_7(void **state)
{
    (void)state;
    static const struct broken_field rules[] = {
        {F_PIN_CONTROLS, 0},
        {F_PIN_CONTROLS, 0x16 | PIN_VIRTUAL_NMI},
        {F_PRIMARY_CONTROLS, 0x4006172 | 1},
        {F_PRIMARY_CONTROLS, 0x84006172 | PRIMARY_TPR_SHADOW},
        {F_SECONDARY_CONTROLS, SECONDARY_UNRESTRICTED},
        {F_SECONDARY_CONTROLS, SECONDARY_EPT | 1u << 27},
        {F_MSR_BITMAPS, 0x1001},
        {F_IO_BITMAP_B, 1ULL << 50},
        {F_VPID, 0},
        {F_EPT_POINTER, EPT_TABLES | 1 | 3 << 3},
        {F_EPT_POINTER, EPT_TABLES | 6 | 2 << 3},
        {F_CR3_TARGET_COUNT, 5},
        {F_EXIT_CONTROLS, 0x36dfb | EXIT_SAVE_PREEMPTION},
        {F_EXIT_MSR_STORE_COUNT, 1},
        {F_ENTRY_CONTROLS, 0x11fb | ENTRY_SMM},
        {F_ENTRY_INTERRUPTION, 0x80000100},
        {F_ENTRY_INTERRUPTION, 0x80000203},
        {F_ENTRY_INTERRUPTION, 0x80000b0d}, /* error code in real mode */
        {F_ENTRY_INTERRUPTION, 0x80001306},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct hw_gprs gprs = {{0}};
        fake_machine_reset(NULL);
        vmm_prepare();
        vmcs_put(F_EXIT_MSR_STORE_ADDRESS, 8);
        vmcs_put(F_VIRTUAL_APIC_ADDRESS, 1);
        vmcs_put(rules[i].field, rules[i].value);
        assert_int_equal(hw_vmx_enter(&gprs, false), HW_VMX_FAIL_VALID);
        assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 7);
        assert_false(fake_vmcs_launched(vmcs_of(0)));
    }
}

static void test_broken_host_state_fails_with_8(void **state)
{
    (void)state;
    static const struct broken_field rules[] = {
        {F_HOST_CR0, 0x80000011},
        {F_HOST_CR4, 0x20},
        {F_HOST_CR3, 1ULL << 60},
        {F_HOST_CS_SELECTOR, 0},
        {F_HOST_TR_SELECTOR, 0},
        {F_HOST_SS_SELECTOR, 3},
        {F_HOST_GS_BASE, 1ULL << 47},
        {F_HOST_RIP, 1ULL << 48},
        {F_HOST_EFER, 0x800},
        {F_HOST_PAT, 2},
        {F_HOST_SYSENTER_ESP, 1ULL << 62},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct hw_gprs gprs = {{0}};
        fake_machine_reset(NULL);
        vmm_prepare();
        vmcs_put(rules[i].field, rules[i].value);
        assert_int_equal(hw_vmx_enter(&gprs, false), HW_VMX_FAIL_VALID);
        assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 8);
    }
}

/* REQ-CR-2, REQ-CR-6: what the guest-state checks refuse. */
static void test_broken_guest_state_exits_with_33(void **state)
{
    (void)state;
    static const struct broken_field rules[] = {
        {F_GUEST_CR0, 0x80000020},
        {F_GUEST_CR0, 0x1},
        {F_GUEST_CR4, 0},
        {F_GUEST_CR3, 1ULL << 46},
        {F_GUEST_EFER, 0x400},
        {F_GUEST_EFER, 0x2},
        {F_GUEST_PAT, 0x0203},
        {F_GUEST_RFLAGS, 0},
        {F_GUEST_RFLAGS, 1 << 17 | 2},
        {F_GUEST_RIP, 1ULL << 32},
        {F_GUEST_CS_RIGHTS, 0x9a},
        {F_GUEST_CS_RIGHTS, 0x1b},
        {F_GUEST_SS_RIGHTS, 0xf3},
        {F_GUEST_ES_RIGHTS, 0x92},
        {F_GUEST_ES_RIGHTS + 14, 0x10000},
        {F_GUEST_ES_RIGHTS + 14, 0x89},
        {F_GUEST_ES_LIMIT + 2, 0x100000},
        {F_GUEST_ES_BASE + 2, 1ULL << 32},
        {F_GUEST_GDTR_LIMIT, 0x10000},
        {F_ACTIVITY, 4},
        {F_INTERRUPTIBILITY, 3},
        {F_INTERRUPTIBILITY, BLOCKING_STI},
        {F_INTERRUPTIBILITY, BLOCKING_SMI},
        {F_PENDING_DEBUG, 0x10},
        {F_ENTRY_INTERRUPTION, 0x80000020},
        {F_GUEST_SYSENTER_EIP, 1ULL << 55},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct hw_gprs gprs = {{0}};
        fake_machine_reset(NULL);
        vmm_prepare();
        vmcs_put(rules[i].field, rules[i].value);
        assert_int_equal(vmm_enter(&gprs), 0x80000021);
        assert_int_equal(vmcs_value(F_QUALIFICATION), 0);
        assert_string_not_equal(fake_entry_error(0), "");
        assert_false(fake_vmcs_launched(vmcs_of(0)));
    }
}

static void test_guest_state_qualifications(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    vmcs_put(F_VMCS_LINK_POINTER, 0x1000);
    assert_int_equal(vmm_enter(&gprs), 0x80000021);
    assert_int_equal(vmcs_value(F_QUALIFICATION), 4);
    vmcs_put(F_VMCS_LINK_POINTER, ~0ULL);
    vmm_guest_state(false);
    vmcs_put(F_GUEST_CR4, 0x2020);
    vmcs_put(F_GUEST_PDPTE0, 0x1003);
    assert_int_equal(vmm_enter(&gprs), 0x80000021);
    assert_int_equal(vmcs_value(F_QUALIFICATION), 2);
    vmm_guest_state(true);
    vmcs_put(F_GUEST_RFLAGS, 0x202);
    vmcs_put(F_INTERRUPTIBILITY, BLOCKING_STI);
    vmcs_put(F_ENTRY_INTERRUPTION, 0x80000202);
    assert_int_equal(vmm_enter(&gprs), 0x80000021);
    assert_int_equal(vmcs_value(F_QUALIFICATION), 3);
    /* A failed entry keeps the event. */
    assert_int_equal(vmcs_value(F_ENTRY_INTERRUPTION), 0x80000202);
}

/* REQ-CR-6: virtual-8086 segments. */
static void test_virtual_8086(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    vmm_guest_state(false);
    vmcs_put(F_GUEST_RFLAGS, 1 << 17 | 2);
    for (uint32_t i = 0; i < 6; i++) {
        vmm_segment(i, 0x100 * i, 0x1000 * i, 0xffff, 0xf3);
    }
    fake_guest_set(0, guest_cpuid, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_CPUID);
    vmcs_put(F_GUEST_ES_BASE + 8, 0);
    assert_int_equal(vmm_enter(&gprs), 0x80000021);
}

/* REQ-CR-6, REQ-CR-2: 64-bit guest. */
static void test_long_mode(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    vmm_guest_state(false);
    vmcs_put(F_GUEST_CR4, 0x2020);
    vmcs_put(F_GUEST_EFER, 0xd00);
    vmcs_put(F_ENTRY_CONTROLS, vmcs_value(F_ENTRY_CONTROLS) | ENTRY_IA32E);
    vmcs_put(F_GUEST_CS_RIGHTS, 0xa09b);
    vmcs_put(F_GUEST_RIP, 0xffff800000000000);
    fake_guest_set(0, guest_cpuid, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_CPUID);
    vmcs_put(F_GUEST_CS_RIGHTS, 0xe09b); /* L and D */
    assert_int_equal(vmm_enter(&gprs), 0x80000021);
    vmcs_put(F_GUEST_CS_RIGHTS, 0xa09b);
    vmcs_put(F_GUEST_EFER, 0xc00);
    assert_int_equal(vmm_enter(&gprs), 0x80000021);
}

static void test_wrong_host_state_is_a_crash(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    fake_guest_set(0, guest_cpuid, NULL);
    vmcs_put(F_HOST_RIP, 0x1000);
    assert_int_equal(FAKE_CATCH(hw_vmx_enter(&gprs, false)), FAKE_END_TRAP);
}

static void test_guest_without_exit_is_stuck(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    assert_int_equal(FAKE_CATCH(hw_vmx_enter(&gprs, false)), FAKE_END_TRAP);
}

static void guest_counts(struct fake_guest *guest)
{
    uint64_t *seen = guest->arg;
    *seen = guest->entry;
    fake_guest_vmcall(guest);
}

static void test_entry_counter_and_rubbish(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    uint64_t seen = 99;
    vmm_prepare();
    fake_guest_set(0, guest_counts, &seen);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
        assert_int_equal(seen, i);
    }
    assert_int_equal(vmcs_value(F_GUEST_PHYSICAL_ADDRESS), 0xdeadbeefdeadbeef);
}

/* REQ-CR-2: the CPU keeps the control in step with EFER.LMA. */
static void guest_goes_long(struct fake_guest *guest)
{
    guest->gprs->gpr[HW_RBX] = 0x2020;
    assert_true(fake_guest_mov_to_cr(guest, 4, HW_RBX));
    assert_true(fake_guest_wrmsr(guest, 0xc0000080, 0x100));
    guest->gprs->gpr[HW_RBX] = 0x80000031;
    assert_true(fake_guest_mov_to_cr(guest, 0, HW_RBX));
    assert_false(fake_guest_wrmsr(guest, 0xc0000080, 0)); /* #GP: LME with paging on */
    fake_guest_vmcall(guest);
}

static void test_mode_switch_without_exit(void **state)
{
    (void)state;
    struct hw_gprs gprs = {{0}};
    vmm_prepare();
    fake_guest_set(0, guest_goes_long, NULL);
    assert_int_equal(vmm_enter(&gprs), REASON_VMCALL);
    assert_int_equal(vmcs_value(F_GUEST_EFER), 0x500);
    assert_true(vmcs_value(F_ENTRY_CONTROLS) & ENTRY_IA32E);
    assert_int_equal(fake_delivery_count(0), 1);
    assert_int_equal(fake_delivery_at(0, 0)->vector, 13);
    assert_null(fake_entry_check(0));
    assert_int_equal(hw_rdmsr(0xc0000080), 0xd00); /* the host's own is back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_every_model_enters, vmm_setup),
        cmocka_unit_test_setup(test_launch_state, vmm_setup),
        cmocka_unit_test_setup(test_broken_controls_fail_with_7, vmm_setup),
        cmocka_unit_test_setup(test_broken_host_state_fails_with_8, vmm_setup),
        cmocka_unit_test_setup(test_broken_guest_state_exits_with_33, vmm_setup),
        cmocka_unit_test_setup(test_guest_state_qualifications, vmm_setup),
        cmocka_unit_test_setup(test_virtual_8086, vmm_setup),
        cmocka_unit_test_setup(test_long_mode, vmm_setup),
        cmocka_unit_test_setup(test_wrong_host_state_is_a_crash, vmm_setup),
        cmocka_unit_test_setup(test_guest_without_exit_is_stuck, vmm_setup),
        cmocka_unit_test_setup(test_entry_counter_and_rubbish, vmm_setup),
        cmocka_unit_test_setup(test_mode_switch_without_exit, vmm_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
