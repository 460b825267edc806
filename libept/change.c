/* Changing and removing translations that exist; splitting of large pages where only a part
 * changes. */
#include "entry.h"

/* New leaf = (leaf & keep) | set; keep 0 and set 0 is removal. */
struct change {
    uint64_t keep, set;
    bool must_exist; /* refuse ranges with pages that are not mapped */
};

static uint64_t change_entry(const struct change *change, uint64_t entry)
{
    return (entry & change->keep) | change->set;
}

/* Nothing to do for an entry that is not present or already as wanted. */
static bool changes(const struct change *change, uint64_t entry)
{
    return entry_is_present(entry) && change_entry(change, entry) != entry;
}

/* Counts the tables that splits need. */
static enum status change_prepare(const struct ept *ept, uint64_t gpa, uint64_t end,
                                  const struct change *change, uint64_t *tables)
{
    *tables = 0;
    struct slot slot = slot_find(ept, gpa);
    for (;;) {
        if (change->must_exist && !entry_is_present(slot.entry)) {
            return STATUS_NOT_FOUND;
        }
        uint64_t next = slot_end(&slot, gpa, end);
        if (changes(change, slot.entry) && !slot_is_within(&slot, gpa, end)) {
            *tables += ept_tables_below(gpa, next, slot.level, slot.level - 1);
        }
        if (next == end) {
            return STATUS_OK;
        }
        gpa = next;
        slot_next(ept, &slot, gpa);
    }
}

void ept_split(struct ept *ept, struct slot *slot, uint64_t gpa)
{
    struct hpa table;
    enum status status = pool_alloc(ept->pool, &table);
    CHECK(status == STATUS_OK);
    unsigned level = slot->level - 1;
    uint64_t address = entry_leaf_address(slot->entry, slot->level);
    uint64_t attributes = slot->entry & ENTRY_ATTRIBUTES;
    uint64_t *entries = table_entries(table), step = entry_bytes(level);
    uint64_t entry = entry_leaf(address, level, attributes);
#pragma GCC unroll 8 /* the loop itself is more than what it does */
    for (unsigned index = 0; index < TABLE_ENTRIES; index++, entry += step) {
        entries[index] = entry; /* nobody walks this table yet */
    }
    slot_write(slot, entry_table(table));
    slot->table = table;
    slot->level = level;
    slot->index = entry_index(gpa, level);
    slot->entry = hw_phys_read64(entry_address(table, slot->index));
}

static enum ept_invalidate change_commit(struct ept *ept, uint64_t gpa, uint64_t end,
                                         const struct change *change)
{
    enum ept_invalidate need = EPT_INVALIDATE_NONE;
    struct slot slot = slot_find(ept, gpa);
    for (;;) {
        if (changes(change, slot.entry)) {
            while (!slot_is_within(&slot, gpa, end)) {
                /* The guidelines ask for INVEPT when bit 7 of a PDPTE or PDE changes. */
                ept_split(ept, &slot, gpa);
                need = EPT_INVALIDATE_SINGLE_CONTEXT;
            }
            uint64_t entry = change_entry(change, slot.entry);
            slot_write(&slot, entry);
            /* ... when a right is taken or the type changes; not when rights are only added. */
            if ((slot.entry & ENTRY_PERMS & ~entry) != 0 ||
                ((slot.entry ^ entry) & ENTRY_TYPE) != 0) {
                need = EPT_INVALIDATE_SINGLE_CONTEXT;
            }
        }
        gpa = slot_end(&slot, gpa, end);
        if (gpa == end) {
            return need;
        }
        slot_next(ept, &slot, gpa);
    }
}

static enum status change_range(struct ept *ept, struct gpa gpa, uint64_t bytes,
                                const struct change *change, enum ept_invalidate *need)
{
    enum status status = ept_range_check(ept, gpa.v, bytes);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t tables;
    status = change_prepare(ept, gpa.v, gpa.v + bytes, change, &tables);
    if (status != STATUS_OK) {
        return status;
    }
    if (tables > ept->pool->free_pages) {
        return STATUS_NO_MEMORY;
    }
    *need = change_commit(ept, gpa.v, gpa.v + bytes, change);
    ept->generation++;
    return STATUS_OK;
}

enum status ept_unmap(struct ept *ept, struct gpa gpa, uint64_t bytes, enum ept_invalidate *need)
{
    struct change change = {.keep = 0, .set = 0};
    return change_range(ept, gpa, bytes, &change, need);
}

enum status ept_protect(struct ept *ept, struct gpa gpa, uint64_t bytes, unsigned perms,
                        enum ept_invalidate *need)
{
    enum status status = ept_perms_check(ept, perms);
    if (status != STATUS_OK) {
        return status;
    }
    struct change change = {.keep = ~ENTRY_PERMS, .set = perms, .must_exist = true};
    return change_range(ept, gpa, bytes, &change, need);
}

static struct change type_change(enum ept_type type)
{
    return (struct change){.keep = ~ENTRY_TYPE, .set = entry_attributes(0, type)};
}

enum status ept_set_type(struct ept *ept, struct gpa gpa, uint64_t bytes, enum ept_type type,
                         enum ept_invalidate *need)
{
    struct change change = type_change(type);
    return change_range(ept, gpa, bytes, &change, need);
}

enum status ept_set_type_tables(const struct ept *ept, struct gpa gpa, uint64_t bytes,
                                enum ept_type type, uint64_t *tables)
{
    enum status status = ept_range_check(ept, gpa.v, bytes);
    if (status != STATUS_OK) {
        return status;
    }
    struct change change = type_change(type);
    return change_prepare(ept, gpa.v, gpa.v + bytes, &change, tables);
}
