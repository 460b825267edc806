/* VMX instructions but entry: operation on and off, the current VMCS, fields, invalidations. */
#include "small_vmm.h"

static void test_vmxon_rules(void **state)
{
    (void)state;
    uint32_t revision = (uint32_t)hw_rdmsr(0x480);
    uint64_t page = 0x300000;
    assert_int_equal(FAKE_CATCH(hw_vmxon(hpa(page))), FAKE_END_TRAP); /* CR4.VMXE clear */
    hw_write_cr4(hw_read_cr4() | 0x2000);
    assert_int_equal(FAKE_CATCH(hw_vmxon(hpa(page))), FAKE_END_TRAP); /* CR0.NE clear */
    hw_write_cr0(hw_read_cr0() | 0x20);
    assert_int_equal(hw_vmxon(hpa(page)), HW_VMX_FAIL_INVALID); /* no revision */
    memcpy(fake_ram(page, 4), &revision, 4);
    assert_int_equal(hw_vmxon(hpa(page + 8)), HW_VMX_FAIL_INVALID);
    assert_int_equal(hw_vmxon(hpa(1ULL << 46)), HW_VMX_FAIL_INVALID);
    fake_msr_set(0, 0x3a, 1);
    assert_int_equal(FAKE_CATCH(hw_vmxon(hpa(page))), FAKE_END_TRAP);
    fake_msr_set(0, 0x3a, 5);
    assert_int_equal(hw_vmxon(hpa(page)), HW_VMX_OK);
    assert_true(fake_vmx_on(0));
    assert_int_equal(hw_vmxon(hpa(page)), HW_VMX_FAIL_INVALID); /* no current VMCS to tell */
    assert_int_equal(FAKE_CATCH(hw_write_cr4(hw_read_cr4() & ~0x2000ULL)), FAKE_END_TRAP);
    assert_int_equal(FAKE_CATCH(hw_write_cr0(hw_read_cr0() & ~0x20ULL)), FAKE_END_TRAP);
    assert_int_equal(hw_vmxoff(), HW_VMX_OK);
    hw_write_cr4(hw_read_cr4() & ~0x2000ULL);
    assert_int_equal(FAKE_CATCH(hw_vmclear(hpa(0x301000))), FAKE_END_TRAP);
}

static void test_current_vmcs(void **state)
{
    (void)state;
    uint64_t value = 5, vmxon = VMXON_REGION - 0x10000;
    vmm_on();
    assert_int_equal(fake_current_vmcs(0), VMCS_REGION);
    assert_int_equal(fake_vmcs_active_cpu(vmcs_of(0)), 0);
    assert_int_equal(hw_vmptrld(hpa(VMCS_REGION + 1)), HW_VMX_FAIL_VALID);
    assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 9);
    assert_int_equal(hw_vmptrld(hpa(vmxon)), HW_VMX_FAIL_VALID);
    assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 10);
    assert_int_equal(hw_vmptrld(hpa(0x302000)), HW_VMX_FAIL_VALID);
    assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 11);
    assert_int_equal(hw_vmclear(hpa(3)), HW_VMX_FAIL_VALID);
    assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 2);
    assert_int_equal(hw_vmclear(hpa(vmxon)), HW_VMX_FAIL_VALID);
    assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 3);
    assert_int_equal(hw_vmclear(vmcs_of(0)), HW_VMX_OK);
    assert_int_equal(fake_current_vmcs(0), ~0ULL);
    assert_int_equal(hw_vmread(F_GUEST_RIP, &value), HW_VMX_FAIL_INVALID);
    assert_int_equal(value, 5);
    assert_int_equal(hw_vmwrite(F_GUEST_RIP, 0), HW_VMX_FAIL_INVALID);
    uint32_t revision = (uint32_t)hw_rdmsr(0x480);
    memcpy(fake_ram(0x303000, 4), &revision, 4);
    assert_int_equal(FAKE_CATCH(hw_vmptrld(hpa(0x303000))), FAKE_END_TRAP); /* never cleared */
}

static void test_vmcs_on_two_cpus(void **state)
{
    (void)state;
    fake_machine_reset_cpus(2);
    vmm_on();
    fake_cpu_run(1);
    fake_select_cpu(1);
    vmm_on();
    assert_int_equal(FAKE_CATCH(hw_vmptrld(vmcs_of(0))), FAKE_END_TRAP);
    assert_int_equal(FAKE_CATCH(hw_vmclear(vmcs_of(0))), FAKE_END_TRAP);
    fake_select_cpu(0);
    assert_int_equal(hw_vmclear(vmcs_of(0)), HW_VMX_OK);
    fake_select_cpu(1);
    assert_int_equal(hw_vmptrld(vmcs_of(0)), HW_VMX_OK);
    assert_int_equal(fake_vmcs_active_cpu(vmcs_of(0)), 1);
}

/* REQ-MEM-1: widths. */
static void test_fields(void **state)
{
    (void)state;
    uint64_t value = 3;
    vmm_on();
    vmcs_put(F_GUEST_CS_SELECTOR, 0x12345678);
    assert_int_equal(vmcs_value(F_GUEST_CS_SELECTOR), 0x5678);
    vmcs_put(F_GUEST_CS_RIGHTS, 0x123456789abcdef0);
    assert_int_equal(vmcs_value(F_GUEST_CS_RIGHTS), 0x9abcdef0);
    vmcs_put(F_EPT_POINTER, 0x1122334455667788);
    assert_int_equal(vmcs_value(F_EPT_POINTER + 1), 0x11223344);
    vmcs_put(F_EPT_POINTER + 1, 0xaabbccdd);
    assert_int_equal(vmcs_value(F_EPT_POINTER), 0xaabbccdd55667788);
    assert_int_equal(hw_vmread(0x7ffe, &value), HW_VMX_FAIL_VALID);
    assert_int_equal(value, 3);
    assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 12);
    assert_int_equal(hw_vmwrite(F_GUEST_CS_SELECTOR + 1, 0), HW_VMX_FAIL_VALID);
    assert_int_equal(hw_vmwrite(F_EXIT_REASON, 0), HW_VMX_FAIL_VALID);
    assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 13);
    assert_true(fake_field_written(0, F_GUEST_CS_SELECTOR));
    assert_false(fake_field_written(0, F_GUEST_RIP));
    assert_int_not_equal(vmcs_value(F_GUEST_RIP), 0); /* nobody wrote it: rubbish */
}

/* REQ-MSR-3: a field exists only where its feature does. */
static void test_optional_fields(void **state)
{
    (void)state;
    struct fake_config config = fake_config_default();
    config.model = FAKE_MODEL_NO_EPT;
    fake_machine_reset(&config);
    vmm_on();
    assert_int_equal(hw_vmwrite(F_EPT_POINTER, 0), HW_VMX_FAIL_VALID);
    assert_int_equal(hw_vmwrite(F_VPID, 1), HW_VMX_FAIL_VALID);
    assert_int_equal(hw_vmwrite(F_GUEST_EFER, 0), HW_VMX_FAIL_VALID);
    assert_false(fake_field_exists(F_HOST_EFER));
    fake_machine_reset(NULL);
    fake_vmx_deny(FAKE_PIN, PIN_PREEMPTION_TIMER);
    vmm_on();
    assert_int_equal(hw_vmwrite(F_PREEMPTION_TIMER, 1), HW_VMX_FAIL_VALID);
}

static void test_invalidation_operands(void **state)
{
    (void)state;
    vmm_on();
    assert_int_equal(hw_invept(HW_INVEPT_SINGLE_CONTEXT, 0x1000 | 6 | 3 << 3), HW_VMX_OK);
    assert_int_equal(hw_invept(3, 0), HW_VMX_FAIL_VALID);
    assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 28);
    assert_int_equal(hw_invvpid(HW_INVVPID_SINGLE_CONTEXT, 0, 0), HW_VMX_FAIL_VALID);
    assert_int_equal(hw_invvpid(HW_INVVPID_INDIVIDUAL, 1, 1ULL << 48), HW_VMX_FAIL_VALID);
    assert_int_equal(hw_invvpid(HW_INVVPID_ALL_CONTEXTS, 0, 0), HW_VMX_OK);
    fake_vmx_ept_vpid_clear(1 << 25);
    assert_int_equal(hw_invept(HW_INVEPT_SINGLE_CONTEXT, 0x1000 | 6 | 3 << 3), HW_VMX_FAIL_VALID);
    fake_vmx_ept_vpid_clear(1ULL << 20);
    assert_int_equal(FAKE_CATCH(hw_invept(2, 0)), FAKE_END_TRAP);
}

static void test_injected_failures(void **state)
{
    (void)state;
    vmm_on();
    fake_fail_nth(FAKE_VMWRITE, 2, HW_VMX_FAIL_VALID | 12 << 8);
    assert_int_equal(hw_vmwrite(F_GUEST_RIP, 1), HW_VMX_OK);
    assert_int_equal(hw_vmwrite(F_GUEST_RIP, 2), HW_VMX_FAIL_VALID);
    assert_int_equal(vmcs_value(F_INSTRUCTION_ERROR), 12);
    assert_int_equal(vmcs_value(F_GUEST_RIP), 1);
    fake_fail_nth(FAKE_VMX_ENTER, 1, HW_VMX_NMI_PENDING);
    struct hw_gprs gprs = {{0}};
    assert_int_equal(hw_vmx_enter(&gprs, false), HW_VMX_NMI_PENDING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_vmxon_rules, vmm_setup),
        cmocka_unit_test_setup(test_current_vmcs, vmm_setup),
        cmocka_unit_test_setup(test_vmcs_on_two_cpus, vmm_setup),
        cmocka_unit_test_setup(test_fields, vmm_setup),
        cmocka_unit_test_setup(test_optional_fields, vmm_setup),
        cmocka_unit_test_setup(test_invalidation_operands, vmm_setup),
        cmocka_unit_test_setup(test_injected_failures, vmm_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
