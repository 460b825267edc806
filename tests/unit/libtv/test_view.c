/*
 * The pages of PALs: the caller's rights to each in its own tables and in the guest's map, running
 * out of table pages at every point (REQ-EPT-6), and large pages (REQ-PAL-3, REQ-EPT-7).
 */
#include "pal_test.h"

#include <stdlib.h>

#define BASE 0x10000000ULL
#define OTHER 0x20000000ULL

static struct suite_process process;
static struct suite_pal pal, other;

static int setup(void **state)
{
    (void)state;
    suite_start();
    return 0;
}

static void refused(enum tv_error expected, unsigned section)
{
    struct suite_state before = suite_state(&pal);
    enum tv_error error = suite_register(0, &pal);
    if (error != expected) {
        fail_msg("mode %d, section %u: %s instead of %s", process.mode, section,
                 tv_error_text(error), tv_error_text(expected));
    }
    assert_true(!pal.by_number || pal.answer.faulty == section);
    suite_same(&before, &pal);
}

/* One page of the PAL mapped in another way, for one try. */
static void refused_page(enum tv_error expected, unsigned section, uint64_t linear, uint64_t gpa,
                         unsigned rights)
{
    uint64_t frame = suite_gpa(&process, linear);
    uint32_t type = pal.section[section].type;
    bool code = type == TV_SECTION_CODE || type == TV_SECTION_SHARED_CODE;
    suite_map(&process, linear, gpa, rights);
    refused(expected, section);
    suite_map(&process, linear, frame, code ? SUITE_RX : SUITE_RW);
}

static void check_page(unsigned section, uint64_t linear, uint64_t shared)
{
    uint64_t frame = suite_gpa(&process, linear), other_frame = suite_gpa(&process, BASE);
    uint32_t type = pal.section[section].type;
    bool code = type == TV_SECTION_CODE || type == TV_SECTION_SHARED_CODE;
    unsigned rights = code ? SUITE_RX : SUITE_RW;

    suite_unmap(&process, linear);
    refused(TV_ERROR_PAGE_ABSENT, section);
    suite_map(&process, linear, frame, rights);
    refused_page(TV_ERROR_PAGE_RIGHTS, section, linear, frame, rights & ~SUITE_USER);
    if (!code || process.mode != SUITE_32) {
        refused_page(TV_ERROR_PAGE_RIGHTS, section, linear, frame,
                     rights & ~(SUITE_WRITE | SUITE_EXECUTE));
    }
    refused_page(TV_ERROR_PAGE_NOT_RAM, section, linear, SUITE_DEVICE, rights);
    refused_page(TV_ERROR_PAGE_NOT_RAM, section, linear, SUITE_UNCACHED, rights);
    refused_page(TV_ERROR_PAGE_NOT_RAM, section, linear, fake_boot_info()->region.v, rights);
    refused_page(TV_ERROR_PAGE_NOT_RAM, section, linear, suite.map.root.v, rights);
    if (process.mode != SUITE_32) {
        refused_page(TV_ERROR_PAGE_NOT_RAM, section, linear, 1ULL << 39, rights);
    }
    refused_page(TV_ERROR_PAGE_TAKEN, section, linear, suite_gpa(&process, OTHER), rights);
    refused_page(TV_ERROR_PAGE_TAKEN, section, linear, shared, rights);
    if (linear != BASE) { /* twice in the PAL itself */
        refused_page(TV_ERROR_PAGE_TAKEN, section, linear, other_frame, rights);
    }
}

static void test_each_page(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        suite_process_make(&process, (enum suite_mode)(i / 2));
        suite_run(0, &process);
        suite_pal_plan(&other, &process, OTHER, true);
        other.section[4] = (struct tv_pal_section){TV_SECTION_SHARED_CODE, 1, OTHER + 0x10000};
        other.section_count = 5;
        suite_pal_map(&other);
        assert_int_equal(suite_register(0, &other), TV_OK);
        suite_pal_plan(&pal, &process, BASE, i % 2 != 0);
        pal.section[4] = (struct tv_pal_section){TV_SECTION_SHARED_CODE, 2, BASE + 0x10000};
        pal.section_count = 5;
        suite_pal_map(&pal);
        for (unsigned section = 0; section < pal.section_count; section++) {
            for (uint64_t page = 0; page < pal.section[section].page_num; page++) {
                check_page(section, pal.section[section].start_addr + page * PAGE_BYTES,
                           suite_gpa(&process, OTHER + 0x10000));
            }
        }
        assert_int_equal(suite_register(0, &pal), TV_OK);
        suite_check();
        suite.next_frame = SUITE_FRAMES + (i + 1) * 0x1000000;
    }
}

/* What PALs leave to the guest's own changes of its map. */
static uint64_t guest_tables;

/* With 0 free table pages, then 1, and so on until it works. */
static unsigned starve(void)
{
    struct suite_state before = suite_state(&pal);
    unsigned free;
    for (free = 0;; free++) {
        suite_keep_free(free);
        enum tv_error error = suite_register(0, &pal);
        suite_check();
        if (error == TV_OK) {
            break;
        }
        assert_int_equal(error, TV_ERROR_NO_MEMORY);
        suite_give_all();
        suite_same(&before, &pal);
    }
    assert_int_equal(suite.pool.free_pages, guest_tables);
    suite_give_all();
    assert_int_equal(suite_unregister(0, &pal), TV_OK);
    before.content = suite_state(&pal).content;
    suite_same(&before, &pal);
    return free;
}

/* REQ-EPT-6, in 2-MiB and 1-GiB pages of the guest's map, and across their borders. */
static void test_out_of_table_pages(void **state)
{
    (void)state;
    static const uint64_t frames[] = {
        SUITE_FRAMES, SUITE_FRAMES_1G, SUITE_FRAMES_1G - 3 * PAGE_BYTES,
        SUITE_FRAMES + PAGE_2M_BYTES - 3 * PAGE_BYTES, 2 * PAGE_1G_BYTES - 4 * PAGE_BYTES};
    for (unsigned i = 0; i < 10; i++) {
        suite_start();
        suite_process_make(&process, SUITE_64);
        suite_run(0, &process);
        suite.next_frame = frames[i / 2] + (i < 2 ? PAGE_2M_BYTES : 0);
        suite_pal_plan(&pal, &process, 0x7fffffffe000, i % 2 != 0);
        pal.section[1].start_addr = 0x10000000;
        pal.section[2].start_addr = 0x8000000000;
        pal.section[3].start_addr = 0x401ff000; /* two page tables */
        pal.entry = 0x7fffffffe000;
        suite_pal_map(&pal);
        unsigned needed = starve();
        assert_true(needed > 4 + 1 + 3 * 3);
        assert_true(needed < 30);
    }
}

/* REQ-PAL-10: a process cannot take the table pages that the guest's kernel needs for devices. */
static void test_some_tables_are_the_guests(void **state)
{
    (void)state;
    suite_start();
    suite_process_make(&process, SUITE_64);
    suite_run(0, &process);
    suite_pal_plan(&pal, &process, 0x10000000, true);
    suite_pal_map(&pal);
    unsigned needed = starve();
    guest_tables = suite.tv.config.guest_tables = 7;
    assert_int_equal(starve(), needed + 7);
    guest_tables = 0;
}

/*
 * A process that maps its PAL's memory by large pages: only the PAL's 4 KiB are taken, and after it
 * the guest's map has its large pages again.
 */
static void large_pages(unsigned level, uint64_t gpa)
{
    uint64_t linear = 0x40000000, bytes = PAGE_BYTES << 9 * (level - 1);
    suite_start();
    suite_process_make(&process, SUITE_64);
    suite_run(0, &process);
    suite_map_large(&process, linear, gpa, SUITE_RW | SUITE_EXECUTE, level);
    suite_map_large(&process, linear + bytes, gpa + bytes, SUITE_RW | SUITE_EXECUTE, level);
    suite_pal_plan(&pal, &process, linear + bytes - 3 * PAGE_BYTES, true);
    struct suite_state before = suite_state(&pal);
    (void)starve();
    assert_int_equal(suite_register(0, &pal), TV_OK);
    suite_check();
    assert_true(suite_guest_may(0, linear + bytes - 4 * PAGE_BYTES, SUITE_STORE));
    assert_false(suite_guest_may(0, linear + bytes - 3 * PAGE_BYTES, SUITE_LOAD));
    assert_false(suite_guest_may(0, linear + bytes + 2 * PAGE_BYTES, SUITE_LOAD));
    assert_true(suite_guest_may(0, linear + bytes + 3 * PAGE_BYTES, SUITE_STORE));
    assert_int_equal(fake_ept_walk(ept_pointer(&suite.map), gpa + bytes).page_bytes, PAGE_BYTES);
    uint64_t none = 0, result;
    assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
    suite_pal_return(0, 99);
    assert_int_equal(suite_result(0, &pal, &result), TV_OK);
    assert_int_equal(result, 99);
    assert_int_equal(suite_unregister(0, &pal), TV_OK);
    assert_int_equal(fake_ept_walk(ept_pointer(&suite.map), gpa + bytes).page_bytes,
                     gpa < PAGE_1G_BYTES ? PAGE_2M_BYTES : PAGE_1G_BYTES);
    suite_same(&before, &pal);
}

static void test_large_pages(void **state)
{
    (void)state;
    large_pages(2, SUITE_FRAMES + 0x10000000);
    large_pages(2, SUITE_FRAMES_1G + 0x10000000);
    large_pages(2, 2 * PAGE_1G_BYTES - PAGE_2M_BYTES - PAGE_2M_BYTES);
    large_pages(3, 4 * PAGE_1G_BYTES);
}

/* Two PALs in one large page: it is whole again when both are gone, in either order. */
static void test_neighbours(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        suite_process_make(&process, SUITE_PAE);
        suite_run(0, &process);
        suite.next_frame = SUITE_FRAMES_1G + (order + 1) * 0x1000000;
        suite_pal_make(&pal, &process, BASE, true);
        suite_pal_make(&other, &process, OTHER, false);
        struct suite_state before = suite_state(NULL);
        assert_int_equal(suite_register(0, &pal), TV_OK);
        assert_int_equal(suite_register(0, &other), TV_OK);
        suite_check();
        assert_int_equal(suite_unregister(0, order == 0 ? &pal : &other), TV_OK);
        suite_check();
        assert_int_equal(suite_unregister(0, order == 0 ? &other : &pal), TV_OK);
        suite_same(&before, NULL);
    }
}

/* Pages come back with the type that the guest's MTRRs give them by then (REQ-MSR-6). */
static void test_memory_type(void **state)
{
    (void)state;
    suite_process_make(&process, SUITE_64);
    suite_run(0, &process);
    suite.next_frame = SUITE_FRAMES + 0x1000000;
    suite_pal_make(&pal, &process, BASE, true);
    uint64_t frame = suite_gpa(&process, BASE);
    assert_int_equal(suite_register(0, &pal), TV_OK);
    suite.mtrr.def_type = 0x804; /* write-through */
    assert_int_equal(suite_unregister(0, &pal), TV_OK);
    struct fake_walk walk = fake_ept_walk(ept_pointer(&suite.map), frame);
    assert_int_equal(walk.memory_type, EPT_WT);
    assert_int_equal(walk.rights, EPT_RWX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_each_page, setup),
        cmocka_unit_test_setup(test_out_of_table_pages, setup),
        cmocka_unit_test_setup(test_some_tables_are_the_guests, setup),
        cmocka_unit_test_setup(test_large_pages, setup),
        cmocka_unit_test_setup(test_neighbours, setup),
        cmocka_unit_test_setup(test_memory_type, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
