#include "walk.h"

#include <base/bits.h>
#include <hw/mem.h>

#define CR0_WP BIT(16)
#define CR0_PG BIT(31)
#define CR4_PSE BIT(4)
#define CR4_PAE BIT(5)
#define CR4_LA57 BIT(12)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define RFLAGS_AC BIT(18)

/* Bits of every paging-structure entry. */
#define PTE_P BIT(0)
#define PTE_W BIT(1)
#define PTE_U BIT(2)
#define PTE_A BIT(5)
#define PTE_D BIT(6)
#define PTE_PS BIT(7)
#define PTE_NX BIT(63)

/* SDM figure "Page-Fault Error Code". */
#define PF_P 1U
#define PF_W 2U
#define PF_U 4U
#define PF_RSVD 8U
#define PF_I 16U

/* How often a walk starts again because another CPU changed an entry under it. */
#define ATTEMPTS 8

struct walk {
    const struct gwalk_paging *paging;
    struct walker *walker;
    uint64_t linear;
    struct gwalk_result *result;
    uint64_t all; /* AND of the entries: W, U, A; bit 63 is OR: any NX */
};

static bool is_pae(const struct gwalk_paging *paging)
{
    return (paging->cr4 & CR4_PAE) != 0;
}

static enum gwalk_status page_fault(const struct walk *walk, unsigned access, uint32_t cause)
{
    const struct gwalk_paging *paging = walk->paging;
    uint32_t code = cause;
    if ((access & GWALK_WRITE) != 0) {
        code |= PF_W;
    }
    if (paging->cpl == 3 && (access & GWALK_SUPERVISOR) == 0) {
        code |= PF_U;
    }
    if ((access & GWALK_EXECUTE) != 0 &&
        ((paging->cr4 & CR4_SMEP) != 0 || (is_pae(paging) && (paging->efer & EFER_NXE) != 0))) {
        code |= PF_I;
    }
    walk->result->error_code = code;
    return GWALK_PAGE_FAULT;
}

bool gwalk_nested_fill(struct walker *walker, uint64_t gpa_value)
{
    struct ept_translation found;
    if (ept_lookup(walker->ept, gpa(gpa_value), &found) != STATUS_OK) {
        return false;
    }
    uint64_t offset = gpa_value & (found.page_bytes - 1);
    walker->start = gpa_value - offset;
    walker->bytes = found.page_bytes;
    walker->hpa = found.hpa.v - offset;
    walker->perms = found.perms;
    return true;
}

/* Reads the next entry and remembers where it was. */
static bool read_entry(struct walk *walk, uint64_t address, size_t bytes, uint64_t *entry)
{
    struct path *path = &walk->walker->path;
    unsigned i = path->count;
    *entry = 0;
    if (!nested_translate(walk->walker, address, EPT_READ, &path->step[i].hpa) ||
        hw_phys_read(path->step[i].hpa, entry, bytes) != STATUS_OK) {
        walk->result->gpa = gpa(address);
        return false;
    }
    path->step[i].gpa = gpa(address);
    path->step[i].entry = *entry;
    path->step[i].writable = (walk->walker->perms & EPT_WRITE) != 0;
    path->count++;
    return true;
}

static void found(struct walk *walk, uint64_t page, uint64_t page_bytes)
{
    walk->result->gpa = gpa(page | (walk->linear & (page_bytes - 1)));
    walk->result->page_bytes = page_bytes;
}

/* PAE, 4-level and 5-level paging: 64-bit entries, 512 a table. */
static enum gwalk_status walk_64(struct walk *walk, uint64_t table, unsigned level, unsigned access)
{
    const struct gwalk_paging *paging = walk->paging;
    uint64_t address_mask = bits_mask(PAGE_SHIFT, paging->maxphyaddr);
    /* PAE reserves bits 62:52 too, where the other modes ignore them. */
    bool lma = (paging->efer & EFER_LMA) != 0;
    uint64_t reserved = bits_mask(PAGE_SHIFT, lma ? 52 : 63) & ~address_mask;
    if ((paging->efer & EFER_NXE) == 0) {
        reserved |= PTE_NX;
    }
    unsigned shift = PAGE_SHIFT + 9 * (level - 1);
    for (;; level--, shift -= 9) {
        uint64_t entry;
        if (!read_entry(walk, table + ((walk->linear >> shift) & 511) * 8, 8, &entry)) {
            return GWALK_NESTED;
        }
        if ((entry & PTE_P) == 0) {
            return page_fault(walk, access, 0);
        }
        bool large = level > 1 && (entry & PTE_PS) != 0;
        if ((entry & reserved) != 0 ||
            (large && (level > 3 || (level == 3 && !paging->pages_1g) ||
                       (entry & bits_mask(PAGE_SHIFT + 1, shift)) != 0))) {
            return page_fault(walk, access, PF_P | PF_RSVD);
        }
        walk->all = (walk->all & entry) | ((walk->all | entry) & PTE_NX);
        table = entry & address_mask;
        if (level == 1 || large) {
            found(walk, table & ~((1ULL << shift) - 1), 1ULL << shift);
            return GWALK_OK;
        }
    }
}

/* SDM table "Format of a 32-Bit Page-Directory Entry that Maps a 4-MByte Page". */
static enum gwalk_status large_page_32(struct walk *walk, uint64_t entry, unsigned access)
{
    unsigned width = walk->paging->maxphyaddr < 40 ? walk->paging->maxphyaddr : 40;
    if ((entry & bits_mask(width - 19, 22)) != 0) {
        return page_fault(walk, access, PF_P | PF_RSVD);
    }
    found(walk, (entry & bits_mask(22, 32)) | bits_get(entry, 13, 8) << 32, 1ULL << 22);
    return GWALK_OK;
}

static enum gwalk_status walk_32(struct walk *walk, unsigned access)
{
    uint64_t table = walk->paging->cr3 & bits_mask(PAGE_SHIFT, 32);
    for (unsigned shift = 22;; shift -= 10) {
        uint64_t entry;
        if (!read_entry(walk, table + ((walk->linear >> shift) & 1023) * 4, 4, &entry)) {
            return GWALK_NESTED;
        }
        if ((entry & PTE_P) == 0) {
            return page_fault(walk, access, 0);
        }
        walk->all &= entry;
        if (shift == PAGE_SHIFT) {
            found(walk, entry & bits_mask(PAGE_SHIFT, 32), PAGE_BYTES);
            return GWALK_OK;
        }
        if ((entry & PTE_PS) != 0 && (walk->paging->cr4 & CR4_PSE) != 0) {
            return large_page_32(walk, entry, access);
        }
        table = entry & bits_mask(PAGE_SHIFT, 32);
    }
}

static bool is_canonical(uint64_t linear, unsigned bits)
{
    return ((uint64_t)((int64_t)(linear << (64 - bits)) >> (64 - bits))) == linear;
}

static enum gwalk_status walk_tables(struct walk *walk, unsigned access)
{
    const struct gwalk_paging *paging = walk->paging;
    uint64_t root = paging->cr3 & bits_mask(PAGE_SHIFT, paging->maxphyaddr);
    if ((paging->efer & EFER_LMA) != 0) {
        unsigned levels = (paging->cr4 & CR4_LA57) != 0 ? 5 : 4;
        if (!is_canonical(walk->linear, PAGE_SHIFT + 9 * levels)) {
            return GWALK_NON_CANONICAL;
        }
        return walk_64(walk, root, levels, access);
    }
    walk->linear &= UINT32_MAX;
    if (!is_pae(paging)) {
        return walk_32(walk, access);
    }
    uint64_t pdpte = paging->pdpte[walk->linear >> 30];
    if ((pdpte & PTE_P) == 0) {
        return page_fault(walk, access, 0);
    }
    return walk_64(walk, pdpte & bits_mask(PAGE_SHIFT, paging->maxphyaddr), 2, access);
}

/* SDM section 4.6.1 "Determination of Access Rights". */
static bool is_allowed(const struct walk *walk, unsigned access)
{
    const struct gwalk_paging *paging = walk->paging;
    bool user_page = (walk->all & PTE_U) != 0, writable = (walk->all & PTE_W) != 0;
    bool user_access = paging->cpl == 3 && (access & GWALK_SUPERVISOR) == 0;
    if (user_access && !user_page) {
        return false;
    }
    if ((access & GWALK_EXECUTE) != 0) {
        bool smep = !user_access && user_page && (paging->cr4 & CR4_SMEP) != 0;
        return (walk->all & PTE_NX) == 0 && !smep;
    }
    if (!user_access && user_page && (paging->cr4 & CR4_SMAP) != 0 &&
        ((access & GWALK_SUPERVISOR) != 0 || (paging->rflags & RFLAGS_AC) == 0)) {
        return false;
    }
    bool needs_w = user_access || (paging->cr0 & CR0_WP) != 0;
    return (access & GWALK_WRITE) == 0 || writable || !needs_w;
}

/* One flag update as the processor does it, locked; a 32-bit entry is half of what is exchanged. */
static enum gwalk_status set_flags(struct walk *walk, unsigned i, uint64_t flags)
{
    struct path *path = &walk->walker->path;
    uint64_t entry = path->step[i].entry;
    if ((entry & flags) == flags) {
        return GWALK_OK;
    }
    struct hpa at = path->step[i].hpa, word = hpa(at.v & ~7ULL);
    unsigned shift = (unsigned)(at.v & 4) * 8;
    uint64_t value;
    if (hw_phys_read(word, &value, sizeof value) != STATUS_OK) {
        return GWALK_NESTED;
    }
    uint64_t now = is_pae(walk->paging) ? value : (uint32_t)(value >> shift);
    if (now != entry || !hw_phys_cas64(word, &value, value | flags << shift)) {
        return GWALK_BUSY;
    }
    path->step[i].entry = entry | flags;
    return GWALK_OK;
}

/* Accessed in every entry used, dirty in the last one for a write. */
static enum gwalk_status set_accessed_dirty(struct walk *walk, unsigned access)
{
    const struct path *path = &walk->walker->path;
    if (path->count == 0) {
        return GWALK_OK;
    }
    unsigned last = path->count - 1;
    uint64_t last_flags = PTE_A | ((access & GWALK_WRITE) != 0 ? PTE_D : 0);
    if ((walk->all & PTE_A) != 0 && (path->step[last].entry & last_flags) == last_flags) {
        return GWALK_OK;
    }
    /* The tables themselves must be the guest's to write. */
    for (unsigned i = 0; i <= last; i++) {
        uint64_t flags = i == last ? last_flags : PTE_A;
        if ((path->step[i].entry & flags) != flags && !path->step[i].writable) {
            walk->result->gpa = path->step[i].gpa;
            return GWALK_NESTED;
        }
    }
    for (unsigned i = 0; i <= last; i++) {
        enum gwalk_status status = set_flags(walk, i, i == last ? last_flags : PTE_A);
        if (status != GWALK_OK) {
            return status;
        }
    }
    return GWALK_OK;
}

enum gwalk_status gwalk_walk(const struct gwalk_paging *paging, struct walker *walker,
                             uint64_t linear, unsigned access, struct gwalk_result *result)
{
    result->linear = linear;
    walker->path.count = 0;
    if ((paging->cr0 & CR0_PG) == 0) {
        result->gpa = gpa(linear & UINT32_MAX);
        result->page_bytes = PAGE_BYTES;
        return GWALK_OK;
    }
    enum gwalk_status status = GWALK_BUSY;
    for (unsigned attempt = 0; attempt < ATTEMPTS && status == GWALK_BUSY; attempt++) {
        struct walk state = {.paging = paging,
                             .walker = walker,
                             .linear = linear,
                             .result = result,
                             .all = PTE_W | PTE_U | PTE_A};
        walker->path.count = 0;
        status = walk_tables(&state, access);
        if (status == GWALK_OK && !is_allowed(&state, access)) {
            status = page_fault(&state, access, PF_P);
        }
        if (status == GWALK_OK && (access & GWALK_PEEK) == 0) {
            status = set_accessed_dirty(&state, access);
        }
    }
    return status;
}

enum gwalk_status gwalk_translate(const struct gwalk_paging *paging, const struct ept *ept,
                                  uint64_t linear, unsigned access, struct gwalk_result *result)
{
    struct walker walker;
    walker_init(&walker, ept);
    return gwalk_walk(paging, &walker, linear, access, result);
}
