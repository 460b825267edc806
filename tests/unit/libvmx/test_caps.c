/* libvmx/caps.c: what is read, and what is not (REQ-MSR-7). */
#include "suite.h"

static struct vmx_caps read_model(enum fake_model model)
{
    struct fake_config config = fake_config_default();
    config.model = model;
    fake_machine_reset(&config);
    struct vmx_caps caps;
    fake_calls_clear();
    vmx_caps_read(&caps);
    return caps;
}

static void test_values_are_the_cpus(void **state)
{
    (void)state;
    struct vmx_caps caps = read_model(FAKE_MODEL_SKYLAKE);
    assert_false(caps.amd);
    assert_int_equal(caps.leaf1_eax, fake_cpuid_get(1, 0, FAKE_EAX));
    assert_int_equal(caps.leaf7_ebx, fake_cpuid_get(7, 0, FAKE_EBX));
    assert_int_equal(caps.leaf7_ecx & ~0x10U, fake_cpuid_get(7, 0, FAKE_ECX) & ~0x10U);
    assert_int_equal(caps.leaf7_edx, fake_cpuid_get(7, 0, FAKE_EDX));
    assert_int_equal(caps.xcr0_bits, 0x2ff);
    assert_int_equal(caps.xss_bits, 0x100);
    assert_int_equal(caps.phys_bits, 46);
    assert_int_equal(caps.basic, fake_msr_get(0, IA32_VMX_BASIC));
    assert_int_equal(caps.pin, fake_msr_get(0, IA32_VMX_TRUE_PINBASED_CTLS));
    assert_int_equal(caps.proc, fake_msr_get(0, IA32_VMX_TRUE_PROCBASED_CTLS));
    assert_int_equal(caps.exit, fake_msr_get(0, IA32_VMX_TRUE_EXIT_CTLS));
    assert_int_equal(caps.entry, fake_msr_get(0, IA32_VMX_TRUE_ENTRY_CTLS));
    assert_int_equal(caps.proc2, fake_msr_get(0, IA32_VMX_PROCBASED_CTLS2));
    assert_int_equal(caps.ept_vpid, fake_msr_get(0, IA32_VMX_EPT_VPID_CAP));
    assert_int_equal(caps.misc, fake_msr_get(0, IA32_VMX_MISC));
    assert_int_equal(caps.cr0_fixed0, fake_msr_get(0, IA32_VMX_CR0_FIXED0));
    assert_int_equal(caps.cr0_fixed1, fake_msr_get(0, IA32_VMX_CR0_FIXED1));
    assert_int_equal(caps.cr4_fixed0, fake_msr_get(0, IA32_VMX_CR4_FIXED0));
    assert_int_equal(caps.cr4_fixed1, fake_msr_get(0, IA32_VMX_CR4_FIXED1));
    assert_int_equal(caps.feature_control, fake_msr_get(0, IA32_FEATURE_CONTROL));
    assert_int_equal(vmx_caps_revision(&caps), fake_msr_get(0, IA32_VMX_BASIC) & 0x7fffffff);
}

static void test_no_vmx_reads_no_msr(void **state) /* REQ-MSR-7 */
{
    (void)state;
    struct vmx_caps caps = read_model(FAKE_MODEL_NO_VMX);
    assert_int_equal(fake_calls(FAKE_RDMSR) + fake_calls(FAKE_RDMSR_SAFE), 0);
    assert_int_equal(caps.basic | caps.feature_control | caps.ept_vpid, 0);
}

static void test_without_true_controls(void **state) /* REQ-MSR-7 */
{
    (void)state;
    struct vmx_caps caps = read_model(FAKE_MODEL_NO_EPT);
    assert_int_equal(caps.pin, fake_msr_get(0, IA32_VMX_PINBASED_CTLS));
    assert_int_equal(caps.proc, fake_msr_get(0, IA32_VMX_PROCBASED_CTLS));
    assert_int_equal(caps.exit, fake_msr_get(0, IA32_VMX_EXIT_CTLS));
    assert_int_equal(caps.entry, fake_msr_get(0, IA32_VMX_ENTRY_CTLS));
    assert_int_equal(caps.ept_vpid, 0); /* neither EPT nor VPID: the MSR does not exist */
    /* FEATURE_CONTROL, BASIC, 4 controls, MISC, 4 CR, PROCBASED_CTLS2 and none that is missing. */
    assert_int_equal(fake_calls(FAKE_RDMSR_SAFE), 12);
}

static void test_without_secondary_controls(void **state) /* REQ-MSR-7 */
{
    (void)state;
    fake_machine_reset(NULL);
    fake_vmx_deny(FAKE_PRIMARY, PROC_SECONDARY);
    struct vmx_caps caps;
    fake_calls_clear();
    vmx_caps_read(&caps);
    assert_int_equal(caps.proc2 | caps.ept_vpid, 0);
    assert_int_equal(fake_calls(FAKE_RDMSR_SAFE), 11);
}

static void test_vpid_alone_makes_the_ept_msr_exist(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    fake_vmx_deny(FAKE_SECONDARY, PROC2_EPT | PROC2_UNRESTRICTED_GUEST);
    struct vmx_caps caps;
    vmx_caps_read(&caps);
    assert_true(caps.ept_vpid & VPID_CAP_INVVPID);
}

static void test_vendor(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    fake_cpuid_set(0, 0, FAKE_EBX, 0x68747541); /* AuthenticAMD */
    fake_cpuid_set(0, 0, FAKE_EDX, 0x69746e65);
    fake_cpuid_set(0, 0, FAKE_ECX, 0x444d4163);
    struct vmx_caps caps;
    vmx_caps_read(&caps);
    assert_true(caps.amd);
}

static void test_short_cpuid(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    fake_cpuid_set(0, 0, FAKE_EAX, 5);
    fake_cpuid_set(0x80000000, 0, FAKE_EAX, 0x80000000);
    struct vmx_caps caps;
    vmx_caps_read(&caps);
    assert_int_equal(caps.leaf7_ebx | caps.xsave1_eax | caps.extended1_edx, 0);
    assert_int_equal(caps.xcr0_bits, 0);
    assert_int_equal(caps.phys_bits, 36);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_the_cpus),
        cmocka_unit_test(test_no_vmx_reads_no_msr),
        cmocka_unit_test(test_without_true_controls),
        cmocka_unit_test(test_without_secondary_controls),
        cmocka_unit_test(test_vpid_alone_makes_the_ept_msr_exist),
        cmocka_unit_test(test_vendor),
        cmocka_unit_test(test_short_cpuid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
