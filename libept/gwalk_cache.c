/* Accesses to guest memory with the last walks at hand. */
#include "walk.h"

#include <base/bits.h>
#include <hw/mem.h>

/* Bits that a walk depends on: where they stand in their registers none is in another's place. */
#define CR0_BITS (BIT(16) | BIT(31))                              /* WP PG */
#define CR4_BITS (BIT(4) | CR4_PAE | BIT(12) | BIT(20) | BIT(21)) /* PSE PAE LA57 SMEP SMAP */
#define CR4_PAE BIT(5)
#define EFER_BITS (EFER_LMA | BIT(11)) /* LMA NXE */
#define EFER_LMA BIT(10)
#define RFLAGS_BITS BIT(18) /* AC */
#define CPL_BITS (BIT(0) | BIT(1))
#define ACCESS_SHIFT 6
#define ACCESS_BITS ((uint64_t)(GWALK_WRITE | GWALK_EXECUTE | GWALK_SUPERVISOR) << ACCESS_SHIFT)
#define MODE_WRITE ((uint64_t)GWALK_WRITE << ACCESS_SHIFT)
#define ALL_BITS (CR0_BITS | CR4_BITS | EFER_BITS | RFLAGS_BITS | CPL_BITS | ACCESS_BITS)
_Static_assert(ALL_BITS == CR0_BITS + CR4_BITS + EFER_BITS + RFLAGS_BITS + CPL_BITS + ACCESS_BITS,
               "no bit of two registers is the same bit of the mode");

static inline uint64_t mode_of(const struct gwalk_paging *paging, unsigned access)
{
    return (paging->cr0 & CR0_BITS) | (paging->cr4 & CR4_BITS) | (paging->efer & EFER_BITS) |
           (paging->rflags & RFLAGS_BITS) | paging->cpl | (uint64_t)access << ACCESS_SHIFT;
}

/* With PAE paging the PDPTE comes from a register, not from an entry that is read again. */
static inline bool is_pae(uint64_t mode)
{
    return (mode & (CR4_PAE | EFER_LMA)) == CR4_PAE;
}

static inline uint64_t pdpte_for(const struct gwalk_paging *paging, uint64_t linear)
{
    return paging->pdpte[(linear >> 30) & 3];
}

static inline bool is_in_page(uint64_t linear, size_t bytes)
{
    return bytes != 0 && bytes <= PAGE_BYTES - (linear & PAGE_MASK);
}

static inline unsigned line_index(uint64_t cr3, uint64_t linear)
{
    return (unsigned)((cr3 ^ linear) >> PAGE_SHIFT) % GWALK_CACHE_LINES;
}

static inline bool is_same(const struct gwalk_cache_line *line, unsigned i)
{
    return *line->entry[i].word == line->entry[i].value;
}

/*
 * The same walk in the same state of the CPU, and every entry as it was then.  Calls nothing, so
 * that a hit needs no register saved: it is on the path of every PAL call.
 */
static inline bool is_valid(const struct gwalk_cache_line *line, const struct gwalk_paging *paging,
                            const struct ept *ept, uint64_t linear, unsigned access)
{
    if (line->page != (linear & ~PAGE_MASK) || line->cr3 != paging->cr3 || line->ept != ept ||
        line->generation != ept->generation) {
        return false;
    }
    uint64_t mode = mode_of(paging, access);
    if (((line->mode ^ mode) & line->mode_mask) != 0 ||
        (is_pae(mode) && line->pdpte != pdpte_for(paging, linear))) {
        return false;
    }
    return is_same(line, 0) && is_same(line, 1) && is_same(line, 2) && is_same(line, 3) &&
           is_same(line, 4);
}
_Static_assert(GWALK_LEVELS_MAX == 5, "each entry of a line is compared");

/* A hit's result, before it is known whether the page is memory: not looked at if it is. */
static inline void tell(const struct gwalk_cache_line *line, uint64_t linear,
                        struct gwalk_result *result)
{
    result->linear = linear;
    result->gpa = gpa(line->gpa.v | (linear & PAGE_MASK));
}

/* What a walk of fewer levels compares instead of the entries that it has not: never changes. */
static const volatile uint64_t no_entry;

/* Entries are compared as the words that hold them; with 32-bit paging that is two entries. */
static bool keep_entries(struct gwalk_cache_line *line, const struct path *path, bool narrow)
{
    for (unsigned i = 0; i < path->count; i++) {
        uint64_t at = path->step[i].hpa.v;
        const volatile uint64_t *word = hw_phys_word(hpa(at & ~7ULL));
        uint64_t value = word != NULL ? *word : 0;
        uint64_t now = narrow ? (uint32_t)(value >> (at & 4) * 8) : value;
        if (word == NULL || now != path->step[i].entry) {
            return false;
        }
        line->entry[i].word = word;
        line->entry[i].value = value;
    }
    for (unsigned i = path->count; i < GWALK_LEVELS_MAX; i++) {
        line->entry[i].word = &no_entry;
        line->entry[i].value = 0;
    }
    return true;
}

/* After a walk: its path has the flags that it set. */
static void keep(struct gwalk_cache_line *line, const struct gwalk_paging *paging,
                 const struct walker *walker, const struct gwalk_result *result, unsigned access,
                 struct hpa found)
{
    bool narrow = (paging->cr4 & CR4_PAE) == 0;
    line->ept = keep_entries(line, &walker->path, narrow) ? walker->ept : NULL;
    line->generation = walker->ept->generation;
    line->page = result->linear & ~PAGE_MASK;
    line->cr3 = paging->cr3;
    line->mode = mode_of(paging, access);
    /* What may be written may be read by the same walk, which needs fewer rights and flags. */
    line->mode_mask = ~(line->mode & MODE_WRITE);
    line->pdpte = pdpte_for(paging, result->linear);
    line->gpa = gpa(result->gpa.v & ~PAGE_MASK);
    line->hpa = hpa(found.v & ~PAGE_MASK);
    line->memory = hw_phys_page(line->hpa);
}

static enum gwalk_status walk_and_keep(struct gwalk_cache *cache, const struct gwalk_paging *paging,
                                       const struct ept *ept, uint64_t linear, unsigned access,
                                       struct hpa *found, struct gwalk_result *result)
{
    struct walker walker;
    walker_init(&walker, ept);
    enum gwalk_status status = gwalk_page(paging, &walker, linear, access, found, result);
    if (status == GWALK_OK) {
        keep(&cache->line[line_index(paging->cr3, linear)], paging, &walker, result, access,
             *found);
    }
    return status;
}

/* What is not kept, or not valid any more.  By itself, so that a hit has no part in its stack. */
static __attribute__((noinline)) enum gwalk_status
read_and_keep(struct gwalk_cache *cache, const struct gwalk_paging *paging, const struct ept *ept,
              uint64_t linear, void *to, size_t bytes, unsigned access, struct gwalk_result *result)
{
    if (!is_in_page(linear, bytes)) {
        return gwalk_read(paging, ept, linear, to, bytes, access, result);
    }
    struct hpa from;
    enum gwalk_status status =
        walk_and_keep(cache, paging, ept, linear, access & ~GWALK_WRITE, &from, result);
    if (status == GWALK_OK && hw_phys_read(from, to, bytes) != STATUS_OK) {
        status = GWALK_NESTED;
    }
    return status;
}

static __attribute__((noinline)) enum gwalk_status
write_and_keep(struct gwalk_cache *cache, const struct gwalk_paging *paging, const struct ept *ept,
               uint64_t linear, const void *from, size_t bytes, unsigned access,
               struct gwalk_result *result)
{
    if (!is_in_page(linear, bytes)) {
        return gwalk_write(paging, ept, linear, from, bytes, access, result);
    }
    struct hpa to;
    access = (access & ~GWALK_EXECUTE) | GWALK_WRITE;
    enum gwalk_status status = walk_and_keep(cache, paging, ept, linear, access, &to, result);
    if (status == GWALK_OK && hw_phys_write(to, from, bytes) != STATUS_OK) {
        status = GWALK_NESTED;
    }
    return status;
}

enum gwalk_status gwalk_read_cached(struct gwalk_cache *cache, const struct gwalk_paging *paging,
                                    const struct ept *ept, uint64_t linear, void *to, size_t bytes,
                                    unsigned access, struct gwalk_result *result)
{
    const struct gwalk_cache_line *line = &cache->line[line_index(paging->cr3, linear)];
    if (!is_in_page(linear, bytes) || !is_valid(line, paging, ept, linear, access & ~GWALK_WRITE)) {
        return read_and_keep(cache, paging, ept, linear, to, bytes, access, result);
    }
    tell(line, linear, result);
    struct hpa from = hpa(line->hpa.v | (linear & PAGE_MASK));
    return hw_phys_read(from, to, bytes) == STATUS_OK ? GWALK_OK : GWALK_NESTED;
}

enum gwalk_status gwalk_write_cached(struct gwalk_cache *cache, const struct gwalk_paging *paging,
                                     const struct ept *ept, uint64_t linear, const void *from,
                                     size_t bytes, unsigned access, struct gwalk_result *result)
{
    const struct gwalk_cache_line *line = &cache->line[line_index(paging->cr3, linear)];
    if (!is_in_page(linear, bytes) ||
        !is_valid(line, paging, ept, linear, (access & ~GWALK_EXECUTE) | GWALK_WRITE)) {
        return write_and_keep(cache, paging, ept, linear, from, bytes, access, result);
    }
    tell(line, linear, result);
    struct hpa to = hpa(line->hpa.v | (linear & PAGE_MASK));
    return hw_phys_write(to, from, bytes) == STATUS_OK ? GWALK_OK : GWALK_NESTED;
}

enum gwalk_status gwalk_find_cached(struct gwalk_cache *cache, const struct gwalk_paging *paging,
                                    const struct ept *ept, uint64_t linear, unsigned access,
                                    struct hpa *found, struct gwalk_result *result)
{
    const struct gwalk_cache_line *line = &cache->line[line_index(paging->cr3, linear)];
    if (!is_valid(line, paging, ept, linear, access)) {
        return walk_and_keep(cache, paging, ept, linear, access, found, result);
    }
    tell(line, linear, result);
    *found = hpa(line->hpa.v | (linear & PAGE_MASK));
    return GWALK_OK;
}

void *gwalk_kept(const struct gwalk_cache *cache, const struct gwalk_paging *paging,
                 const struct ept *ept, uint64_t linear, unsigned access)
{
    const struct gwalk_cache_line *line = &cache->line[line_index(paging->cr3, linear)];
    if (line->memory == NULL || !is_valid(line, paging, ept, linear, access)) {
        return NULL;
    }
    return line->memory + (linear & PAGE_MASK);
}

enum gwalk_status gwalk_fetch(struct gwalk_cache *cache, const struct gwalk_paging *paging,
                              const struct ept *ept, uint64_t linear, void *to, size_t bytes,
                              struct gwalk_result *result)
{
    return gwalk_read_cached(cache, paging, ept, linear, to, bytes, GWALK_EXECUTE, result);
}
