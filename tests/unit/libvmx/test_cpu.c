/* libvmx/cpu.c: VMX on and off. */
#include "suite.h"

#include <hw/cpu.h>
#include <hw/vmx.h>

static struct vmx_caps caps;
static void *region;

static struct hpa start(enum fake_model model)
{
    struct fake_config config = fake_config_default();
    config.model = model;
    fake_machine_reset(&config);
    vmx_caps_read(&caps);
    struct hpa address = suite_page(&region);
    memset(region, 0xaa, PAGE_BYTES);
    return address;
}

static void test_on_and_off(void **state)
{
    (void)state;
    struct hpa address = start(FAKE_MODEL_SKYLAKE);
    fake_cr_set(0, 0, fake_cr_get(0, 0) & ~CR0_NE);
    assert_int_equal(vmx_cpu_enable(&caps, address), STATUS_OK);
    assert_true(fake_vmx_on(0));
    assert_true(fake_cr_get(0, 0) & CR0_NE);
    assert_true(fake_cr_get(0, 4) & CR4_VMXE);
    assert_true(fake_cr_get(0, 4) & CR4_OSXSAVE); /* XSETBV for the guest needs it */
    assert_int_equal(*(uint32_t *)region, vmx_caps_revision(&caps));
    for (unsigned i = 4; i < PAGE_BYTES; i++) {
        assert_int_equal(((uint8_t *)region)[i], 0);
    }
    assert_int_equal(vmx_cpu_disable(), STATUS_OK);
    assert_false(fake_vmx_on(0));
    assert_false(fake_cr_get(0, 4) & CR4_VMXE);
}

static void test_open_feature_control_is_set_and_locked(void **state) /* REQ-BOOT-8 */
{
    (void)state;
    struct hpa address = start(FAKE_MODEL_SKYLAKE);
    fake_msr_set(0, IA32_FEATURE_CONTROL, 0);
    assert_int_equal(vmx_cpu_enable(&caps, address), STATUS_OK);
    assert_int_equal(fake_msr_get(0, IA32_FEATURE_CONTROL),
                     FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
}

static void test_locked_off(void **state) /* REQ-BOOT-8 */
{
    (void)state;
    struct hpa address = start(FAKE_MODEL_LOCKED_OFF);
    assert_int_equal(vmx_cpu_enable(&caps, address), STATUS_UNSUPPORTED);
    assert_false(fake_vmx_on(0));
    assert_int_equal(fake_msr_get(0, IA32_FEATURE_CONTROL), FEATURE_CONTROL_LOCK);
}

static void test_vmxon_refused(void **state)
{
    (void)state;
    struct hpa address = start(FAKE_MODEL_SKYLAKE);
    fake_fail_nth(FAKE_VMXON, 1, HW_VMX_FAIL_INVALID);
    assert_int_equal(vmx_cpu_enable(&caps, address), STATUS_HARDWARE);
    assert_int_equal(vmx_cpu_enable(&caps, address), STATUS_OK);
    fake_fail_nth(FAKE_VMXOFF, 1, HW_VMX_FAIL_INVALID);
    assert_int_equal(vmx_cpu_disable(), STATUS_HARDWARE);
}

static void test_processor_trace_is_stopped(void **state) /* REQ-MSR-8 */
{
    (void)state;
    struct hpa address = start(FAKE_MODEL_SKYLAKE);
    fake_msr_set(0, IA32_RTIT_CTL, 1);
    assert_int_equal(vmx_cpu_enable(&caps, address), STATUS_OK);
    assert_int_equal(fake_msr_get(0, IA32_RTIT_CTL), 0);
}

static void test_old_cpu(void **state)
{
    (void)state;
    struct hpa address = start(FAKE_MODEL_SANDY_BRIDGE);
    assert_int_equal(vmx_cpu_enable(&caps, address), STATUS_OK); /* has no IA32_RTIT_CTL */
}

static void test_foreign_region_is_a_bug(void **state)
{
    (void)state;
    start(FAKE_MODEL_SKYLAKE);
    assert_int_equal(FAKE_CATCH(vmx_cpu_enable(&caps, hpa(0x200000))), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH(vmx_cpu_enable(&caps, hpa(hw_region_address(region).v + 8))),
                     FAKE_END_CHECK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_and_off),
        cmocka_unit_test(test_open_feature_control_is_set_and_locked),
        cmocka_unit_test(test_locked_off),
        cmocka_unit_test(test_vmxon_refused),
        cmocka_unit_test(test_processor_trace_is_stopped),
        cmocka_unit_test(test_old_cpu),
        cmocka_unit_test(test_foreign_region_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
