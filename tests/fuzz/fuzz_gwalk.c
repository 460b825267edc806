/*
 * REQ-EPT-7: the walker of a guest's own page tables against the second walker of the unit tests,
 * with entries that the fuzzer chooses, in every paging mode; and its copies, which must not leave
 * the guest's memory.
 *
 * sources: libept/[a-z]*.c fake
 * include: tests/unit/libept
 * libs: cmocka
 */
#include "fuzz.h"
#include "gwalk_model.h"

#define AREA_PAGES 32U

static uint8_t before[AREA_PAGES * PAGE_BYTES];

/* Entry number i goes into table page 1 + i, at the index that the linear address selects. */
static void build_tables(struct fuzz_input *input, enum guest_mode mode, uint64_t linear)
{
    static const unsigned levels[MODE_COUNT] = {0, 2, 2, 2, 4, 5};
    unsigned index_bits = mode < PAE ? 10 : 9, entry_bytes = mode < PAE ? 4 : 8;

    for (unsigned i = 0; i < levels[mode]; i++) {
        unsigned shift = 12 + index_bits * (levels[mode] - 1 - i);
        uint64_t entry = fuzz_take(input, entry_bytes), chain = fuzz_take(input, 1);
        if (chain < 224) { /* leads on to the next table, or to a page of the guest */
            entry = (entry & ~0x000ffffffffff000ULL) | (uint64_t)(2 + i) << 12;
            entry |= chain < 128 ? 1 : 0;
        }
        uint64_t index = linear >> shift & ((1U << index_bits) - 1);
        memcpy(guest_at((1 + i) * PAGE_BYTES + index * entry_bytes), &entry, entry_bytes);
    }
}

static void set_controls(struct fuzz_input *input, enum guest_mode mode)
{
    uint64_t bits = fuzz_take(input, 2);
    static const unsigned widths[] = {36, 39, 40, 40};

    unsigned width = widths[bits >> 4 & 3];
    /* MOV to CR3 faults on address bits that the CPU does not have. */
    uint64_t root = fuzz_take(input, 5) & ((1ULL << width) - 1);
    set_mode(mode, (bits & 15) == 15 ? root : PAGE_BYTES);
    paging.maxphyaddr = width;
    paging.pages_1g = (bits & 1 << 6) != 0;
    paging.cr0 |= bits & 1 << 7 ? 1 << 16 : 0;
    paging.cr4 |= bits & 1 << 8 ? 1 << 20 : 0;
    paging.cr4 |= bits & 1 << 9 ? 1 << 21 : 0;
    paging.efer |= bits & 1 << 10 && mode >= PAE ? 0x800 : 0;
    paging.rflags = bits & 1 << 11 ? 1 << 18 : 2;
    paging.cpl = (unsigned)(bits >> 12 & 3);
    for (unsigned i = 0; i < 4; i++) {
        paging.pdpte[i] = PAGE_BYTES | ((bits >> 14 & 3) != i ? 1 : 0);
    }
}

/* A failed walk changes nothing; a good one at most sets A and D in the entries that it used. */
static void check_memory(const struct expected *expected, bool write)
{
    for (unsigned i = 0; expected->status == GWALK_OK && i < expected->count; i++) {
        bool last = i + 1 == expected->count;
        before[expected->entry_gpa[i]] |= last && write ? 0x60 : 0x20;
    }
    for (unsigned page = 0; page < AREA_PAGES; page++) {
        if (perms_of(page * PAGE_BYTES) != 0 && page != MMIO_PAGE) {
            FUZZ_CHECK(
                memcmp(&before[page * PAGE_BYTES], guest_at(page * PAGE_BYTES), PAGE_BYTES) == 0);
        }
    }
}

static void clear_memory(void)
{
    for (unsigned page = 0; page < AREA_PAGES; page++) {
        if (perms_of(page * PAGE_BYTES) != 0 && page != MMIO_PAGE) {
            memset(guest_at(page * PAGE_BYTES), 0, PAGE_BYTES);
        }
    }
}

static void keep_memory(void)
{
    for (unsigned page = 0; page < AREA_PAGES; page++) {
        if (perms_of(page * PAGE_BYTES) != 0 && page != MMIO_PAGE) {
            memcpy(&before[page * PAGE_BYTES], guest_at(page * PAGE_BYTES), PAGE_BYTES);
        }
    }
}

static void compare(enum guest_mode mode, uint64_t linear, unsigned access)
{
    struct gwalk_result result;
    struct expected expected = expect(mode, linear, access);

    for (unsigned i = 0; expected.status == GWALK_OK && i < expected.count; i++) {
        if (perms_of(expected.entry_gpa[i]) != EPT_RWX) {
            return; /* a table that the guest may not write: the unit tests have that case */
        }
    }
    keep_memory();
    enum gwalk_status status = gwalk_translate(&paging, &ept, linear, access, &result);
    FUZZ_CHECK(status == expected.status);
    if (status == GWALK_OK) {
        FUZZ_CHECK(result.gpa.v == expected.gpa && result.page_bytes == expected.page_bytes);
    } else if (status == GWALK_PAGE_FAULT) {
        FUZZ_CHECK(result.error_code == expected.error_code);
    }
    check_memory(&expected, (access & GWALK_WRITE) != 0);
}

static void copy(struct fuzz_input *input, uint64_t linear)
{
    static struct gwalk_cache cache;
    struct gwalk_result result;
    size_t bytes = fuzz_take(input, 2) % (2 * PAGE_BYTES);
    uint8_t *buffer = calloc(bytes + 1, 1);

    FUZZ_CHECK(buffer != NULL);
    memset(&cache, 0, sizeof(cache));
    (void)gwalk_read(&paging, &ept, linear, buffer, bytes, 0, &result);
    (void)gwalk_write(&paging, &ept, linear, buffer, bytes, 0, &result);
    (void)gwalk_fetch(&cache, &paging, &ept, linear, buffer, bytes, &result);
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    static const unsigned accesses[] = {0, GWALK_WRITE, GWALK_EXECUTE, GWALK_SUPERVISOR,
                                        GWALK_SUPERVISOR | GWALK_WRITE};
    static bool started;

    if (!started) {
        start_guest();
        started = true;
    }
    clear_memory();
    enum guest_mode mode = (enum guest_mode)(fuzz_take(&input, 1) % MODE_COUNT);
    unsigned access = accesses[fuzz_take(&input, 1) % 5];
    uint64_t linear = fuzz_take(&input, 8);
    set_controls(&input, mode);
    if (mode < LEVEL_4) {
        linear &= UINT32_MAX;
    } else if ((linear & 1) == 0) { /* most addresses are canonical */
        linear = (uint64_t)((int64_t)(linear << 16) >> 16);
    }
    build_tables(&input, mode, linear);
    compare(mode, linear, access);
    copy(&input, linear);
    return 0;
}
