/* The MTRRs as MSRs: reading the CPU's, and a guest's accesses to the shadow. */
#include "mtrr_bits.h"

#include <hw/cpu.h>

void mtrr_read(struct mtrr *mtrr, unsigned maxphyaddr)
{
    *mtrr = (struct mtrr){.cap = hw_rdmsr(IA32_MTRRCAP), .maxphyaddr = maxphyaddr};
    uint64_t count = mtrr->cap & MTRR_CAP_VCNT;
    if (count > MTRR_VARIABLE_MAX) {
        count = MTRR_VARIABLE_MAX;
        mtrr->cap = (mtrr->cap & ~MTRR_CAP_VCNT) | count;
    }
    mtrr->variable_count = (unsigned)count;
    mtrr->def_type = hw_rdmsr(IA32_MTRR_DEF_TYPE);
    for (unsigned i = 0; i < mtrr->variable_count; i++) {
        mtrr->base[i] = hw_rdmsr(IA32_MTRR_PHYSBASE0 + 2 * i);
        mtrr->mask[i] = hw_rdmsr(IA32_MTRR_PHYSBASE0 + 2 * i + 1);
    }
    if ((mtrr->cap & MTRR_CAP_FIX) == 0) {
        return;
    }
    mtrr->fixed[0] = hw_rdmsr(IA32_MTRR_FIX64K_00000);
    mtrr->fixed[1] = hw_rdmsr(IA32_MTRR_FIX16K_80000);
    mtrr->fixed[2] = hw_rdmsr(IA32_MTRR_FIX16K_A0000);
    for (unsigned i = 3; i < MTRR_FIXED_COUNT; i++) {
        mtrr->fixed[i] = hw_rdmsr(IA32_MTRR_FIX4K_C0000 + i - 3);
    }
}

/* Index in fixed[], or MTRR_FIXED_COUNT. */
static unsigned fixed_index(const struct mtrr *mtrr, uint32_t msr)
{
    if ((mtrr->cap & MTRR_CAP_FIX) == 0) {
        return MTRR_FIXED_COUNT;
    }
    if (msr == IA32_MTRR_FIX64K_00000) {
        return 0;
    }
    if (msr == IA32_MTRR_FIX16K_80000 || msr == IA32_MTRR_FIX16K_A0000) {
        return 1 + msr - IA32_MTRR_FIX16K_80000;
    }
    if (msr >= IA32_MTRR_FIX4K_C0000 && msr <= IA32_MTRR_FIX4K_F8000) {
        return 3 + msr - IA32_MTRR_FIX4K_C0000;
    }
    return MTRR_FIXED_COUNT;
}

static bool is_variable(const struct mtrr *mtrr, uint32_t msr)
{
    return msr >= IA32_MTRR_PHYSBASE0 && msr < IA32_MTRR_PHYSBASE0 + 2 * mtrr->variable_count;
}

static bool type_is_valid(const struct mtrr *mtrr, uint64_t type)
{
    switch (type) {
    case EPT_UC:
    case EPT_WT:
    case EPT_WP:
    case EPT_WB:
        return true;
    case EPT_WC:
        return (mtrr->cap & MTRR_CAP_WC) != 0;
    default:
        return false;
    }
}

bool mtrr_get_msr(const struct mtrr *mtrr, uint32_t msr, uint64_t *value)
{
    if (is_variable(mtrr, msr)) {
        unsigned i = (msr - IA32_MTRR_PHYSBASE0) / 2;
        *value = msr % 2 == 0 ? mtrr->base[i] : mtrr->mask[i];
        return true;
    }
    if (msr == IA32_MTRRCAP || msr == IA32_MTRR_DEF_TYPE) {
        *value = msr == IA32_MTRRCAP ? mtrr->cap : mtrr->def_type;
        return true;
    }
    unsigned index = fixed_index(mtrr, msr);
    if (index == MTRR_FIXED_COUNT) {
        return false;
    }
    *value = mtrr->fixed[index];
    return true;
}

static bool set_variable(struct mtrr *mtrr, uint32_t msr, uint64_t value)
{
    unsigned i = (msr - IA32_MTRR_PHYSBASE0) / 2;
    uint64_t address = bits_mask(PAGE_SHIFT, mtrr->maxphyaddr);
    if (msr % 2 != 0) {
        if ((value & ~(address | MTRR_PHYSMASK_V)) != 0) {
            return false;
        }
        mtrr->mask[i] = value;
        return true;
    }
    if ((value & ~(address | MTRR_TYPE)) != 0 || !type_is_valid(mtrr, value & MTRR_TYPE)) {
        return false;
    }
    mtrr->base[i] = value;
    return true;
}

bool mtrr_set_msr(struct mtrr *mtrr, uint32_t msr, uint64_t value)
{
    if (is_variable(mtrr, msr)) {
        return set_variable(mtrr, msr, value);
    }
    if (msr == IA32_MTRR_DEF_TYPE) {
        uint64_t defined = MTRR_TYPE | MTRR_DEF_TYPE_FE | MTRR_DEF_TYPE_E;
        if ((value & ~defined) != 0 || !type_is_valid(mtrr, value & MTRR_TYPE)) {
            return false;
        }
        mtrr->def_type = value;
        return true;
    }
    unsigned index = fixed_index(mtrr, msr);
    if (index == MTRR_FIXED_COUNT) {
        return false;
    }
    for (unsigned byte = 0; byte < 8; byte++) {
        if (!type_is_valid(mtrr, bits_get(value, byte * 8, 8))) {
            return false;
        }
    }
    mtrr->fixed[index] = value;
    return true;
}
