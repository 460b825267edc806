/* Dropping whole tables with everything below them. */
#include "entry.h"

/* The largest entry for gpa that lies within [gpa, end), or the one that ends the walk. */
static struct slot largest_slot(const struct ept *ept, uint64_t gpa, uint64_t end)
{
    struct slot slot = {.table = ept->root, .level = LEVEL_COUNT};
    for (;;) {
        slot.index = entry_index(gpa, slot.level);
        slot.entry = hw_phys_read64(entry_address(slot.table, slot.index));
        if (!entry_is_table(slot.entry, slot.level) || slot_is_within(&slot, gpa, end)) {
            return slot;
        }
        slot.table = hpa(slot.entry & ENTRY_ADDRESS);
        slot.level--;
    }
}

/* Looks at each entry of the tables, but only while anything is hidden at all. */
static bool any_hidden(const struct ept *ept, uint64_t gpa, uint64_t end)
{
    if (ept->hidden_pages == 0) {
        return false;
    }
    struct slot slot = slot_find(ept, gpa);
    for (;;) {
        if (entry_is_hidden(slot.entry)) {
            return true;
        }
        gpa = slot_end(&slot, gpa, end);
        if (gpa == end) {
            return false;
        }
        slot_next(ept, &slot, gpa);
    }
}

enum status ept_drop(struct ept *ept, struct gpa gpa, uint64_t bytes)
{
    enum status status = ept_range_check(ept, gpa.v, bytes);
    if (status != STATUS_OK) {
        return status;
    }
    if (any_hidden(ept, gpa.v, gpa.v + bytes)) {
        return STATUS_OVERLAP;
    }
    for (uint64_t at = gpa.v, end = at + bytes; at != end;) {
        struct slot slot = largest_slot(ept, at, end);
        if (entry_is_present(slot.entry) && slot_is_within(&slot, at, end)) {
            slot_write(&slot, 0);
            if (entry_is_table(slot.entry, slot.level)) {
                struct hpa table = hpa(slot.entry & ENTRY_ADDRESS);
                ept_free_below(ept, table, slot.level - 1, entry_bytes(slot.level));
                pool_free(ept->pool, table);
            }
        }
        at = slot_end(&slot, at, end);
    }
    ept->generation++;
    return STATUS_OK;
}
