/* ept_map(): the largest pages, refusals, running out of tables, and random use against the model.
 */
#include "ept_model.h"

#define CAP_NO_1G (CAP_ALL & ~(1ULL << 17))
#define CAP_4K (CAP_NO_1G & ~(1ULL << 16))

/* REQ-EPT-4: the largest pages that the CPU has and that both addresses allow. */
static void test_largest_pages(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0x1ff000, 0x1ff000, 2 * PAGE_1G_BYTES, EPT_RWX, EPT_WB);
    check_map();
    assert_int_equal(page_bytes_at(0x1ff000), PAGE_BYTES);
    assert_int_equal(page_bytes_at(0x200000), PAGE_2M_BYTES);
    assert_int_equal(page_bytes_at(PAGE_1G_BYTES), PAGE_1G_BYTES);
    assert_int_equal(page_bytes_at(2 * PAGE_1G_BYTES), PAGE_BYTES);
    start(CAP_NO_1G, POOL_PAGES);
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    check_map();
    assert_int_equal(page_bytes_at(PAGE_1G_BYTES), PAGE_2M_BYTES);
    assert_int_equal(POOL_PAGES - pool.free_pages, 1 + 1 + 3);
    start(CAP_4K, POOL_PAGES);
    must_map(0, 0, 8 * PAGE_2M_BYTES, EPT_RWX, EPT_WB);
    check_map();
    assert_int_equal(page_bytes_at(0), PAGE_BYTES);
    assert_int_equal(POOL_PAGES - pool.free_pages, 1 + 1 + 1 + 8);
}

/* A table that unmapping left empty is used again, not lost. */
static void test_empty_tables_are_used(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    enum ept_invalidate need;
    must_map(5 * PAGE_2M_BYTES, 0, PAGE_BYTES, EPT_RWX, EPT_WB);
    assert_int_equal(ept_unmap(&ept, gpa(5 * PAGE_2M_BYTES), PAGE_BYTES, &need), STATUS_OK);
    memset(model, 0, sizeof model);
    must_map(PAGE_2M_BYTES, PAGE_2M_BYTES, 9 * PAGE_2M_BYTES, EPT_RWX, EPT_WB);
    check_map();
    assert_int_equal(page_bytes_at(4 * PAGE_2M_BYTES), PAGE_2M_BYTES);
    assert_int_equal(page_bytes_at(5 * PAGE_2M_BYTES), PAGE_BYTES);
    ept_clear(&ept);
    assert_int_equal(pool.free_pages, POOL_PAGES - 1);
}

static void test_alignment_of_both_addresses_counts(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0, 0x40200000, PAGE_1G_BYTES, EPT_RWX, EPT_WB);
    must_map(PAGE_1G_BYTES, 0x1000, PAGE_2M_BYTES, EPT_RWX, EPT_WB);
    check_map();
    assert_int_equal(page_bytes_at(0), PAGE_2M_BYTES);
    assert_int_equal(page_bytes_at(PAGE_1G_BYTES), PAGE_BYTES);
}

static void refused(enum status expected, uint64_t at, uint64_t to, uint64_t bytes, unsigned perms)
{
    uint64_t free_pages = pool.free_pages;
    fake_writes_clear();
    assert_int_equal(ept_map(&ept, gpa(at), hpa(to), bytes, perms, EPT_WB), expected);
    assert_int_equal(fake_write_count(), 0);
    assert_int_equal(pool.free_pages, free_pages);
}

static void test_refusals_change_nothing(void **state)
{
    (void)state;
    start(CAP_ALL & ~1ULL, POOL_PAGES);
    must_map(0x5000, 0x5000, PAGE_BYTES, EPT_RWX, EPT_WB);
    must_map(PAGE_1G_BYTES, 0, PAGE_1G_BYTES, EPT_RWX, EPT_WB);
    refused(STATUS_OVERLAP, 0x5000, 0x5000, PAGE_BYTES, EPT_RWX);
    refused(STATUS_OVERLAP, 0, 0, 0x6000, EPT_RWX);
    refused(STATUS_OVERLAP, 0x200000, 0x200000, PAGE_1G_BYTES, EPT_RWX);
    refused(STATUS_OVERLAP, PAGE_1G_BYTES + 0x7000, 0, PAGE_BYTES, EPT_RWX);
    refused(STATUS_INVALID, 0x7000, 0, 0, EPT_RWX);
    refused(STATUS_INVALID, 0x7001, 0, PAGE_BYTES, EPT_RWX);
    refused(STATUS_INVALID, 0x7000, 0x10, PAGE_BYTES, EPT_RWX);
    refused(STATUS_INVALID, 0x7000, 0, 0x800, EPT_RWX);
    refused(STATUS_INVALID, 0x7000, 0, PAGE_BYTES, 0);
    refused(STATUS_INVALID, 0x7000, 0, PAGE_BYTES, 8);
    refused(STATUS_INVALID, 0x7000, 0, PAGE_BYTES, EPT_WRITE);
    refused(STATUS_INVALID, 0x7000, 0, PAGE_BYTES, EPT_WRITE | EPT_EXECUTE);
    refused(STATUS_UNSUPPORTED, 0x7000, 0, PAGE_BYTES, EPT_EXECUTE);
    check_map();
}

/* REQ-MEM-2: above 4 GiB, the last page below MAXPHYADDR, and one page past it. */
static void test_physical_address_limits(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    uint64_t limit = 1ULL << MAXPHYADDR;
    refused(STATUS_OVERFLOW, limit, 0, PAGE_BYTES, EPT_RWX);
    refused(STATUS_OVERFLOW, limit - PAGE_BYTES, 0, 2 * PAGE_BYTES, EPT_RWX);
    refused(STATUS_OVERFLOW, 0, limit, PAGE_BYTES, EPT_RWX);
    refused(STATUS_OVERFLOW, 0, limit - PAGE_BYTES, 2 * PAGE_BYTES, EPT_RWX);
    refused(STATUS_OVERFLOW, 0, 0, ~PAGE_MASK, EPT_RWX);
    refused(STATUS_OVERFLOW, ~PAGE_MASK, 0, PAGE_BYTES, EPT_RWX);
    refused(STATUS_OVERFLOW, 1ULL << 48, 0, PAGE_BYTES, EPT_RWX);
    static const uint64_t places[] = {4 * PAGE_1G_BYTES, (1ULL << 40) + 0x3000};
    for (size_t i = 0; i <= 2; i++) {
        uint64_t at = i < 2 ? places[i] : limit - PAGE_BYTES;
        assert_int_equal(ept_map(&ept, gpa(at), hpa(at), PAGE_BYTES, EPT_RWX, EPT_WB), STATUS_OK);
        struct fake_walk walk = fake_ept_walk(ept_pointer(&ept), at);
        assert_int_equal(walk.result, FAKE_WALK_OK);
        assert_true(walk.hpa == at);
    }
    /* With wider physical addresses than 4 levels translate, 2^48 is the limit. */
    struct ept_features features = ept_features_from(CAP_ALL);
    assert_int_equal(ept_init(&ept, &pool, &features, 52), STATUS_OK);
    refused(STATUS_OVERFLOW, 1ULL << 48, 0, PAGE_BYTES, EPT_RWX);
    assert_int_equal(ept_map(&ept, gpa((1ULL << 48) - PAGE_BYTES), hpa((1ULL << 52) - PAGE_BYTES),
                             PAGE_BYTES, EPT_RWX, EPT_WB),
                     STATUS_OK);
}

/* REQ-EPT-6: with one page fewer than it takes, nothing is written; with exactly as many it works.
 */
static void test_running_out_of_tables(void **state)
{
    (void)state;
    static const struct {
        uint64_t at, to, bytes, tables, capabilities;
    } cases[] = {
        {0x1000, 0x1000, PAGE_BYTES, 3, CAP_ALL},
        {0x1ff000, 0x1ff000, 2 * PAGE_BYTES, 4, CAP_ALL},
        {PAGE_1G_BYTES - PAGE_BYTES, 0, 2 * PAGE_BYTES, 5, CAP_ALL},
        {0x1ff000, 0x1ff000, 2 * PAGE_1G_BYTES, 1 + 2 + 2, CAP_ALL},
        {0, 0, WINDOW_BYTES, 1, CAP_ALL},
        {0, 0x200000, WINDOW_BYTES, 1 + 3, CAP_ALL},
        {0, 0x1000, 64 * PAGE_2M_BYTES, 1 + 1 + 64, CAP_ALL},
        {0x1000, 0x1000, 64 * PAGE_2M_BYTES, 1 + 1 + 65, CAP_4K},
        {0x1ff000, 0x1ff000, WINDOW_BYTES - 0x1ff000, 1 + 3 + 1, CAP_NO_1G},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint64_t pages = 0; pages < cases[i].tables; pages++) {
            start(cases[i].capabilities, 1 + pages);
            refused(STATUS_NO_MEMORY, cases[i].at, cases[i].to, cases[i].bytes, EPT_RWX);
            check_map();
        }
        start(cases[i].capabilities, 1 + cases[i].tables);
        must_map(cases[i].at, cases[i].to, cases[i].bytes, EPT_RWX, EPT_WB);
        assert_int_equal(pool.free_pages, 0);
        check_map();
    }
}

/* REQ-EPT-4: each store of a mapping leaves all pages outside of it, and those done, as they are.
 */
static struct {
    uint64_t at, to, end;
} mapping;

static void check_store(void *arg, const struct fake_write *write)
{
    (void)arg;
    (void)write;
    for (int i = 0; i < 12; i++) {
        uint64_t page = random_below(WINDOW_PAGES);
        if (i < 6) {
            static const int64_t offset[] = {-1, 0, 1};
            page = (i < 3 ? mapping.at : mapping.end) / PAGE_BYTES + (uint64_t)offset[i % 3];
        }
        if (page >= WINDOW_PAGES) {
            continue;
        }
        uint64_t at = page * PAGE_BYTES;
        struct fake_walk walk = fake_ept_walk(ept_pointer(&ept), at);
        struct model_page after = {mapping.to + (at - mapping.at), EPT_RWX, EPT_WT};
        bool inside = at >= mapping.at && at < mapping.end;
        assert_true(walk_matches(&walk, at, &model[page]) ||
                    (inside && walk_matches(&walk, at, &after)));
    }
}

static bool model_is_free(uint64_t at, uint64_t bytes)
{
    for (uint64_t page = at / PAGE_BYTES; page < (at + bytes) / PAGE_BYTES; page++) {
        if (model[page].perms != 0) {
            return false;
        }
    }
    return true;
}

static void random_maps(uint64_t capabilities, uint64_t seed)
{
    start(capabilities, POOL_PAGES);
    random_state ^= seed;
    static const uint64_t units[] = {PAGE_BYTES, PAGE_BYTES, PAGE_2M_BYTES, PAGE_1G_BYTES};
    for (int step = 0; step < 60; step++) {
        uint64_t unit = units[random_below(4)];
        uint64_t at = random_below(WINDOW_BYTES / unit) * unit;
        uint64_t bytes = (1 + random_below(unit == PAGE_BYTES ? 700 : 3)) * unit;
        if (unit == PAGE_1G_BYTES && (capabilities & 1ULL << 16) == 0) {
            bytes = PAGE_2M_BYTES;
        }
        bytes = bytes < WINDOW_BYTES - at ? bytes : WINDOW_BYTES - at;
        mapping.at = at;
        mapping.end = at + bytes;
        mapping.to = random_below(4) == 0 && bytes < 4 * PAGE_2M_BYTES ? at + 0x7000 : at;
        bool fits = model_is_free(at, bytes);
        fake_on_write(check_store, NULL);
        enum status status = ept_map(&ept, gpa(at), hpa(mapping.to), bytes, EPT_RWX, EPT_WT);
        fake_on_write(NULL, NULL);
        assert_int_equal(status, fits ? STATUS_OK : STATUS_OVERLAP);
        if (fits) {
            model_map(at, mapping.to, bytes, EPT_RWX, EPT_WT);
        }
        check_map();
    }
}

static void test_random_maps(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        random_maps(CAP_ALL, seed);
        random_maps(CAP_NO_1G, seed);
        random_maps(CAP_4K, seed);
    }
}

/* REQ-EPT-3: an entry that was not present is never cached, so a mapping needs no invalidation. */
static void test_a_new_mapping_is_seen_at_once(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    assert_false(fake_tlb_fill(0, ept_pointer(&ept), 0x3000));
    must_map(0x2000, 0x2000, PAGE_BYTES, EPT_RWX, EPT_WB);
    assert_true(fake_tlb_fill(0, ept_pointer(&ept), 0x2000));
    assert_false(fake_tlb_fill(0, ept_pointer(&ept), 0x3000));
    must_map(0x3000, 0x3000, PAGE_1G_BYTES, EPT_RWX, EPT_WB);
    assert_true(fake_tlb_fill(0, ept_pointer(&ept), 0x3000));
    assert_int_equal(fake_tlb_stale(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_largest_pages),
        cmocka_unit_test(test_empty_tables_are_used),
        cmocka_unit_test(test_alignment_of_both_addresses_counts),
        cmocka_unit_test(test_refusals_change_nothing),
        cmocka_unit_test(test_physical_address_limits),
        cmocka_unit_test(test_running_out_of_tables),
        cmocka_unit_test(test_random_maps),
        cmocka_unit_test(test_a_new_mapping_is_seen_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
