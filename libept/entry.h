/*
 * One EPT entry and the way to it: SDM tables "Format of an EPT PML4 Entry (PML4E) that References
 * an EPT Page-Directory-Pointer Table" to "Format of an EPT Page-Table Entry that Maps a 4-KByte
 * Page". Level 4 is the PML4 table, level 1 the page table.
 */
#ifndef LIBEPT_ENTRY_H
#define LIBEPT_ENTRY_H

#include <base/bits.h>
#include <base/check.h>
#include <ept/ept.h>
#include <hw/mem.h>

#define TABLE_ENTRIES 512U
#define LEVEL_COUNT 4U
#define GPA_BITS_MAX 48U /* what 4 levels translate */

#define ENTRY_PERMS 7ULL
#define ENTRY_TYPE_SHIFT 3
#define ENTRY_TYPE (7ULL << ENTRY_TYPE_SHIFT)
#define ENTRY_LARGE BIT(7)
#define ENTRY_ADDRESS 0x000ffffffffff000ULL
/* Bits of a leaf that say how it maps; the rest is the address or left to the processor (A, D). */
#define ENTRY_ATTRIBUTES (ENTRY_PERMS | ENTRY_TYPE)

/*
 * A hidden page: the processor ignores all other bits of an entry whose bits 2:0 are 0.  Bit 11
 * tells it from an entry that was never used, whatever its address and tag.  Not bit 10, which
 * makes an entry present with mode-based execute control, nor bit 63 (suppress #VE).
 */
#define ENTRY_HIDDEN BIT(11)
#define ENTRY_TAG_SHIFT 52

static inline unsigned entry_shift(unsigned level)
{
    return PAGE_SHIFT + 9 * (level - 1);
}

/* Bytes that one entry of a table of this level translates. */
static inline uint64_t entry_bytes(unsigned level)
{
    return 1ULL << entry_shift(level);
}

static inline unsigned entry_index(uint64_t gpa, unsigned level)
{
    return (unsigned)(gpa >> entry_shift(level)) & (TABLE_ENTRIES - 1);
}

static inline bool entry_is_present(uint64_t entry)
{
    return (entry & ENTRY_PERMS) != 0;
}

static inline bool entry_is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (entry & ENTRY_LARGE) != 0;
}

static inline bool entry_is_table(uint64_t entry, unsigned level)
{
    return entry_is_present(entry) && !entry_is_leaf(entry, level);
}

/* Rights are those of the leaf alone: tables allow everything. */
static inline uint64_t entry_table(struct hpa table)
{
    return table.v | EPT_RWX;
}

static inline uint64_t entry_leaf(uint64_t hpa, unsigned level, uint64_t attributes)
{
    return hpa | attributes | (level > 1 ? ENTRY_LARGE : 0);
}

static inline uint64_t entry_leaf_address(uint64_t entry, unsigned level)
{
    return entry & ENTRY_ADDRESS & ~(entry_bytes(level) - 1);
}

static inline uint64_t entry_attributes(unsigned perms, enum ept_type type)
{
    return perms | (uint64_t)type << ENTRY_TYPE_SHIFT;
}

static inline bool entry_is_hidden(uint64_t entry)
{
    return (entry & (ENTRY_PERMS | ENTRY_HIDDEN)) == ENTRY_HIDDEN;
}

static inline uint64_t entry_hidden(uint64_t leaf, unsigned tag)
{
    return (leaf & (ENTRY_ADDRESS | ENTRY_TYPE)) | ENTRY_HIDDEN | (uint64_t)tag << ENTRY_TAG_SHIFT;
}

static inline unsigned entry_tag(uint64_t hidden)
{
    return (unsigned)bits_get(hidden, ENTRY_TAG_SHIFT, 11);
}

static inline struct hpa entry_address(struct hpa table, unsigned index)
{
    return hpa(table.v + index * sizeof(uint64_t));
}

/* A whole table, for loops over all of its entries: they lie in our own region. */
static inline uint64_t *table_entries(struct hpa table)
{
    uint64_t *entries = hw_region_pointer(table, PAGE_BYTES);
    CHECK(entries != NULL);
    return entries;
}

/* The entry that ends the walk for an address: a leaf or one that is not present. */
struct slot {
    struct hpa table;
    unsigned level, index;
    uint64_t entry;
};

static inline struct slot slot_find(const struct ept *ept, uint64_t gpa)
{
    struct slot slot = {.table = ept->root, .level = LEVEL_COUNT};
    for (;;) {
        slot.index = entry_index(gpa, slot.level);
        slot.entry = hw_phys_read64(entry_address(slot.table, slot.index));
        if (!entry_is_table(slot.entry, slot.level)) {
            return slot;
        }
        slot.table = hpa(slot.entry & ENTRY_ADDRESS);
        slot.level--;
    }
}

/* Moves on to gpa, the first address after the slot, without a walk where it is in the same table.
 */
static inline void slot_next(const struct ept *ept, struct slot *slot, uint64_t gpa)
{
    unsigned index = slot->index + 1;
    if (index < TABLE_ENTRIES) {
        uint64_t entry = hw_phys_read64(entry_address(slot->table, index));
        if (!entry_is_table(entry, slot->level)) {
            slot->index = index;
            slot->entry = entry;
            return;
        }
    }
    *slot = slot_find(ept, gpa);
}

static inline void slot_write(const struct slot *slot, uint64_t entry)
{
    hw_phys_write64(entry_address(slot->table, slot->index), entry);
}

/* End of the slot's addresses, cut at end. */
static inline uint64_t slot_end(const struct slot *slot, uint64_t gpa, uint64_t end)
{
    uint64_t bytes = entry_bytes(slot->level);
    uint64_t left = bytes - (gpa & (bytes - 1));
    return left < end - gpa ? gpa + left : end;
}

static inline bool slot_is_within(const struct slot *slot, uint64_t gpa, uint64_t end)
{
    uint64_t bytes = entry_bytes(slot->level);
    return (gpa & (bytes - 1)) == 0 && end - gpa >= bytes;
}

/* Page-aligned, not empty, below both limits. */
enum status ept_range_check(const struct ept *ept, uint64_t address, uint64_t bytes);

/* Replaces a large leaf by a complete table of next smaller leaves, which give the same
 * translations, and moves the slot to the one for gpa.  The caller counted the table. */
void ept_split(struct ept *ept, struct slot *slot, uint64_t gpa);

/*
 * Gives the tables below one table of top_level back to the pool, deepest first, not itself.
 * Nothing was ever mapped behind the first used_bytes of what it translates.
 */
void ept_free_below(struct ept *ept, struct hpa top, unsigned top_level, uint64_t used_bytes);

/* Rights that hardware can express. */
enum status ept_perms_check(const struct ept *ept, unsigned perms);

/*
 * Tables below an entry of entry_level that has none yet, for leaves of at most leaf_level over
 * [start, end), which lies within that entry.
 */
uint64_t ept_tables_below(uint64_t start, uint64_t end, unsigned entry_level, unsigned leaf_level);

#endif
