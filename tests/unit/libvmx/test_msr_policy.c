/* libvmx/msr_policy.c: exactly which MSRs exit. */
#include "suite.h"

static uint8_t page[PAGE_BYTES];

struct expected {
    uint32_t first, last;
    char access; /* r, w, b(oth) */
    enum vmx_msr_owner owner;
};

/* On a CPU whose XSAVES control is on and whose user-wait control is off. */
static const struct expected expected[] = {
    {0x1b, 0x1b, 'w', VMX_MSR_HYPAPP},   {0x3a, 0x3a, 'b', VMX_MSR_LIBVMX},
    {0x79, 0x79, 'w', VMX_MSR_LIBVMX},   {0x9b, 0x9b, 'b', VMX_MSR_ABSENT},
    {0xe1, 0xe1, 'b', VMX_MSR_ABSENT},   {0x1a0, 0x1a0, 'b', VMX_MSR_LIBVMX},
    {0x200, 0x21f, 'b', VMX_MSR_HYPAPP}, {0x250, 0x250, 'b', VMX_MSR_HYPAPP},
    {0x258, 0x259, 'b', VMX_MSR_HYPAPP}, {0x268, 0x26f, 'b', VMX_MSR_HYPAPP},
    {0x2ff, 0x2ff, 'b', VMX_MSR_HYPAPP}, {0x345, 0x345, 'b', VMX_MSR_LIBVMX},
    {0x3f1, 0x3f1, 'b', VMX_MSR_ABSENT}, {0x480, 0x493, 'b', VMX_MSR_ABSENT},
    {0x560, 0x561, 'b', VMX_MSR_ABSENT}, {0x570, 0x572, 'b', VMX_MSR_ABSENT},
    {0x580, 0x587, 'b', VMX_MSR_ABSENT}, {0x600, 0x600, 'b', VMX_MSR_ABSENT},
    {0x6a0, 0x6a0, 'b', VMX_MSR_ABSENT}, {0x6a2, 0x6a2, 'b', VMX_MSR_ABSENT},
    {0x6a4, 0x6a8, 'b', VMX_MSR_ABSENT}, {0x6e1, 0x6e1, 'b', VMX_MSR_ABSENT},
    {0x830, 0x830, 'w', VMX_MSR_HYPAPP}, {0x985, 0x98a, 'b', VMX_MSR_ABSENT},
    {0x990, 0x990, 'b', VMX_MSR_ABSENT}, {0xd90, 0xd92, 'b', VMX_MSR_ABSENT},
    {0xda0, 0xda0, 'w', VMX_MSR_LIBVMX}, {0x17d0, 0x17d1, 'b', VMX_MSR_ABSENT},
};

static const struct expected *find(uint32_t msr)
{
    for (unsigned i = 0; i < COUNT(expected); i++) {
        if (msr >= expected[i].first && msr <= expected[i].last) {
            return &expected[i];
        }
    }
    return NULL;
}

static void check_range(uint32_t first)
{
    for (uint32_t msr = first; msr < first + 0x2000; msr++) {
        const struct expected *row = find(msr);
        assert_int_equal(vmx_msr_exits(page, msr, VMX_MSR_READ), row && row->access != 'w');
        assert_int_equal(vmx_msr_exits(page, msr, VMX_MSR_WRITE), row && row->access != 'r');
        assert_int_equal(vmx_msr_owner(msr), row ? row->owner : VMX_MSR_ABSENT);
    }
}

static void test_every_msr(void **state) /* REQ-MSR-4, REQ-MSR-5, REQ-MSR-8, REQ-SMP-2 */
{
    (void)state;
    memset(page, 0xff, sizeof(page));
    vmx_msr_policy(page, &(struct vmx_controls){.proc2 = PROC2_XSAVES});
    check_range(0);
    check_range(0xc0000000);
}

static void test_frequent_ones_pass(void **state) /* REQ-MSR-2, REQ-MSR-9 */
{
    (void)state;
    static const uint32_t passing[] = {
        IA32_TSC_DEADLINE,   IA32_X2APIC_EOI,  IA32_FS_BASE,      IA32_GS_BASE,
        IA32_KERNEL_GS_BASE, IA32_SYSENTER_CS, IA32_SYSENTER_ESP, IA32_SYSENTER_EIP,
        IA32_EFER,           IA32_PAT,         0xc0000081,        0xc0000082,
        0xc0000083,          0xc0000084,       IA32_TSC_AUX,      0x83f};
    vmx_msr_policy(page, &(struct vmx_controls){.proc2 = 0});
    for (unsigned i = 0; i < COUNT(passing); i++) {
        assert_false(vmx_msr_exits(page, passing[i], VMX_MSR_READ));
        assert_false(vmx_msr_exits(page, passing[i], VMX_MSR_WRITE));
    }
}

static void test_msrs_of_optional_controls(void **state) /* REQ-MSR-4 */
{
    (void)state;
    vmx_msr_policy(page, &(struct vmx_controls){.proc2 = 0});
    assert_true(vmx_msr_exits(page, IA32_XSS, VMX_MSR_READ));
    assert_true(vmx_msr_exits(page, IA32_UMWAIT_CONTROL, VMX_MSR_READ));
    vmx_msr_policy(page, &(struct vmx_controls){.proc2 = PROC2_USER_WAIT | PROC2_XSAVES});
    assert_false(vmx_msr_exits(page, IA32_XSS, VMX_MSR_READ));
    assert_true(vmx_msr_exits(page, IA32_XSS, VMX_MSR_WRITE));
    assert_false(vmx_msr_exits(page, IA32_UMWAIT_CONTROL, VMX_MSR_READ));
    assert_false(vmx_msr_exits(page, IA32_UMWAIT_CONTROL, VMX_MSR_WRITE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_msr),
        cmocka_unit_test(test_frequent_ones_pass),
        cmocka_unit_test(test_msrs_of_optional_controls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
