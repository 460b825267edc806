/*
 * Memory type range registers (SDM vol. 3, section 12.11 "Memory Type Range Registers (MTRRs)") as
 * a value: a shadow of one CPU's registers that answers which type an address has and takes a
 * guest's reads and writes.  Pure and without locks, except mtrr_read(), which reads the calling
 * CPU's MSRs.
 *
 * While a guest reprograms its MTRRs it clears IA32_MTRR_DEF_TYPE.E (SDM section 12.11.8):
 * everything is then UC by definition, and the registers are half-way.  Nested tables should follow
 * only once mtrr_is_enabled() again (REQ-MSR-6).
 */
#ifndef EPT_MTRR_H
#define EPT_MTRR_H

#include <ept/ept.h>
#include <stdbool.h>
#include <stdint.h>

#define MTRR_FIXED_COUNT 11
#define MTRR_VARIABLE_MAX 16

struct mtrr {
    uint64_t cap;                     /* IA32_MTRRCAP; 0 when the CPU has no MTRRs */
    uint64_t def_type;                /* IA32_MTRR_DEF_TYPE */
    uint64_t fixed[MTRR_FIXED_COUNT]; /* 64K_00000, 16K_80000, 16K_A0000, 4K_C0000 ... 4K_F8000 */
    uint64_t base[MTRR_VARIABLE_MAX], mask[MTRR_VARIABLE_MAX];
    unsigned variable_count; /* VCNT, at most MTRR_VARIABLE_MAX */
    unsigned maxphyaddr;
};

/* Reads this CPU's registers; CPUID.01H:EDX.MTRR must have been seen.  Registers beyond
 * MTRR_VARIABLE_MAX are hidden: cap reports fewer. */
void mtrr_read(struct mtrr *mtrr, unsigned maxphyaddr);

bool mtrr_is_enabled(const struct mtrr *mtrr);

/* True and the type when the whole of [start, end) has one; false when types are mixed. */
bool mtrr_type_of(const struct mtrr *mtrr, uint64_t start, uint64_t end, enum ept_type *type);

/*
 * Type at start, and an address up to which it stays the same, above start and at most limit.  What
 * follows may have the same type.  The result is page-aligned when start and limit are.
 */
uint64_t mtrr_run(const struct mtrr *mtrr, uint64_t start, uint64_t limit, enum ept_type *type);

/* False: the register does not exist in this shadow, give the guest #GP(0). */
bool mtrr_get_msr(const struct mtrr *mtrr, uint32_t msr, uint64_t *value);

/* False, nothing changed: no such register, read-only, reserved bits or an undefined type: #GP(0).
 */
bool mtrr_set_msr(struct mtrr *mtrr, uint32_t msr, uint64_t value);

#endif
