/* libvmx/exit.c */
#include "suite.h"

static void test_accessors(void **state)
{
    (void)state;
    fake_field_set(0, VMCS_EXIT_INSTRUCTION_LENGTH, 3);
    fake_field_set(0, VMCS_GUEST_LINEAR_ADDRESS, 0xffff888012345678);
    assert_int_equal(vmx_exit_instruction_bytes(), 3);
    assert_int_equal(vmx_exit_linear_address(), 0xffff888012345678);
}

static void test_texts(void **state)
{
    (void)state;
    assert_string_equal(vmx_exit_reason_text(VMX_EXIT_CPUID), "CPUID");
    assert_string_equal(vmx_exit_reason_text(VMX_EXIT_TRIPLE_FAULT), "triple fault");
    assert_string_equal(vmx_exit_reason_text(35), "unknown");
    assert_string_equal(vmx_exit_reason_text(VMX_EXIT_REASON_COUNT), "unknown");
    assert_string_equal(vmx_exit_reason_text(~0U), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_accessors, suite_setup),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
