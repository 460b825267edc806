/* libvmx/timer.c: the VMX-preemption timer of a guest. */
#include "suite.h"

static void test_timer(void **state)
{
    (void)state;
    unsigned rate = suite.caps.misc & 31;
    assert_true(vmx_vcpu_set_timer(&suite.vcpu, 1000ULL << rate));
    assert_true(field(VMCS_PIN_CONTROLS) & PIN_PREEMPTION_TIMER);
    assert_true(field(VMCS_EXIT_CONTROLS) & EXIT_SAVE_PREEMPTION_TIMER);
    assert_int_equal(field(VMCS_PREEMPTION_TIMER_VALUE), 1000);
    assert_true(vmx_vcpu_set_timer(&suite.vcpu, (1000ULL << rate) + 1));
    assert_int_equal(field(VMCS_PREEMPTION_TIMER_VALUE), 1001); /* at least so long */
    assert_null(fake_entry_check(0));
    assert_false(vmx_vcpu_set_timer(&suite.vcpu, 1ULL << (32 + rate))); /* REQ-MEM-3 */
    assert_true(vmx_vcpu_set_timer(&suite.vcpu, 0));
    assert_false(field(VMCS_PIN_CONTROLS) & PIN_PREEMPTION_TIMER);
    assert_false(field(VMCS_EXIT_CONTROLS) & EXIT_SAVE_PREEMPTION_TIMER);
    assert_null(fake_entry_check(0));
    suite.caps.pin &= ~((uint64_t)PIN_PREEMPTION_TIMER << 32);
    assert_false(vmx_vcpu_set_timer(&suite.vcpu, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_timer, suite_setup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
