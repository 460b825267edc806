/* Bit, address and range helpers at their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <base/addr.h>
#include <base/bits.h>

static void test_mask_and_get_agree_bit_by_bit(void **state)
{
    (void)state;
    for (unsigned low = 0; low < 64; low++) {
        for (unsigned high = low + 1; high <= 64; high++) {
            uint64_t mask = bits_mask(low, high);
            for (unsigned bit = 0; bit < 64; bit++) {
                assert_int_equal((mask >> bit) & 1, bit >= low && bit < high);
            }
            if (high - low < 64) {
                assert_int_equal(bits_get(mask, low, high - low), mask >> low);
                assert_int_equal(bits_get(~mask, low, high - low), 0);
            }
        }
    }
}

/* REQ-MEM-2: addresses keep all 64 bits. */
static void test_addresses_are_64_bits_wide(void **state)
{
    (void)state;
    _Static_assert(sizeof(struct gpa) == 8 && sizeof(struct hpa) == 8, "REQ-MEM-2");
    assert_true(gpa(0xfffffffffffff000ULL).v == 0xfffffffffffff000ULL);
    assert_true(hpa(1ULL << 51).v >> 51 == 1);
}

static void test_alignment(void **state)
{
    (void)state;
    assert_true(addr_is_aligned(0, PAGE_BYTES));
    assert_false(addr_is_aligned(PAGE_BYTES - 1, PAGE_BYTES));
    assert_int_equal(addr_align_down(0x123456789fffULL, PAGE_BYTES), 0x123456789000ULL);
    assert_int_equal(addr_align_up(0x123456789001ULL, PAGE_BYTES), 0x12345678a000ULL);
    assert_int_equal(addr_align_up(0x123456789000ULL, PAGE_BYTES), 0x123456789000ULL);
    assert_int_equal(addr_align_up(1, PAGE_1G_BYTES), PAGE_1G_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask_and_get_agree_bit_by_bit),
        cmocka_unit_test(test_addresses_are_64_bits_wide),
        cmocka_unit_test(test_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
