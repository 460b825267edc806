/* ept_unmap(), ept_protect(), ept_set_type(): splits, each store, invalidations, refusals. */
#include "change_model.h"

#define CAP_NO_1G (CAP_ALL & ~(1ULL << 17))

static void change(enum change_kind kind, uint64_t at, uint64_t bytes, unsigned perms,
                   enum ept_type type)
{
    current = (struct change_case){kind, at, bytes, perms, type};
}

/* Makes the current change, with every store checked, and gives what has to be invalidated. */
static enum ept_invalidate must_change(void)
{
    enum ept_invalidate need = (enum ept_invalidate)77;
    fake_on_write(check_change_store, NULL);
    assert_int_equal(apply(&need), STATUS_OK);
    fake_on_write(NULL, NULL);
    model_change();
    check_map();
    return need;
}

static void fill_caches(void)
{
    for (uint64_t at = 0; at < WINDOW_BYTES; at += page_bytes_at(at)) {
        fake_tlb_fill(0, ept_pointer(&ept), at);
    }
}

/* REQ-EPT-4: a split of a 1-GiB page to a 4-KiB page, each store checked. */
static void test_split_keeps_the_rest(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    uint64_t at = PAGE_1G_BYTES + 0x12345000;
    change(PROTECT, at, PAGE_BYTES, EPT_READ, EPT_WB);
    assert_int_equal(must_change(), EPT_INVALIDATE_SINGLE_CONTEXT);
    assert_int_equal(page_bytes_at(at), PAGE_BYTES);
    assert_int_equal(page_bytes_at(at - PAGE_2M_BYTES), PAGE_2M_BYTES);
    assert_int_equal(page_bytes_at(0), PAGE_1G_BYTES);
    /* A whole large page changes in one store. */
    fake_writes_clear();
    change(UNMAP, 2 * PAGE_1G_BYTES, PAGE_1G_BYTES, 0, EPT_WB);
    assert_int_equal(must_change(), EPT_INVALIDATE_SINGLE_CONTEXT);
    assert_int_equal(fake_write_count(), 1);
}

/* REQ-EPT-3: what needs an invalidation and what does not, case by case, with warm caches. */
static void test_which_changes_need_an_invalidation(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0, 0, PAGE_1G_BYTES, EPT_READ | EPT_WRITE, EPT_WB);
    static const struct {
        struct change_case change;
        enum ept_invalidate need;
        bool stale;
    } cases[] = {
        /* as it is already: nothing is split, written or invalidated */
        {{PROTECT, 0x5000, 0x3000, EPT_READ | EPT_WRITE, 0}, EPT_INVALIDATE_NONE, false},
        {{SET_TYPE, 0x5000, 0x3000, 0, EPT_WB}, EPT_INVALIDATE_NONE, false},
        {{UNMAP, 2 * PAGE_1G_BYTES, 0x3000, 0, 0}, EPT_INVALIDATE_NONE, false},
        {{SET_TYPE, 2 * PAGE_1G_BYTES, 0x3000, 0, EPT_UC}, EPT_INVALIDATE_NONE, false},
        /* rights added to a whole page */
        {{PROTECT, 0, PAGE_1G_BYTES, EPT_RWX, 0}, EPT_INVALIDATE_NONE, false},
        /* a right taken, in the middle of a large page */
        {{PROTECT, 0x5000, 0x3000, EPT_READ, 0}, EPT_INVALIDATE_SINGLE_CONTEXT, true},
        {{PROTECT, 0x5000, 0x1000, EPT_READ | EPT_EXECUTE, 0}, EPT_INVALIDATE_NONE, false},
        /* one taken and one added */
        {{PROTECT, 0x5000, 0x1000, EPT_READ | EPT_WRITE, 0}, EPT_INVALIDATE_SINGLE_CONTEXT, true},
        {{SET_TYPE, 0x6000, 0x1000, 0, EPT_UC}, EPT_INVALIDATE_SINGLE_CONTEXT, true},
        {{UNMAP, 0x7000, 0x1000, 0, 0}, EPT_INVALIDATE_SINGLE_CONTEXT, true},
        {{UNMAP, 0x7000, 0x1000, 0, 0}, EPT_INVALIDATE_NONE, false},
        /* rights added in the middle of a large page: bit 7 of its entry changes */
        {{PROTECT, 0x400000, PAGE_2M_BYTES, EPT_READ, 0}, EPT_INVALIDATE_SINGLE_CONTEXT, true},
        {{PROTECT, 0x405000, PAGE_BYTES, EPT_RWX, 0}, EPT_INVALIDATE_SINGLE_CONTEXT, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_tlb_flush(0);
        fill_caches();
        fake_writes_clear();
        current = cases[i].change;
        bool any_change = facts().any_change;
        assert_int_equal(must_change(), cases[i].need);
        assert_int_equal(fake_tlb_stale(0) != 0, cases[i].stale);
        assert_int_equal(fake_write_count() != 0, any_change);
    }
}

static void refused(enum status expected)
{
    enum ept_invalidate need = (enum ept_invalidate)77;
    uint64_t free_pages = pool.free_pages;
    fake_writes_clear();
    assert_int_equal(apply(&need), expected);
    assert_int_equal(need, 77);
    assert_int_equal(fake_write_count(), 0);
    assert_int_equal(pool.free_pages, free_pages);
}

static void test_refusals_change_nothing(void **state)
{
    (void)state;
    start(CAP_ALL & ~1ULL, POOL_PAGES);
    must_map(0, 0, PAGE_1G_BYTES, EPT_RWX, EPT_WB);
    change(PROTECT, PAGE_1G_BYTES - PAGE_BYTES, 2 * PAGE_BYTES, EPT_READ, EPT_WB);
    refused(STATUS_NOT_FOUND);
    static const struct {
        unsigned perms;
        enum status status;
    } rights[] = {{0, STATUS_INVALID},
                  {EPT_WRITE, STATUS_INVALID},
                  {EPT_WRITE | EPT_EXECUTE, STATUS_INVALID},
                  {EPT_RWX | 8, STATUS_INVALID},
                  {EPT_EXECUTE, STATUS_UNSUPPORTED}};
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        change(PROTECT, 0, PAGE_BYTES, rights[i].perms, EPT_WB);
        refused(rights[i].status);
    }
    for (int kind = 0; kind < CHANGE_KINDS; kind++) {
        change((enum change_kind)kind, 0x123, PAGE_BYTES, EPT_READ, EPT_UC);
        refused(STATUS_INVALID);
        change((enum change_kind)kind, 0, 0, EPT_READ, EPT_UC);
        refused(STATUS_INVALID);
        change((enum change_kind)kind, 0, 0x1800, EPT_READ, EPT_UC);
        refused(STATUS_INVALID);
        change((enum change_kind)kind, 1ULL << MAXPHYADDR, PAGE_BYTES, EPT_READ, EPT_UC);
        refused(STATUS_OVERFLOW);
        change((enum change_kind)kind, PAGE_BYTES, ~PAGE_MASK, EPT_READ, EPT_UC);
        refused(STATUS_OVERFLOW);
    }
    check_map();
}

/* REQ-EPT-6: with fewer pages than the splits need nothing is written, with as many it works. */
static void test_running_out_of_tables(void **state)
{
    (void)state;
    static const struct {
        uint64_t at, bytes, tables;
    } cases[] = {
        {0x5000, PAGE_BYTES, 2},
        {PAGE_2M_BYTES, PAGE_2M_BYTES, 1},
        {PAGE_2M_BYTES - PAGE_BYTES, 2 * PAGE_BYTES, 3},
        {PAGE_1G_BYTES - PAGE_BYTES, 2 * PAGE_BYTES, 4},
        {PAGE_1G_BYTES - PAGE_BYTES, PAGE_1G_BYTES + 2 * PAGE_BYTES, 4},
        {0, WINDOW_BYTES, 0},
        {PAGE_BYTES, WINDOW_BYTES - 2 * PAGE_BYTES, 4},
        {0x201000, 3 * PAGE_2M_BYTES, 3},
    };
    for (int kind = 0; kind < CHANGE_KINDS; kind++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            for (uint64_t pages = 0; pages <= cases[i].tables; pages++) {
                start(CAP_ALL, 2 + pages);
                must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
                change((enum change_kind)kind, cases[i].at, cases[i].bytes, EPT_READ, EPT_UC);
                if (pages < cases[i].tables) {
                    refused(STATUS_NO_MEMORY);
                    check_map();
                } else {
                    assert_int_equal(must_change(), EPT_INVALIDATE_SINGLE_CONTEXT);
                    assert_int_equal(pool.free_pages, 0);
                }
            }
        }
    }
}

static void choose_random_change(void)
{
    static const uint64_t units[] = {PAGE_BYTES, PAGE_BYTES, PAGE_BYTES, PAGE_2M_BYTES,
                                     PAGE_1G_BYTES};
    static const unsigned perms[] = {EPT_READ, EPT_EXECUTE, EPT_READ | EPT_WRITE,
                                     EPT_READ | EPT_EXECUTE, EPT_RWX};
    static const enum ept_type types[] = {EPT_UC, EPT_WC, EPT_WT, EPT_WP, EPT_WB};
    uint64_t unit = units[random_below(5)];
    uint64_t at = random_below(WINDOW_BYTES / unit) * unit;
    if (random_below(2) == 0) {
        at &= PAGE_1G_BYTES - 1; /* one GiB gets most, and with it most small pages */
    }
    uint64_t bytes = (1 + random_below(unit == PAGE_BYTES ? 900 : 3)) * unit;
    bytes = bytes < WINDOW_BYTES - at ? bytes : WINDOW_BYTES - at;
    change((enum change_kind)random_below(CHANGE_KINDS), at, bytes, perms[random_below(5)],
           types[random_below(5)]);
}

/* Maps what unmaps left, so that the map does not become empty. */
static void refill(void)
{
    for (uint64_t at = 0; at < WINDOW_BYTES; at += page_bytes_at(at)) {
        if (model[at / PAGE_BYTES].perms == 0) {
            uint64_t bytes = page_bytes_at(at);
            must_map(at, at, bytes < WINDOW_BYTES ? bytes : PAGE_1G_BYTES, EPT_RWX, EPT_WB);
        }
    }
}

static void random_changes(uint64_t capabilities, uint64_t seed)
{
    start(capabilities, POOL_PAGES);
    random_state ^= seed;
    for (int step = 0; step < 48; step++) {
        if (step % 16 == 0) {
            refill();
        }
        fake_tlb_flush(0);
        fill_caches();
        choose_random_change();
        struct change_facts expected = facts();
        if (current.kind == PROTECT && expected.any_absent) {
            refused(STATUS_NOT_FOUND);
            continue;
        }
        uint64_t free_pages = pool.free_pages;
        fake_writes_clear();
        enum ept_invalidate need = must_change();
        bool was_split = pool.free_pages != free_pages;
        /* REQ-EPT-3: exactly when a cached translation lost something or a large page was split. */
        assert_int_equal(need == EPT_INVALIDATE_SINGLE_CONTEXT, expected.any_loss || was_split);
        assert_int_equal(fake_write_count() != 0, expected.any_change);
        assert_true(need == EPT_INVALIDATE_SINGLE_CONTEXT || fake_tlb_stale(0) == 0);
        assert_true(!expected.any_loss || fake_tlb_stale(0) != 0);
    }
}

static void test_random_changes(void **state)
{
    (void)state;
    random_changes(CAP_ALL, 1);
    random_changes(CAP_NO_1G, 2);
}

static void test_set_type_tables_counts_what_it_takes(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    for (int step = 0; step < 40; step++) {
        choose_random_change();
        current.kind = SET_TYPE;
        uint64_t tables, free_pages = pool.free_pages;
        fake_writes_clear();
        assert_int_equal(
            ept_set_type_tables(&ept, gpa(current.at), current.bytes, current.type, &tables),
            STATUS_OK);
        assert_int_equal(fake_write_count(), 0);
        enum ept_invalidate need;
        assert_int_equal(apply(&need), STATUS_OK);
        assert_int_equal(free_pages - pool.free_pages, tables);
    }
    uint64_t tables;
    assert_int_equal(ept_set_type_tables(&ept, gpa(1), PAGE_BYTES, EPT_UC, &tables),
                     STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_keeps_the_rest),
        cmocka_unit_test(test_which_changes_need_an_invalidation),
        cmocka_unit_test(test_refusals_change_nothing),
        cmocka_unit_test(test_running_out_of_tables),
        cmocka_unit_test(test_random_changes),
        cmocka_unit_test(test_set_type_tables_counts_what_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
