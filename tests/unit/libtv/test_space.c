/*
 * The address space of a PAL: what was mapped is there with its rights in both kinds of tables, all
 * else is not, and every table comes back (REQ-EPT-5, REQ-EPT-6).
 */
#include "pal_test.h"

#include <base/bits.h>

#define PAGES 24U

static struct tv_space space;
static uint64_t free_at_start;

struct page {
    uint64_t linear, gpa, hpa;
    unsigned rights;
};
static struct page page[PAGES];
static unsigned page_count;

static int setup(void **state)
{
    (void)state;
    suite_start();
    free_at_start = suite.pool.free_pages;
    return 0;
}

static enum tv_error init(void)
{
    return tv_space_init(&space, &suite.pool, &suite.map.features, SUITE_PHYS_BITS);
}

static bool in_region(uint64_t hpa)
{
    const struct hw_boot_info *boot = fake_boot_info();
    return hpa - boot->region.v < boot->region_bytes;
}

/* Every entry of every page table: found pages are counted off, tables are ours and read-only. */
static void walk_linear(uint64_t table, unsigned level, uint64_t from, unsigned *pages,
                        unsigned *tables)
{
    struct fake_walk walk = fake_ept_walk(ept_pointer(&space.ept), table);
    assert_int_equal(walk.result, FAKE_WALK_OK);
    assert_int_equal(walk.rights, EPT_READ);
    assert_true(in_region(walk.hpa));
    const uint64_t *entry = fake_ram(walk.hpa, PAGE_BYTES);
    (*tables)++;
    for (uint64_t i = 0; i < 512; i++) {
        uint64_t linear = from | i << (12 + 9 * (level - 1));
        if (entry[i] == 0) {
            continue;
        }
        uint64_t flags = entry[i] & ~bits_mask(12, 40);
        if (level > 1) {
            assert_int_equal(flags, 0x27); /* A, U, W, P */
            walk_linear(entry[i] & bits_mask(12, 40), level - 1, linear, pages, tables);
            continue;
        }
        unsigned n = 0;
        while (n < page_count && page[n].linear != linear) {
            n++;
        }
        assert_true(n < page_count);
        uint64_t expected = 0x65 | (page[n].rights & TV_SPACE_WRITE ? 2 : 0) |
                            (page[n].rights & TV_SPACE_EXECUTE ? 0 : 1ULL << 63);
        assert_int_equal(flags, expected); /* D, A, U, P and the rights */
        assert_int_equal(entry[i] & bits_mask(12, 40), page[n].gpa);
        (*pages)++;
    }
}

/* Every entry of the nested tables. */
static void walk_nested(uint64_t table, unsigned level, uint64_t from, unsigned *pages,
                        unsigned *tables)
{
    const uint64_t *entry = fake_ram(table, PAGE_BYTES);
    for (uint64_t i = 0; i < 512; i++) {
        uint64_t at = from | i << (12 + 9 * (level - 1)), to = entry[i] & bits_mask(12, 40);
        if (entry[i] == 0) {
            continue;
        }
        if (level > 1) {
            assert_false(entry[i] & 0x80);
            walk_nested(to, level - 1, at, pages, tables);
            continue;
        }
        if (in_region(to)) {
            assert_int_equal(entry[i] & 0x7f, EPT_READ | EPT_WB << 3);
            (*tables)++;
            continue;
        }
        unsigned n = 0;
        while (n < page_count && page[n].gpa != at) {
            n++;
        }
        assert_true(n < page_count && page[n].hpa == to);
        assert_int_equal(entry[i] & 0x7f, EPT_READ | EPT_WB << 3 | page[n].rights << 1);
        assert_int_equal(tv_space_page(&space, gpa(at)).v, to);
        (*pages)++;
    }
}

static void check(void)
{
    unsigned linear = 0, nested = 0, tables = 0, nested_tables = 0;
    assert_int_equal(fake_ept_walk(ept_pointer(&space.ept), space.root.v).hpa, space.root_table.v);
    walk_linear(space.root.v, 4, 0, &linear, &tables);
    walk_nested(space.ept.root.v, 4, 0, &nested, &nested_tables);
    assert_int_equal(linear, page_count);
    assert_int_equal(nested, page_count);
    assert_int_equal(nested_tables, tables);
}

/* Random pages, near one another and far. */
static void choose(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        bool again = true;
        while (again) {
            uint64_t reach = 1ULL << (13 + suite_random(35 - 12));
            page[i].linear = suite_random(reach) << 12 & bits_mask(12, 47);
            again = false;
            for (unsigned n = 0; n < i; n++) {
                again = again || page[n].linear == page[i].linear;
            }
        }
        page[i].hpa = SUITE_FRAMES + suite_random(1 << 17) * PAGE_BYTES;
        page[i].rights = (unsigned)suite_random(3); /* none, W, X */
    }
}

static enum tv_error map(unsigned count)
{
    enum tv_error error = TV_OK;
    struct gpa first = tv_space_reserve(&space, count); /* before the first page is mapped */
    for (page_count = 0; page_count < count && error == TV_OK;) {
        struct page *next = &page[page_count];
        next->gpa = first.v + page_count * PAGE_BYTES;
        error = tv_space_map(&space, next->linear, gpa(next->gpa), hpa(next->hpa), next->rights);
        page_count += error == TV_OK;
    }
    return error;
}

static void test_random_pages(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        page_count = 0;
        assert_int_equal(init(), TV_OK);
        check();
        choose(PAGES);
        assert_int_equal(map(PAGES), TV_OK);
        check();
        /* Some go again, and everybody has to drop what was cached. */
        while (page_count > PAGES / 2) {
            space.seen = ~0ULL;
            page_count--;
            tv_space_unmap(&space, page[page_count].linear, gpa(page[page_count].gpa));
            assert_int_equal(space.seen, 0);
            check();
        }
        tv_space_destroy(&space);
        assert_int_equal(suite.pool.free_pages, free_at_start);
    }
}

/* Addresses at the ends of what a section can have. */
static void test_ends_of_the_space(void **state)
{
    (void)state;
    static const uint64_t ends[] = {0,          (1ULL << 47) - PAGE_BYTES, 0xffffe000,
                                    1ULL << 39, (1ULL << 39) - PAGE_BYTES, 1ULL << 30,
                                    0x200000};
    assert_int_equal(init(), TV_OK);
    for (unsigned i = 0; i < 7; i++) {
        page[i] = (struct page){.linear = ends[i], .hpa = SUITE_FRAMES + i * PAGE_BYTES};
    }
    assert_int_equal(map(7), TV_OK);
    check();
    tv_space_destroy(&space);
    assert_int_equal(suite.pool.free_pages, free_at_start);
}

/* REQ-EPT-6: the page at which table pages run out is not mapped, and all others are as before. */
static void test_out_of_memory(void **state)
{
    (void)state;
    choose(PAGES);
    for (unsigned free = 0;; free++) {
        suite_keep_free(free);
        page_count = 0;
        enum tv_error error = init();
        if (error != TV_OK) {
            assert_int_equal(error, TV_ERROR_NO_MEMORY);
            assert_int_equal(suite.pool.free_pages, free);
            continue;
        }
        error = map(PAGES);
        struct fake_walk walk;
        if (error != TV_OK) {
            assert_int_equal(error, TV_ERROR_NO_MEMORY);
            walk = fake_ept_walk(ept_pointer(&space.ept), page[page_count].gpa);
            assert_int_equal(walk.result, FAKE_WALK_VIOLATION);
        }
        check();
        tv_space_destroy(&space);
        assert_int_equal(suite.pool.free_pages, free);
        if (error == TV_OK) {
            assert_true(free > 10);
            break;
        }
    }
    suite_give_all();
    assert_int_equal(suite.pool.free_pages, free_at_start);
}

/* Guest-physical addresses follow one another, tables behind them. */
static void test_reserved_ranges_follow(void **state)
{
    (void)state;
    page_count = 0;
    assert_int_equal(init(), TV_OK);
    uint64_t first = tv_space_reserve(&space, 7).v, second = tv_space_reserve(&space, 1).v;
    assert_int_equal(first, PAGE_BYTES); /* after the root table */
    assert_int_equal(second, first + 7 * PAGE_BYTES);
    tv_space_destroy(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_random_pages, setup),
        cmocka_unit_test_setup(test_ends_of_the_space, setup),
        cmocka_unit_test_setup(test_out_of_memory, setup),
        cmocka_unit_test_setup(test_reserved_ranges_follow, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
