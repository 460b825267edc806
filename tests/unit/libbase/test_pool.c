/* The page pool against a plain array of flags, its limits, and its refusal of double frees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <base/pool.h>
#include <fake/machine.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 300
#define BASE 0x7003000ULL

static uint64_t bitmap[PAGES_MAX / 64 + 1];
static struct pool pool;
static bool used[PAGES_MAX];
static uint64_t used_count;

static void start(uint64_t pages)
{
    memset(bitmap, 0xa5, sizeof bitmap);
    memset(used, 0, sizeof used);
    used_count = 0;
    pool_init(&pool, hpa(BASE), pages, bitmap);
}

static void take(struct hpa page, uint64_t count)
{
    assert_true(page.v >= BASE && addr_is_aligned(page.v, PAGE_BYTES * count));
    uint64_t first = (page.v - BASE) / PAGE_BYTES;
    assert_true(first + count <= pool.page_count);
    for (uint64_t i = first; i < first + count; i++) {
        assert_false(used[i]);
        used[i] = true;
    }
    used_count += count;
    assert_int_equal(pool.free_pages, pool.page_count - used_count);
}

static void give(uint64_t index)
{
    pool_free(&pool, hpa(BASE + index * PAGE_BYTES));
    used[index] = false;
    used_count--;
    assert_int_equal(pool.free_pages, pool.page_count - used_count);
}

static void test_bitmap_words(void **state)
{
    (void)state;
    assert_int_equal(pool_bitmap_words(0), 0);
    assert_int_equal(pool_bitmap_words(1), 1);
    assert_int_equal(pool_bitmap_words(64), 1);
    assert_int_equal(pool_bitmap_words(65), 2);
    assert_int_equal(pool_bitmap_words(UINT64_MAX), 1ULL << 58);
}

static void test_every_page_once_then_no_memory(void **state)
{
    (void)state;
    for (uint64_t pages = 0; pages < PAGES_MAX; pages++) {
        start(pages);
        struct hpa page = hpa(1);
        for (uint64_t i = 0; i < pages; i++) {
            assert_int_equal(pool_alloc(&pool, &page), STATUS_OK);
            take(page, 1);
        }
        struct pool before = pool;
        page = hpa(1);
        assert_int_equal(pool_alloc(&pool, &page), STATUS_NO_MEMORY);
        assert_int_equal(pool_alloc_contiguous(&pool, 1, &page), STATUS_NO_MEMORY);
        assert_int_equal(page.v, 1);
        assert_memory_equal(&before, &pool, sizeof pool);
    }
}

static void test_pages_are_handed_out_round_robin(void **state)
{
    (void)state;
    start(70);
    struct hpa first, second;
    assert_int_equal(pool_alloc(&pool, &first), STATUS_OK);
    pool_free(&pool, first);
    for (int i = 0; i < 69; i++) {
        assert_int_equal(pool_alloc(&pool, &second), STATUS_OK);
        assert_int_not_equal(second.v, first.v);
    }
    assert_int_equal(pool_alloc(&pool, &second), STATUS_OK);
    assert_int_equal(second.v, first.v);
}

static bool has_run(uint64_t count)
{
    uint64_t first_page = BASE / PAGE_BYTES;
    for (uint64_t i = 0; i + count <= pool.page_count; i++) {
        uint64_t n = 0;
        while (n < count && !used[i + n]) {
            n++;
        }
        if (n == count && (first_page + i) % count == 0) {
            return true;
        }
    }
    return false;
}

static void test_random_use(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 20; round++) {
        start(1 + (uint64_t)rand() % (PAGES_MAX - 1));
        for (int step = 0; step < 2000; step++) {
            struct hpa page;
            uint64_t index = (uint64_t)rand() % pool.page_count;
            uint64_t count = 1ULL << rand() % 6;
            switch (rand() % 4) {
            case 0:
                if (pool_alloc(&pool, &page) == STATUS_OK) {
                    take(page, 1);
                } else {
                    assert_int_equal(used_count, pool.page_count);
                }
                break;
            case 1:
                /* Found exactly when there is one. */
                if (has_run(count)) {
                    assert_int_equal(pool_alloc_contiguous(&pool, count, &page), STATUS_OK);
                    take(page, count);
                } else {
                    assert_int_equal(pool_alloc_contiguous(&pool, count, &page), STATUS_NO_MEMORY);
                }
                break;
            default:
                if (used[index]) {
                    give(index);
                }
            }
        }
    }
}

static void test_misuse_is_caught(void **state)
{
    (void)state;
    start(10);
    struct hpa page;
    assert_int_equal(pool_alloc(&pool, &page), STATUS_OK);
    pool_free(&pool, page);
    assert_int_equal(FAKE_CATCH(pool_free(&pool, page)), FAKE_END_CHECK);
    assert_int_equal(pool_alloc(&pool, &page), STATUS_OK);
    assert_int_equal(FAKE_CATCH(pool_free(&pool, hpa(page.v + 1))), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH(pool_free(&pool, hpa(BASE - PAGE_BYTES))), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH(pool_free(&pool, hpa(BASE + 10 * PAGE_BYTES))), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH(pool_alloc_contiguous(&pool, 3, &page)), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH(pool_alloc_contiguous(&pool, 0, &page)), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH(pool_init(&pool, hpa(BASE + 8), 1, bitmap)), FAKE_END_CHECK);
}

int main(void)
{
    fake_machine_reset(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bitmap_words),
        cmocka_unit_test(test_every_page_once_then_no_memory),
        cmocka_unit_test(test_pages_are_handed_out_round_robin),
        cmocka_unit_test(test_random_use),
        cmocka_unit_test(test_misuse_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
