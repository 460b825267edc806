/* The identity map: completeness, types, page sizes, the hole, cost, tables needed, retyping. */
#include "ept_model.h"
#include "mtrr_model.h"

#include <ept/identity.h>

#define CAP_NO_1G (CAP_ALL & ~(1ULL << 17))
#define CAP_4K (CAP_NO_1G & ~(1ULL << 16))

static const struct mtrr typical = {
    .cap = 0x508,
    .def_type = 0xc06,
    .fixed = {0x0606060606060606, 0x0606060606060606, 0, 0x0505050505050505, 0x0505050505050505,
              0x0505050505050505, 0x0505050505050505, 0x0505050505050505, 0x0505050505050505,
              0x0505050505050505, 0x0505050505050505},
    .base = {0xc0000000},
    .mask = {(PHYS_MASK & ~0x3fffffffULL) | 0x800},
    .variable_count = 8,
    .maxphyaddr = MODEL_MAXPHYADDR,
};

/*
 * REQ-EPT-5: reads every entry of the map, by rules written down here once more, and checks every
 * leaf of the whole 48-bit space: identity, inside [0, end), no byte of the hole, full rights, the
 * type that the MTRRs give to each page, and nothing missing.
 */
struct survey {
    const struct mtrr *mtrr;
    uint64_t end, hole, hole_end;
    uint64_t mapped_bytes, tables, leaves;
    uint64_t covered_to; /* leaves come in ascending order */
};

static void survey_leaf(struct survey *survey, uint64_t gpa, uint64_t entry, uint64_t bytes)
{
    assert_true((entry & 0x000ffffffffff000ULL) == gpa);
    assert_int_equal(entry & 7, 7);
    assert_int_equal(entry & 0xfff0000000000040ULL, 0);
    assert_true(gpa >= survey->covered_to && gpa + bytes <= survey->end);
    assert_true(gpa + bytes <= survey->hole || gpa >= survey->hole_end);
    /* Corners are enough where model_type cannot change in between: pages are compared in 4-KiB
     * steps below 4 MiB and at their ends and middle elsewhere. */
    uint64_t step = gpa < 0x400000 ? PAGE_BYTES : bytes / 2 > PAGE_BYTES ? bytes / 2 : PAGE_BYTES;
    for (uint64_t at = gpa; at < gpa + bytes; at += step) {
        assert_int_equal(entry >> 3 & 7, model_type(survey->mtrr, at));
    }
    assert_int_equal(entry >> 3 & 7, model_type(survey->mtrr, gpa + bytes - PAGE_BYTES));
    survey->covered_to = gpa + bytes;
    survey->mapped_bytes += bytes;
    survey->leaves++;
}

static void survey_table(struct survey *survey, uint64_t table, uint64_t gpa, unsigned level)
{
    const uint64_t *entries = fake_ram(table, PAGE_BYTES);
    assert_non_null(entries);
    survey->tables++;
    for (uint64_t i = 0; i < 512; i++) {
        uint64_t bytes = 1ULL << (12 + 9 * (level - 1)), at = gpa + i * bytes;
        if ((entries[i] & 7) == 0) {
            continue;
        }
        if (level == 1 || (level < 4 && (entries[i] & 0x80) != 0)) {
            survey_leaf(survey, at, entries[i], bytes);
        } else {
            assert_int_equal(entries[i] & 0xfff0000000000fffULL, 7);
            survey_table(survey, entries[i] & 0x000ffffffffff000ULL, at, level - 1);
        }
    }
}

static struct survey survey_map(uint64_t end, const struct mtrr *mtrr, uint64_t hole,
                                uint64_t hole_bytes)
{
    hole = hole_bytes == 0 ? 0 : hole;
    struct survey survey = {.mtrr = mtrr, .end = end, .hole = hole, .hole_end = hole + hole_bytes};
    survey_table(&survey, ept.root.v, 0, 4);
    uint64_t hidden = hole >= end ? 0 : hole + hole_bytes > end ? end - hole : hole_bytes;
    assert_true(survey.mapped_bytes == end - hidden);
    return survey;
}

static struct survey build(uint64_t capabilities, uint64_t end, const struct mtrr *mtrr,
                           uint64_t hole, uint64_t hole_bytes)
{
    start(capabilities, POOL_PAGES);
    assert_int_equal(ept_identity_map(&ept, end, mtrr, hpa(hole), hole_bytes), STATUS_OK);
    struct survey survey = survey_map(end, mtrr, hole, hole_bytes);
    assert_int_equal(POOL_PAGES - pool.free_pages, survey.tables);
    assert_true(survey.tables <= ept_identity_tables(end, &ept.features));
    return survey;
}

/* REQ-EPT-4, REQ-MSR-6: a machine with 6 GiB, MMIO below 4 GiB, and us at the top of low RAM. */
static void test_typical_machine(void **state)
{
    (void)state;
    uint64_t end = 6 * PAGE_1G_BYTES, hole = 0xbe000000, hole_bytes = 0x1000000;
    struct survey survey = build(CAP_ALL, end, &typical, hole, hole_bytes);
    assert_int_equal(page_bytes_at(PAGE_1G_BYTES), PAGE_1G_BYTES);
    assert_int_equal(page_bytes_at(0xc0000000), PAGE_1G_BYTES);
    assert_int_equal(page_bytes_at(0xbdffffff), PAGE_2M_BYTES);
    assert_int_equal(page_bytes_at(0xfffff), PAGE_BYTES);
    assert_int_equal(page_bytes_at(PAGE_2M_BYTES), PAGE_2M_BYTES);
    /* 512 pages of 4 KiB, two times 512 of 2 MiB without one and without the hole, four of 1 GiB */
    assert_int_equal(survey.leaves, 512 + 511 + 512 - 8 + 4);
    assert_int_equal(survey.tables, 1 + 1 + 2 + 1);
    survey = build(CAP_NO_1G, end, &typical, hole, hole_bytes);
    assert_int_equal(page_bytes_at(PAGE_1G_BYTES), PAGE_2M_BYTES);
    assert_int_equal(survey.leaves, 512 + 6 * 512 - 1 - 8);
    survey = build(CAP_4K, 0x8000000, &typical, 0x7000000, 0x1000000);
    assert_int_equal(survey.leaves, 0x7000);
}

/* Instructions of a boot count: calls of the machine stand for them, each entry is written once. */
static void test_cost(void **state)
{
    (void)state;
    static const struct {
        uint64_t capabilities, end, calls;
    } cases[] = {
        {CAP_ALL, 512 * PAGE_1G_BYTES, 6000},
        {CAP_NO_1G, 6 * PAGE_1G_BYTES, 9000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start(cases[i].capabilities, POOL_PAGES);
        fake_calls_clear();
        assert_int_equal(ept_identity_map(&ept, cases[i].end, &typical, hpa(0xbe000000), 0x1000000),
                         STATUS_OK);
        uint64_t writes = fake_calls(FAKE_PHYS_WRITE64), reads = fake_calls(FAKE_PHYS_READ64);
        struct survey survey = survey_map(cases[i].end, &typical, 0xbe000000, 0x1000000);
        assert_int_equal(writes, survey.leaves + survey.tables - 1);
        assert_true(writes + reads <= cases[i].calls);
    }
}

/* REQ-EPT-5: holes of all kinds and MTRRs of all kinds; no byte of the hole is reachable. */
static void test_random_machines(void **state)
{
    (void)state;
    uint64_t random = 0xabcdef12345;
    static const uint64_t capabilities[] = {CAP_ALL, CAP_NO_1G};
    for (int round = 0; round < 150; round++) {
        struct mtrr mtrr = random_mtrr(&random, 33);
        uint64_t end = (1 + next_random(&random, 8 * PAGE_1G_BYTES / PAGE_BYTES)) * PAGE_BYTES;
        uint64_t unit = next_random(&random, 2) != 0 ? PAGE_2M_BYTES : PAGE_BYTES;
        uint64_t hole = next_random(&random, 8 * PAGE_1G_BYTES / unit) * unit;
        uint64_t hole_bytes = next_random(&random, 64) * unit;
        build(capabilities[round % 2], end, &mtrr, hole, hole_bytes);
    }
}

/* REQ-BOOT-5: RAM far above 4 GiB. */
static void test_much_memory(void **state)
{
    (void)state;
    build(CAP_ALL, 1ULL << 39, &typical, 0xbe000000, 0x1000000);
    build(CAP_ALL, (1ULL << 39) + (3ULL << 21), &typical, 0xbe000000, 0x1000000);
    build(CAP_NO_1G, 64 * PAGE_1G_BYTES, &typical, 0, 0);
}

/* REQ-EPT-6 */
static void test_failures_leave_an_empty_map(void **state)
{
    (void)state;
    uint64_t end = 6 * PAGE_1G_BYTES;
    uint64_t needed = build(CAP_ALL, end, &typical, 0xbe000000, 0x1000000).tables;
    for (uint64_t pages = 1; pages < needed; pages++) {
        start(CAP_ALL, pages);
        assert_int_equal(ept_identity_map(&ept, end, &typical, hpa(0xbe000000), 0x1000000),
                         STATUS_NO_MEMORY);
        check_map();
        assert_int_equal(pool.free_pages, pages - 1);
    }
    start(CAP_ALL, needed);
    assert_int_equal(ept_identity_map(&ept, end, &typical, hpa(0xbe000000), 0x1000000), STATUS_OK);
    start(CAP_ALL, POOL_PAGES);
    assert_int_equal(ept_identity_map(&ept, 0x1234, &typical, hpa(0), 0), STATUS_INVALID);
    assert_int_equal(ept_identity_map(&ept, end, &typical, hpa(0x123), 0x1000), STATUS_INVALID);
    assert_int_equal(ept_identity_map(&ept, end, &typical, hpa(~PAGE_MASK), 0x2000),
                     STATUS_INVALID);
    assert_int_equal(ept_identity_map(&ept, (1ULL << MAXPHYADDR) + PAGE_BYTES, &typical, hpa(0), 0),
                     STATUS_OVERFLOW);
    /* A discontiguous mask that makes every other page different. */
    struct mtrr striped = typical;
    striped.base[0] = 0x1000;
    striped.mask[0] = 0x1800;
    assert_int_equal(ept_identity_map(&ept, end, &striped, hpa(0), 0), STATUS_OVERFLOW);
    check_map();
    assert_int_equal(pool.free_pages, POOL_PAGES - 1);
}

/* REQ-MSR-6: after a change of the MTRRs the types follow, and rights and the hole stay. */
static void test_retype(void **state)
{
    (void)state;
    uint64_t random = 0x13579;
    uint64_t end = 5 * PAGE_1G_BYTES, hole = 0x7e000000, hole_bytes = 0x1000000;
    build(CAP_ALL, end, &typical, hole, hole_bytes);
    enum ept_invalidate need;
    fake_writes_clear();
    assert_int_equal(ept_identity_retype(&ept, end, &typical, &need), STATUS_OK);
    assert_int_equal(need, EPT_INVALIDATE_NONE); /* REQ-EPT-3: none is superfluous */
    assert_int_equal(fake_write_count(), 0);
    for (int round = 0; round < 40; round++) {
        struct mtrr mtrr = random_mtrr(&random, 33);
        assert_int_equal(ept_identity_retype(&ept, end, &mtrr, &need), STATUS_OK);
        survey_map(end, &mtrr, hole, hole_bytes);
        enum ept_invalidate merged;
        while (ept_merge(&ept, gpa(0), end, &merged) == STATUS_BUSY) {
            ept_release(&ept);
        }
        ept_release(&ept);
        struct survey survey = survey_map(end, &mtrr, hole, hole_bytes);
        assert_int_equal(POOL_PAGES - pool.free_pages, survey.tables);
    }
    /* Back to the first state: as small as when it was built. */
    assert_int_equal(ept_identity_retype(&ept, end, &typical, &need), STATUS_OK);
    assert_int_equal(need, EPT_INVALIDATE_SINGLE_CONTEXT);
    while (ept_merge(&ept, gpa(0), end, &need) == STATUS_BUSY) {
        ept_release(&ept);
    }
    ept_release(&ept);
    uint64_t tables = survey_map(end, &typical, hole, hole_bytes).tables;
    assert_int_equal(tables, build(CAP_ALL, end, &typical, hole, hole_bytes).tables);
}

/* REQ-EPT-6 for retyping; pages that somebody took out or protected stay so. */
static void test_retype_failures_and_holes(void **state)
{
    (void)state;
    uint64_t end = 2 * PAGE_1G_BYTES;
    struct mtrr other = typical;
    other.base[0] = 0x40005000 | EPT_WC;
    other.mask[0] = PHYS_MASK | 0x800;
    enum ept_invalidate need = EPT_INVALIDATE_NONE;
    build(CAP_ALL, end, &typical, 0, 0);
    uint64_t needed = POOL_PAGES - pool.free_pages;
    for (uint64_t spare = 0; spare < 2; spare++) {
        start(CAP_ALL, needed + spare);
        assert_int_equal(ept_identity_map(&ept, end, &typical, hpa(0), 0), STATUS_OK);
        fake_writes_clear();
        assert_int_equal(ept_identity_retype(&ept, end, &other, &need), STATUS_NO_MEMORY);
        assert_int_equal(fake_write_count(), 0);
        survey_map(end, &typical, 0, 0);
    }
    build(CAP_ALL, end, &typical, 0, 0);
    assert_int_equal(ept_unmap(&ept, gpa(0x40005000), PAGE_BYTES, &need), STATUS_OK);
    assert_int_equal(ept_protect(&ept, gpa(0x40009000), PAGE_BYTES, EPT_READ, &need), STATUS_OK);
    other.base[0] = 0x40000000 | EPT_UC;
    other.mask[0] = (PHYS_MASK & ~0x1fffffULL) | 0x800;
    assert_int_equal(ept_identity_retype(&ept, end, &other, &need), STATUS_OK);
    struct ept_translation found;
    assert_int_equal(ept_lookup(&ept, gpa(0x40005000), &found), STATUS_NOT_FOUND);
    assert_int_equal(ept_lookup(&ept, gpa(0x40009000), &found), STATUS_OK);
    assert_int_equal(found.perms, EPT_READ);
    assert_int_equal(found.type, EPT_UC);
    struct mtrr striped = typical;
    striped.base[0] = 0x1000;
    striped.mask[0] = 0x1800;
    fake_writes_clear();
    assert_int_equal(ept_identity_retype(&ept, end, &striped, &need), STATUS_OVERFLOW);
    assert_int_equal(fake_write_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typical_machine),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_random_machines),
        cmocka_unit_test(test_much_memory),
        cmocka_unit_test(test_failures_leave_an_empty_map),
        cmocka_unit_test(test_retype),
        cmocka_unit_test(test_retype_failures_and_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
