/* ept_drop(): a range and its tables go at once, and nothing else does. */
#include "change_model.h"

#define TOP (1ULL << MAXPHYADDR)

static void model_unmap(uint64_t at, uint64_t bytes)
{
    for (uint64_t end = at + bytes; at < end; at += PAGE_BYTES) {
        model[at / PAGE_BYTES] = (struct model_page){0, 0, 0};
    }
}

/* REQ-EPT-6: as a map of device memory is when its tables have run out: one page in each GiB. */
static void test_drops_sparse_pages_and_tables(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0, 0, PAGE_1G_BYTES, EPT_RWX, EPT_WB);
    uint64_t free_pages = pool.free_pages;
    for (uint64_t at = WINDOW_BYTES; at < TOP; at += 67 * PAGE_1G_BYTES) {
        assert_int_equal(ept_map(&ept, gpa(at), hpa(at), PAGE_2M_BYTES, EPT_RWX, EPT_UC),
                         STATUS_OK);
    }
    assert_true(pool.free_pages < free_pages - 900);
    fake_writes_clear();
    assert_int_equal(ept_drop(&ept, gpa(PAGE_1G_BYTES), TOP - PAGE_1G_BYTES), STATUS_OK);
    /* Only the root's 127 other entries, and the first PDPT's of 1 GiB each, need a store. */
    assert_true(fake_write_count() < 128 + 16);
    assert_int_equal(pool.free_pages, free_pages);
    check_map();
    for (uint64_t at = WINDOW_BYTES; at < TOP; at += 67 * PAGE_1G_BYTES) {
        assert_int_equal(fake_ept_walk(ept_pointer(&ept), at).result, FAKE_WALK_VIOLATION);
    }
}

static void test_any_range(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    for (unsigned i = 0; i < 300; i++) {
        uint64_t at = random_below(WINDOW_PAGES) * PAGE_BYTES;
        if (ept_map(&ept, gpa(at), hpa(at), PAGE_BYTES, EPT_RWX, EPT_WB) == STATUS_OK) {
            model_map(at, at, PAGE_BYTES, EPT_RWX, EPT_WB);
        }
        if (i % 10 == 9) {
            uint64_t first = random_below(WINDOW_PAGES - 1);
            uint64_t bytes = (1 + random_below(WINDOW_PAGES - first)) / 4 * PAGE_BYTES;
            if (bytes != 0) {
                assert_int_equal(ept_drop(&ept, gpa(first * PAGE_BYTES), bytes), STATUS_OK);
                model_unmap(first * PAGE_BYTES, bytes);
            }
        }
    }
    check_map();
    assert_int_equal(ept_drop(&ept, gpa(0), TOP), STATUS_OK);
    model_unmap(0, WINDOW_BYTES);
    check_map();
    assert_int_equal(pool.free_pages, POOL_PAGES - 1);
}

static void test_large_pages_at_the_edges_stay(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    assert_int_equal(ept_drop(&ept, gpa(PAGE_BYTES), 2 * PAGE_1G_BYTES), STATUS_OK);
    model_unmap(PAGE_1G_BYTES, PAGE_1G_BYTES);
    check_map();
}

static void test_refusals(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    assert_int_equal(ept_drop(&ept, gpa(0), 0), STATUS_INVALID);
    assert_int_equal(ept_drop(&ept, gpa(1), PAGE_BYTES), STATUS_INVALID);
    assert_int_equal(ept_drop(&ept, gpa(PAGE_BYTES), TOP), STATUS_OVERFLOW);
    check_map();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drops_sparse_pages_and_tables),
        cmocka_unit_test(test_any_range),
        cmocka_unit_test(test_large_pages_at_the_edges_stay),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
