/*
 * The host's final page tables, built once inside the private part of the region while the early
 * tables (identity-like direct map of 4 GiB) are in force, and never changed afterwards.
 */
#include "layout.h"
#include "percpu.h"

#include <base/bits.h>
#include <base/check.h>
#include <hw/cpu.h>
#include <string.h>

#define PTE_P BIT(0)
#define PTE_W BIT(1)
#define PTE_PS BIT(7)
#define PTE_G BIT(8)
#define PTE_NX BIT(63)
#define PTE_ADDRESS 0x000ffffffffff000ULL
#define ENTRIES 512

struct host_space host_space;

static uint64_t next_page; /* bump allocation inside the private part */
static uint64_t nx;        /* PTE_NX if the CPU has it */

static void fill_page(uint64_t physical, uint64_t value)
{
    void *at = direct_pointer(physical);
    uint64_t count = PAGE_BYTES / sizeof(value);
    __asm__ volatile("rep stosq" : "+D"(at), "+c"(count) : "a"(value) : "memory");
}

static bool page_take(uint64_t *physical)
{
    if (next_page + PAGE_BYTES > host_space.region.v + REGION_PRIVATE_BYTES) {
        return false;
    }
    *physical = next_page;
    next_page += PAGE_BYTES;
    fill_page(*physical, 0);
    return true;
}

/* The entry for address at level (4 = PML4E .. 1 = PTE), making tables on the way. */
static uint64_t *entry_for(uint64_t root, uint64_t address, unsigned level)
{
    uint64_t table = root;
    for (unsigned at = 4;; at--) {
        uint64_t *entries = direct_pointer(table);
        uint64_t *entry = &entries[(address >> (12 + 9 * (at - 1))) % ENTRIES];
        if (at == level) {
            return entry;
        }
        if (!(*entry & PTE_P)) {
            uint64_t page;
            if (!page_take(&page)) {
                return NULL;
            }
            *entry = page | PTE_P | PTE_W;
        }
        table = *entry & PTE_ADDRESS;
    }
}

static bool map_pages(uint64_t root, uint64_t address, uint64_t physical, uint64_t bytes,
                      uint64_t flags)
{
    for (uint64_t done = 0; done < bytes; done += PAGE_BYTES) {
        uint64_t *entry = entry_for(root, address + done, 1);
        if (entry == NULL) {
            return false;
        }
        *entry = (physical + done) | PTE_P | PTE_G | flags;
    }
    return true;
}

/* The guard pages in the image stay what they were during the boot: unmapped. */
static bool unmap(uint64_t root, const char *page)
{
    uint64_t *entry = entry_for(root, (uint64_t)page, 1);
    if (entry == NULL) {
        return false;
    }
    *entry = 0;
    return true;
}

static bool map_image(uint64_t root)
{
    uint64_t at = host_space.region.v - IMAGE_VIRTUAL;
    uint64_t text = (uint64_t)image_start, rodata = (uint64_t)rodata_start;
    uint64_t data = (uint64_t)data_start, end = (uint64_t)image_end;

    return map_pages(root, text, at + text, rodata - text, 0) &&
           map_pages(root, rodata, at + rodata, data - rodata, nx) &&
           map_pages(root, data, at + data, end - data, nx | PTE_W) && unmap(root, boot_df_guard) &&
           unmap(root, boot_guard);
}

static bool map_stacks(uint64_t root)
{
    for (unsigned cpu = 0; cpu < CONFIG_MAX_CPUS; cpu++) {
        for (unsigned kind = 0; kind < STACK_PER_CPU_COUNT; kind++) {
            struct stack_range range = stack_range(cpu, (enum stack_kind)kind);
            for (uint64_t at = range.bottom; at < range.top; at += PAGE_BYTES) {
                uint64_t page;
                if (!page_take(&page) || !map_pages(root, at, page, PAGE_BYTES, nx | PTE_W)) {
                    return false;
                }
                fill_page(page, STACK_PAINT);
            }
        }
    }
    return true;
}

/* 1-GiB pages where the CPU has them, but never over the private part of the region. */
static bool map_direct(uint64_t root, uint64_t end)
{
    bool pages_1g = hw_cpuid(0x80000001, 0).edx & BIT(26);
    uint64_t hole = host_space.region.v;

    for (uint64_t at = 0; at < end;) {
        bool hole_in_gib = addr_align_down(hole, PAGE_1G_BYTES) == at;
        unsigned level = pages_1g && addr_is_aligned(at, PAGE_1G_BYTES) && !hole_in_gib ? 3 : 2;
        if (at != hole) {
            uint64_t *entry = entry_for(root, DIRECT_VIRTUAL + at, level);
            if (entry == NULL) {
                return false;
            }
            *entry = at | PTE_P | PTE_W | PTE_PS | PTE_G | nx;
        }
        at += level == 3 ? PAGE_1G_BYTES : PAGE_2M_BYTES;
    }
    return true;
}

/* CR3 for the trampoline: the final tables plus an executable identity map of the first 2 MiB. */
static bool build_trampoline(uint64_t root)
{
    if (!page_take(&host_space.trampoline_cr3)) {
        return false;
    }
    memcpy(direct_pointer(host_space.trampoline_cr3), direct_pointer(root), PAGE_BYTES);
    uint64_t *entry = entry_for(host_space.trampoline_cr3, 0, 2);
    if (entry == NULL) {
        return false;
    }
    *entry = PTE_P | PTE_W | PTE_PS;
    return true;
}

bool paging_build(struct hpa region, uint64_t region_bytes, uint64_t ram_end)
{
    uint64_t image_bytes = (uint64_t)(image_end - image_start);

    nx = hw_cpuid(0x80000001, 0).edx & BIT(20) ? PTE_NX : 0;
    host_space.region = region;
    host_space.region_bytes = region_bytes;
    host_space.direct_end = addr_align_up(ram_end, PAGE_1G_BYTES);
    if (host_space.direct_end < 4 * PAGE_1G_BYTES) {
        host_space.direct_end = 4 * PAGE_1G_BYTES; /* devices below 4 GiB */
    }
    next_page = region.v + image_bytes;
    if (!page_take(&host_space.cr3) || !map_image(host_space.cr3) || !map_stacks(host_space.cr3) ||
        !map_direct(host_space.cr3, host_space.direct_end) || !build_trampoline(host_space.cr3)) {
        return false;
    }
    host_space.private_used = next_page - region.v;
    return true;
}
