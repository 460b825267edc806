/* A linear window at 1 TiB, of 4-KiB pages that a probe can point anywhere. */
#ifndef PROBE_WINDOW_H
#define PROBE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW 0x10000000000ULL
#define WINDOW_PAGES 512
#define PAGE 4096ULL

#define PTE_P 1ULL
#define PTE_RW 2ULL
#define PTE_US 4ULL
#define PTE_UC 0x18ULL
#define PTE_NORMAL (PTE_P | PTE_RW | PTE_US)

/* Maps one page; returns its linear address. */
uint64_t window_map(unsigned slot, uint64_t physical, uint64_t flags);
/* Where the window's page table lies, as the page directory has it; put another there, get the old.
 */
uint64_t window_table(uint64_t entry);

/* Guest-physical [start, end) that faults when it is read: the hypervisor's. */
struct region {
    uint64_t start, end;
};
/* false: the memory map holds nothing like that, or a probe has failed. */
bool region_find(struct region *region);
/* An aligned page of RAM that the memory map gives us and nobody uses. */
uint64_t spare_page(unsigned number);

#endif
