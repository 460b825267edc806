#include "mtrr_bits.h"

#include <base/bits.h>

#define MIB (1ULL << 20)

/* Fixed ranges: SDM table "Address Mapping for Fixed-Range MTRRs". */
#define FIXED_64K_END 0x80000ULL
#define FIXED_16K_END 0xc0000ULL

bool mtrr_is_enabled(const struct mtrr *mtrr)
{
    return (mtrr->def_type & MTRR_DEF_TYPE_E) != 0;
}

static bool fixed_enabled(const struct mtrr *mtrr)
{
    return (mtrr->cap & MTRR_CAP_FIX) != 0 && (mtrr->def_type & MTRR_DEF_TYPE_FE) != 0;
}

/* Type of a fixed range and its end; address below 1 MiB. */
static enum ept_type fixed_type(const struct mtrr *mtrr, uint64_t address, uint64_t *end)
{
    unsigned shift, slot;
    if (address < FIXED_64K_END) {
        shift = 16;
        slot = (unsigned)(address >> shift);
    } else if (address < FIXED_16K_END) {
        shift = 14;
        slot = 8 + (unsigned)((address - FIXED_64K_END) >> shift);
    } else {
        shift = 12;
        slot = 24 + (unsigned)((address - FIXED_16K_END) >> shift);
    }
    *end = ((address >> shift) + 1) << shift;
    return (enum ept_type)bits_get(mtrr->fixed[slot / 8], slot % 8 * 8, 8);
}

/* SDM section 12.11.4.1 "MTRR Precedences": what two overlapping variable ranges give. */
static enum ept_type combine(enum ept_type a, enum ept_type b)
{
    if (a == b) {
        return a;
    }
    if ((a == EPT_WT && b == EPT_WB) || (a == EPT_WB && b == EPT_WT)) {
        return EPT_WT;
    }
    return EPT_UC; /* UC wins; other pairs are undefined there, and UC is always safe */
}

/*
 * First address above start, if below end, where membership in the range may change.  Contiguous
 * masks make one block; others repeat at steps of their lowest bit.
 */
static uint64_t variable_boundary(uint64_t base, uint64_t mask, uint64_t all_ones, uint64_t start,
                                  uint64_t end)
{
    if (mask == 0) {
        return end; /* the range is everything */
    }
    uint64_t granule = mask & -mask;
    uint64_t boundary = (start | (granule - 1)) + 1;
    if ((mask | (granule - 1)) == all_ones) {
        uint64_t first = base & mask;
        boundary = start < first ? first : start < first + granule ? first + granule : end;
    }
    return boundary < end ? boundary : end;
}

static enum ept_type variable_type(const struct mtrr *mtrr, uint64_t start, uint64_t *end)
{
    uint64_t address_mask = bits_mask(PAGE_SHIFT, mtrr->maxphyaddr);
    uint64_t all_ones = bits_mask(0, mtrr->maxphyaddr);
    bool matched = false;
    enum ept_type type = (enum ept_type)(mtrr->def_type & MTRR_TYPE);
    for (unsigned i = 0; i < mtrr->variable_count; i++) {
        if ((mtrr->mask[i] & MTRR_PHYSMASK_V) == 0) {
            continue;
        }
        uint64_t base = mtrr->base[i] & address_mask, mask = mtrr->mask[i] & address_mask;
        *end = variable_boundary(base, mask, all_ones, start, *end);
        if ((start & mask) == (base & mask)) {
            enum ept_type own = (enum ept_type)(mtrr->base[i] & MTRR_TYPE);
            type = matched ? combine(type, own) : own;
            matched = true;
        }
    }
    return type;
}

uint64_t mtrr_run(const struct mtrr *mtrr, uint64_t start, uint64_t limit, enum ept_type *type)
{
    uint64_t end = limit;
    if (!mtrr_is_enabled(mtrr)) {
        *type = EPT_UC;
    } else if (fixed_enabled(mtrr) && start < MIB) {
        *type = fixed_type(mtrr, start, &end);
    } else {
        /* Without fixed ranges nothing changes at 1 MiB. */
        *type = variable_type(mtrr, start, &end);
    }
    return end < limit ? end : limit;
}

bool mtrr_type_of(const struct mtrr *mtrr, uint64_t start, uint64_t end, enum ept_type *type)
{
    uint64_t at = mtrr_run(mtrr, start, end, type);
    while (at < end) {
        enum ept_type next;
        at = mtrr_run(mtrr, at, end, &next);
        if (next != *type) {
            return false;
        }
    }
    return true;
}
