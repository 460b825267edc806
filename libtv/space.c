#include <tv/space.h>

#include <base/bits.h>
#include <base/check.h>
#include <hw/mem.h>

/* Paging-structure entries (SDM vol. 3, 4.5 "4-Level Paging and 5-Level Paging"). */
#define PTE_P BIT(0)
#define PTE_W BIT(1)
#define PTE_U BIT(2)
#define PTE_A BIT(5)
#define PTE_D BIT(6)
#define PTE_NX BIT(63)
#define PTE_ADDRESS 0x000ffffffffff000ULL
#define LEVELS 4U

static enum tv_error from_status(enum status status)
{
    /* Whatever else could be wrong is wrong in libtv. */
    CHECK(status == STATUS_OK || status == STATUS_NO_MEMORY);
    return status == STATUS_OK ? TV_OK : TV_ERROR_NO_MEMORY;
}

/* A page table of the space: memory of ours that the PAL's view maps read-only. */
static enum tv_error add_table(struct tv_space *space, struct gpa *gpa_of, struct hpa *table)
{
    if (pool_alloc(space->ept.pool, table) != STATUS_OK) {
        return TV_ERROR_NO_MEMORY;
    }
    enum status status = hw_phys_zero(*table, PAGE_BYTES);
    CHECK(status == STATUS_OK);
    *gpa_of = gpa(space->next_gpa);
    enum tv_error error =
        from_status(ept_map(&space->ept, *gpa_of, *table, PAGE_BYTES, EPT_READ, EPT_WB));
    if (error == TV_OK) {
        space->next_gpa += PAGE_BYTES;
    } else {
        pool_free(space->ept.pool, *table);
    }
    return error;
}

enum tv_error tv_space_init(struct tv_space *space, struct pool *pool,
                            const struct ept_features *features, unsigned maxphyaddr)
{
    *space = (struct tv_space){.next_gpa = 0};
    if (from_status(ept_init(&space->ept, pool, features, maxphyaddr)) != TV_OK) {
        return TV_ERROR_NO_MEMORY;
    }
    enum tv_error error = add_table(space, &space->root, &space->root_table);
    if (error != TV_OK) {
        ept_destroy(&space->ept);
    }
    space->reserved_end = space->next_gpa;
    return error;
}

struct gpa tv_space_reserve(struct tv_space *space, uint64_t pages)
{
    struct gpa start = gpa(space->next_gpa);
    CHECK(space->next_gpa == space->reserved_end);
    space->next_gpa += pages * PAGE_BYTES;
    space->reserved_end = space->next_gpa;
    return start;
}

static struct hpa entry_at(struct hpa table, uint64_t linear, unsigned level)
{
    uint64_t index = linear >> (PAGE_SHIFT + 9 * (level - 1)) & 511;
    return hpa(table.v + index * sizeof(uint64_t));
}

/* The table that an entry refers to, made if there is none yet. */
static enum tv_error next_table(struct tv_space *space, struct hpa entry, struct hpa *table)
{
    uint64_t value = hw_phys_read64(entry);
    if ((value & PTE_P) != 0) {
        *table = tv_space_page(space, gpa(value & PTE_ADDRESS));
        return TV_OK;
    }
    struct gpa made;
    enum tv_error error = add_table(space, &made, table);
    if (error == TV_OK) {
        hw_phys_write64(entry, made.v | PTE_P | PTE_W | PTE_U | PTE_A);
    }
    return error;
}

/* The page table for an address: mostly that of the page before, as tables stay till the end. */
static enum tv_error leaf_table(struct tv_space *space, uint64_t linear, struct hpa *table)
{
    uint64_t start = addr_align_down(linear, PAGE_2M_BYTES);
    if (space->leaf_table.v != 0 && space->leaf_linear == start) {
        *table = space->leaf_table;
        return TV_OK;
    }
    *table = space->root_table;
    for (unsigned level = LEVELS; level > 1; level--) {
        enum tv_error error = next_table(space, entry_at(*table, linear, level), table);
        if (error != TV_OK) {
            return error;
        }
    }
    space->leaf_linear = start;
    space->leaf_table = *table;
    return TV_OK;
}

/* The nested tables give the same rights as the page tables: either alone would do. */
static unsigned nested_rights(unsigned rights)
{
    return EPT_READ | ((rights & TV_SPACE_WRITE) != 0 ? EPT_WRITE : 0) |
           ((rights & TV_SPACE_EXECUTE) != 0 ? EPT_EXECUTE : 0);
}

enum tv_error tv_space_map(struct tv_space *space, uint64_t linear, struct gpa gpa, struct hpa hpa,
                           unsigned rights)
{
    struct hpa table;
    enum tv_error error = leaf_table(space, linear, &table);
    if (error != TV_OK) {
        return error;
    }
    error = from_status(ept_map(&space->ept, gpa, hpa, PAGE_BYTES, nested_rights(rights), EPT_WB));
    if (error != TV_OK) {
        return error;
    }
    struct hpa entry = entry_at(table, linear, 1);
    CHECK(hw_phys_read64(entry) == 0);
    hw_phys_write64(entry, gpa.v | PTE_P | PTE_U | PTE_A | PTE_D |
                               ((rights & TV_SPACE_WRITE) != 0 ? PTE_W : 0) |
                               ((rights & TV_SPACE_EXECUTE) != 0 ? 0 : PTE_NX));
    return TV_OK;
}

void tv_space_unmap(struct tv_space *space, uint64_t linear, struct gpa gpa_of)
{
    struct hpa table = space->root_table;
    enum ept_invalidate need;

    for (unsigned level = LEVELS; level > 1; level--) {
        uint64_t entry = hw_phys_read64(entry_at(table, linear, level));
        table = tv_space_page(space, gpa(entry & PTE_ADDRESS));
    }
    hw_phys_write64(entry_at(table, linear, 1), 0);
    CHECK(ept_unmap(&space->ept, gpa_of, PAGE_BYTES, &need) == STATUS_OK);
    __atomic_store_n(&space->seen, 0, __ATOMIC_RELEASE);
}

struct hpa tv_space_page(const struct tv_space *space, struct gpa gpa)
{
    struct ept_translation translation;
    enum status status = ept_lookup(&space->ept, gpa, &translation);
    CHECK(status == STATUS_OK);
    return translation.hpa;
}

void tv_space_destroy(struct tv_space *space)
{
    pool_free(space->ept.pool, space->root_table);
    for (uint64_t table = space->reserved_end; table < space->next_gpa; table += PAGE_BYTES) {
        pool_free(space->ept.pool, tv_space_page(space, gpa(table)));
    }
    ept_destroy(&space->ept);
}
