/* REQ-MSR-6: memory types of ranges by fixed and variable MTRRs and the default, with precedence.
 */
#include "mtrr_model.h"

#include <base/addr.h>

#define MIB (1ULL << 20)

static const struct mtrr typical = {
    .cap = 0x508,
    .def_type = 0xc06, /* E, FE, WB */
    .fixed = {0x0606060606060606, 0x0606060606060606, 0, 0x0505050505050505, 0x0505050505050505,
              0x0505050505050505, 0x0505050505050505, 0x0505050505050505, 0x0505050505050505,
              0x0505050505050505, 0x0505050505050505},
    .base = {0xc0000000, 0xd0000001},
    .mask = {(PHYS_MASK & ~0x3fffffffULL) | 0x800, (PHYS_MASK & ~0xfffffffULL) | 0x800},
    .variable_count = 8,
    .maxphyaddr = MODEL_MAXPHYADDR,
};

static void expect_uniform(const struct mtrr *mtrr, uint64_t start, uint64_t end,
                           enum ept_type expected)
{
    enum ept_type type = (enum ept_type)7;
    assert_true(mtrr_type_of(mtrr, start, end, &type));
    assert_int_equal(type, expected);
}

static void expect_mixed(const struct mtrr *mtrr, uint64_t start, uint64_t end)
{
    enum ept_type type;
    assert_false(mtrr_type_of(mtrr, start, end, &type));
}

static void test_typical_machine(void **state)
{
    (void)state;
    expect_uniform(&typical, 0, 0xa0000, EPT_WB);
    expect_uniform(&typical, 0xa0000, 0xc0000, EPT_UC);
    expect_uniform(&typical, 0xc0000, 0x100000, EPT_WP);
    expect_mixed(&typical, 0, PAGE_2M_BYTES);
    expect_mixed(&typical, 0x9f000, 0xa1000);
    expect_uniform(&typical, MIB, 0xc0000000, EPT_WB);
    /* UC wins over WC within it. */
    expect_uniform(&typical, 0xc0000000, 0x100000000, EPT_UC);
    expect_uniform(&typical, 0x100000000, 1ULL << MODEL_MAXPHYADDR, EPT_WB);
    expect_mixed(&typical, 0xbffff000, 0xc0001000);
}

static void test_enable_bits(void **state)
{
    (void)state;
    struct mtrr mtrr = typical;
    assert_true(mtrr_is_enabled(&mtrr));
    mtrr.def_type = 0x406; /* E clear: all UC whatever else */
    assert_false(mtrr_is_enabled(&mtrr));
    expect_uniform(&mtrr, 0, 1ULL << MODEL_MAXPHYADDR, EPT_UC);
    mtrr.def_type = 0x806; /* FE clear */
    expect_uniform(&mtrr, 0, 0xc0000000, EPT_WB);
    mtrr = typical;
    mtrr.cap &= ~0x100ULL; /* no fixed ranges at all */
    expect_uniform(&mtrr, 0, 0xc0000000, EPT_WB);
    mtrr = typical;
    mtrr.mask[0] &= ~0x800ULL; /* not valid */
    expect_uniform(&mtrr, 0xd0000000, 0xe0000000, EPT_WC);
    expect_uniform(&mtrr, 0xc0000000, 0xd0000000, EPT_WB);
}

/* SDM section "MTRR Precedences": each pair of overlapping types, both ways round. */
static void test_precedence_of_every_pair(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 5; a++) {
        for (unsigned b = 0; b < 5; b++) {
            struct mtrr mtrr = {.cap = 0x502,
                                .def_type = 0x806,
                                .variable_count = 2,
                                .maxphyaddr = MODEL_MAXPHYADDR};
            mtrr.base[0] = 0x40000000 | all_types[a];
            mtrr.base[1] = 0x40000000 | all_types[b];
            mtrr.mask[0] = mtrr.mask[1] = (PHYS_MASK & ~0xfffffffULL) | 0x800;
            enum ept_type expected = EPT_UC;
            if (a == b) {
                expected = all_types[a];
            } else if ((all_types[a] == EPT_WT && all_types[b] == EPT_WB) ||
                       (all_types[a] == EPT_WB && all_types[b] == EPT_WT)) {
                expected = EPT_WT;
            }
            expect_uniform(&mtrr, 0x40000000, 0x50000000, expected);
        }
    }
}

static void test_one_page_and_everything(void **state)
{
    (void)state;
    struct mtrr mtrr = {
        .cap = 0x501, .def_type = 0x800, .variable_count = 1, .maxphyaddr = MODEL_MAXPHYADDR};
    mtrr.base[0] = 0x5000 | EPT_WB;
    mtrr.mask[0] = PHYS_MASK | 0x800;
    expect_uniform(&mtrr, 0x5000, 0x6000, EPT_WB);
    expect_uniform(&mtrr, 0x6000, 1ULL << MODEL_MAXPHYADDR, EPT_UC);
    expect_mixed(&mtrr, 0x4000, 0x6000);
    mtrr.mask[0] = 0x800; /* an empty mask matches every address */
    expect_uniform(&mtrr, 0, 1ULL << MODEL_MAXPHYADDR, EPT_WB);
}

/* SDM section 12.11.3: bits of the base that the mask does not cover do not matter. */
static void test_base_below_the_mask(void **state)
{
    (void)state;
    struct mtrr mtrr = {
        .cap = 0x501, .def_type = 0x800, .variable_count = 1, .maxphyaddr = MODEL_MAXPHYADDR};
    mtrr.base[0] = 0x40123000 | EPT_WB;
    mtrr.mask[0] = (PHYS_MASK & ~0xfffffffULL) | 0x800;
    expect_uniform(&mtrr, 0x40000000, 0x50000000, EPT_WB);
    expect_uniform(&mtrr, 0x30000000, 0x40000000, EPT_UC);
}

/* Walks over [0, 2^span) run by run, and compares each page with the model. */
static void check_runs(const struct mtrr *mtrr, unsigned span_bits, uint64_t *random)
{
    uint64_t end = 1ULL << span_bits;
    for (uint64_t start = 0; start < end;) {
        enum ept_type type;
        uint64_t next = mtrr_run(mtrr, start, end, &type);
        assert_true(next > start && next <= end && next % PAGE_BYTES == 0);
        for (uint64_t at = start; at < next; at += PAGE_BYTES) {
            assert_int_equal(model_type(mtrr, at), type);
        }
        start = next;
    }
    for (int i = 0; i < 50; i++) {
        uint64_t start = next_random(random, end / PAGE_BYTES) * PAGE_BYTES;
        uint64_t stop = start + (1 + next_random(random, 64)) * PAGE_BYTES;
        bool uniform = true;
        for (uint64_t at = start; at < stop; at += PAGE_BYTES) {
            uniform = uniform && model_type(mtrr, at) == model_type(mtrr, start);
        }
        enum ept_type type;
        assert_int_equal(mtrr_type_of(mtrr, start, stop, &type), uniform);
        if (uniform) {
            assert_int_equal(type, model_type(mtrr, start));
        }
    }
}

static void test_random_registers(void **state)
{
    (void)state;
    uint64_t random = 0x1234567;
    for (int round = 0; round < 300; round++) {
        struct mtrr mtrr = random_mtrr(&random, 26);
        check_runs(&mtrr, 26, &random);
    }
}

/* Masks with holes are legal and repeat the range. */
static void test_discontiguous_masks(void **state)
{
    (void)state;
    uint64_t random = 0x7654321;
    for (int round = 0; round < 100; round++) {
        struct mtrr mtrr = random_mtrr(&random, 24);
        for (unsigned i = 0; i < mtrr.variable_count; i++) {
            mtrr.mask[i] &= ~(next_random(&random, 1 << 12) << 12);
        }
        check_runs(&mtrr, 24, &random);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typical_machine),
        cmocka_unit_test(test_enable_bits),
        cmocka_unit_test(test_precedence_of_every_pair),
        cmocka_unit_test(test_one_page_and_everything),
        cmocka_unit_test(test_base_below_the_mask),
        cmocka_unit_test(test_random_registers),
        cmocka_unit_test(test_discontiguous_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
