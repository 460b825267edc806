/* libvmx/cpuid.c: what the guest sees of the CPU. */
#include "suite.h"

#include <vmx/cpuid.h>

static const struct hw_cpuid all_ones = {~0U, ~0U, ~0U, ~0U};
static const struct vmx_controls all_controls = {.proc2 = PROC2_RDTSCP | PROC2_INVPCID |
                                                          PROC2_XSAVES | PROC2_USER_WAIT};
static const struct vmx_controls no_controls = {.proc2 = 0};

static void assert_cpuid(struct hw_cpuid got, uint32_t eax, uint32_t ebx, uint32_t ecx,
                         uint32_t edx)
{
    assert_int_equal(got.eax, eax);
    assert_int_equal(got.ebx, ebx);
    assert_int_equal(got.ecx, ecx);
    assert_int_equal(got.edx, edx);
}

static struct hw_cpuid filter(const struct vmx_controls *controls, uint32_t leaf, uint32_t subleaf,
                              uint64_t cr4)
{
    return vmx_cpuid_filter(controls, leaf, subleaf, cr4, all_ones);
}

static void test_leaf_1(void **state) /* REQ-MSR-8, REQ-MSR-10, REQ-CR-7 */
{
    (void)state;
    uint32_t hidden = 1U << 2 | 1U << 4 | 1U << 5 | 1U << 6; /* DTES64, DS-CPL, VMX, SMX */
    assert_cpuid(filter(&all_controls, 1, 0, CR4_OSXSAVE), ~0U, ~0U, ~hidden, ~(1U << 21));
    assert_cpuid(filter(&all_controls, 1, 0, 0), ~0U, ~0U, ~hidden & ~(1U << 27), ~(1U << 21));
    struct hw_cpuid zero = {0};
    struct hw_cpuid got = vmx_cpuid_filter(&all_controls, 1, 0, CR4_OSXSAVE, zero);
    assert_int_equal(got.ecx, 1U << 31 | 1U << 27); /* hypervisor present; the guest's OSXSAVE */
}

static void test_leaf_7(void **state) /* REQ-MSR-4, REQ-MSR-8, REQ-CR-7 */
{
    (void)state;
    uint32_t ebx = ~(1U << 14 | 1U << 25);
    uint32_t ecx = ~(1U << 4 | 1U << 7 | 1U << 23 | 1U << 31);
    uint32_t edx = ~(1U << 5 | 1U << 18 | 1U << 20);
    assert_cpuid(filter(&all_controls, 7, 0, 0), ~0U, ebx, ecx, edx);
    assert_cpuid(filter(&all_controls, 7, 0, CR4_PKE), ~0U, ebx, ecx | 1U << 4, edx);
    assert_cpuid(filter(&no_controls, 7, 0, 0), ~0U, ebx & ~(1U << 10), ecx & ~(1U << 5 | 1U << 22),
                 edx);
    assert_cpuid(filter(&all_controls, 7, 1, 0), ~(1U << 6 | 7U << 17 | 3U << 26), ~0U, ~0U,
                 ~(1U << 18));
    assert_cpuid(filter(&all_controls, 7, 2, 0), ~0U, ~0U, ~0U, ~0U);
}

static void test_xsave_leaf(void **state) /* REQ-MSR-4, REQ-MSR-8 */
{
    (void)state;
    uint32_t xss = ~(1U << 8 | 1U << 11 | 1U << 12 | 1U << 14);
    assert_cpuid(filter(&all_controls, 0xd, 0, 0), ~(3U << 3), ~0U, ~0U, ~0U);
    assert_cpuid(filter(&all_controls, 0xd, 1, 0), ~0U, ~0U, xss, ~0U);
    assert_cpuid(filter(&no_controls, 0xd, 1, 0), ~(1U << 3), 0, 0, 0);
    for (uint32_t subleaf = 2; subleaf < 40; subleaf++) {
        bool hidden = subleaf == 3 || subleaf == 4 || subleaf == 8 || subleaf == 11 ||
                      subleaf == 12 || subleaf == 14;
        uint32_t value = hidden ? 0 : ~0U;
        assert_cpuid(filter(&all_controls, 0xd, subleaf, 0), value, value, value, value);
    }
}

static void test_other_leaves(void **state) /* REQ-MSR-4, REQ-MSR-8 */
{
    (void)state;
    assert_cpuid(filter(&all_controls, 6, 0, 0), ~(1U << 19 | 1U << 23), ~0U, ~0U, ~0U);
    assert_cpuid(filter(&all_controls, 0x14, 0, 0), 0, 0, 0, 0);
    assert_cpuid(filter(&all_controls, 0x19, 0, 0), 0, 0, 0, 0);
    assert_cpuid(filter(&all_controls, 0x1b, 0, 0), 0, 0, 0, 0);
    assert_cpuid(filter(&all_controls, 0x80000001, 0, 0), ~0U, ~0U, ~0U, ~0U);
    assert_cpuid(filter(&no_controls, 0x80000001, 0, 0), ~0U, ~0U, ~0U, ~(1U << 27));
    assert_cpuid(filter(&no_controls, 0xb, 1, 0), ~0U, ~0U, ~0U, ~0U);
}

static void test_hypervisor_leaves(void **state) /* REQ-MSR-10 */
{
    (void)state;
    struct hw_cpuid leaf = filter(&all_controls, 0x40000000, 0, 0);
    char signature[13] = {0};
    memcpy(signature, &leaf.ebx, 4);
    memcpy(signature + 4, &leaf.ecx, 4);
    memcpy(signature + 8, &leaf.edx, 4);
    assert_string_equal(signature, "NacreNacre");
    assert_int_equal(leaf.eax, 0x40000001);
    assert_cpuid(filter(&all_controls, 0x40000001, 0, 0), 0, 0, 0, 0);
    assert_cpuid(filter(&all_controls, 0x400000ff, 0, 0), 0, 0, 0, 0);
}

static void test_effective_leaf(void **state) /* a hidden leaf cannot be had by a detour */
{
    (void)state;
    struct vmx_caps caps = {.max_leaf = 0x14, .max_extended_leaf = 0x80000008};
    assert_int_equal(vmx_cpuid_effective_leaf(&caps, 0x14), 0x14);
    assert_int_equal(vmx_cpuid_effective_leaf(&caps, 0x15), 0x14);
    assert_int_equal(vmx_cpuid_effective_leaf(&caps, 0x3fffffff), 0x14);
    assert_int_equal(vmx_cpuid_effective_leaf(&caps, 0x40000000), 0x40000000);
    assert_int_equal(vmx_cpuid_effective_leaf(&caps, 0x400000ff), 0x400000ff);
    assert_int_equal(vmx_cpuid_effective_leaf(&caps, 0x40000100), 0x14);
    assert_int_equal(vmx_cpuid_effective_leaf(&caps, 0x80000008), 0x80000008);
    assert_int_equal(vmx_cpuid_effective_leaf(&caps, 0x80000009), 0x14);
    assert_int_equal(vmx_cpuid_effective_leaf(&caps, ~0U), 0x14);
}

static void test_state_components(void **state) /* REQ-MSR-4, REQ-MSR-8 */
{
    (void)state;
    struct vmx_caps caps = {.xcr0_bits = ~0ULL, .xss_bits = ~0ULL};
    assert_int_equal(vmx_guest_xcr0_bits(&caps), ~0x18ULL);
    assert_int_equal(vmx_guest_xss_bits(&caps), ~0x5900ULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaf_1),
        cmocka_unit_test(test_leaf_7),
        cmocka_unit_test(test_xsave_leaf),
        cmocka_unit_test(test_other_leaves),
        cmocka_unit_test(test_hypervisor_leaves),
        cmocka_unit_test(test_effective_leaf),
        cmocka_unit_test(test_state_components),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
