/* The type of one address by the rules of the SDM, written down plainly, and random MTRRs. */
#ifndef TESTS_MTRR_MODEL_H
#define TESTS_MTRR_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ept/mtrr.h>

#define MODEL_MAXPHYADDR 46U
#define PHYS_MASK (((1ULL << MODEL_MAXPHYADDR) - 1) & ~0xfffULL)

static const enum ept_type all_types[5] = {EPT_UC, EPT_WC, EPT_WT, EPT_WP, EPT_WB};

/* SDM tables "Address Mapping for Fixed-Range MTRRs" and section "MTRR Precedences". */
static inline enum ept_type model_type(const struct mtrr *mtrr, uint64_t address)
{
    if ((mtrr->def_type & 0x800) == 0) {
        return EPT_UC;
    }
    if (address < 0x100000 && (mtrr->def_type & 0x400) != 0 && (mtrr->cap & 0x100) != 0) {
        unsigned msr, byte;
        if (address < 0x80000) {
            msr = 0, byte = (unsigned)(address / 0x10000);
        } else if (address < 0xc0000) {
            msr = 1 + (unsigned)((address - 0x80000) / 0x20000);
            byte = (unsigned)(address % 0x20000 / 0x4000);
        } else {
            msr = 3 + (unsigned)((address - 0xc0000) / 0x8000);
            byte = (unsigned)(address % 0x8000 / 0x1000);
        }
        return (enum ept_type)(mtrr->fixed[msr] >> (8 * byte) & 0xff);
    }
    bool seen[8] = {false};
    unsigned kinds = 0;
    for (unsigned i = 0; i < mtrr->variable_count; i++) {
        uint64_t mask = mtrr->mask[i] & PHYS_MASK;
        if ((mtrr->mask[i] & 0x800) != 0 && (address & mask) == (mtrr->base[i] & mask)) {
            unsigned type = (unsigned)(mtrr->base[i] & 7);
            kinds += !seen[type];
            seen[type] = true;
        }
    }
    if (kinds == 0) {
        return (enum ept_type)(mtrr->def_type & 7);
    }
    for (unsigned type = 0; type < 8 && kinds == 1; type++) {
        if (seen[type]) {
            return (enum ept_type)type;
        }
    }
    return kinds == 2 && seen[EPT_WT] && seen[EPT_WB] ? EPT_WT : EPT_UC;
}

static inline uint64_t next_random(uint64_t *state, uint64_t limit)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % limit;
}

/* Contiguous masks over [0, 2^span_bits), overlapping now and then. */
static inline struct mtrr random_mtrr(uint64_t *state, unsigned span_bits)
{
    struct mtrr mtrr = {.cap = 0x500, .maxphyaddr = MODEL_MAXPHYADDR};
    mtrr.variable_count = (unsigned)next_random(state, MTRR_VARIABLE_MAX + 1);
    mtrr.cap |= mtrr.variable_count;
    mtrr.def_type = 0x800 | (next_random(state, 2) << 10) | all_types[next_random(state, 5)];
    enum ept_type fixed_type = EPT_WB;
    for (unsigned byte = 0; byte < MTRR_FIXED_COUNT * 8; byte++) {
        if (next_random(state, 6) == 0) {
            fixed_type = all_types[next_random(state, 5)];
        }
        mtrr.fixed[byte / 8] |= (uint64_t)fixed_type << (byte % 8 * 8);
    }
    for (unsigned i = 0; i < mtrr.variable_count; i++) {
        unsigned size_bits = 12 + (unsigned)next_random(state, span_bits - 12 + 1);
        uint64_t size = 1ULL << size_bits;
        uint64_t base = next_random(state, 1ULL << (span_bits - size_bits)) << size_bits;
        mtrr.base[i] = base | all_types[next_random(state, 5)];
        mtrr.mask[i] = (PHYS_MASK & ~(size - 1)) | (next_random(state, 5) != 0 ? 0x800 : 0);
    }
    return mtrr;
}

#endif
