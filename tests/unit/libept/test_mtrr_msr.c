/* The MTRRs as MSRs: read from the CPU, and a guest's reads and writes of the shadow. */
#include "mtrr_model.h"

#include <fake/machine.h>
#include <string.h>

static const uint32_t fixed_msrs[MTRR_FIXED_COUNT] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                                      0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

static void define_mtrrs(uint64_t cap, unsigned variable)
{
    fake_machine_reset(NULL);
    fake_msr_define(0xfe, cap, 0, true);
    fake_msr_define(0x2ff, 0xc06, ~0xcffULL, false);
    for (unsigned i = 0; i < MTRR_FIXED_COUNT; i++) {
        fake_msr_define(fixed_msrs[i], 0x0606060606060600 + i % 2, 0, false);
    }
    for (unsigned i = 0; i < variable; i++) {
        fake_msr_define(0x200 + 2 * i, 0x40000000ULL * i | 6, 0, false);
        fake_msr_define(0x201 + 2 * i, (PHYS_MASK & ~0x3fffffffULL) | 0x800, 0, false);
    }
}

static void test_read_takes_every_register(void **state)
{
    (void)state;
    define_mtrrs(0x508, 8);
    struct mtrr mtrr;
    mtrr_read(&mtrr, MODEL_MAXPHYADDR);
    assert_int_equal(mtrr.cap, 0x508);
    assert_int_equal(mtrr.variable_count, 8);
    assert_int_equal(mtrr.def_type, 0xc06);
    assert_int_equal(mtrr.maxphyaddr, MODEL_MAXPHYADDR);
    for (unsigned i = 0; i < MTRR_FIXED_COUNT; i++) {
        uint64_t value;
        assert_int_equal(mtrr.fixed[i], 0x0606060606060600 + i % 2);
        assert_true(mtrr_get_msr(&mtrr, fixed_msrs[i], &value));
        assert_int_equal(value, mtrr.fixed[i]);
    }
    for (unsigned i = 0; i < 8; i++) {
        uint64_t base, mask;
        assert_true(mtrr_get_msr(&mtrr, 0x200 + 2 * i, &base));
        assert_true(mtrr_get_msr(&mtrr, 0x201 + 2 * i, &mask));
        assert_int_equal(base, 0x40000000ULL * i | 6);
        assert_int_equal(mask, (PHYS_MASK & ~0x3fffffffULL) | 0x800);
    }
}

/* REQ-MSR-7: registers that the capability register does not announce are not touched. */
static void test_read_stays_within_what_exists(void **state)
{
    (void)state;
    define_mtrrs(0x402, 2);
    for (unsigned i = 0; i < MTRR_FIXED_COUNT; i++) {
        fake_msr_remove(fixed_msrs[i]);
    }
    for (uint32_t msr = 0x204; msr < 0x220; msr++) {
        if (fake_msr_exists(msr)) {
            fake_msr_remove(msr);
        }
    }
    struct mtrr mtrr;
    mtrr_read(&mtrr, MODEL_MAXPHYADDR);
    assert_int_equal(mtrr.variable_count, 2);
    uint64_t value;
    for (unsigned i = 0; i < MTRR_FIXED_COUNT; i++) {
        assert_false(mtrr_get_msr(&mtrr, fixed_msrs[i], &value));
        assert_false(mtrr_set_msr(&mtrr, fixed_msrs[i], 0));
    }
    assert_false(mtrr_get_msr(&mtrr, 0x204, &value));
    assert_false(mtrr_set_msr(&mtrr, 0x204, 0));
}

static void test_more_variable_ranges_than_kept(void **state)
{
    (void)state;
    define_mtrrs(0x514, 20);
    struct mtrr mtrr;
    mtrr_read(&mtrr, MODEL_MAXPHYADDR);
    uint64_t value;
    assert_int_equal(mtrr.variable_count, MTRR_VARIABLE_MAX);
    assert_true(mtrr_get_msr(&mtrr, 0xfe, &value));
    assert_int_equal(value, 0x500 | MTRR_VARIABLE_MAX);
    assert_true(mtrr_get_msr(&mtrr, 0x21f, &value));
    assert_false(mtrr_get_msr(&mtrr, 0x220, &value));
}

static const struct mtrr blank = {
    .cap = 0x508, .def_type = 0xc06, .variable_count = 8, .maxphyaddr = MODEL_MAXPHYADDR};

static void stored(struct mtrr *mtrr, uint32_t msr, uint64_t value)
{
    uint64_t back = ~value;
    assert_true(mtrr_set_msr(mtrr, msr, value));
    assert_true(mtrr_get_msr(mtrr, msr, &back));
    assert_int_equal(back, value);
}

static void refused(struct mtrr *mtrr, uint32_t msr, uint64_t value)
{
    struct mtrr before = *mtrr;
    assert_false(mtrr_set_msr(mtrr, msr, value));
    assert_memory_equal(&before, mtrr, sizeof before);
}

/* REQ-MSR-1: what the CPU answers with #GP is refused, bit by bit. */
static void test_reserved_bits(void **state)
{
    (void)state;
    struct mtrr mtrr = blank;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t value = 1ULL << bit;
        bool is_address = bit >= 12 && bit < MODEL_MAXPHYADDR;
        /* types 1 and 4 are valid, 2 and 8 .. 128 are not */
        bool is_type = bit == 0 || bit == 2;
        (is_type || is_address ? stored : refused)(&mtrr, 0x200, value);
        (bit == 11 || is_address ? stored : refused)(&mtrr, 0x201, value);
        (is_type || bit == 10 || bit == 11 ? stored : refused)(&mtrr, 0x2ff, value);
    }
    refused(&mtrr, 0xfe, 0x508); /* read-only */
    stored(&mtrr, 0x20e, 0x40000006);
    stored(&mtrr, 0x20f, PHYS_MASK | 0x800);
    refused(&mtrr, 0x210, 0);
    refused(&mtrr, 0x1ff, 0);
    refused(&mtrr, 0x251, 0);
    refused(&mtrr, 0x257, 0);
    refused(&mtrr, 0x25a, 0);
    refused(&mtrr, 0x267, 0);
    refused(&mtrr, 0x270, 0);
    refused(&mtrr, 0x277, 0x0606060606060606);
}

static void test_types(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        bool valid = type == 0 || type == 1 || type == 4 || type == 5 || type == 6;
        struct mtrr mtrr = blank;
        (valid ? stored : refused)(&mtrr, 0x2ff, 0xc00 | type);
        (valid ? stored : refused)(&mtrr, 0x202, 0x40000000 | type);
        for (unsigned i = 0; i < MTRR_FIXED_COUNT; i++) {
            for (unsigned byte = 0; byte < 8; byte++) {
                uint64_t value = (0x0606060606060606ULL & ~(0xffULL << 8 * byte)) | (uint64_t)type
                                                                                        << 8 * byte;
                (valid ? stored : refused)(&mtrr, fixed_msrs[i], value);
            }
        }
        /* Write combining is an option of its own. */
        mtrr.cap &= ~0x400ULL;
        (valid && type != 1 ? stored : refused)(&mtrr, 0x2ff, type);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_takes_every_register),
        cmocka_unit_test(test_read_stays_within_what_exists),
        cmocka_unit_test(test_more_variable_ranges_than_kept),
        cmocka_unit_test(test_reserved_bits),
        cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
