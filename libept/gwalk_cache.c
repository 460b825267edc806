/* Instruction fetches with the last walks at hand. */
#include "walk.h"

#include <base/bits.h>
#include <hw/mem.h>

#define CR4_PAE BIT(5)
#define EFER_LMA BIT(10)

/* With PAE paging the PDPTE comes from a register, not from an entry that is read again. */
static uint64_t pdpte_for(const struct gwalk_paging *paging, uint64_t linear)
{
    bool pae = (paging->cr4 & CR4_PAE) != 0 && (paging->efer & EFER_LMA) == 0;
    return pae ? paging->pdpte[(linear >> 30) & 3] : 0;
}

static struct gwalk_cache_line *line_for(struct gwalk_cache *cache, uint64_t cr3, uint64_t linear)
{
    return &cache->line[((cr3 ^ linear) >> PAGE_SHIFT) % GWALK_CACHE_LINES];
}

/* The same walk in the same state of the CPU, and every entry as it was then. */
static bool is_valid(const struct gwalk_cache_line *line, const struct gwalk_paging *paging,
                     const struct ept *ept, uint64_t linear)
{
    if (line->ept != ept || line->generation != ept->generation ||
        line->page != (linear & ~PAGE_MASK) || line->cr3 != paging->cr3 ||
        line->cr0 != paging->cr0 || line->cr4 != paging->cr4 || line->efer != paging->efer ||
        line->cpl != paging->cpl || line->pdpte != pdpte_for(paging, linear)) {
        return false;
    }
    for (unsigned i = 0; i < line->count; i++) {
        if (((hw_phys_read64(line->entry[i].address) ^ line->entry[i].value) &
             line->entry[i].mask) != 0) {
            return false;
        }
    }
    return true;
}

static void fill_line(struct gwalk_cache_line *line, const struct gwalk_paging *paging,
                      const struct walker *walker, const struct gwalk_result *result,
                      struct hpa found)
{
    const struct path *path = &walker->path;
    *line = (struct gwalk_cache_line){.ept = walker->ept,
                                      .generation = walker->ept->generation,
                                      .page = result->linear & ~PAGE_MASK,
                                      .cr0 = paging->cr0,
                                      .cr3 = paging->cr3,
                                      .cr4 = paging->cr4,
                                      .efer = paging->efer,
                                      .pdpte = pdpte_for(paging, result->linear),
                                      .cpl = paging->cpl,
                                      .count = path->count,
                                      .hpa = hpa(found.v & ~PAGE_MASK),
                                      .gpa = gpa(result->gpa.v & ~PAGE_MASK)};
    bool narrow = (paging->cr4 & CR4_PAE) == 0;
    for (unsigned i = 0; i < path->count; i++) {
        uint64_t at = path->step[i].hpa.v;
        unsigned shift = (unsigned)(at & 4) * 8;
        line->entry[i].address = hpa(at & ~7ULL);
        line->entry[i].value = path->step[i].entry << shift;
        line->entry[i].mask = narrow ? 0xffffffffULL << shift : ~0ULL;
    }
}

enum gwalk_status gwalk_fetch(struct gwalk_cache *cache, const struct gwalk_paging *paging,
                              const struct ept *ept, uint64_t linear, void *to, size_t bytes,
                              struct gwalk_result *result)
{
    if (bytes == 0 || bytes > PAGE_BYTES - (linear & PAGE_MASK)) {
        return gwalk_read(paging, ept, linear, to, bytes, GWALK_EXECUTE, result);
    }
    struct gwalk_cache_line *line = line_for(cache, paging->cr3, linear);
    if (!is_valid(line, paging, ept, linear)) {
        struct walker walker;
        struct hpa found;
        walker_init(&walker, ept);
        enum gwalk_status status =
            gwalk_page(paging, &walker, linear, GWALK_EXECUTE, &found, result);
        if (status != GWALK_OK) {
            return status;
        }
        fill_line(line, paging, &walker, result, found);
    }
    /* Entries were read before, so they are memory; the page itself is checked by this. */
    struct hpa from = hpa(line->hpa.v + (linear & PAGE_MASK));
    if (hw_phys_read(from, to, bytes) != STATUS_OK) {
        result->linear = linear;
        result->gpa = gpa(line->gpa.v + (linear & PAGE_MASK));
        return GWALK_NESTED;
    }
    return GWALK_OK;
}
