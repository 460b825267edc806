/* The machine, and guest processes with page tables. */
#include "pal_suite.h"

#include <base/bits.h>
#include <ept/identity.h>

#define P_PRESENT 1U
#define P_WRITE 2U
#define P_USER 4U
#define P_ACCESSED_DIRTY 0x60U
#define P_LARGE 0x80U
#define P_NX (1ULL << 63)

static uint64_t pool_bitmap[SUITE_POOL_PAGES / 64];
static struct hpa kept[SUITE_POOL_PAGES];
static unsigned kept_count, kept_for_good;

static void start_tv(void)
{
    struct tv_config config = {.guest_map = &suite.map,
                               .mtrr = &suite.mtrr,
                               .phys_bits = SUITE_PHYS_BITS,
                               .pages_1g = true};
    for (unsigned cpu = 0; cpu < SUITE_CPUS; cpu++) {
        config.isolated[cpu] = &suite.isolated[cpu];
    }
    tv_init(&suite.tv, &config);
}

void suite_start(void)
{
    struct fake_config machine = fake_config_default();
    machine.cpus = SUITE_CPUS;
    machine.range_count = 4;
    machine.ranges[2] = (struct fake_range){0x100000, 0xbff00000, HW_MEMORY_RAM};
    machine.ranges[3] = (struct fake_range){0x100000000, 0x80000000, HW_MEMORY_RAM};
    machine.region_end = 0x10000000;
    fake_machine_reset(&machine);
    fake_maxphyaddr_set(SUITE_PHYS_BITS);
    memset(&suite, 0, sizeof(suite));
    suite_vcpus_init();
    suite.random = 0x9e3779b97f4a7c15ULL;
    suite.next_frame = SUITE_FRAMES;
    suite.mtrr = (struct mtrr){.cap = 0x508, /* fixed ones, WC, 8 variable ones */
                               .def_type = 0x806,
                               .variable_count = 8,
                               .maxphyaddr = SUITE_PHYS_BITS};
    suite.mtrr.base[0] = SUITE_UNCACHED;
    suite.mtrr.mask[0] = bits_mask(21, SUITE_PHYS_BITS) | 0x800;
    const struct hw_boot_info *boot = fake_boot_info();
    pool_init(&suite.pool, boot->pool, SUITE_POOL_PAGES, pool_bitmap);
    kept_count = kept_for_good = 0;
    struct ept_features features = {.usable = true,
                                    .pages_2m = true,
                                    .pages_1g = true,
                                    .execute_only = true,
                                    .accessed_dirty = true};
    SUITE_CHECK(ept_init(&suite.map, &suite.pool, &features, SUITE_PHYS_BITS) == STATUS_OK);
    SUITE_CHECK(ept_identity_map(&suite.map, SUITE_RAM_END, &suite.mtrr, boot->region,
                                 boot->region_bytes) == STATUS_OK);
    start_tv();
    fake_console_clear();
}

void suite_give_all(void)
{
    while (kept_count > kept_for_good) {
        pool_free(&suite.pool, kept[--kept_count]);
    }
}

void suite_keep_free(uint64_t pages)
{
    suite_give_all();
    while (suite.pool.free_pages > pages) {
        SUITE_CHECK(pool_alloc(&suite.pool, &kept[kept_count++]) == STATUS_OK);
    }
}

void suite_limit_pool(uint64_t pages)
{
    suite_keep_free(pages);
    kept_for_good = kept_count;
}

uint64_t suite_frames(uint64_t pages)
{
    uint64_t frame = suite.next_frame;
    suite.next_frame += pages * PAGE_BYTES;
    SUITE_CHECK(fake_ram(frame, pages * PAGE_BYTES) != NULL);
    return frame;
}

static bool is_legacy(const struct suite_process *process)
{
    return process->mode == SUITE_32;
}

/* Highest level with a table in memory that has an entry for each address. */
static unsigned top_level(const struct suite_process *process)
{
    static const unsigned levels[SUITE_MODES] = {4, 5, 4, 2, 2};
    return levels[process->mode];
}

void *suite_entry(const struct suite_process *process, uint64_t linear, unsigned level)
{
    bool legacy = is_legacy(process);
    unsigned index_bits = legacy ? 10 : 9;
    uint64_t table = process->mode == SUITE_PAE ? process->pdpte[linear >> 30 & 3] : process->cr3;

    for (unsigned at = top_level(process);; at--) {
        uint64_t index = linear >> (PAGE_SHIFT + index_bits * (at - 1)) & ((1U << index_bits) - 1);
        table &= bits_mask(PAGE_SHIFT, SUITE_PHYS_BITS);
        uint8_t *entry = fake_ram(table + index * (legacy ? 4 : 8), 8);
        if (at == level) {
            return entry;
        }
        uint64_t value = 0;
        memcpy(&value, entry, legacy ? 4 : 8);
        if ((value & P_PRESENT) == 0) {
            value = suite_frames(1) | P_PRESENT | P_WRITE | P_USER | 0x20;
            memset(fake_ram(value & ~PAGE_MASK, PAGE_BYTES), 0, PAGE_BYTES);
            memcpy(entry, &value, legacy ? 4 : 8);
        }
        SUITE_CHECK((value & P_LARGE) == 0);
        table = value;
    }
}

static void put_entry(const struct suite_process *process, uint64_t linear, unsigned level,
                      uint64_t value)
{
    memcpy(suite_entry(process, linear, level), &value, is_legacy(process) ? 4 : 8);
}

static uint64_t entry_of(const struct suite_process *process, uint64_t gpa, unsigned rights)
{
    uint64_t value = gpa | P_PRESENT | P_ACCESSED_DIRTY;
    value |= (rights & SUITE_USER) != 0 ? P_USER : 0;
    value |= (rights & SUITE_WRITE) != 0 ? P_WRITE : 0;
    return value | ((rights & SUITE_EXECUTE) == 0 && !is_legacy(process) ? P_NX : 0);
}

void suite_map(const struct suite_process *process, uint64_t linear, uint64_t gpa, unsigned rights)
{
    put_entry(process, linear, 1, entry_of(process, gpa, rights));
}

void suite_map_large(const struct suite_process *process, uint64_t linear, uint64_t gpa,
                     unsigned rights, unsigned level)
{
    put_entry(process, linear, level, entry_of(process, gpa, rights) | P_LARGE);
}

void suite_unmap(const struct suite_process *process, uint64_t linear)
{
    put_entry(process, linear, 1, 0);
}

static void map_range(const struct suite_process *process, uint64_t linear)
{
    for (unsigned page = 0; page < SUITE_RANGE_PAGES; page++) {
        uint64_t frame = suite_frames(1);
        memset(fake_ram(frame, PAGE_BYTES), 0, PAGE_BYTES);
        suite_map(process, linear + page * PAGE_BYTES, frame, SUITE_RW);
    }
}

void suite_process_make(struct suite_process *process, enum suite_mode mode)
{
    *process = (struct suite_process){.mode = mode, .cr3 = suite_frames(1)};
    memset(fake_ram(process->cr3, PAGE_BYTES), 0, PAGE_BYTES);
    for (unsigned i = 0; mode == SUITE_PAE && i < 4; i++) {
        process->pdpte[i] = suite_frames(1) | P_PRESENT;
        memset(fake_ram(process->pdpte[i] & ~PAGE_MASK, PAGE_BYTES), 0, PAGE_BYTES);
        memcpy(fake_ram(process->cr3 + 8 * i, 8), &process->pdpte[i], 8);
    }
    map_range(process, SUITE_ARGS);
    map_range(process, SUITE_STACK);
    map_range(process, SUITE_BUFFER);
}

uint64_t suite_gpa(const struct suite_process *process, uint64_t linear)
{
    bool legacy = is_legacy(process);
    unsigned index_bits = legacy ? 10 : 9;
    uint64_t table = process->mode == SUITE_PAE ? process->pdpte[linear >> 30 & 3] : process->cr3;

    for (unsigned level = top_level(process);; level--) {
        unsigned shift = PAGE_SHIFT + index_bits * (level - 1);
        uint64_t index = linear >> shift & ((1U << index_bits) - 1), value = 0;
        table &= bits_mask(PAGE_SHIFT, SUITE_PHYS_BITS);
        memcpy(&value, fake_ram(table + index * (legacy ? 4 : 8), 8), legacy ? 4 : 8);
        if ((value & P_PRESENT) == 0) {
            return ~0ULL;
        }
        if (level == 1 || (value & P_LARGE) != 0) {
            uint64_t in_page = bits_mask(0, shift);
            return (value & bits_mask(PAGE_SHIFT, SUITE_PHYS_BITS) & ~in_page) | (linear & in_page);
        }
        table = value;
    }
}

void suite_run(unsigned cpu, const struct suite_process *process)
{
    struct vcpu *vcpu = &suite.guest[cpu];
    fake_select_cpu(cpu);
    vcpu->width = suite_width(process);
    vcpu->paging = (struct vcpu_paging){.cr0 = 0x80010011,
                                        .cr3 = process->cr3 | 0x18, /* PWT, PCD: no address */
                                        .cr4 = process->mode == SUITE_32 ? 0x10 : 0x20,
                                        .efer = process->mode == SUITE_32 ? 0 : 0x800,
                                        .rflags = 2,
                                        .cpl = 3};
    if (process->mode <= SUITE_COMPAT) {
        vcpu->paging.efer |= 0x500;
    }
    if (process->mode == SUITE_LA57) {
        vcpu->paging.cr4 |= 1 << 12;
    }
    memcpy(vcpu->paging.pdpte, process->pdpte, sizeof(process->pdpte));
    for (unsigned segment = 0; segment < 6; segment++) { /* which 64-bit code does not have */
        vcpu->base[segment] = segment * PAGE_BYTES;
    }
}

static uint8_t *byte_of(const struct suite_process *process, uint64_t linear)
{
    uint64_t gpa = suite_gpa(process, linear);
    SUITE_CHECK(gpa != ~0ULL);
    uint8_t *byte = fake_ram(gpa, 1);
    SUITE_CHECK(byte != NULL);
    return byte;
}

void suite_put(const struct suite_process *process, uint64_t linear, const void *from,
               uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++) {
        *byte_of(process, linear + i) = ((const uint8_t *)from)[i];
    }
}

void suite_get(const struct suite_process *process, uint64_t linear, void *to, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++) {
        ((uint8_t *)to)[i] = *byte_of(process, linear + i);
    }
}
