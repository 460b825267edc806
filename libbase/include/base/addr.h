/*
 * Kinds of addresses.  Host-physical and guest-physical addresses are distinct types, so that one
 * cannot be passed for the other; both are always 64 bits wide (REQ-MEM-2).  Half-open ranges.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_BYTES (1ULL << PAGE_SHIFT)
#define PAGE_MASK (PAGE_BYTES - 1)
#define PAGE_2M_BYTES (1ULL << 21)
#define PAGE_1G_BYTES (1ULL << 30)

struct hpa { /* host-physical address */
    uint64_t v;
};
struct gpa { /* guest-physical address */
    uint64_t v;
};

static inline struct hpa hpa(uint64_t v)
{
    return (struct hpa){v};
}

static inline struct gpa gpa(uint64_t v)
{
    return (struct gpa){v};
}

static inline bool addr_is_aligned(uint64_t v, uint64_t alignment)
{
    return (v & (alignment - 1)) == 0;
}

static inline uint64_t addr_align_down(uint64_t v, uint64_t alignment)
{
    return v & ~(alignment - 1);
}

/* Wraps to 0 past the last multiple; callers bound v first. */
static inline uint64_t addr_align_up(uint64_t v, uint64_t alignment)
{
    return (v + alignment - 1) & ~(alignment - 1);
}

#endif
