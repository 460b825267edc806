/* gwalk_read() and gwalk_write(): across pages, exact lengths, all or nothing. */
#include "gwalk_model.h"

#include <stdlib.h>

/*
 * A guest with 4-level paging, linear 0 .. 0x3f000 in 63 pages.  Its first 24 pages go to gpa pages
 * 8
 * .. 31 in mixed order; the others are not present.
 */
#define LINEAR_PAGES 24U
#define FLAGS 0x67ULL

static struct gwalk_result result;

static uint64_t gpa_page(uint64_t linear_page)
{
    return 8 + (linear_page * 7) % LINEAR_PAGES;
}

static void put_entry(uint64_t at, uint64_t value)
{
    memcpy(guest_at(at), &value, 8);
}

static void start_copy(void)
{
    start_guest();
    set_mode(LEVEL_4, 0x1000);
    put_entry(0x1000, 0x2000 | FLAGS);
    put_entry(0x2000, 0x3000 | FLAGS);
    put_entry(0x3000, 0x4000 | FLAGS);
    for (uint64_t page = 0; page < LINEAR_PAGES; page++) {
        put_entry(0x4000 + 8 * page, gpa_page(page) << 12 | FLAGS);
    }
    for (uint64_t gpa = 8 * PAGE_BYTES; gpa < GUEST_PAGES * PAGE_BYTES; gpa += PAGE_BYTES) {
        for (uint64_t i = 0; perms_of(gpa) != 0 && gpa / PAGE_BYTES != MMIO_PAGE && i < PAGE_BYTES;
             i++) {
            ((uint8_t *)fake_ram(host_of(gpa), PAGE_BYTES))[i] = (uint8_t)(gpa / 251 + i * 7);
        }
    }
}

/* Linear page without access by the nested map or not memory. */
static bool is_bad_page(uint64_t linear_page, bool is_write)
{
    uint64_t page = gpa_page(linear_page);
    return linear_page >= LINEAR_PAGES || page == HIDDEN_PAGE || page == MMIO_PAGE ||
           (is_write && page == READ_ONLY_PAGE);
}

static bool is_bad(uint64_t linear, uint64_t bytes, bool is_write)
{
    for (uint64_t page = linear >> 12; bytes != 0 && page <= (linear + bytes - 1) >> 12; page++) {
        if (is_bad_page(page, is_write)) {
            return true;
        }
    }
    return false;
}

static uint8_t *byte_at(uint64_t linear)
{
    uint64_t gpa = gpa_page(linear >> 12) << 12 | (linear & PAGE_MASK);
    return fake_ram(host_of(gpa), 1);
}

/* REQ-MEM-1: N bytes are written to the destination, no more, and none on failure. */
static void check_read(uint64_t linear, size_t bytes)
{
    uint8_t *to = malloc(bytes + 16);
    memset(to, 0xcc, bytes + 16);
    enum gwalk_status status = gwalk_read(&paging, &ept, linear, to + 8, bytes, 0, &result);
    bool bad = is_bad(linear, bytes, false);
    assert_int_equal(status != GWALK_OK, bad);
    for (size_t i = 0; i < bytes; i++) {
        assert_int_equal(to[8 + i], bad ? 0xcc : *byte_at(linear + i));
    }
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(to[i], 0xcc);
        assert_int_equal(to[8 + bytes + i], 0xcc);
    }
    free(to);
}

static void check_write(uint64_t linear, size_t bytes)
{
    static uint8_t before[LINEAR_PAGES * PAGE_BYTES];
    for (uint64_t at = 0; at < sizeof before; at += PAGE_BYTES) {
        if (!is_bad_page(at >> 12, false)) {
            memcpy(before + at, byte_at(at), PAGE_BYTES);
        }
    }
    uint8_t *from = malloc(bytes + 1);
    for (size_t i = 0; i < bytes; i++) {
        from[i] = (uint8_t)random_below(256);
    }
    enum gwalk_status status = gwalk_write(&paging, &ept, linear, from, bytes, 0, &result);
    bool bad = is_bad(linear, bytes, true);
    assert_int_equal(status != GWALK_OK, bad);
    if (!bad) {
        memcpy(before + linear, from, bytes);
    }
    for (uint64_t at = 0; at < sizeof before; at += PAGE_BYTES) {
        if (!is_bad_page(at >> 12, false)) {
            assert_memory_equal(before + at, byte_at(at), PAGE_BYTES);
        }
    }
    free(from);
}

static void test_every_length_around_a_page_boundary(void **state)
{
    (void)state;
    start_copy();
    for (uint64_t linear = 0xff0; linear <= 0x1000; linear++) {
        for (size_t bytes = 0; bytes <= 40; bytes++) {
            check_read(linear, bytes);
        }
    }
    for (uint64_t linear = 0xffc; linear <= 0x1000; linear++) {
        for (size_t bytes = 0; bytes <= 8; bytes++) {
            check_write(linear, bytes);
        }
    }
}

static void test_random_copies_are_all_or_nothing(void **state)
{
    (void)state;
    start_copy();
    for (int round = 0; round < 300; round++) {
        uint64_t linear = random_below(LINEAR_PAGES * PAGE_BYTES);
        size_t bytes = random_below(4 * PAGE_BYTES);
        check_read(linear, bytes);
        check_write(linear, bytes);
    }
}

static void test_lengths(void **state)
{
    (void)state;
    start_copy();
    for (uint64_t page = 0; page < 17; page++) {
        put_entry(0x4000 + 8 * page, 20ULL << 12 | FLAGS);
    }
    static uint8_t buffer[GWALK_COPY_MAX_BYTES + 1];
    assert_int_equal(gwalk_read(&paging, &ept, 0xfff, buffer, GWALK_COPY_MAX_BYTES, 0, &result),
                     GWALK_OK);
    assert_int_equal(gwalk_write(&paging, &ept, 0xfff, buffer, GWALK_COPY_MAX_BYTES, 0, &result),
                     GWALK_OK);
    assert_int_equal(gwalk_read(&paging, &ept, 0, buffer, sizeof buffer, 0, &result),
                     GWALK_TOO_LONG);
    assert_int_equal(gwalk_write(&paging, &ept, 0, buffer, SIZE_MAX, 0, &result), GWALK_TOO_LONG);
}

static void test_what_is_reported(void **state)
{
    (void)state;
    start_copy();
    uint8_t buffer[64] = {0};
    uint64_t last = LINEAR_PAGES * PAGE_BYTES;
    assert_int_equal(gwalk_read(&paging, &ept, last - 8, buffer, 16, 0, &result), GWALK_PAGE_FAULT);
    assert_true(result.linear == last); /* the page that faults, not where the copy began */
    assert_int_equal(result.error_code, 0);
    paging.cpl = 3;
    assert_int_equal(gwalk_write(&paging, &ept, last - 8, buffer, 16, 0, &result),
                     GWALK_PAGE_FAULT);
    assert_int_equal(result.error_code, 6);
    for (uint64_t page = 0; page < LINEAR_PAGES; page++) {
        if (is_bad_page(page, false)) {
            assert_int_equal(gwalk_read(&paging, &ept, page << 12, buffer, 8, 0, &result),
                             GWALK_NESTED);
            assert_true(result.gpa.v == gpa_page(page) << 12);
        }
    }
    assert_int_equal(gwalk_read(&paging, &ept, 0x00007ffffffffff8, buffer, 16, 0, &result),
                     GWALK_PAGE_FAULT);
    put_entry(0x1000 + 8 * 255, 0x2000 | FLAGS);
    put_entry(0x2000 + 8 * 511, 0x3000 | FLAGS);
    put_entry(0x3000 + 8 * 511, 0x4000 | FLAGS);
    put_entry(0x4000 + 8 * 511, 20ULL << 12 | FLAGS);
    assert_int_equal(gwalk_read(&paging, &ept, 0x00007ffffffffff8, buffer, 16, 0, &result),
                     GWALK_NON_CANONICAL);
    assert_true(result.linear == 0x0000800000000000);
}

/* The nested map's right for the kind of access counts. */
static void test_nested_rights(void **state)
{
    (void)state;
    start_copy();
    uint8_t buffer[8];
    enum ept_invalidate need;
    assert_int_equal(ept_protect(&ept, gpa(gpa_page(0) << 12), PAGE_BYTES, EPT_EXECUTE, &need),
                     STATUS_OK);
    assert_int_equal(gwalk_read(&paging, &ept, 0, buffer, 8, 0, &result), GWALK_NESTED);
    assert_int_equal(gwalk_read(&paging, &ept, 0, buffer, 8, GWALK_EXECUTE, &result), GWALK_OK);
    assert_int_equal(gwalk_write(&paging, &ept, 0, buffer, 8, 0, &result), GWALK_NESTED);
    assert_int_equal(ept_protect(&ept, gpa(gpa_page(0) << 12), PAGE_BYTES, EPT_READ, &need),
                     STATUS_OK);
    assert_int_equal(gwalk_read(&paging, &ept, 0, buffer, 8, GWALK_EXECUTE, &result), GWALK_NESTED);
}

/* 32-bit addresses wrap at 4 GiB. */
static void test_wrap_without_paging(void **state)
{
    (void)state;
    start_copy();
    set_mode(NO_PAGING, 0);
    assert_int_equal(
        ept_map(&ept, gpa(0xfffff000), hpa(host_of(0x14000)), PAGE_BYTES, EPT_RWX, EPT_WB),
        STATUS_OK);
    uint8_t buffer[16];
    assert_int_equal(gwalk_read(&paging, &ept, 0xfffffff8, buffer, 16, 0, &result), GWALK_OK);
    assert_memory_equal(buffer, fake_ram(host_of(0x14ff8), 8), 8);
    assert_memory_equal(buffer + 8, fake_ram(host_of(0), 8), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length_around_a_page_boundary),
        cmocka_unit_test(test_random_copies_are_all_or_nothing),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_what_is_reported),
        cmocka_unit_test(test_nested_rights),
        cmocka_unit_test(test_wrap_without_paging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
