/* Joining small pages into large ones, and dropping empty tables. */
#include "entry.h"

/* Accessed and dirty flags may differ between the pages that are joined. */
#define COMPARED (ENTRY_ADDRESS | ENTRY_ATTRIBUTES | ENTRY_LARGE)

static bool is_empty(const uint64_t *entries)
{
    uint64_t any = 0;
    for (unsigned index = 0; index < TABLE_ENTRIES && any == 0; index++) {
        any |= entries[index]; /* hidden pages are not present, but not nothing either */
    }
    return any == 0;
}

/* All entries are leaves that continue the first one; most of them with the same flags even. */
static bool is_uniform(const uint64_t *entries, unsigned level)
{
    uint64_t step = entry_bytes(level), expected = entries[0];
#pragma GCC unroll 8 /* the loop itself is more than what it does */
    for (unsigned index = 1; index < TABLE_ENTRIES; index++) {
        expected += step;
        if (entries[index] != expected && ((entries[index] ^ expected) & COMPARED) != 0) {
            return false;
        }
    }
    return true;
}

/* What a table can be replaced by: *entry for the slot that references it.  False: it cannot. */
static bool merged_entry(const struct ept *ept, struct hpa table, unsigned level, uint64_t *entry)
{
    const uint64_t *entries = table_entries(table);
    bool large = level == 1 ? ept->features.pages_2m : level == 2 && ept->features.pages_1g;
    uint64_t first = entries[0], address = entry_leaf_address(first, level);

    *entry = 0;
    if (first == 0) {
        return is_empty(entries);
    }
    if (!large || !entry_is_present(first) || !entry_is_leaf(first, level) ||
        !addr_is_aligned(address, entry_bytes(level + 1)) || !is_uniform(entries, level)) {
        return false;
    }
    *entry = entry_leaf(address, level + 1, first & ENTRY_ATTRIBUTES);
    return true;
}

/*
 * Merges the tables of one level that translate a part of [gpa, end).  The reference is replaced by
 * one store; both before and after it every address has the same translation.
 */
static enum status merge_level(struct ept *ept, uint64_t gpa, uint64_t end, unsigned level,
                               enum ept_invalidate *need)
{
    while (gpa < end) {
        struct slot slot = {.table = ept->root, .level = LEVEL_COUNT};
        for (;;) {
            slot.index = entry_index(gpa, slot.level);
            slot.entry = hw_phys_read64(entry_address(slot.table, slot.index));
            if (slot.level == level + 1 || !entry_is_table(slot.entry, slot.level)) {
                break;
            }
            slot.table = hpa(slot.entry & ENTRY_ADDRESS);
            slot.level--;
        }
        struct hpa table = hpa(slot.entry & ENTRY_ADDRESS);
        uint64_t entry;
        if (entry_is_table(slot.entry, slot.level) && merged_entry(ept, table, level, &entry)) {
            if (ept->retired_count == EPT_RETIRED_MAX) {
                return STATUS_BUSY;
            }
            slot_write(&slot, entry);
            ept->retired[ept->retired_count++] = table;
            *need = EPT_INVALIDATE_SINGLE_CONTEXT;
        }
        gpa = slot_end(&slot, gpa, end);
    }
    return STATUS_OK;
}

enum status ept_merge(struct ept *ept, struct gpa gpa, uint64_t bytes, enum ept_invalidate *need)
{
    enum status status = ept_range_check(ept, gpa.v, bytes);
    if (status != STATUS_OK) {
        return status;
    }
    *need = EPT_INVALIDATE_NONE;
    for (unsigned level = 1; level < LEVEL_COUNT && status == STATUS_OK; level++) {
        status = merge_level(ept, gpa.v, gpa.v + bytes, level, need);
    }
    return status;
}
