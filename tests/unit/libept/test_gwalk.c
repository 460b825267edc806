/* REQ-EPT-7: the walker of guest page tables, in every paging mode. */
#include "gwalk_model.h"

#define PTE_P 0x01ULL
#define PTE_W 0x02ULL
#define PTE_U 0x04ULL
#define PTE_A 0x20ULL
#define PTE_D 0x40ULL
#define PTE_PS 0x80ULL
#define PTE_NX (1ULL << 63)
#define FLAGS (PTE_P | PTE_W | PTE_U)

#define SMEP (1ULL << 20)
#define SMAP (1ULL << 21)
#define WP (1ULL << 16)
#define NXE 0x800ULL
#define AC (1ULL << 18)

static struct gwalk_result result;

static enum gwalk_status translate(uint64_t linear, unsigned access)
{
    memset(&result, 0x5a, sizeof result);
    return gwalk_translate(&paging, &ept, linear, access, &result);
}

static void put64(uint64_t at, uint64_t value)
{
    memcpy(guest_at(at), &value, 8);
}

static uint64_t get64(uint64_t at)
{
    uint64_t value;
    memcpy(&value, guest_at(at), 8);
    return value;
}

static void put32(uint64_t at, uint32_t value)
{
    memcpy(guest_at(at), &value, 4);
}

/* 4-level: linear 0 -> page 0x10, with these flags in the last entry. */
static void four_levels(uint64_t last_flags)
{
    start_guest();
    set_mode(LEVEL_4, 0x1000);
    put64(0x1000, 0x2000 | FLAGS);
    put64(0x2000, 0x3000 | FLAGS);
    put64(0x3000, 0x4000 | FLAGS);
    put64(0x4000, 0x10000 | last_flags);
}

static void test_no_paging(void **state)
{
    (void)state;
    start_guest();
    set_mode(NO_PAGING, 0xdead000);
    assert_int_equal(translate(0x100012345, GWALK_WRITE), GWALK_OK);
    assert_int_equal(result.gpa.v, 0x12345);
    assert_int_equal(result.page_bytes, PAGE_BYTES);
}

static void test_rights_of_four_levels(void **state)
{
    (void)state;
    static const struct {
        uint64_t flags, cr0, cr4, efer, rflags;
        unsigned cpl, access;
        int error_code; /* -1: allowed */
    } cases[] = {
        /* user code */
        {FLAGS, 0, 0, 0, 0, 3, GWALK_WRITE, -1},
        {PTE_P | PTE_U, 0, 0, 0, 0, 3, 0, -1},
        {PTE_P | PTE_U, 0, 0, 0, 0, 3, GWALK_WRITE, 7},
        {PTE_P | PTE_W, 0, 0, 0, 0, 3, 0, 5},
        {PTE_U, 0, 0, 0, 0, 3, 0, 4},
        /* supervisor: WP */
        {PTE_P, 0, 0, 0, 0, 0, GWALK_WRITE, -1},
        {PTE_P, WP, 0, 0, 0, 0, GWALK_WRITE, 3},
        {PTE_P | PTE_W, WP, 0, 0, 0, 0, GWALK_WRITE, -1},
        /* NX: bit 63 is reserved without EFER.NXE */
        {FLAGS | PTE_NX, 0, 0, NXE, 0, 3, GWALK_EXECUTE, 0x15},
        {FLAGS | PTE_NX, 0, 0, NXE, 0, 3, 0, -1},
        {FLAGS | PTE_NX, 0, 0, NXE, 0, 0, GWALK_EXECUTE, 0x11},
        {FLAGS | PTE_NX, 0, 0, 0, 0, 3, 0, 0x0d},
        {0, 0, 0, NXE, 0, 3, GWALK_EXECUTE, 0x14},
        {0, 0, 0, 0, 0, 3, GWALK_EXECUTE, 0x04},
        /* SMEP: no supervisor fetch from user pages */
        {FLAGS, 0, SMEP, 0, 0, 0, GWALK_EXECUTE, 0x11},
        {FLAGS, 0, 0, 0, 0, 0, GWALK_EXECUTE, -1},
        {FLAGS, 0, SMEP, 0, 0, 3, GWALK_EXECUTE, -1},
        {PTE_P | PTE_W, 0, SMEP, 0, 0, 0, GWALK_EXECUTE, -1},
        {FLAGS, 0, SMEP, 0, 0, 0, GWALK_WRITE, -1},
        /* SMAP: no supervisor data access to user pages, unless RFLAGS.AC */
        {FLAGS, 0, SMAP, 0, 0, 0, 0, 1},
        {FLAGS, 0, SMAP, 0, 0, 0, GWALK_WRITE, 3},
        {FLAGS, 0, SMAP, 0, AC, 0, 0, -1},
        {FLAGS, 0, SMAP, 0, 0, 3, 0, -1},
        {FLAGS, 0, SMAP, 0, 0, 0, GWALK_EXECUTE, -1},
        {PTE_P, 0, SMAP, 0, 0, 0, 0, -1},
        /* implicit supervisor accesses: as CPL 0, and AC does not help */
        {PTE_P, 0, 0, 0, 0, 3, GWALK_SUPERVISOR, -1},
        {FLAGS, 0, SMAP, 0, AC, 3, GWALK_SUPERVISOR, 1},
        {0, 0, 0, 0, 0, 3, GWALK_SUPERVISOR, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        four_levels(cases[i].flags);
        paging.cr0 |= cases[i].cr0;
        paging.cr4 |= cases[i].cr4;
        paging.efer |= cases[i].efer;
        paging.rflags = cases[i].rflags;
        paging.cpl = cases[i].cpl;
        enum gwalk_status status = translate(0x123, cases[i].access);
        if (cases[i].error_code < 0) {
            assert_int_equal(status, GWALK_OK);
            assert_int_equal(result.gpa.v, 0x10123);
        } else {
            assert_int_equal(status, GWALK_PAGE_FAULT);
            assert_int_equal(result.error_code, cases[i].error_code);
            assert_int_equal(result.linear, 0x123);
        }
    }
}

/* W and U must be in every entry, NX is enough in one. */
static void test_rights_of_upper_levels(void **state)
{
    (void)state;
    for (uint64_t table = 0x1000; table <= 0x4000; table += 0x1000) {
        four_levels(FLAGS);
        paging.cpl = 3;
        paging.efer |= NXE;
        uint64_t entry = get64(table);
        put64(table, entry & ~PTE_W);
        assert_int_equal(translate(0, GWALK_WRITE), GWALK_PAGE_FAULT);
        assert_int_equal(translate(0, 0), GWALK_OK);
        put64(table, entry & ~PTE_U);
        assert_int_equal(translate(0, 0), GWALK_PAGE_FAULT);
        put64(table, entry | PTE_NX);
        assert_int_equal(translate(0, GWALK_EXECUTE), GWALK_PAGE_FAULT);
        assert_int_equal(translate(0, GWALK_WRITE), GWALK_OK);
    }
}

static void test_accessed_and_dirty(void **state)
{
    (void)state;
    four_levels(FLAGS);
    assert_int_equal(translate(0, 0), GWALK_OK);
    for (uint64_t table = 0x1000; table <= 0x4000; table += 0x1000) {
        assert_int_equal(get64(table) & (PTE_A | PTE_D), PTE_A);
    }
    assert_int_equal(translate(0, GWALK_WRITE), GWALK_OK);
    assert_int_equal(get64(0x3000) & (PTE_A | PTE_D), PTE_A);
    assert_int_equal(get64(0x4000) & (PTE_A | PTE_D), PTE_A | PTE_D);
    /* Nothing is written when they are set, or when the access faults. */
    fake_writes_clear();
    assert_int_equal(translate(0, GWALK_WRITE), GWALK_OK);
    paging.cpl = 3;
    four_levels(PTE_P);
    fake_writes_clear();
    paging.cpl = 3;
    assert_int_equal(translate(0, 0), GWALK_PAGE_FAULT);
    assert_int_equal(fake_write_count(), 0);
}

static void test_canonical_addresses(void **state)
{
    (void)state;
    four_levels(FLAGS);
    put64(0x1ff8, 0x2000 | FLAGS);
    put64(0x2ff8, 0x3000 | FLAGS);
    put64(0x3ff8, 0x4000 | FLAGS);
    put64(0x4ff8, 0x11000 | FLAGS);
    assert_int_equal(translate(0xfffffffffffffffe, 0), GWALK_OK);
    assert_int_equal(result.gpa.v, 0x11ffe);
    assert_int_equal(translate(0x0000800000000000, 0), GWALK_NON_CANONICAL);
    assert_int_equal(result.linear, 0x0000800000000000);
    assert_int_equal(translate(0xffff7fffffffffff, 0), GWALK_NON_CANONICAL);
    assert_int_equal(translate(0x8000000000000000, 0), GWALK_NON_CANONICAL);
    assert_int_equal(translate(0xffff800000000000, 0), GWALK_PAGE_FAULT);
    assert_int_equal(translate(0x00007ffffffff000, 0), GWALK_PAGE_FAULT);
    /* 5 levels: 57 bits. */
    set_mode(LEVEL_5, 0x5000);
    put64(0x5000, 0x1000 | FLAGS);
    assert_int_equal(translate(0x123, 0), GWALK_OK);
    assert_int_equal(result.gpa.v, 0x10123);
    assert_int_equal(translate(0x0000800000000000, 0), GWALK_PAGE_FAULT);
    assert_int_equal(translate(0x0100000000000000, 0), GWALK_NON_CANONICAL);
    assert_int_equal(translate(0xfeffffffffffffff, 0), GWALK_NON_CANONICAL);
}

static void test_pcid_and_high_bits_of_cr3_do_not_matter(void **state)
{
    (void)state;
    four_levels(FLAGS);
    for (unsigned bit = 0; bit < 64; bit++) {
        if (bit < 12 || bit >= 40) {
            paging.cr3 = 0x1000 | 1ULL << bit;
            assert_int_equal(translate(0x123, 0), GWALK_OK);
        }
    }
}

/* SDM table "Format of a 32-Bit Page-Directory Entry that Maps a 4-MByte Page": PSE-36. */
static void test_4_mib_pages(void **state)
{
    (void)state;
    start_guest();
    set_mode(BITS_32_PSE, 0x1000);
    put32(0x1000 + 4 * 3, 0x01000000 | 0xab << 13 | PTE_PS | FLAGS);
    assert_int_equal(translate(3 * 0x400000 + 0x234567, 0), GWALK_OK);
    assert_true(result.gpa.v == 0xab01234567);
    assert_int_equal(result.page_bytes, 0x400000);
    put32(0x1000 + 4 * 3, 0x01000000 | 1 << 21 | PTE_PS | FLAGS);
    assert_int_equal(translate(3 * 0x400000, 0), GWALK_PAGE_FAULT);
    assert_int_equal(result.error_code, 9);
    paging.maxphyaddr = 36; /* bits 20:17 are reserved as well */
    put32(0x1000 + 4 * 3, 0x01000000 | 0xf << 13 | PTE_PS | FLAGS);
    assert_int_equal(translate(3 * 0x400000, 0), GWALK_OK);
    put32(0x1000 + 4 * 3, 0x01000000 | 0x10 << 13 | PTE_PS | FLAGS);
    assert_int_equal(translate(3 * 0x400000, 0), GWALK_PAGE_FAULT);
    /* Without CR4.PSE the bit is ignored. */
    set_mode(BITS_32, 0x1000);
    put32(0x1000 + 4 * 3, 0x2000 | PTE_PS | FLAGS);
    put32(0x2000 + 4 * 5, 0x12000 | FLAGS);
    assert_int_equal(translate(3 * 0x400000 + 0x5678, 0), GWALK_OK);
    assert_int_equal(result.gpa.v, 0x12678);
}

/* A table in memory that the nested map hides is not read, let alone followed. */
static void test_tables_in_hidden_memory(void **state)
{
    (void)state;
    static const uint64_t bad_pages[] = {HIDDEN_PAGE, MMIO_PAGE, GUEST_PAGES, 1 << 20};
    for (size_t i = 0; i < 4; i++) {
        for (uint64_t table = 0x1000; table <= 0x3000; table += 0x1000) {
            four_levels(FLAGS);
            put64(table, bad_pages[i] << 12 | FLAGS);
            assert_int_equal(translate(0, 0), GWALK_NESTED);
            assert_int_equal(result.gpa.v, bad_pages[i] << 12);
        }
        four_levels(FLAGS);
        paging.cr3 = bad_pages[i] << 12;
        assert_int_equal(translate(0, 0), GWALK_NESTED);
    }
    /* One that may be executed but not read, and has no flags to set. */
    four_levels(FLAGS | PTE_A);
    for (uint64_t table = 0x1000; table <= 0x3000; table += 0x1000) {
        put64(table, get64(table) | PTE_A);
    }
    assert_int_equal(translate(0, 0), GWALK_OK);
    enum ept_invalidate need;
    assert_int_equal(ept_protect(&ept, gpa(0x3000), PAGE_BYTES, EPT_EXECUTE, &need), STATUS_OK);
    assert_int_equal(translate(0, 0), GWALK_NESTED);
    /* A table that may be read but not written: good for a walk that has no flags to set. */
    four_levels(FLAGS);
    put64(0x3000, (uint64_t)READ_ONLY_PAGE << 12 | FLAGS);
    put64((uint64_t)READ_ONLY_PAGE << 12, 0x10000 | FLAGS);
    fake_writes_clear();
    assert_int_equal(translate(0, 0), GWALK_NESTED);
    assert_int_equal(result.gpa.v, (uint64_t)READ_ONLY_PAGE << 12);
    assert_int_equal(fake_write_count(), 0);
    put64((uint64_t)READ_ONLY_PAGE << 12, 0x10000 | FLAGS | PTE_A);
    assert_int_equal(translate(0, 0), GWALK_OK);
}

/* Another CPU of the guest: as soon as a flag is set it clears it and changes the last entry. */
static void interfere(void *arg, const struct fake_write *write)
{
    unsigned *times = arg;
    if (*times == 0) {
        return;
    }
    (*times)--;
    *(uint64_t *)fake_ram(write->address, 8) = write->old_value;
    put64(0x4000, get64(0x4000) ^ 1 << 9);
}

/* REQ-PAL-10: a guest that changes its tables all the time cannot hold us. */
static void test_entries_that_change_under_the_walk(void **state)
{
    (void)state;
    four_levels(FLAGS);
    fake_fail_nth(FAKE_PHYS_CAS64, 2, 0);
    assert_int_equal(translate(0, 0), GWALK_OK);
    assert_int_equal(fake_fail_hits(), 1);
    assert_int_equal(get64(0x2000) & PTE_A, PTE_A);
    unsigned times = 3;
    four_levels(FLAGS);
    fake_on_write(interfere, &times);
    assert_int_equal(translate(0, 0), GWALK_OK);
    assert_int_equal(get64(0x4000) & PTE_A, PTE_A);
    four_levels(FLAGS);
    times = ~0U;
    fake_on_write(interfere, &times);
    assert_int_equal(translate(0, 0), GWALK_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_paging),
        cmocka_unit_test(test_rights_of_four_levels),
        cmocka_unit_test(test_rights_of_upper_levels),
        cmocka_unit_test(test_accessed_and_dirty),
        cmocka_unit_test(test_canonical_addresses),
        cmocka_unit_test(test_pcid_and_high_bits_of_cr3_do_not_matter),
        cmocka_unit_test(test_4_mib_pages),
        cmocka_unit_test(test_tables_in_hidden_memory),
        cmocka_unit_test(test_entries_that_change_under_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
