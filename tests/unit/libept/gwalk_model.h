/*
 * A guest with random page tables behind a random nested map, and a second walker of those tables,
 * driven by one table of formats, which says what gwalk_translate() must find.
 */
#ifndef TESTS_GWALK_MODEL_H
#define TESTS_GWALK_MODEL_H

#include "ept_model.h"

#include <ept/gwalk.h>

#define GUEST_PAGES 48U    /* guest-physical pages from 0 on that the nested map knows */
#define TABLE_PAGES 12U    /* of them, from page 1 on, the guest's tables */
#define HIDDEN_PAGE 13U    /* not in the nested map */
#define MMIO_PAGE 14U      /* mapped, but not memory */
#define READ_ONLY_PAGE 15U /* a table that may be read only */
#define HOST_BASE 0x2000000ULL
#define MMIO_BASE 0xfed00000ULL

static struct gwalk_paging paging;

static inline uint64_t host_of(uint64_t gpa)
{
    /* Pages are swapped in pairs, so that a missing translation is noticed. */
    return gpa / PAGE_BYTES == MMIO_PAGE ? MMIO_BASE | (gpa & PAGE_MASK)
                                         : HOST_BASE + (gpa ^ PAGE_BYTES);
}

static inline unsigned perms_of(uint64_t gpa)
{
    uint64_t page = gpa / PAGE_BYTES;
    if (page >= GUEST_PAGES || page == HIDDEN_PAGE) {
        return 0;
    }
    return page == READ_ONLY_PAGE ? EPT_READ : EPT_RWX;
}

static inline void start_guest(void)
{
    start(CAP_ALL, POOL_PAGES);
    for (uint64_t page = 0; page < GUEST_PAGES; page++) {
        uint64_t at = page * PAGE_BYTES;
        if (perms_of(at) != 0) {
            must_map(at, host_of(at), PAGE_BYTES, perms_of(at), EPT_WB);
        }
    }
}

static inline void *guest_at(uint64_t gpa)
{
    return fake_ram(host_of(gpa), 4);
}

enum guest_mode { NO_PAGING, BITS_32, BITS_32_PSE, PAE, LEVEL_4, LEVEL_5, MODE_COUNT };

/* Mode of the CPU; the other control bits are added by the test. */
static inline void set_mode(enum guest_mode mode, uint64_t cr3)
{
    paging = (struct gwalk_paging){
        .cr0 = mode == NO_PAGING ? 1 : 0x80000001, .cr3 = cr3, .maxphyaddr = 40, .pages_1g = true};
    if (mode == BITS_32_PSE) {
        paging.cr4 |= 1 << 4;
    }
    if (mode >= PAE) {
        paging.cr4 |= 1 << 5;
    }
    if (mode >= LEVEL_4) {
        paging.efer |= 0x500;
    }
    if (mode == LEVEL_5) {
        paging.cr4 |= 1 << 12;
    }
}

struct expected {
    enum gwalk_status status;
    uint64_t gpa, page_bytes;
    uint32_t error_code;
    unsigned count;
    uint64_t entry_gpa[5];
};

static inline struct expected fault(struct expected expected, unsigned access, unsigned cause)
{
    bool fetch_bit =
        (paging.cr4 & 1 << 20) != 0 || ((paging.cr4 & 1 << 5) != 0 && (paging.efer & 0x800) != 0);
    expected.status = GWALK_PAGE_FAULT;
    expected.error_code = cause | (access & GWALK_WRITE ? 2 : 0) |
                          (paging.cpl == 3 && !(access & GWALK_SUPERVISOR) ? 4 : 0) |
                          (access & GWALK_EXECUTE && fetch_bit ? 16 : 0);
    return expected;
}

static inline struct expected nested(struct expected expected, uint64_t gpa)
{
    expected.status = GWALK_NESTED;
    expected.gpa = gpa;
    return expected;
}

/* Bits of an entry of the level (1 = page table) that must be 0, if it is present. */
static inline uint64_t reserved_bits(enum guest_mode mode, unsigned level, uint64_t entry)
{
    bool large = (entry & 0x80) != 0 && level > 1;
    uint64_t above = ~0ULL << paging.maxphyaddr;
    uint64_t nx = paging.efer & 0x800 ? 0 : 1ULL << 63;
    switch (mode) {
    case BITS_32_PSE:
        /* 40-bit addresses: only bit 21 is reserved; narrower ones reserve more of 20:13. */
        return large ? 0x3fffff & (~0ULL << (paging.maxphyaddr - 19)) : 0;
    case PAE:
        return (above & 0x7fffffffffffffff) | nx | (large ? 0x1fe000 : 0);
    case LEVEL_4:
    case LEVEL_5:
        above = (above & 0x000fffffffffffff) | nx;
        if (large && level == 2) {
            return above | 0x1fe000;
        }
        if (large && level == 3) {
            return above | (paging.pages_1g ? 0x3fffe000 : 0x80);
        }
        return above | (large ? 0x80 : 0);
    default:
        return 0;
    }
}

static inline bool rights_allow(uint64_t all, bool nx, unsigned access)
{
    bool user_access = paging.cpl == 3 && !(access & GWALK_SUPERVISOR);
    bool user_page = (all & 4) != 0, writable = (all & 2) != 0;
    bool write = (access & GWALK_WRITE) != 0, fetch = (access & GWALK_EXECUTE) != 0;
    if (user_access) {
        return user_page && (!write || writable) && (!fetch || !nx);
    }
    if (fetch) {
        return !nx && !(user_page && paging.cr4 & 1 << 20);
    }
    bool smap = (paging.cr4 & 1 << 21) != 0;
    bool ac = (paging.rflags & 1 << 18) != 0 && !(access & GWALK_SUPERVISOR);
    if (user_page && smap && !ac) {
        return false;
    }
    return !write || writable || !(paging.cr0 & 1 << 16);
}

/* What has to come out, before anything is written. */
static inline struct expected expect(enum guest_mode mode, uint64_t linear, unsigned access)
{
    static const struct {
        unsigned levels, index_bits, entry_bytes;
    } formats[MODE_COUNT] = {{0, 0, 0}, {2, 10, 4}, {2, 10, 4}, {2, 9, 8}, {4, 9, 8}, {5, 9, 8}};
    struct expected expected = {.status = GWALK_OK};
    unsigned levels = formats[mode].levels, index_bits = formats[mode].index_bits;
    uint64_t table = paging.cr3 & (mode < PAE ? 0xfffff000 : 0xfffffff000);
    if (mode >= LEVEL_4) {
        uint64_t sign = linear >> (12 + 9 * levels - 1);
        if (sign != 0 && sign != ~0ULL >> (12 + 9 * levels - 1)) {
            expected.status = GWALK_NON_CANONICAL;
            return expected;
        }
    } else {
        linear &= 0xffffffff;
    }
    if (mode == PAE) {
        table = paging.pdpte[linear >> 30];
        if (!(table & 1)) {
            return fault(expected, access, 0);
        }
        table &= 0xfffffff000;
    }
    uint64_t all = ~0ULL;
    bool nx = false;
    expected.page_bytes = PAGE_BYTES;
    expected.gpa = linear;
    for (unsigned level = levels; level > 0; level--) {
        unsigned shift = 12 + index_bits * (level - 1);
        uint64_t index = linear >> shift & ((1U << index_bits) - 1), entry = 0;
        uint64_t at = table + index * formats[mode].entry_bytes;
        if (!(perms_of(at) & EPT_READ) || at / PAGE_BYTES == MMIO_PAGE) {
            return nested(expected, at);
        }
        memcpy(&entry, guest_at(at), formats[mode].entry_bytes);
        expected.entry_gpa[expected.count++] = at;
        if (!(entry & 1)) {
            return fault(expected, access, 0);
        }
        if (entry & reserved_bits(mode, level, entry)) {
            return fault(expected, access, 9);
        }
        all &= entry;
        nx = nx || (entry >> 63 && mode >= PAE);
        bool large = level > 1 && entry & 0x80 && mode != BITS_32;
        expected.page_bytes = 1ULL << shift;
        uint64_t offset = expected.page_bytes - 1;
        table = entry & 0xfffffff000;
        if (large && mode == BITS_32_PSE) {
            table = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
        }
        expected.gpa = (table & ~offset) | (linear & offset);
        if (large) {
            break;
        }
    }
    if (levels > 0 && !rights_allow(all, nx, access)) {
        return fault(expected, access, 1);
    }
    return expected;
}

#endif
