/* Adding translations where there are none. */
#include "entry.h"

/* Largest level at which [gpa, ...) -> [hpa, ...) can have leaves: 1, 2 or 3. */
static unsigned leaf_level_max(const struct ept *ept, uint64_t gpa, uint64_t hpa)
{
    uint64_t offset = gpa ^ hpa;
    if (ept->features.pages_1g && addr_is_aligned(offset, PAGE_1G_BYTES)) {
        return 3;
    }
    return ept->features.pages_2m && addr_is_aligned(offset, PAGE_2M_BYTES) ? 2 : 1;
}

uint64_t ept_tables_below(uint64_t start, uint64_t end, unsigned entry_level, unsigned leaf_level)
{
    uint64_t tables = 0;
    for (unsigned level = 1; level < entry_level; level++) {
        /* A table of this level hangs below each block that is touched and is not one large leaf.
         */
        unsigned shift = entry_shift(level + 1);
        uint64_t first = start >> shift, last = (end - 1) >> shift;
        if (level + 1 > leaf_level) {
            tables += last - first + 1;
            continue;
        }
        uint64_t block_mask = (1ULL << shift) - 1;
        bool first_partial = (start & block_mask) != 0 || (end >> shift) == first;
        bool last_partial = (end & block_mask) != 0;
        tables += (first_partial ? 1 : 0) + (last_partial && last != first ? 1 : 0);
    }
    return tables;
}

static bool leaf_fits(const struct slot *slot, uint64_t gpa, uint64_t end, unsigned leaf_level)
{
    return slot->level <= leaf_level && slot_is_within(slot, gpa, end);
}

/* Counts the tables that are missing; STATUS_OVERLAP when something is mapped or hidden. */
static enum status map_prepare(const struct ept *ept, uint64_t gpa, uint64_t end,
                               unsigned leaf_level, uint64_t *tables)
{
    *tables = 0;
    struct slot slot = slot_find(ept, gpa);
    for (;;) {
        if (slot.entry != 0) {
            return STATUS_OVERLAP;
        }
        uint64_t next = slot_end(&slot, gpa, end);
        if (!leaf_fits(&slot, gpa, end, leaf_level)) {
            *tables += ept_tables_below(gpa, next, slot.level, leaf_level);
        }
        if (next == end) {
            return STATUS_OK;
        }
        gpa = next;
        slot_next(ept, &slot, gpa);
    }
}

/* Puts an empty table where nothing is; the walk goes on in it. */
static void link_empty_table(struct ept *ept, struct slot *slot, uint64_t gpa)
{
    struct hpa table;
    enum status status = pool_alloc(ept->pool, &table);
    CHECK(status == STATUS_OK);
    status = hw_phys_zero(table, PAGE_BYTES);
    CHECK(status == STATUS_OK);
    slot_write(slot, entry_table(table));
    slot->table = table;
    slot->level--;
    slot->index = entry_index(gpa, slot->level);
    slot->entry = 0;
}

/*
 * Leaves side by side in one table, from the slot on; gives the address where they end.  Nothing is
 * mapped there, but in a table that is not new an entry may refer to a table, which is left to the
 * caller.  This loop is most of what an identity map costs at boot.
 */
static uint64_t fill(const struct slot *slot, bool is_new, uint64_t gpa, uint64_t end,
                     uint64_t leaf)
{
    uint64_t bytes = entry_bytes(slot->level), count = (end - gpa) / bytes;
    uint64_t room = TABLE_ENTRIES - slot->index;
    struct hpa at = entry_address(slot->table, slot->index);
    count = count < room ? count : room;
    bool has_tables = slot->level > 1 && !is_new;
    for (uint64_t i = 0; i < count; i++) {
        if (has_tables && entry_is_present(hw_phys_read64(at))) {
            return gpa + i * bytes;
        }
        hw_phys_write64(at, leaf);
        at.v += sizeof leaf;
        leaf += bytes;
    }
    return gpa + count * bytes;
}

static void map_commit(struct ept *ept, uint64_t gpa, uint64_t end, uint64_t offset,
                       unsigned leaf_level, uint64_t attributes)
{
    while (gpa != end) {
        struct slot slot = slot_find(ept, gpa);
        bool is_new = false;
        while (!leaf_fits(&slot, gpa, end, leaf_level)) {
            link_empty_table(ept, &slot, gpa);
            is_new = true;
        }
        gpa = fill(&slot, is_new, gpa, end, entry_leaf(gpa + offset, slot.level, attributes));
    }
}

enum status ept_map(struct ept *ept, struct gpa gpa, struct hpa hpa, uint64_t bytes, unsigned perms,
                    enum ept_type type)
{
    enum status status = ept_range_check(ept, gpa.v, bytes);
    if (status == STATUS_OK) {
        status = ept_perms_check(ept, perms);
    }
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t hpa_limit = 1ULL << ept->maxphyaddr;
    if (!addr_is_aligned(hpa.v, PAGE_BYTES)) {
        return STATUS_INVALID;
    }
    if (hpa.v >= hpa_limit || bytes > hpa_limit - hpa.v) {
        return STATUS_OVERFLOW;
    }
    unsigned leaf_level = leaf_level_max(ept, gpa.v, hpa.v);
    uint64_t tables;
    status = map_prepare(ept, gpa.v, gpa.v + bytes, leaf_level, &tables);
    if (status != STATUS_OK) {
        return status;
    }
    if (tables > ept->pool->free_pages) {
        return STATUS_NO_MEMORY;
    }
    map_commit(ept, gpa.v, gpa.v + bytes, hpa.v - gpa.v, leaf_level, entry_attributes(perms, type));
    if (gpa.v + bytes > ept->mapped_end) {
        ept->mapped_end = gpa.v + bytes;
    }
    ept->generation++;
    return STATUS_OK;
}
