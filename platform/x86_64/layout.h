/*
 * Where things are in the host's address space and in the hypervisor's region.
 *
 * Virtual:   IMAGE_VIRTUAL    the image, W^X, 4-KiB pages
 *            DIRECT_VIRTUAL   all physical memory, writable, not executable, without the first 2
 * MiB of the region STACKS_VIRTUAL   every stack with an unmapped guard page below it Region: [0, 2
 * MiB)       image, stacks, page tables: never in the direct map, so nothing but the mappings above
 * reaches them [2 MiB, end)     the pool for the hypapp's tables
 */
#ifndef X86_LAYOUT_H
#define X86_LAYOUT_H

#include <base/addr.h>
#include <config/config.h>
#include <config/stack.h>
#include <stdbool.h>
#include <stdint.h>

#define IMAGE_VIRTUAL 0xffffffff80000000ULL
#define DIRECT_VIRTUAL 0xffff800000000000ULL
#define STACKS_VIRTUAL 0xffffffffc0000000ULL
#define REGION_PRIVATE_BYTES PAGE_2M_BYTES

extern char image_start[], text_end[], rodata_start[], rodata_end[], data_start[], data_end[];
extern char bss_start[], image_end[];
/* In the image (boot32.S): the boot stack and the #DF stack of that time, with their guard pages.
 */
extern char boot_df_guard[], boot_df_stack_top[], boot_guard[], boot_stack[], boot_stack_top[];

/* As enum hw_stack and as the build's table of bounds (nacre_stack_computed). */
enum stack_kind { STACK_MAIN, STACK_NMI, STACK_DF, STACK_MC, STACK_BOOT, STACK_KIND_COUNT };
#define STACK_PER_CPU_COUNT STACK_BOOT

struct stack_range { /* [bottom, top); the page below bottom is the guard */
    uint64_t bottom, top;
};

/* Virtual range of a stack; pure. */
struct stack_range stack_range(unsigned cpu, enum stack_kind kind);
const char *stack_name(enum stack_kind kind);
/* How deep a stack has been, seen from its paint. */
uint64_t stack_peak_bytes(struct stack_range range);
/* Which stack an address lies in or below (its guard page); false if none. */
bool stack_find(uint64_t address, unsigned *cpu, enum stack_kind *kind, bool *in_guard);

static inline void *direct_pointer(uint64_t physical)
{
    return (void *)(DIRECT_VIRTUAL + physical);
}

/* The final address space, built before the switch to the region. */
struct host_space {
    struct hpa region;
    uint64_t region_bytes;
    uint64_t direct_end; /* physical end of the direct map */
    uint64_t cr3;
    uint64_t trampoline_cr3; /* the same plus an identity map of the first 2 MiB, for AP start */
    uint64_t private_used;   /* bytes of the private part in use */
};
extern struct host_space host_space;

/*
 * What the build computed (tools/build/stack.py, docs/stack.md), in its tables beside the function
 * names: the worst case of each stack in bytes, in the order of enum stack_kind with the boot stack
 * last; and for each entry of nacre_symtab the index of its library (enum stack_library of
 * config/stack.h).
 */
extern const uint32_t nacre_stack_computed[];
extern const uint8_t nacre_symtab_library[];

/* Builds host_space inside the region; the early direct map must be in force.  False: no room. */
bool paging_build(struct hpa region, uint64_t region_bytes, uint64_t ram_end);

#endif
