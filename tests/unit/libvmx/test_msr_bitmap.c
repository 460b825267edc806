/* libvmx/msr_bitmap.c */
#include "suite.h"

static uint8_t page[PAGE_BYTES];

static int clear(void **state)
{
    (void)state;
    memset(page, 0, sizeof(page));
    return 0;
}

static void test_one_bit_at_the_manuals_place(void **state)
{
    static const struct {
        uint32_t msr;
        enum vmx_msr_access access;
        unsigned byte, bit;
    } cases[] = {
        {0, VMX_MSR_READ, 0, 0},
        {0x1fff, VMX_MSR_READ, 1023, 7},
        {0xc0000000, VMX_MSR_READ, 1024, 0},
        {0xc0001fff, VMX_MSR_READ, 2047, 7},
        {0x1b, VMX_MSR_WRITE, 2048 + 3, 3},
        {0xc0000080, VMX_MSR_WRITE, 3072 + 16, 0},
    };
    for (unsigned i = 0; i < COUNT(cases); i++) {
        clear(state);
        vmx_msr_intercept(page, cases[i].msr, cases[i].access, true);
        for (unsigned byte = 0; byte < PAGE_BYTES; byte++) {
            assert_int_equal(page[byte], byte == cases[i].byte ? 1 << cases[i].bit : 0);
        }
        assert_true(vmx_msr_exits(page, cases[i].msr, cases[i].access));
        assert_false(vmx_msr_exits(page, cases[i].msr, VMX_MSR_READ_WRITE ^ cases[i].access));
    }
}

static void test_set_and_clear_both(void **state)
{
    (void)state;
    vmx_msr_intercept(page, 0xc0000101, VMX_MSR_READ_WRITE, true);
    vmx_msr_intercept(page, 0xc0000100, VMX_MSR_READ_WRITE, true);
    vmx_msr_intercept(page, 0xc0000101, VMX_MSR_WRITE, false);
    assert_true(vmx_msr_exits(page, 0xc0000101, VMX_MSR_READ));
    assert_false(vmx_msr_exits(page, 0xc0000101, VMX_MSR_WRITE));
    assert_true(vmx_msr_exits(page, 0xc0000100, VMX_MSR_WRITE));
}

static void test_outside_the_ranges(void **state) /* REQ-MSR-1 */
{
    (void)state;
    static const uint32_t outside[] = {0x2000, 0x40000000, 0xbfffffff, 0xc0002000, 0xffffffff};
    for (volatile unsigned i = 0; i < COUNT(outside); i++) {
        assert_true(vmx_msr_exits(page, outside[i], VMX_MSR_READ));
        assert_true(vmx_msr_exits(page, outside[i], VMX_MSR_WRITE));
        assert_int_equal(FAKE_CATCH(vmx_msr_intercept(page, outside[i], VMX_MSR_READ, true)),
                         FAKE_END_CHECK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_bit_at_the_manuals_place, clear),
        cmocka_unit_test_setup(test_set_and_clear_both, clear),
        cmocka_unit_test_setup(test_outside_the_ranges, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
