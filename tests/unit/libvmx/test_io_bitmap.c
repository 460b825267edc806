/* libvmx/io_bitmap.c */
#include "suite.h"

static uint8_t page_a[PAGE_BYTES], page_b[PAGE_BYTES];

static int clear(void **state)
{
    (void)state;
    memset(page_a, 0, sizeof(page_a));
    memset(page_b, 0, sizeof(page_b));
    return 0;
}

static void check_exactly(uint32_t first, uint32_t count)
{
    for (uint32_t port = 0; port < 0x10000; port++) {
        bool inside = port >= first && port - first < count;
        assert_int_equal(vmx_io_exits(page_a, page_b, (uint16_t)port), inside);
    }
}

static void test_ranges(void **state)
{
    static const struct {
        uint32_t first, count;
    } ranges[] = {{0, 1}, {0x60, 5}, {0x7ffe, 4}, {0x8000, 1}, {0xffff, 1}, {0, 0x10000}, {9, 0}};
    for (unsigned i = 0; i < COUNT(ranges); i++) {
        clear(state);
        vmx_io_intercept(page_a, page_b, ranges[i].first, ranges[i].count, true);
        check_exactly(ranges[i].first, ranges[i].count);
        vmx_io_intercept(page_a, page_b, ranges[i].first, ranges[i].count, false);
        check_exactly(0, 0);
    }
}

static void test_hardware_layout(void **state)
{
    (void)state;
    vmx_io_intercept(page_a, page_b, 0x3f9, 1, true);
    assert_int_equal(page_a[0x7f], 1 << 1);
    vmx_io_intercept(page_a, page_b, 0x8900, 1, true);
    assert_int_equal(page_b[0x120], 1);
}

static void test_past_the_end_is_a_bug(void **state)
{
    (void)state;
    assert_int_equal(FAKE_CATCH(vmx_io_intercept(page_a, page_b, 0xffff, 2, true)), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH(vmx_io_intercept(page_a, page_b, 0x20000, 0, true)),
                     FAKE_END_CHECK);
}

static void test_decode(void **state) /* REQ-MEM-1: the size of the access is the guest's */
{
    (void)state;
    struct vmx_io_access access = vmx_io_decode(0xcf80003); /* OUT DX, EAX */
    assert_int_equal(access.port, 0xcf8);
    assert_int_equal(access.bytes, 4);
    assert_false(access.in || access.string || access.rep);
    access = vmx_io_decode(0x1f00039); /* REP INSW */
    assert_int_equal(access.port, 0x1f0);
    assert_int_equal(access.bytes, 2);
    assert_true(access.in && access.string && access.rep);
    assert_int_equal(vmx_io_decode(0x600008).bytes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_ranges, clear),
        cmocka_unit_test_setup(test_hardware_layout, clear),
        cmocka_unit_test_setup(test_past_the_end_is_a_bug, clear),
        cmocka_unit_test(test_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
