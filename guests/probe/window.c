#include "window.h"
#include "cpu.h"
#include "probe.h"
#include "trap.h"

#define SPARE 0x2000000ULL /* 32 MiB: behind us, below any initrd or module */

static uint64_t table[WINDOW_PAGES] __attribute__((aligned(4096)));
static uint64_t directory[512] __attribute__((aligned(4096)));
static uint64_t pointers[512] __attribute__((aligned(4096)));

uint64_t window_map(unsigned slot, uint64_t physical, uint64_t flags)
{
    uint64_t *root = (uint64_t *)(void *)pml4;

    root[WINDOW >> 39] = (uint64_t)pointers | PTE_NORMAL;
    pointers[0] = (uint64_t)directory | PTE_NORMAL;
    directory[0] = (uint64_t)table | PTE_NORMAL;
    table[slot] = physical | flags;
    invlpg(WINDOW + slot * PAGE);
    return WINDOW + slot * PAGE;
}

uint64_t window_table(uint64_t entry)
{
    uint64_t old = directory[0];

    directory[0] = entry;
    write_cr3(read_cr3());
    return old;
}

uint64_t spare_page(unsigned number)
{
    return SPARE + number * PAGE;
}

/* Device registers may have side effects, so only ranges aligned as Nacre's region is are tried. */
#define REGION_ALIGN 0x200000ULL

bool region_find(struct region *region)
{
    *region = (struct region){0, 0};
    for (unsigned i = 0; i < boot_ranges(); i++) {
        struct range range = boot_range(i);
        if (range.type == 1 || range.start < 0x100000 || range.start % REGION_ALIGN != 0 ||
            range.end > 0xe0000000) {
            continue;
        }
        for (uint64_t at = range.start; at < range.end; at += REGION_ALIGN) {
            if (try(load, at, 0) == GP) {
                region->start = region->start == 0 ? at : region->start;
                region->end = at + REGION_ALIGN;
            }
        }
    }
    return region->start != 0;
}
