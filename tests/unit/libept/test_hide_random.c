/*
 * Hidden pages among everything else that changes a map: random histories of ept_map(),
 * ept_unmap(), ept_protect(), ept_set_type(), ept_merge(), ept_drop(), ept_hide() and ept_show()
 * against the model, and what each of them does to a page that is hidden.
 */
#include "hide_steps.h"

#include <fake/ending.h>

#define CAP_NO_1G (CAP_ALL & ~(1ULL << 17))

static void one_step(uint64_t at, uint64_t bytes)
{
    switch (random_below(10)) {
    case 0:
        one_map(at, bytes);
        break;
    case 1:
        one_change((enum change_kind)random_below(CHANGE_KINDS), at, bytes);
        break;
    case 2:
        one_drop(at, bytes);
        break;
    case 3:
        one_merge(at, bytes);
        break;
    case 4:
    case 5:
    case 6:
        one_show(at, bytes);
        break;
    default:
        one_hide(at, bytes);
    }
    fake_on_write(NULL, NULL);
}

/* A range that starts where a page is hidden, often, so that a good part of the calls is valid. */
static uint64_t random_start(uint64_t unit)
{
    uint64_t at = random_below(8 * PAGE_2M_BYTES / unit) * unit;
    for (int attempt = 0; attempt < 6 && !hidden[at / PAGE_BYTES].hidden; attempt++) {
        at = random_below(8 * PAGE_2M_BYTES / unit) * unit;
    }
    return at + random_below(2) * (PAGE_1G_BYTES - 4 * PAGE_2M_BYTES);
}

static void random_history(uint64_t capabilities, uint64_t seed)
{
    start_hide(capabilities, POOL_PAGES);
    random_state += seed;
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    for (int i = 0; i < 1000; i++) {
        uint64_t unit = random_below(8) == 0 ? PAGE_2M_BYTES : PAGE_BYTES;
        one_step(random_start(unit), (1 + random_below(3)) * unit);
        if (i % 50 == 49) {
            check_hidden();
        }
    }
    /* Whatever was done in between, what is hidden can be shown, and then all memory comes back. */
    for (uint64_t page = 0; page < WINDOW_PAGES; page++) {
        if (hidden[page].hidden) {
            one_show(page * PAGE_BYTES, PAGE_BYTES);
        }
    }
    fake_on_write(NULL, NULL);
    check_hidden();
    assert_int_equal(ept.hidden_pages, 0);
    ept_clear(&ept);
    assert_int_equal(pool.free_pages, POOL_PAGES - 1);
}

static void test_random_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        random_history(CAP_ALL, seed);
        random_history(CAP_NO_1G, seed);
    }
}

/* A table with nothing but hidden pages, or with one, is neither empty nor one large page. */
static void test_merge_leaves_hidden_pages(void **state)
{
    (void)state;
    static const struct {
        uint64_t at, bytes;
    } cases[] = {{0, PAGE_BYTES},
                 {PAGE_2M_BYTES - PAGE_BYTES, PAGE_BYTES},
                 {0x5000, 3 * PAGE_BYTES},
                 {0, PAGE_2M_BYTES}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int around = 0; around < 2; around++) { /* is anything else in the table? */
            start_hide(CAP_ALL, POOL_PAGES);
            must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
            uint64_t free_pages = pool.free_pages;
            enum ept_invalidate need;
            assert_int_equal(ept_hide(&ept, gpa(cases[i].at), cases[i].bytes, 0, &need), STATUS_OK);
            model_hide(cases[i].at, cases[i].bytes, 0);
            if (around == 0) {
                one_change(UNMAP, 0, PAGE_2M_BYTES);
            }
            fake_on_write(NULL, NULL);
            assert_int_equal(ept_merge(&ept, gpa(0), WINDOW_BYTES, &need), STATUS_OK);
            assert_int_equal(need, EPT_INVALIDATE_NONE);
            check_hidden();
            assert_int_equal(ept_show(&ept, gpa(cases[i].at), cases[i].bytes, EPT_WB), STATUS_OK);
            model_show(cases[i].at, cases[i].bytes, EPT_WB);
            check_hidden();
            if (around != 0) {
                one_merge(0, PAGE_1G_BYTES);
                assert_int_equal(page_bytes_at(0), PAGE_1G_BYTES);
                assert_int_equal(pool.free_pages, free_pages);
            }
            fake_on_write(NULL, NULL);
        }
    }
}

/* REQ-PAL-11 in small: pages come and go, and no table is lost. */
static void test_many_cycles_leak_nothing(void **state)
{
    (void)state;
    start_hide(CAP_ALL, POOL_PAGES);
    must_map(0, 0, WINDOW_BYTES, EPT_RWX, EPT_WB);
    uint64_t free_pages = pool.free_pages;
    for (int cycle = 0; cycle < 300; cycle++) {
        uint64_t at = random_below(WINDOW_PAGES) * PAGE_BYTES;
        enum ept_invalidate need;
        assert_int_equal(ept_hide(&ept, gpa(at), PAGE_BYTES, 7, &need), STATUS_OK);
        assert_int_equal(ept_show(&ept, gpa(at), PAGE_BYTES, EPT_WB), STATUS_OK);
        assert_int_equal(ept_merge(&ept, gpa(at), PAGE_BYTES, &need), STATUS_OK);
        ept_release(&ept);
        assert_int_equal(pool.free_pages, free_pages);
    }
    check_hidden();
}

/* An emptied map that is filled again would give a PAL's page to the guest. */
static void test_clear_and_destroy(void **state)
{
    (void)state;
    enum ept_invalidate need;
    start_hide(CAP_ALL, POOL_PAGES);
    must_map(0, 0, PAGE_1G_BYTES, EPT_RWX, EPT_WB);
    assert_int_equal(ept_hide(&ept, gpa(0), PAGE_BYTES, 7, &need), STATUS_OK);
    assert_int_equal(FAKE_CATCH(ept_clear(&ept)), FAKE_END_CHECK);
    ept_destroy(&ept);
    assert_int_equal(pool.free_pages, POOL_PAGES);
    assert_int_equal(ept.hidden_pages, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_histories),
        cmocka_unit_test(test_merge_leaves_hidden_pages),
        cmocka_unit_test(test_many_cycles_leak_nothing),
        cmocka_unit_test(test_clear_and_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
