/* SHARE: ranges of the caller's that its PAL may use too (REQ-PAL-3). */
#include "pal_test.h"

#include "context.h"

#define BASE 0x10000000ULL
#define RANGE 0x40000000ULL /* pages that can be shared */
#define RANGE_PAGES 8U

static struct suite_process process;
static struct suite_pal pal;
static uint64_t none, result;

static int setup(void **state)
{
    (void)state;
    suite_start();
    return 0;
}

static void begin(unsigned mode)
{
    suite_process_make(&process, (enum suite_mode)mode);
    suite_run(0, &process);
    suite_pal_make(&pal, &process, BASE, false);
    for (uint64_t page = 0; page < RANGE_PAGES; page++) {
        suite_map(&process, RANGE + page * PAGE_BYTES, suite_frames(1), SUITE_RW);
    }
    assert_int_equal(suite_register(0, &pal), TV_OK);
}

static enum tv_error share_at(unsigned cpu, uint64_t starts_at, uint64_t lengths_at, uint64_t count)
{
    const struct vcpu *vcpu = &suite.guest[cpu];
    bool is_64 = vcpu->width == VCPU_64BIT;
    uint64_t ds = is_64 ? 0 : vcpu->base[VCPU_DS], cs = is_64 ? 0 : vcpu->base[VCPU_CS];
    return (enum tv_error)suite_hypercall(cpu, TV_SHARE, pal.entry - cs, starts_at - ds,
                                          lengths_at - ds, count);
}

/* {start, bytes} pairs, in arrays of words that end with their page. */
static enum tv_error share(const uint64_t (*ranges)[2], unsigned count)
{
    unsigned word = suite_width(&process);
    uint64_t starts = SUITE_ARGS + SUITE_RANGE_PAGES * PAGE_BYTES - count * word;
    uint64_t lengths = SUITE_BUFFER + SUITE_RANGE_PAGES * PAGE_BYTES - count * word;
    for (unsigned i = 0; i < count; i++) {
        suite_put(&process, starts + i * word, &ranges[i][0], word);
        suite_put(&process, lengths + i * word, &ranges[i][1], word);
    }
    return share_at(0, starts, lengths, count);
}

static enum tv_error share_one(uint64_t start, uint64_t bytes)
{
    uint64_t range[1][2] = {{start, bytes}};
    return share(range, 1);
}

/* The guest's map is as before; tables of the PAL's own space may stay until it goes. */
static void refused(enum tv_error expected, const uint64_t (*ranges)[2], unsigned count)
{
    uint64_t map = suite_map_digest();
    assert_int_equal(share(ranges, count), expected);
    suite_check();
    assert_int_equal(suite_map_digest(), map);
}

static void refused_one(enum tv_error expected, uint64_t start, uint64_t bytes)
{
    uint64_t range[1][2] = {{start, bytes}};
    refused(expected, range, 1);
}

static void test_shared_pages(void **state)
{
    (void)state;
    static const uint64_t ranges[2][2] = {{RANGE, 2 * PAGE_BYTES}, {RANGE + 0x5000, PAGE_BYTES}};
    for (unsigned mode = 0; mode < SUITE_MODES; mode++) {
        suite_start();
        begin(mode);
        suite_run(1, &process);
        fake_select_cpu(0);
        struct suite_state before = suite_state(NULL);
        /* The PAL has run before: its CPU must forget nothing, and see the new pages. */
        assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
        suite_pal_return(0, 0);
        assert_int_equal(share(ranges, 2), TV_OK);
        suite_check();
        assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
        for (unsigned page = 0; page < RANGE_PAGES; page++) {
            uint64_t at = RANGE + page * PAGE_BYTES + 16, word = 0x1111 * page, found;
            fake_select_cpu(0);
            bool shared = page < 2 || page == 5;
            assert_int_equal(suite_pal(0, at, SUITE_STORE, &word, 8), shared);
            assert_false(suite_pal(0, at, SUITE_FETCH, NULL, 1));
            if (shared) {
                suite_get(&process, at, &found, 8);
                assert_int_equal(found, word);
                assert_int_equal(suite_guest(1, at, SUITE_STORE), SUITE_DONE);
            }
        }
        fake_select_cpu(0);
        suite_pal_return(0, 0);
        assert_int_equal(suite_unregister(0, &pal), TV_OK);
        uint64_t found; /* what is shared is not wiped */
        suite_get(&process, RANGE + 16, &found, 8);
        suite_get(&process, RANGE + PAGE_BYTES + 16, &found, 8);
        assert_int_equal(found, 0x1111);
        before.free_pages = suite.pool.free_pages;
        before.map = suite_map_digest();
        before.pals--;
        suite_same(&before, NULL);
    }
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < SUITE_MODES; mode++) {
        begin(mode);
        uint64_t end = suite_width(&process) == VCPU_64BIT ? 1ULL << 47 : 0xfffff000;
        assert_int_equal(share_at(0, SUITE_ARGS, SUITE_ARGS, 0), TV_ERROR_SHARE);
        assert_int_equal(share_at(0, SUITE_ARGS, SUITE_ARGS, TV_SHARES_MAX + 1), TV_ERROR_SHARE);
        assert_int_equal(share_at(0, SUITE_ARGS, SUITE_ARGS, 0xffffffff), TV_ERROR_SHARE);
        uint64_t past = SUITE_ARGS + SUITE_RANGE_PAGES * PAGE_BYTES - 2;
        assert_int_equal(share_at(0, past, SUITE_ARGS, 2), TV_ERROR_ADDRESS);
        assert_int_equal(share_at(0, SUITE_BUFFER, past, 2), TV_ERROR_ADDRESS);
        refused_one(TV_ERROR_SHARE, RANGE, 0);
        refused_one(TV_ERROR_SHARE, RANGE + 1, PAGE_BYTES);
        refused_one(TV_ERROR_SHARE, RANGE, PAGE_BYTES + 8);
        refused_one(TV_ERROR_SHARE, RANGE, (TV_SHARE_PAGES_MAX + 1) * PAGE_BYTES);
        refused_one(TV_ERROR_SHARE, RANGE, 0xfffff000);
        refused_one(TV_ERROR_SHARE, end, PAGE_BYTES);
        refused_one(TV_ERROR_SHARE, end - PAGE_BYTES, 2 * PAGE_BYTES);
        refused_one(TV_ERROR_PAGE_ABSENT, end - PAGE_BYTES, PAGE_BYTES);
        refused_one(TV_ERROR_PAGE_ABSENT, RANGE, (RANGE_PAGES + 1) * PAGE_BYTES);
        refused_one(TV_ERROR_SECTION_OVERLAP, BASE, PAGE_BYTES);
        refused_one(TV_ERROR_SECTION_OVERLAP, BASE - PAGE_BYTES, 2 * PAGE_BYTES);
        static const uint64_t twice[2][2] = {{RANGE, 2 * PAGE_BYTES}, {RANGE + 0x1000, 0x1000}};
        refused(TV_ERROR_SECTION_OVERLAP, twice, 2);
        assert_int_equal(share_one(RANGE, PAGE_BYTES), TV_OK);
        refused_one(TV_ERROR_SECTION_OVERLAP, RANGE, PAGE_BYTES);
        pal.entry++;
        assert_int_equal(share_at(0, SUITE_ARGS, SUITE_ARGS, 1), TV_ERROR_NO_SUCH_PAL);
        pal.entry--;
    }
}

static void test_wrong_pages(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < SUITE_MODES; mode++) {
        begin(mode);
        struct suite_pal other;
        suite_pal_make(&other, &process, BASE + 0x100000, true);
        assert_int_equal(suite_register(0, &other), TV_OK);
        uint64_t last = RANGE + 3 * PAGE_BYTES, frame = suite_gpa(&process, last);
        struct {
            enum tv_error error;
            uint64_t gpa;
            unsigned rights;
        } cases[] = {
            {TV_ERROR_PAGE_RIGHTS, frame, SUITE_USER},
            {TV_ERROR_PAGE_RIGHTS, frame, SUITE_WRITE},
            {TV_ERROR_PAGE_NOT_RAM, SUITE_DEVICE, SUITE_RW},
            {TV_ERROR_PAGE_NOT_RAM, SUITE_UNCACHED, SUITE_RW},
            {TV_ERROR_PAGE_NOT_RAM, suite.map.root.v, SUITE_RW},
            {TV_ERROR_PAGE_TAKEN, suite_gpa(&process, BASE), SUITE_RW},
            {TV_ERROR_PAGE_TAKEN, suite_gpa(&process, BASE + 0x100000), SUITE_RW},
            {TV_ERROR_PAGE_TAKEN, suite_gpa(&process, RANGE), SUITE_RW}, /* twice */
        };
        for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            suite_map(&process, last, cases[i].gpa, cases[i].rights);
            refused_one(cases[i].error, RANGE, 4 * PAGE_BYTES);
        }
        suite_map(&process, last, frame, SUITE_RW);
        assert_int_equal(share_one(RANGE, 4 * PAGE_BYTES), TV_OK);
    }
}

/* All ranges and pages that one PAL can have, in as many calls. */
static void test_limits(void **state)
{
    (void)state;
    begin(SUITE_64);
    for (uint64_t page = 0; page < TV_SHARE_PAGES_MAX + 1; page++) {
        suite_map(&process, RANGE + page * PAGE_BYTES, suite_frames(1), SUITE_RW);
    }
    for (uint64_t i = 0; i < TV_SHARES_MAX - 1; i++) {
        assert_int_equal(share_one(RANGE + i * PAGE_BYTES, PAGE_BYTES), TV_OK);
    }
    uint64_t left = TV_SHARE_PAGES_MAX - (TV_SHARES_MAX - 1);
    uint64_t next = RANGE + (TV_SHARES_MAX - 1) * PAGE_BYTES;
    refused_one(TV_ERROR_SHARE, next, (left + 1) * PAGE_BYTES);
    assert_int_equal(share_one(next, left * PAGE_BYTES), TV_OK);
    suite_check();
    refused_one(TV_ERROR_SHARE, next + left * PAGE_BYTES, PAGE_BYTES);
    assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
    suite_pal_return(0, 0);
}

/* REQ-EPT-6: out of table pages at every point, in a 1-GiB page of the guest's map. */
static void test_out_of_table_pages(void **state)
{
    (void)state;
    begin(SUITE_64);
    suite.next_frame = 5 * PAGE_1G_BYTES;
    suite_map(&process, RANGE, suite_frames(1), SUITE_RW);
    suite_map(&process, RANGE + PAGE_BYTES, suite_frames(1), SUITE_RW);
    uint64_t free_pages = suite.pool.free_pages, map = suite_map_digest();
    enum tv_error error = TV_ERROR_NO_MEMORY;
    for (unsigned free = 0; error != TV_OK; free++) {
        suite_keep_free(free);
        error = share_one(RANGE, 2 * PAGE_BYTES);
        suite_check();
        suite_give_all();
        assert_true(error == TV_OK || error == TV_ERROR_NO_MEMORY);
        assert_true(error == TV_OK || suite_map_digest() == map);
    }
    assert_int_equal(suite_unregister(0, &pal), TV_OK);
    suite_check();
    assert_true(suite.pool.free_pages > free_pages);
}

/* A refusal after the PAL has run leaves no stale translation of a page that was shared for a
 * moment (REQ-EPT-1); a share at the same place later is seen. */
static void test_no_stale_translation(void **state)
{
    (void)state;
    begin(SUITE_64);
    uint64_t frame = suite_gpa(&process, RANGE + PAGE_BYTES), word;
    for (unsigned round = 0; round < 4; round++) {
        assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
        assert_false(suite_pal(0, RANGE, SUITE_LOAD, &word, 8));
        assert_true(suite_pal(0, BASE, SUITE_LOAD, &word, 8));
        suite_pal_return(0, 0);
        suite_unmap(&process, RANGE + PAGE_BYTES);
        assert_int_equal(share_one(RANGE, 2 * PAGE_BYTES), TV_ERROR_PAGE_ABSENT);
        suite_map(&process, RANGE + PAGE_BYTES, frame, SUITE_RW);
        assert_true(suite_find(&pal) != NULL);
        assert_int_equal(suite.tv.context[0].space.seen, 0);
    }
}

/* The caller let go of what it shares, or may only read it now: the PAL is not run. */
static void test_shared_page_is_gone(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < SUITE_MODES; mode++) {
        suite_start();
        begin(mode);
        assert_int_equal(share_one(RANGE, RANGE_PAGES * PAGE_BYTES), TV_OK);
        for (unsigned page = 0; page < RANGE_PAGES; page++) {
            uint64_t at = RANGE + page * PAGE_BYTES, frame = suite_gpa(&process, at);
            uint64_t other = suite_frames(1);
            for (unsigned how = 0; how < 3; how++) {
                if (how == 0) {
                    suite_unmap(&process, at);
                } else {
                    suite_map(&process, at, how == 1 ? other : frame,
                              how == 1 ? SUITE_RW : SUITE_USER);
                }
                assert_int_equal(suite_call(0, &pal, &none), SUITE_RETURNED);
                assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_ADDRESS);
            }
            suite_map(&process, at, frame, SUITE_RW);
        }
        assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
    }
}

static void test_busy_and_ended(void **state)
{
    (void)state;
    begin(SUITE_64);
    suite_run(1, &process);
    assert_int_equal(suite_call(1, &pal, &none), SUITE_ENTERED);
    fake_select_cpu(0);
    assert_int_equal(share_one(RANGE, PAGE_BYTES), TV_ERROR_PAL_BUSY);
    suite_pal_stop(1, VCPU_STOP_TIMER, 0, 0);
    assert_int_equal(share_one(RANGE, PAGE_BYTES), TV_ERROR_PAL_ENDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_shared_pages, setup),
        cmocka_unit_test_setup(test_wrong_arguments, setup),
        cmocka_unit_test_setup(test_wrong_pages, setup),
        cmocka_unit_test_setup(test_limits, setup),
        cmocka_unit_test_setup(test_out_of_table_pages, setup),
        cmocka_unit_test_setup(test_no_stale_translation, setup),
        cmocka_unit_test_setup(test_shared_page_is_gone, setup),
        cmocka_unit_test_setup(test_busy_and_ended, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
