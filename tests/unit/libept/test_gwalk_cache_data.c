/*
 * gwalk_read_cached() and gwalk_write_cached() do what gwalk_read() and gwalk_write() do, to the
 * last flag in the guest's tables, whatever changes in between; and they are cheaper.
 */
#include "cache_access.h"

static void test_every_mode(void **state)
{
    (void)state;
    for (int mode = NO_PAGING; mode < MODE_COUNT; mode++) {
        start_code((enum guest_mode)mode);
        uint64_t linear = mode == NO_PAGING ? 0x10080 : 0x80;
        for (int i = 0; i < 4; i++) {
            assert_int_equal(check_access(i % 2 != 0, linear, 88, 0), GWALK_OK);
        }
        assert_int_equal(check_access(true, linear, 0, 0), GWALK_OK);
    }
}

/* The calls that an access takes; a hit is one for the bytes. */
static uint64_t calls(bool write, uint64_t linear)
{
    struct outcome outcome;
    fake_calls_clear();
    access_once(&outcome, true, write, linear, 16, 0);
    assert_int_equal(outcome.status, GWALK_OK);
    return fake_calls(FAKE_PHYS_READ) + fake_calls(FAKE_PHYS_READ64) + fake_calls(FAKE_PHYS_WRITE) +
           fake_calls(FAKE_PHYS_CAS64);
}

static void test_hits(void **state)
{
    (void)state;
    start_code(LEVEL_4);
    assert_true(calls(false, 0x80) > 4);
    assert_int_equal(calls(false, 0x90), 1);
    /* The page is not dirty yet: what serves reads does not serve a write. */
    assert_true(calls(true, 0x80) > 4);
    assert_int_equal(calls(true, 0x90), 1);
    /* What serves writes serves reads. */
    assert_int_equal(calls(false, 0x90), 1);
    assert_int_equal(calls(true, 0x90), 1);
    paging.cr0 |= 8; /* TS is nothing to a walk */
    assert_int_equal(calls(true, 0x90), 1);
    start_code(BITS_32); /* two entries in a word */
    put_entry(last_table() + 4, 0x12000 | FLAGS);
    assert_true(calls(false, 0x1080) > 2);
    assert_int_equal(calls(false, 0x1090), 1);
}

/* Each state that decides over an access, with the page kept in the state that allows it. */
static void test_state_is_part_of_a_walk(void **state)
{
    (void)state;
    start_code(LEVEL_4);
    paging.cr4 |= 1 << 21; /* SMAP, and a user page */
    paging.rflags |= 1 << 18;
    assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_OK);
    assert_int_equal(check_access(false, 0x80, 16, GWALK_SUPERVISOR), GWALK_PAGE_FAULT);
    assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_OK);
    paging.rflags = 0;
    assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_PAGE_FAULT);
    paging.cpl = 3;
    assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_OK);
    /* Another CR3 whose pages share the lines: its tables are no tables. */
    paging.cr3 = 0x1000 + GWALK_CACHE_LINES * PAGE_BYTES;
    assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_PAGE_FAULT);
    paging.cr3 = 0x1000;
    put_entry(last_table(), 0x10000 | (FLAGS & ~2ULL));
    assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_OK);
    /* A write is none less because the caller calls it a fetch too. */
    assert_int_equal(check_access(true, 0x80, 16, GWALK_EXECUTE), GWALK_PAGE_FAULT);
    assert_int_equal(check_access(true, 0xff8, 16, GWALK_EXECUTE), GWALK_PAGE_FAULT);
}

/* A guest that cleans a page must find it dirty after the next write, however warm the cache is. */
static void test_dirty_and_accessed(void **state)
{
    (void)state;
    for (int mode = BITS_32; mode < MODE_COUNT; mode++) {
        start_code((enum guest_mode)mode);
        uint64_t last = last_table();
        assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_OK);
        assert_int_equal(entry_at(last) & DIRTY, 0);
        assert_int_equal(check_access(true, 0x80, 16, 0), GWALK_OK);
        assert_int_equal(entry_at(last) & DIRTY, DIRTY);
        put_entry(last, entry_at(last) & ~DIRTY);
        assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_OK);
        assert_int_equal(entry_at(last) & DIRTY, 0);
        assert_int_equal(check_access(true, 0x80, 16, 0), GWALK_OK);
        assert_int_equal(entry_at(last) & DIRTY, DIRTY);
        put_entry(last, entry_at(last) & ~(DIRTY | ACCESSED));
        assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_OK);
        assert_int_equal(entry_at(last) & (DIRTY | ACCESSED), ACCESSED);
        put_entry(last, entry_at(last) & ~2ULL); /* read-only; the supervisor may, without WP */
        assert_int_equal(check_access(true, 0x80, 16, 0), GWALK_OK);
        paging.cr0 |= 1 << 16;
        assert_int_equal(check_access(true, 0x80, 16, 0), GWALK_PAGE_FAULT);
        assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_OK);
    }
}

/* A page that is hidden is out of reach at once, and one that is shown is back. */
static void test_hidden_pages(void **state)
{
    (void)state;
    start_code(LEVEL_4);
    for (int i = 0; i < 3; i++) {
        enum ept_invalidate need;
        assert_int_equal(check_access(true, 0x80, 16, 0), GWALK_OK);
        assert_int_equal(ept_hide(&ept, gpa(0x10000), PAGE_BYTES, 1, &need), STATUS_OK);
        assert_int_equal(check_access(true, 0x80, 16, 0), GWALK_NESTED);
        assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_NESTED);
        assert_int_equal(ept_show(&ept, gpa(0x10000), PAGE_BYTES, EPT_WB), STATUS_OK);
        assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_OK);
        assert_int_equal(ept_hide(&ept, gpa(0x1000), PAGE_BYTES, 1, &need), STATUS_OK);
        assert_int_equal(check_access(false, 0x80, 16, 0), GWALK_NESTED); /* a table */
        assert_int_equal(ept_show(&ept, gpa(0x1000), PAGE_BYTES, EPT_WB), STATUS_OK);
    }
}

/* An entry with any flags, to a table or to any page, those with a meaning of their own too. */
static uint64_t random_entry(void)
{
    static const uint64_t flags[] = {0x27, 0x27, 0x67, 0x67, 0x07, 0x23, 0x65, 0x61, 0x26};
    uint64_t page = random_below(3) != 0 ? 13 + random_below(11) : 1 + random_below(10);
    return page << 12 | flags[random_below(9)];
}

static void random_state_change(void)
{
    switch (random_below(6)) {
    case 0:
        paging.cr3 = random_below(2) ? 0x1000 : 0x6000;
        paging.pdpte[0] = paging.cr3 | 1;
        break;
    case 1:
        paging.cpl = random_below(2) ? 3 : 0;
        break;
    case 2:
        paging.cr0 ^= 1 << 16;
        break;
    case 3:
        paging.cr4 ^= 1 << 21;
        break;
    case 4:
        paging.rflags ^= 1 << 18;
        break;
    default:
        paging.cr4 ^= 1 << 20;
    }
}

/* Takes the rights to a page, or gives them back; what is not mapped stays so. */
static void random_nested_change(void)
{
    static const unsigned perms[] = {EPT_READ, EPT_RWX, EPT_RWX, EPT_READ | EPT_EXECUTE};
    enum ept_invalidate need;
    (void)ept_protect(&ept, gpa(random_below(GUEST_PAGES) << 12), PAGE_BYTES,
                      perms[random_below(4)], &need);
}

static void test_random_changes(void **state)
{
    (void)state;
    for (int mode = BITS_32; mode < MODE_COUNT; mode++) {
        start_code((enum guest_mode)mode);
        for (unsigned i = 0; i < 1500; i++) {
            if (i % 100 == 99) {
                uint64_t random = random_state;
                start_code((enum guest_mode)mode);
                random_state = random;
            }
            uint64_t entry = random_below(4) * 8;
            uint64_t table = random_below(2) ? last_table() : (1 + random_below(10)) << 12;
            switch (random_below(10)) {
            case 0:
            case 1:
                put_entry(table + entry, random_entry());
                break;
            case 2:
                random_state_change();
                break;
            case 3:
                random_nested_change();
                break;
            default:
                check_access(random_below(2), random_below(4) << 12 | random_below(PAGE_BYTES),
                             random_below(88), (unsigned)random_below(2) * GWALK_SUPERVISOR);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_mode),
        cmocka_unit_test(test_hits),
        cmocka_unit_test(test_state_is_part_of_a_walk),
        cmocka_unit_test(test_dirty_and_accessed),
        cmocka_unit_test(test_hidden_pages),
        cmocka_unit_test(test_random_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
