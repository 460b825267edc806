/* The firmware's memory map: sorted, and what counts as memory. */
#ifndef X86_MEMORY_MAP_H
#define X86_MEMORY_MAP_H

#include <hw/boot.h>
#include <stdbool.h>
#include <stdint.h>

/* The one copy of what the loader told, filled by start.c. */
extern struct hw_boot_info boot_info;

/*
 * Adds a range as the firmware reported it; keeps the list sorted and free of overlaps (where two
 * overlap, the less usable type wins).  False: the list is full.
 */
bool memory_map_add(struct hw_boot_info *info, uint64_t start, uint64_t end, uint32_t type);

/* End of the highest RAM. */
uint64_t memory_map_ram_end(const struct hw_boot_info *info);

/*
 * The highest place below 4 GiB for `bytes` bytes of RAM at the alignment that touches none of the
 * `avoid` ranges; 0 if there is none.
 */
uint64_t memory_map_find(const struct hw_boot_info *info, uint64_t bytes, uint64_t alignment,
                         const struct hw_memory_range *avoid, unsigned avoid_count);

/* [start, start + bytes) lies in one range of RAM above 1 MiB and touches nothing to avoid. */
bool memory_map_is_free(const struct hw_boot_info *info, uint64_t start, uint64_t bytes,
                        const struct hw_memory_range *avoid, unsigned avoid_count);

/* The longest piece of RAM that may be touched: most of what is asked for lies in it. */
struct memory_main {
    uint64_t start, end; /* none until memory_map_find_main() */
};
extern struct memory_main memory_main;

/* Once, when boot_info and host_space are what they will be. */
void memory_map_find_main(void);

/*
 * [start, start + bytes) is memory that the hypervisor may touch: reported by the firmware (or
 * below 1 MiB) and not in the private part of its own region.
 */
bool memory_map_is_ram(uint64_t start, uint64_t bytes);

/* Implies memory_map_is_ram(); for the longest piece only, and then in a few instructions. */
static inline bool memory_map_is_main(uint64_t start, uint64_t bytes)
{
    /* No bytes are not memory: 0 - 1 is more than there is. */
    return start >= memory_main.start && start < memory_main.end &&
           bytes - 1 < memory_main.end - start;
}

#endif
