/* ept_merge(): joins exactly what can be joined, one store at a time, and retires the tables. */
#include "change_model.h"

#define CAP_NO_1G (CAP_ALL & ~(1ULL << 17))
#define CAP_4K (CAP_NO_1G & ~(1ULL << 16))

/* A merge changes no translation, so no page may differ at any store. */
static void check_merge_store(void *arg, const struct fake_write *write)
{
    current = (struct change_case){UNMAP, random_below(WINDOW_PAGES) * PAGE_BYTES, 0, 0, EPT_WB};
    check_change_store(arg, write);
}

static enum status merge(uint64_t at, uint64_t bytes, enum ept_invalidate *need)
{
    *need = (enum ept_invalidate)77;
    fake_on_write(check_merge_store, NULL);
    enum status status = ept_merge(&ept, gpa(at), bytes, need);
    fake_on_write(NULL, NULL);
    check_map();
    return status;
}

static void protect(uint64_t at, uint64_t bytes, unsigned perms)
{
    current = (struct change_case){PROTECT, at, bytes, perms, EPT_WB};
    enum ept_invalidate need;
    assert_int_equal(apply(&need), STATUS_OK);
    model_change();
}

/* REQ-EPT-4: after the change is taken back, the 1-GiB page is there again, and no table is lost.
 */
static void test_merge_undoes_a_split(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    uint64_t free_pages = pool.free_pages;
    uint64_t at = PAGE_1G_BYTES + 0x12345000;
    protect(at, PAGE_BYTES, EPT_READ);
    enum ept_invalidate need;
    assert_int_equal(merge(at, PAGE_BYTES, &need), STATUS_OK);
    assert_int_equal(need, EPT_INVALIDATE_NONE);
    assert_int_equal(page_bytes_at(at), PAGE_BYTES);
    protect(at, PAGE_BYTES, EPT_RWX);
    assert_int_equal(merge(at, PAGE_BYTES, &need), STATUS_OK);
    assert_int_equal(need, EPT_INVALIDATE_SINGLE_CONTEXT);
    assert_int_equal(page_bytes_at(at), PAGE_1G_BYTES);
    /* The tables stay out of the pool until the caller has invalidated. */
    assert_int_equal(pool.free_pages, free_pages - 2);
    ept_release(&ept);
    assert_int_equal(pool.free_pages, free_pages);
    assert_int_equal(merge(at, PAGE_BYTES, &need), STATUS_OK);
    assert_int_equal(need, EPT_INVALIDATE_NONE);
}

static void test_empty_tables_go(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0x5000, 0x5000, PAGE_BYTES, EPT_RWX, EPT_WB);
    current = (struct change_case){UNMAP, 0x5000, PAGE_BYTES, 0, EPT_WB};
    enum ept_invalidate need;
    assert_int_equal(apply(&need), STATUS_OK);
    model_change();
    assert_int_equal(merge(0x5000, PAGE_BYTES, &need), STATUS_OK);
    assert_int_equal(need, EPT_INVALIDATE_SINGLE_CONTEXT);
    assert_int_equal(ept.retired_count, 3);
    ept_release(&ept);
    assert_int_equal(pool.free_pages, POOL_PAGES - 1);
}

static void test_what_differs_is_not_joined(void **state)
{
    (void)state;
    static const struct {
        uint64_t hpa;
        unsigned perms;
        enum ept_type type;
    } odd[] = {
        {0x805000, EPT_READ, EPT_WB}, {0x805000, EPT_RWX, EPT_WT}, {0x806000, EPT_RWX, EPT_WB}};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        for (uint64_t page = 0; page < 512; page += 73) {
            start(CAP_ALL, POOL_PAGES);
            for (uint64_t other = 0; other < 512; other++) {
                uint64_t at = 0x800000 + other * PAGE_BYTES;
                if (other == page) {
                    must_map(at, at ^ odd[i].hpa ^ 0x805000, PAGE_BYTES, odd[i].perms, odd[i].type);
                } else {
                    must_map(at, at, PAGE_BYTES, EPT_RWX, EPT_WB);
                }
            }
            enum ept_invalidate need;
            assert_int_equal(merge(0x800000, PAGE_BYTES, &need), STATUS_OK);
            assert_int_equal(need, EPT_INVALIDATE_NONE);
        }
    }
    /* Contiguous, but not aligned to the large page. */
    start(CAP_ALL, POOL_PAGES);
    must_map(0, 0x1000, PAGE_2M_BYTES, EPT_RWX, EPT_WB);
    enum ept_invalidate need;
    assert_int_equal(merge(0, PAGE_BYTES, &need), STATUS_OK);
    assert_int_equal(need, EPT_INVALIDATE_NONE);
}

static void test_only_page_sizes_that_the_cpu_has(void **state)
{
    (void)state;
    static const uint64_t capabilities[] = {CAP_4K, CAP_NO_1G, CAP_ALL};
    static const uint64_t expected[] = {PAGE_BYTES, PAGE_2M_BYTES, PAGE_2M_BYTES};
    for (size_t i = 0; i < 3; i++) {
        start(capabilities[i], POOL_PAGES);
        for (uint64_t at = 0; at < PAGE_2M_BYTES; at += PAGE_BYTES) {
            must_map(at, at, PAGE_BYTES, EPT_RWX, EPT_WB);
        }
        enum ept_invalidate need;
        assert_int_equal(merge(0, PAGE_2M_BYTES, &need), STATUS_OK);
        assert_int_equal(page_bytes_at(0), expected[i]);
    }
}

/* More tables than can be retired at once: told so, nothing lost, and the next call goes on. */
static void test_more_tables_than_can_be_retired(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    uint64_t free_pages = pool.free_pages;
    for (uint64_t at = 0; at < 40 * PAGE_2M_BYTES; at += PAGE_2M_BYTES) {
        protect(at, PAGE_BYTES, EPT_READ);
        protect(at, PAGE_BYTES, EPT_RWX);
    }
    enum ept_invalidate need;
    int calls = 1;
    while (merge(0, WINDOW_BYTES, &need) == STATUS_BUSY) {
        assert_int_equal(need, EPT_INVALIDATE_SINGLE_CONTEXT);
        assert_int_equal(ept.retired_count, EPT_RETIRED_MAX);
        ept_release(&ept);
        calls++;
    }
    ept_release(&ept);
    assert_int_equal(calls, 3);
    assert_int_equal(pool.free_pages, free_pages);
    assert_int_equal(page_bytes_at(0), PAGE_1G_BYTES);
}

static void test_refusals(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    enum ept_invalidate need;
    assert_int_equal(ept_merge(&ept, gpa(1), PAGE_BYTES, &need), STATUS_INVALID);
    assert_int_equal(ept_merge(&ept, gpa(0), 0, &need), STATUS_INVALID);
    assert_int_equal(ept_merge(&ept, gpa(1ULL << MAXPHYADDR), PAGE_BYTES, &need), STATUS_OVERFLOW);
}

/* REQ-PAL-11 in small: taking a page out of the map and putting it back leaks no table. */
static void test_many_cycles_leak_nothing(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    uint64_t free_pages = pool.free_pages;
    for (int cycle = 0; cycle < 300; cycle++) {
        uint64_t at = random_below(WINDOW_PAGES) * PAGE_BYTES;
        enum ept_invalidate need;
        assert_int_equal(ept_unmap(&ept, gpa(at), PAGE_BYTES, &need), STATUS_OK);
        assert_int_equal(ept_map(&ept, gpa(at), hpa(at), PAGE_BYTES, EPT_RWX, EPT_WB), STATUS_OK);
        assert_int_equal(ept_merge(&ept, gpa(at), PAGE_BYTES, &need), STATUS_OK);
        ept_release(&ept);
        assert_int_equal(pool.free_pages, free_pages);
    }
    check_map();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_undoes_a_split),
        cmocka_unit_test(test_empty_tables_go),
        cmocka_unit_test(test_what_differs_is_not_joined),
        cmocka_unit_test(test_only_page_sizes_that_the_cpu_has),
        cmocka_unit_test(test_more_tables_than_can_be_retired),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_many_cycles_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
