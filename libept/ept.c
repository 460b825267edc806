#include "entry.h"

/* IA32_VMX_EPT_VPID_CAP. */
#define CAP_EXECUTE_ONLY BIT(0)
#define CAP_WALK_LENGTH_4 BIT(6)
#define CAP_TYPE_WB BIT(14)
#define CAP_PAGES_2M BIT(16)
#define CAP_PAGES_1G BIT(17)
#define CAP_INVEPT BIT(20)
#define CAP_ACCESSED_DIRTY BIT(21)
#define CAP_INVEPT_SINGLE_CONTEXT BIT(25)

/* EPTP: bits 2:0 type of the tables, bits 5:3 walk length minus 1, bit 6 accessed and dirty flags.
 */
#define EPTP_WALK_LENGTH_4 (3ULL << 3)
#define EPTP_ACCESSED_DIRTY BIT(6)

struct ept_features ept_features_from(uint64_t ia32_vmx_ept_vpid_cap)
{
    uint64_t needed = CAP_WALK_LENGTH_4 | CAP_TYPE_WB | CAP_INVEPT | CAP_INVEPT_SINGLE_CONTEXT;
    bool pages_2m = (ia32_vmx_ept_vpid_cap & CAP_PAGES_2M) != 0;
    return (struct ept_features){
        .usable = (ia32_vmx_ept_vpid_cap & needed) == needed,
        .pages_2m = pages_2m,
        /* A split of a 1-GiB page makes 2-MiB pages. */
        .pages_1g = pages_2m && (ia32_vmx_ept_vpid_cap & CAP_PAGES_1G) != 0,
        .execute_only = (ia32_vmx_ept_vpid_cap & CAP_EXECUTE_ONLY) != 0,
        .accessed_dirty = (ia32_vmx_ept_vpid_cap & CAP_ACCESSED_DIRTY) != 0,
    };
}

enum status ept_init(struct ept *ept, struct pool *pool, const struct ept_features *features,
                     unsigned maxphyaddr)
{
    if (!features->usable || maxphyaddr <= PAGE_SHIFT || maxphyaddr > 52) {
        return STATUS_UNSUPPORTED;
    }
    struct hpa root;
    enum status status = pool_alloc(pool, &root);
    if (status != STATUS_OK) {
        return status;
    }
    status = hw_phys_zero(root, PAGE_BYTES);
    CHECK(status == STATUS_OK);
    *ept =
        (struct ept){.root = root, .pool = pool, .features = *features, .maxphyaddr = maxphyaddr};
    return STATUS_OK;
}

/* One table on the way down; a position a level instead of recursion. */
struct level_position {
    struct hpa table;
    const uint64_t *entries;
    uint64_t left; /* bytes from the next entry's first one to the end of what was ever mapped */
    unsigned index;
};

static struct level_position enter_table(struct hpa table, unsigned level, uint64_t left)
{
    /* Nothing hangs below a page table. */
    return (struct level_position){.table = table,
                                   .entries = level == 1 ? NULL : table_entries(table),
                                   .left = level == 1 ? 0 : left};
}

void ept_free_below(struct ept *ept, struct hpa top, unsigned top_level, uint64_t used_bytes)
{
    struct level_position position[LEVEL_COUNT + 1];
    unsigned level = top_level;

    position[level] = enter_table(top, level, used_bytes);
    for (;;) {
        struct level_position *here = &position[level];
        if (here->index == TABLE_ENTRIES || here->left == 0) {
            if (level == top_level) {
                return;
            }
            pool_free(ept->pool, here->table);
            level++;
            continue;
        }
        uint64_t entry = here->entries[here->index++], bytes = entry_bytes(level);
        uint64_t below = here->left < bytes ? here->left : bytes;
        here->left -= below;
        if (entry_is_table(entry, level)) {
            level--;
            position[level] = enter_table(hpa(entry & ENTRY_ADDRESS), level, below);
        }
    }
}

void ept_clear(struct ept *ept)
{
    CHECK(ept->hidden_pages == 0);
    ept_release(ept);
    ept_free_below(ept, ept->root, LEVEL_COUNT, ept->mapped_end);
    enum status status = hw_phys_zero(ept->root, PAGE_BYTES);
    CHECK(status == STATUS_OK);
    ept->mapped_end = 0;
    ept->generation++;
}

void ept_destroy(struct ept *ept)
{
    ept_release(ept);
    ept_free_below(ept, ept->root, LEVEL_COUNT, ept->mapped_end);
    pool_free(ept->pool, ept->root);
    *ept = (struct ept){.pool = ept->pool, .generation = ept->generation + 1};
}

void ept_release(struct ept *ept)
{
    while (ept->retired_count > 0) {
        pool_free(ept->pool, ept->retired[--ept->retired_count]);
    }
}

uint64_t ept_pointer(const struct ept *ept)
{
    return ept->root.v | EPTP_WALK_LENGTH_4 | EPT_WB |
           (ept->accessed_dirty ? EPTP_ACCESSED_DIRTY : 0);
}

enum status ept_lookup(const struct ept *ept, struct gpa gpa, struct ept_translation *translation)
{
    if (gpa.v >> GPA_BITS_MAX != 0) {
        return STATUS_NOT_FOUND;
    }
    struct slot slot = slot_find(ept, gpa.v);
    if (!entry_is_present(slot.entry)) {
        return STATUS_NOT_FOUND;
    }
    uint64_t bytes = entry_bytes(slot.level);
    *translation = (struct ept_translation){
        .hpa = hpa(entry_leaf_address(slot.entry, slot.level) | (gpa.v & (bytes - 1))),
        .perms = (unsigned)(slot.entry & ENTRY_PERMS),
        .type = (enum ept_type)((slot.entry & ENTRY_TYPE) >> ENTRY_TYPE_SHIFT),
        .page_bytes = bytes,
    };
    return STATUS_OK;
}

enum status ept_range_check(const struct ept *ept, uint64_t address, uint64_t bytes)
{
    if (bytes == 0 || !addr_is_aligned(address | bytes, PAGE_BYTES)) {
        return STATUS_INVALID;
    }
    uint64_t limit = 1ULL << (ept->maxphyaddr < GPA_BITS_MAX ? ept->maxphyaddr : GPA_BITS_MAX);
    return address < limit && bytes <= limit - address ? STATUS_OK : STATUS_OVERFLOW;
}

enum status ept_perms_check(const struct ept *ept, unsigned perms)
{
    if (perms == 0 || (perms & ~EPT_RWX) != 0 || (perms & (EPT_READ | EPT_WRITE)) == EPT_WRITE) {
        return STATUS_INVALID;
    }
    if ((perms & EPT_READ) == 0 && !ept->features.execute_only) {
        return STATUS_UNSUPPORTED;
    }
    return STATUS_OK;
}
