/* The machine's own walker of EPT (SDM section "The EPT Translation Mechanism"). */
#include "internal.h"

#define EPT_RIGHTS 7u

/* Rules of section "EPT Misconfigurations" for one entry; level 1 is the last. */
static bool is_misconfigured(uint64_t entry, unsigned level, bool is_leaf)
{
    uint64_t capabilities = fake_msr_raw(&fake_m.cpus[0], MSR_VMX_EPT_VPID);
    unsigned rights = entry & EPT_RIGHTS;
    if (rights == 2 || rights == 6 || (rights == 4 && !(capabilities & 1))) {
        return true;
    }
    if ((entry & bits_mask(12, 52)) >> fake_maxphyaddr()) {
        return true;
    }
    if (is_leaf) {
        uint64_t type = bits_get(entry, 3, 3);
        bool bad_type = type == 2 || type == 3 || type == 7;
        uint64_t low_reserved = level == 1 ? 0 : bits_mask(12, 12 + 9 * (level - 1));
        bool no_size = (level == 2 && !(capabilities & BIT(16))) ||
                       (level == 3 && !(capabilities & BIT(17))) || level == 4;
        return bad_type || (entry & low_reserved) || no_size;
    }
    /* Bits 7:3 are reserved in an entry that refers to a table; bit 7 as "large" comes here only
     * at the top level. */
    return entry & (level == 4 ? 0xf8 : 0x78);
}

struct fake_walk fake_ept_walk(uint64_t ept_pointer, uint64_t gpa)
{
    struct fake_walk walk = {.result = FAKE_WALK_VIOLATION, .rights = EPT_RIGHTS};
    uint64_t table = bits_get(ept_pointer, 12, 40) << 12;
    walk.page_bytes = 1ULL << 39;
    if (gpa >> 48) {
        walk.rights = 0;
        return walk;
    }
    for (unsigned level = 4; level >= 1; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        walk.page_bytes = 1ULL << shift;
        walk.entry_address = table + 8 * bits_get(gpa, shift, 9);
        walk.entry = fake_read64(walk.entry_address);
        if (!(walk.entry & EPT_RIGHTS)) {
            walk.rights = 0;
            return walk;
        }
        bool is_leaf = level == 1 || (level < 4 && (walk.entry & BIT(7)));
        if (is_misconfigured(walk.entry, level, is_leaf)) {
            walk.result = FAKE_WALK_MISCONFIGURED;
            return walk;
        }
        walk.rights &= walk.entry & EPT_RIGHTS;
        table = walk.entry & bits_mask(12, 52);
        if (is_leaf) {
            walk.result = FAKE_WALK_OK;
            walk.memory_type = (uint8_t)bits_get(walk.entry, 3, 3);
            walk.ignore_pat = walk.entry & BIT(6);
            walk.hpa = addr_align_down(table, walk.page_bytes) + (gpa & (walk.page_bytes - 1));
            return walk;
        }
    }
    return walk;
}

void ept_mark(uint64_t ept_pointer, uint64_t gpa, bool is_write)
{
    uint64_t table = bits_get(ept_pointer, 12, 40) << 12;
    for (unsigned level = 4; level >= 1 && (ept_pointer & BIT(6)); level--) {
        uint64_t *entry = fake_backing(table + 8 * bits_get(gpa, 12 + 9 * (level - 1), 9), 8);
        if (!entry) {
            return;
        }
        bool is_leaf = level == 1 || (level < 4 && (*entry & BIT(7)));
        uint64_t flags = BIT(8) | (is_leaf && is_write ? BIT(9) : 0);
        uint64_t value = __atomic_or_fetch(entry, flags, __ATOMIC_ACQ_REL);
        table = value & bits_mask(12, 52);
        if (is_leaf) {
            return;
        }
    }
}
