/*
 * gwalk_read_cached() and gwalk_write_cached() do what gwalk_read() and gwalk_write() do, to the
 * last flag in the guest's tables, whatever changes in between; and they are cheaper.
 */
#include "cache_model.h"

#define GUEST_BYTES (GUEST_PAGES * PAGE_BYTES)
#define DIRTY 0x40ULL
#define ACCESSED 0x20ULL

static uint8_t before[GUEST_BYTES], after[GUEST_BYTES];

static void *memory(void)
{
    return fake_ram(HOST_BASE, GUEST_BYTES);
}

static uint64_t entry_at(uint64_t at)
{
    uint64_t entry = 0;
    memcpy(&entry, guest_at(at), paging.cr4 & 1 << 5 ? 8 : 4);
    return entry;
}

struct outcome {
    enum gwalk_status status;
    struct gwalk_result result;
    uint8_t data[128];
};

static void access_once(struct outcome *outcome, bool cached, bool write, uint64_t linear,
                        size_t bytes, unsigned access)
{
    *outcome = (struct outcome){.status = GWALK_OK};
    memset(outcome->data, write ? 0x5a : 0xcc, sizeof outcome->data);
    struct gwalk_result *result = &outcome->result;
    void *data = outcome->data;
    if (write) {
        outcome->status =
            cached ? gwalk_write_cached(&cache, &paging, &ept, linear, data, bytes, access, result)
                   : gwalk_write(&paging, &ept, linear, data, bytes, access, result);
    } else {
        outcome->status =
            cached ? gwalk_read_cached(&cache, &paging, &ept, linear, data, bytes, access, result)
                   : gwalk_read(&paging, &ept, linear, data, bytes, access, result);
    }
}

/* REQ-EPT-7: both on the same memory: same status, bytes, fault, and all of memory the same after.
 */
static enum gwalk_status check_access(bool write, uint64_t linear, size_t bytes, unsigned access)
{
    struct outcome a, b;
    memcpy(before, memory(), GUEST_BYTES);
    access_once(&a, true, write, linear, bytes, access);
    memcpy(after, memory(), GUEST_BYTES);
    memcpy(memory(), before, GUEST_BYTES);
    access_once(&b, false, write, linear, bytes, access);
    assert_int_equal(a.status, b.status);
    assert_memory_equal(after, memory(), GUEST_BYTES);
    assert_memory_equal(a.data, b.data, sizeof a.data);
    if (a.status != GWALK_OK) {
        assert_true(a.result.linear == b.result.linear);
        assert_int_equal(a.result.error_code, b.result.error_code);
        assert_true(a.status != GWALK_NESTED || a.result.gpa.v == b.result.gpa.v);
    }
    return a.status;
}

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
        cmocka_unit_test(test_every_mode),         cmocka_unit_test(test_hits),
        cmocka_unit_test(test_dirty_and_accessed), cmocka_unit_test(test_hidden_pages),
        cmocka_unit_test(test_random_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
