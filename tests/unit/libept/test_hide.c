/* ept_hide(), ept_show(), ept_hidden(): each store, tags, splits, invalidations, refusals. */
#include "hide_model.h"

#define NEED_UNSET ((enum ept_invalidate)77)

static uint64_t entry_at(uint64_t at)
{
    return fake_ept_walk(ept_pointer(&ept), at).entry;
}

static enum ept_invalidate must_hide(uint64_t at, uint64_t bytes, unsigned tag)
{
    enum ept_invalidate need = NEED_UNSET;
    uint64_t generation = ept.generation;
    hide_step(at, bytes);
    fake_on_write(check_hide_store, NULL);
    assert_int_equal(ept_hide(&ept, gpa(at), bytes, tag, &need), STATUS_OK);
    fake_on_write(NULL, NULL);
    model_hide(at, bytes, tag);
    assert_true(ept.generation > generation); /* or cached guest walks would go on */
    /* No processor takes it for present (bit 10: mode-based execute control) or makes #VE. */
    assert_int_equal(entry_at(at) & (7 | 1ULL << 10 | 1ULL << 63), 0);
    return need;
}

/* REQ-EPT-6: a show writes one entry a page, and takes no table. */
static void must_show(uint64_t at, uint64_t bytes, enum ept_type type)
{
    uint64_t free_pages = pool.free_pages, generation = ept.generation;
    show_step(at, bytes, type);
    fake_writes_clear();
    fake_on_write(check_hide_store, NULL);
    assert_int_equal(ept_show(&ept, gpa(at), bytes, type), STATUS_OK);
    fake_on_write(NULL, NULL);
    assert_int_equal(fake_write_count(), bytes / PAGE_BYTES);
    assert_int_equal(pool.free_pages, free_pages);
    assert_true(ept.generation > generation);
    model_show(at, bytes, type);
    /* Of the tag and the mark nothing is left: several of these bits mean something in a leaf. */
    assert_int_equal(entry_at(at), model[at / PAGE_BYTES].hpa | EPT_RWX | (uint64_t)type << 3);
}

static void hide_refused(uint64_t at, uint64_t bytes, unsigned tag, enum status expected)
{
    enum ept_invalidate need = NEED_UNSET;
    uint64_t free_pages = pool.free_pages, generation = ept.generation;
    fake_writes_clear();
    assert_int_equal(ept_hide(&ept, gpa(at), bytes, tag, &need), expected);
    assert_int_equal(need, NEED_UNSET);
    assert_int_equal(fake_write_count(), 0);
    assert_int_equal(pool.free_pages, free_pages);
    assert_int_equal(ept.generation, generation);
}

static void show_refused(uint64_t at, uint64_t bytes, enum status expected)
{
    fake_writes_clear();
    assert_int_equal(ept_show(&ept, gpa(at), bytes, EPT_WB), expected);
    assert_int_equal(fake_write_count(), 0);
}

/* REQ-EPT-4: out of 1-GiB pages, 2-MiB pages, over borders; back in pieces and in another order. */
static void test_hide_and_show(void **state)
{
    (void)state;
    static const struct {
        uint64_t at, bytes;
    } ranges[] = {{PAGE_1G_BYTES + 0x12345000, PAGE_BYTES},
                  {0, PAGE_BYTES},
                  {PAGE_1G_BYTES - PAGE_BYTES, 2 * PAGE_BYTES},
                  {PAGE_2M_BYTES, PAGE_2M_BYTES},
                  {PAGE_2M_BYTES - PAGE_BYTES, PAGE_2M_BYTES + 2 * PAGE_BYTES},
                  {WINDOW_BYTES - 3 * PAGE_BYTES, 3 * PAGE_BYTES}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        start_hide(CAP_ALL, POOL_PAGES);
        must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
        uint64_t at = ranges[i].at, bytes = ranges[i].bytes, last = bytes - PAGE_BYTES;
        assert_int_equal(must_hide(at, bytes, 5), EPT_INVALIDATE_SINGLE_CONTEXT);
        assert_int_equal(page_bytes_at(at + last), PAGE_BYTES);
        check_hidden();
        must_show(at + last, PAGE_BYTES, EPT_WB);
        if (last != 0) {
            must_show(at, last, EPT_WT);
        }
        check_hidden();
        check_map();
    }
}

/* All of a 1-GiB page: 513 tables and as many pages as there are. */
static void test_whole_1g_page(void **state)
{
    (void)state;
    start_hide(CAP_ALL, 2 + 513);
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    enum ept_invalidate need;
    assert_int_equal(ept_hide(&ept, gpa(PAGE_1G_BYTES), PAGE_1G_BYTES, 1, &need), STATUS_OK);
    model_hide(PAGE_1G_BYTES, PAGE_1G_BYTES, 1);
    assert_int_equal(pool.free_pages, 0);
    check_hidden();
    assert_int_equal(ept_show(&ept, gpa(PAGE_1G_BYTES), PAGE_1G_BYTES, EPT_WB), STATUS_OK);
    model_show(PAGE_1G_BYTES, PAGE_1G_BYTES, EPT_WB);
    check_map();
}

/* REQ-EPT-3: the fake's CPUs go on with what they cached until they invalidate; a show adds only.
 */
static void test_caches(void **state)
{
    (void)state;
    start_hide(CAP_ALL, POOL_PAGES);
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    for (int cycle = 0; cycle < 3; cycle++) {
        assert_true(fake_tlb_fill(0, ept_pointer(&ept), 0x5000));
        assert_int_equal(must_hide(0x5000, PAGE_BYTES, 1), EPT_INVALIDATE_SINGLE_CONTEXT);
        assert_int_equal(fake_tlb_stale(0), 1);
        fake_tlb_flush(0);
        assert_false(fake_tlb_fill(0, ept_pointer(&ept), 0x5000));
        assert_true(fake_tlb_fill(0, ept_pointer(&ept), 0x6000));
        must_show(0x5000, PAGE_BYTES, EPT_WB);
        assert_int_equal(fake_tlb_stale(0), 0);
        fake_tlb_flush(0);
    }
}

/* Every tag, address bits and type come back; page 0, type UC and tag 0 are not "never mapped". */
static void test_tags_and_addresses(void **state)
{
    (void)state;
    start_hide(CAP_ALL, POOL_PAGES);
    must_map(0, 0, PAGE_2M_BYTES, EPT_RWX, EPT_UC);
    uint64_t top = (1ULL << MAXPHYADDR) - PAGE_2M_BYTES;
    must_map(PAGE_2M_BYTES, top, PAGE_2M_BYTES, EPT_RWX, EPT_WP);
    for (unsigned tag = 0; tag <= EPT_TAG_MAX; tag++) {
        uint64_t at = tag % 1024 * PAGE_BYTES, page = model[at / PAGE_BYTES].hpa;
        must_hide(at, PAGE_BYTES, tag);
        unsigned got_tag = ~0U;
        struct hpa got = hpa(1);
        assert_true(ept_hidden(&ept, gpa(at + 0x123), &got_tag, &got));
        assert_int_equal(got_tag, tag);
        assert_int_equal(got.v, page + 0x123);
        assert_true(ept_hidden(&ept, gpa(at), NULL, NULL));
        assert_int_equal(fake_ept_walk(ept_pointer(&ept), at).result, FAKE_WALK_VIOLATION);
        must_show(at, PAGE_BYTES, at < PAGE_2M_BYTES ? EPT_UC : EPT_WP);
        assert_false(ept_hidden(&ept, gpa(at), NULL, NULL));
    }
    check_map();
    assert_false(ept_hidden(&ept, gpa(PAGE_1G_BYTES), NULL, NULL));
    must_hide(0, PAGE_BYTES, 1);
    assert_false(ept_hidden(&ept, gpa(1ULL << 48), NULL, NULL)); /* not taken for page 0 */
    assert_false(ept_hidden(&ept, gpa(~0ULL), NULL, NULL));
}

static void test_refusals_change_nothing(void **state)
{
    (void)state;
    start_hide(CAP_ALL, POOL_PAGES);
    must_map(0, 0, PAGE_1G_BYTES, EPT_RWX, EPT_WB);
    must_map(PAGE_1G_BYTES, PAGE_1G_BYTES, PAGE_BYTES, EPT_READ | EPT_EXECUTE, EPT_WB);
    must_map(2 * PAGE_1G_BYTES, PAGE_1G_BYTES, PAGE_BYTES, EPT_READ | EPT_WRITE, EPT_WB);
    must_hide(0x7000, PAGE_BYTES, 3);
    hide_refused(0x6000, 2 * PAGE_BYTES, 3, STATUS_OVERLAP);
    hide_refused(PAGE_1G_BYTES - PAGE_BYTES, 2 * PAGE_BYTES, 1, STATUS_FAULT);
    hide_refused(PAGE_1G_BYTES, PAGE_BYTES, 1, STATUS_FAULT);
    hide_refused(2 * PAGE_1G_BYTES, PAGE_BYTES, 1, STATUS_FAULT);
    hide_refused(2 * PAGE_1G_BYTES + PAGE_BYTES, PAGE_BYTES, 1, STATUS_FAULT);
    hide_refused(0, PAGE_BYTES, EPT_TAG_MAX + 1, STATUS_INVALID);
    hide_refused(0, 0, 1, STATUS_INVALID);
    hide_refused(8, PAGE_BYTES, 1, STATUS_INVALID);
    hide_refused(1ULL << MAXPHYADDR, PAGE_BYTES, 1, STATUS_OVERFLOW);
    show_refused(0x6000, PAGE_BYTES, STATUS_NOT_FOUND);
    show_refused(0x7000, 2 * PAGE_BYTES, STATUS_NOT_FOUND);
    show_refused(0x6000, 2 * PAGE_BYTES, STATUS_NOT_FOUND);
    show_refused(2 * PAGE_1G_BYTES + PAGE_2M_BYTES, PAGE_BYTES, STATUS_NOT_FOUND);
    show_refused(0x7000, 0, STATUS_INVALID);
    show_refused(0x7008, PAGE_BYTES, STATUS_INVALID);
    show_refused(1ULL << MAXPHYADDR, PAGE_BYTES, STATUS_OVERFLOW);
    check_map();
    check_hidden();
}

/* REQ-EPT-6: each number of free pages that is too small, then the one that is not. */
static void test_running_out_of_tables(void **state)
{
    (void)state;
    static const struct {
        uint64_t at, bytes, tables;
    } cases[] = {
        {0x5000, PAGE_BYTES, 2},
        {PAGE_2M_BYTES, PAGE_2M_BYTES, 2},
        {PAGE_2M_BYTES - PAGE_BYTES, 2 * PAGE_BYTES, 3},
        {PAGE_1G_BYTES - PAGE_BYTES, 2 * PAGE_BYTES, 4},
        {PAGE_1G_BYTES - PAGE_BYTES, 2 * PAGE_2M_BYTES, 5},
        {0x201000, 3 * PAGE_2M_BYTES, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint64_t pages = 0; pages <= cases[i].tables; pages++) {
            start_hide(CAP_ALL, 2 + pages);
            must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
            if (pages < cases[i].tables) {
                hide_refused(cases[i].at, cases[i].bytes, 1, STATUS_NO_MEMORY);
                check_map();
                continue;
            }
            must_hide(cases[i].at, cases[i].bytes, 1);
            assert_int_equal(pool.free_pages, 0);
            check_hidden();
            must_show(cases[i].at, cases[i].bytes, EPT_WB);
            check_map();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hide_and_show),
        cmocka_unit_test(test_whole_1g_page),
        cmocka_unit_test(test_caches),
        cmocka_unit_test(test_tags_and_addresses),
        cmocka_unit_test(test_refusals_change_nothing),
        cmocka_unit_test(test_running_out_of_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
