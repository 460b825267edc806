/* REQ-EPT-7: random page tables in every mode, against the second walker of gwalk_model.h. */
#include "gwalk_model.h"

#define PTE_P 0x01ULL
#define PTE_W 0x02ULL
#define PTE_U 0x04ULL
#define PTE_A 0x20ULL
#define PTE_D 0x40ULL
#define PTE_PS 0x80ULL
#define PTE_NX (1ULL << 63)

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

static void put32(uint64_t at, uint32_t value)
{
    memcpy(guest_at(at), &value, 4);
}

static uint64_t random_entry(enum guest_mode mode)
{
    static const unsigned char pages[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    uint64_t page = random_below(20) == 0 ? 13 + random_below(8) : pages[random_below(TABLE_PAGES)];
    uint64_t entry = page << 12 | PTE_P;
    entry |= random_below(4) != 0 ? PTE_W : 0;
    entry |= random_below(4) != 0 ? PTE_U : 0;
    entry |= random_below(2) != 0 ? PTE_A : 0;
    entry |= random_below(2) != 0 ? PTE_D : 0;
    entry |= random_below(8) == 0 ? PTE_NX : 0;
    if (random_below(6) == 0) {
        entry = (entry & ~0xffff000ULL) | PTE_PS | random_below(16) << 30;
        entry |= mode == BITS_32_PSE ? random_below(256) << 13 : 0;
    }
    if (random_below(16) == 0) {
        entry ^= 1ULL << random_below(64);
    }
    return entry;
}

static void random_tables(enum guest_mode mode)
{
    for (uint64_t page = 1; page <= TABLE_PAGES; page++) {
        for (uint64_t offset = 0; offset < PAGE_BYTES; offset += mode < PAE ? 4 : 8) {
            uint64_t at = page * PAGE_BYTES + offset;
            if (mode < PAE) {
                put32(at, (uint32_t)random_entry(mode));
            } else {
                put64(at, random_entry(mode));
            }
        }
    }
}

static void random_control(enum guest_mode mode)
{
    set_mode(mode, (1 + random_below(TABLE_PAGES)) << 12 | random_below(4096));
    static const unsigned widths[] = {36, 39, 40};
    paging.maxphyaddr = widths[random_below(3)];
    paging.pages_1g = random_below(4) != 0;
    paging.cr0 |= random_below(2) != 0 ? WP : 0;
    paging.cr4 |= random_below(3) == 0 ? SMEP : 0;
    paging.cr4 |= random_below(3) == 0 ? SMAP : 0;
    paging.efer |= mode >= PAE && random_below(2) != 0 ? NXE : 0;
    paging.rflags = random_below(2) != 0 ? AC : 2;
    paging.cpl = random_below(2) != 0 ? 3 : (unsigned)random_below(3);
    for (int i = 0; i < 4; i++) {
        paging.pdpte[i] = (1 + random_below(TABLE_PAGES)) << 12 | (random_below(8) != 0);
    }
}

static uint8_t before[(TABLE_PAGES + 1) * PAGE_BYTES];

/* Flags that must be set now: A in each entry used, D in the last for a write; nothing else
 * differs. */
static void check_flags(const struct expected *expected, unsigned access)
{
    for (unsigned i = 0; expected->status == GWALK_OK && i < expected->count; i++) {
        uint8_t *entry = &before[expected->entry_gpa[i] - PAGE_BYTES];
        *entry |= PTE_A;
        if (i + 1 == expected->count && (access & GWALK_WRITE) != 0) {
            *entry |= PTE_D;
        }
    }
    for (uint64_t page = 1; page <= TABLE_PAGES; page++) {
        assert_memory_equal(&before[(page - 1) * PAGE_BYTES], guest_at(page * PAGE_BYTES),
                            PAGE_BYTES);
    }
}

static void random_walks(enum guest_mode mode, unsigned *outcomes)
{
    random_control(mode);
    for (int i = 0; i < 40; i++) {
        uint64_t linear = random_below(~0ULL);
        if (mode >= LEVEL_4 && random_below(8) != 0) {
            unsigned unused = mode == LEVEL_5 ? 7 : 16;
            linear = (uint64_t)((int64_t)(linear << unused) >> unused);
        }
        static const unsigned accesses[] = {0, GWALK_WRITE, GWALK_EXECUTE, GWALK_SUPERVISOR,
                                            GWALK_SUPERVISOR | GWALK_WRITE};
        unsigned access = accesses[random_below(5)];
        struct expected expected = expect(mode, linear, access);
        for (uint64_t page = 1; page <= TABLE_PAGES; page++) {
            memcpy(&before[(page - 1) * PAGE_BYTES], guest_at(page * PAGE_BYTES), PAGE_BYTES);
        }
        assert_int_equal(translate(linear, access), expected.status);
        outcomes[expected.status]++;
        assert_true(result.linear == linear);
        if (expected.status == GWALK_OK) {
            assert_true(result.gpa.v == expected.gpa);
            assert_int_equal(result.page_bytes, expected.page_bytes);
        } else if (expected.status == GWALK_PAGE_FAULT) {
            assert_int_equal(result.error_code, expected.error_code);
        } else if (expected.status == GWALK_NESTED) {
            assert_true(result.gpa.v == expected.gpa);
        }
        check_flags(&expected, access);
    }
}

static void test_random_tables_in_every_mode(void **state)
{
    (void)state;
    for (int mode = NO_PAGING; mode < MODE_COUNT; mode++) {
        unsigned outcomes[GWALK_TOO_LONG + 1] = {0};
        start_guest();
        random_state ^= (uint64_t)mode << 40;
        for (int round = 0; round < 60; round++) {
            random_tables((enum guest_mode)mode);
            random_walks((enum guest_mode)mode, outcomes);
        }
        /* The mix reaches everything that the mode can do. */
        assert_true(outcomes[GWALK_OK] > 100);
        assert_true(mode == NO_PAGING || outcomes[GWALK_PAGE_FAULT] > 100);
        assert_true(mode == NO_PAGING || outcomes[GWALK_NESTED] > 20);
        assert_int_equal(outcomes[GWALK_NON_CANONICAL] != 0, mode >= LEVEL_4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_tables_in_every_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
