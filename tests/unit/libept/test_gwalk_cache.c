/* gwalk_fetch() gives what gwalk_read() gives, whatever changes in between; and it is cheaper. */
#include "cache_model.h"

/* The same status, bytes and fault from both, on a fetch at this address. */
static enum gwalk_status check_fetch(uint64_t linear, size_t bytes)
{
    struct gwalk_result fetched = {0}, read = {0};
    uint8_t a[32], b[32];
    memset(a, 0xcc, sizeof a);
    memset(b, 0xcc, sizeof b);
    enum gwalk_status status = gwalk_fetch(&cache, &paging, &ept, linear, a, bytes, &fetched);
    assert_int_equal(gwalk_read(&paging, &ept, linear, b, bytes, GWALK_EXECUTE, &read), status);
    assert_memory_equal(a, b, sizeof a);
    if (status != GWALK_OK) {
        assert_true(fetched.linear == read.linear);
        assert_int_equal(fetched.error_code, read.error_code);
    }
    return status;
}

static void test_every_mode(void **state)
{
    (void)state;
    for (int mode = NO_PAGING; mode < MODE_COUNT; mode++) {
        start_code((enum guest_mode)mode);
        uint64_t linear = mode == NO_PAGING ? 0x10080 : 0x80;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(check_fetch(linear, 15), GWALK_OK);
        }
    }
}

/* A hit is one call for the bytes, and nothing of the nested map. */
static void test_a_hit_is_cheap(void **state)
{
    (void)state;
    start_code(LEVEL_4);
    struct gwalk_result result;
    uint8_t bytes[15];
    assert_int_equal(gwalk_fetch(&cache, &paging, &ept, 0x80, bytes, 15, &result), GWALK_OK);
    fake_calls_clear();
    assert_int_equal(gwalk_fetch(&cache, &paging, &ept, 0x90, bytes, 15, &result), GWALK_OK);
    assert_int_equal(fake_calls(FAKE_PHYS_READ64), 0);
    assert_int_equal(fake_calls(FAKE_PHYS_READ), 1);
}

static void test_changes_are_seen(void **state)
{
    (void)state;
    for (int mode = BITS_32; mode < MODE_COUNT; mode++) {
        start_code((enum guest_mode)mode);
        assert_int_equal(check_fetch(0x80, 15), GWALK_OK);
        put_entry(last_table(), 0x12000 | FLAGS); /* another page */
        assert_int_equal(check_fetch(0x80, 15), GWALK_OK);
        put_entry(last_table(), 0x12000); /* not present */
        assert_int_equal(check_fetch(0x80, 15), GWALK_PAGE_FAULT);
        put_entry(last_table(), 0x12000 | FLAGS);
        assert_int_equal(check_fetch(0x80, 15), GWALK_OK);
        if (mode == PAE) {
            paging.pdpte[0] = 0x6001; /* other tables, with the same CR3 */
        } else {
            paging.cr3 = 0x6000;
        }
        assert_int_equal(check_fetch(0x80, 15), GWALK_OK);
        paging.cr4 |= 1 << 20; /* SMEP: user page */
        assert_int_equal(check_fetch(0x80, 15), GWALK_PAGE_FAULT);
        paging.cpl = 3;
        assert_int_equal(check_fetch(0x80, 15), GWALK_OK);
        enum ept_invalidate need;
        assert_int_equal(ept_unmap(&ept, gpa(0x11000), PAGE_BYTES, &need), STATUS_OK);
        assert_int_equal(check_fetch(0x80, 15), GWALK_NESTED);
        must_map(0x11000, host_of(0x13000), PAGE_BYTES, EPT_RWX, EPT_WB);
        assert_int_equal(check_fetch(0x80, 15), GWALK_OK);
        assert_int_equal(ept_protect(&ept, gpa(0x11000), PAGE_BYTES, EPT_READ, &need), STATUS_OK);
        assert_int_equal(check_fetch(0x80, 15), GWALK_NESTED);
    }
}

/* Two pages that share a line of the cache, through the same entries but the last. */
static void test_pages_of_one_line(void **state)
{
    (void)state;
    start_code(LEVEL_4);
    put_entry(0x4000 + 8 * GWALK_CACHE_LINES, 0x15000 | FLAGS);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(check_fetch(0x80, 15), GWALK_OK);
        assert_int_equal(check_fetch(GWALK_CACHE_LINES * PAGE_BYTES + 0x80, 15), GWALK_OK);
    }
}

static void test_across_pages_and_empty(void **state)
{
    (void)state;
    start_code(LEVEL_4);
    put_entry(0x4008, 0x15000 | FLAGS);
    assert_int_equal(check_fetch(0xff8, 15), GWALK_OK);
    assert_int_equal(check_fetch(0xff1, 15), GWALK_OK);
    assert_int_equal(check_fetch(0x1ff8, 15), GWALK_PAGE_FAULT);
    assert_int_equal(check_fetch(0x80, 0), GWALK_OK);
}

/* Any sequence of changes and fetches. */
static void test_random_changes(void **state)
{
    (void)state;
    for (int mode = BITS_32; mode < MODE_COUNT; mode++) {
        start_code((enum guest_mode)mode);
        for (int i = 0; i < 2000; i++) {
            uint64_t table = (1 + random_below(10)) << 12, entry = random_below(4) * 8;
            switch (random_below(12)) {
            case 0:
                put_entry(table + entry,
                          (random_below(2) ? 16 + random_below(8) : 1 + random_below(10)) << 12 |
                              FLAGS);
                break;
            case 1:
                put_entry(last_table() + entry, (16 + random_below(8)) << 12 | FLAGS);
                break;
            case 2:
                paging.cr3 = random_below(2) ? 0x1000 : 0x6000;
                paging.pdpte[0] = paging.cr3 | 1;
                break;
            case 3:
                paging.cpl = (unsigned)random_below(4);
                break;
            case 4:
                paging.cr4 ^= 1 << 20;
                break;
            case 5:
                start_code((enum guest_mode)mode);
                random_state += (uint64_t)i;
                break;
            default:
                check_fetch(random_below(4) << 12 | random_below(PAGE_BYTES), 1 + random_below(15));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_mode),
        cmocka_unit_test(test_a_hit_is_cheap),
        cmocka_unit_test(test_changes_are_seen),
        cmocka_unit_test(test_pages_of_one_line),
        cmocka_unit_test(test_across_pages_and_empty),
        cmocka_unit_test(test_random_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
