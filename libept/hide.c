/* Pages that are taken out of the map for a while, and put back without fail. */
#include "entry.h"

/*
 * Counts the tables that splits down to 4 KiB need.  All pages must be hideable: a page of which
 * the guest lacks a right is not the guest's to give away.
 */
static enum status hide_prepare(const struct ept *ept, struct slot slot, uint64_t gpa, uint64_t end,
                                uint64_t *tables)
{
    *tables = 0;
    for (;;) {
        if ((slot.entry & ENTRY_PERMS) != EPT_RWX) {
            return entry_is_hidden(slot.entry) ? STATUS_OVERLAP : STATUS_FAULT;
        }
        uint64_t next = slot_end(&slot, gpa, end);
        *tables += ept_tables_below(gpa, next, slot.level, 1);
        if (next == end) {
            return STATUS_OK;
        }
        gpa = next;
        slot_next(ept, &slot, gpa);
    }
}

static void hide_commit(struct ept *ept, struct slot slot, uint64_t gpa, uint64_t end, unsigned tag)
{
    for (;;) {
        while (slot.level > 1) {
            ept_split(ept, &slot, gpa);
        }
        slot_write(&slot, entry_hidden(slot.entry, tag));
        gpa += PAGE_BYTES;
        if (gpa == end) {
            return;
        }
        slot_next(ept, &slot, gpa);
    }
}

enum status ept_hide(struct ept *ept, struct gpa gpa, uint64_t bytes, unsigned tag,
                     enum ept_invalidate *need)
{
    enum status status = ept_range_check(ept, gpa.v, bytes);
    if (status != STATUS_OK) {
        return status;
    }
    if (tag > EPT_TAG_MAX) {
        return STATUS_INVALID;
    }
    /* The first walk serves both: for a single page it is most of the work. */
    struct slot first = slot_find(ept, gpa.v);
    uint64_t tables;
    status = hide_prepare(ept, first, gpa.v, gpa.v + bytes, &tables);
    if (status != STATUS_OK) {
        return status;
    }
    if (tables > ept->pool->free_pages) {
        return STATUS_NO_MEMORY;
    }
    hide_commit(ept, first, gpa.v, gpa.v + bytes, tag);
    ept->hidden_pages += bytes / PAGE_BYTES;
    ept->generation++;
    *need = EPT_INVALIDATE_SINGLE_CONTEXT;
    return STATUS_OK;
}

static bool all_hidden(const struct ept *ept, struct slot slot, uint64_t gpa, uint64_t end)
{
    while (entry_is_hidden(slot.entry)) {
        gpa += PAGE_BYTES;
        if (gpa == end) {
            return true;
        }
        slot_next(ept, &slot, gpa);
    }
    return false;
}

enum status ept_show(struct ept *ept, struct gpa gpa, uint64_t bytes, enum ept_type type)
{
    enum status status = ept_range_check(ept, gpa.v, bytes);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t at = gpa.v, end = at + bytes, attributes = entry_attributes(EPT_RWX, type);
    struct slot slot = slot_find(ept, at);
    if (!all_hidden(ept, slot, at, end)) {
        return STATUS_NOT_FOUND;
    }
    for (;;) {
        slot_write(&slot, entry_leaf(slot.entry & ENTRY_ADDRESS, 1, attributes));
        at += PAGE_BYTES;
        if (at == end) {
            break;
        }
        slot_next(ept, &slot, at);
    }
    ept->hidden_pages -= bytes / PAGE_BYTES;
    ept->generation++;
    return STATUS_OK;
}

bool ept_hidden(const struct ept *ept, struct gpa gpa, unsigned *tag, struct hpa *hpa)
{
    if (gpa.v >> GPA_BITS_MAX != 0) {
        return false;
    }
    uint64_t entry = slot_find(ept, gpa.v).entry;
    if (!entry_is_hidden(entry)) {
        return false;
    }
    if (tag != NULL) {
        *tag = entry_tag(entry);
    }
    if (hpa != NULL) {
        hpa->v = (entry & ENTRY_ADDRESS) | (gpa.v & PAGE_MASK);
    }
    return true;
}
