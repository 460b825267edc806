#include "memory_map.h"

#include "layout.h"

#include <string.h>

#define LOW_MEMORY_END 0x100000ULL
#define FOUR_GIB (4ULL << 30)

struct hw_boot_info boot_info;
struct memory_main memory_main;

/* Of two types that claim the same bytes: RAM yields to everything, ACPI and NVS to the rest. */
static uint32_t stronger(uint32_t a, uint32_t b)
{
    if (a == HW_MEMORY_RAM || b == HW_MEMORY_RAM) {
        return a == HW_MEMORY_RAM ? b : a;
    }
    return a == HW_MEMORY_RESERVED || b == HW_MEMORY_RESERVED ? HW_MEMORY_RESERVED : a;
}

static bool insert(struct hw_boot_info *info, unsigned at, uint64_t start, uint64_t end,
                   uint32_t type)
{
    if (start >= end) {
        return true;
    }
    if (info->memory_count == CONFIG_MAX_MEMORY_RANGES) {
        return false;
    }
    memmove(&info->memory[at + 1], &info->memory[at],
            (info->memory_count - at) * sizeof(info->memory[0]));
    info->memory[at] = (struct hw_memory_range){.start = start, .end = end, .type = type};
    info->memory_count++;
    return true;
}

bool memory_map_add(struct hw_boot_info *info, uint64_t start, uint64_t end, uint32_t type)
{
    unsigned at = 0;

    while (start < end) {
        while (at < info->memory_count && info->memory[at].end <= start) {
            at++;
        }
        struct hw_memory_range *next = &info->memory[at];
        if (at == info->memory_count || next->start >= end) {
            return insert(info, at, start, end, type);
        }
        if (start < next->start) { /* the part before the next range */
            if (!insert(info, at, start, next->start, type)) {
                return false;
            }
            start = info->memory[++at].start;
            continue;
        }
        /* [start, ...) overlaps *next: cut *next at both ends, the middle gets the stronger type.
         */
        struct hw_memory_range old = *next;
        uint64_t middle_end = end < old.end ? end : old.end;
        *next = (struct hw_memory_range){start, middle_end, stronger(old.type, type)};
        if (!insert(info, at, old.start, start, old.type)) {
            return false;
        }
        at += old.start < start ? 2 : 1;
        if (!insert(info, at, middle_end, old.end, old.type)) {
            return false;
        }
        start = middle_end;
    }
    return true;
}

uint64_t memory_map_ram_end(const struct hw_boot_info *info)
{
    for (unsigned i = info->memory_count; i > 0; i--) {
        if (info->memory[i - 1].type == HW_MEMORY_RAM) {
            return info->memory[i - 1].end;
        }
    }
    return 0;
}

/* The first of the ranges that [start, start + bytes) touches; count if none. */
static unsigned find_overlap(const struct hw_memory_range *ranges, unsigned count, uint64_t start,
                             uint64_t bytes)
{
    unsigned hit = 0;

    while (hit < count && (ranges[hit].end <= start || ranges[hit].start >= start + bytes)) {
        hit++;
    }
    return hit;
}

bool memory_map_is_free(const struct hw_boot_info *info, uint64_t start, uint64_t bytes,
                        const struct hw_memory_range *avoid, unsigned avoid_count)
{
    unsigned at = find_overlap(info->memory, info->memory_count, start, bytes);

    return start >= LOW_MEMORY_END && at < info->memory_count &&
           info->memory[at].type == HW_MEMORY_RAM && info->memory[at].start <= start &&
           info->memory[at].end - start >= bytes &&
           find_overlap(avoid, avoid_count, start, bytes) == avoid_count;
}

/* The highest place in one range of RAM, stepping down over what is to be avoided; 0 if none. */
static uint64_t find_in_range(const struct hw_memory_range *range, uint64_t bytes,
                              uint64_t alignment, const struct hw_memory_range *avoid,
                              unsigned avoid_count)
{
    uint64_t end = range->end < FOUR_GIB ? range->end : FOUR_GIB;

    while (end > range->start && end - range->start >= bytes) {
        uint64_t start = addr_align_down(end - bytes, alignment);
        if (start < range->start || start < LOW_MEMORY_END) {
            return 0;
        }
        unsigned hit = find_overlap(avoid, avoid_count, start, bytes);
        if (hit == avoid_count) {
            return start;
        }
        end = avoid[hit].start;
    }
    return 0;
}

uint64_t memory_map_find(const struct hw_boot_info *info, uint64_t bytes, uint64_t alignment,
                         const struct hw_memory_range *avoid, unsigned avoid_count)
{
    for (unsigned i = info->memory_count; i > 0; i--) {
        const struct hw_memory_range *range = &info->memory[i - 1];
        uint64_t found = range->type == HW_MEMORY_RAM
                             ? find_in_range(range, bytes, alignment, avoid, avoid_count)
                             : 0;
        if (found != 0) {
            return found;
        }
    }
    return 0;
}

static void main_candidate(uint64_t start, uint64_t end)
{
    end = end < host_space.direct_end ? end : host_space.direct_end;
    if (start < end && end - start > memory_main.end - memory_main.start) {
        memory_main = (struct memory_main){.start = start, .end = end};
    }
}

void memory_map_find_main(void)
{
    uint64_t private_start = host_space.region.v;
    uint64_t private_end = private_start + REGION_PRIVATE_BYTES;

    for (unsigned i = 0; i < boot_info.memory_count; i++) {
        const struct hw_memory_range *range = &boot_info.memory[i];
        if (range->type == HW_MEMORY_RAM) { /* what is before the private part, and after it */
            main_candidate(range->start, range->end < private_start ? range->end : private_start);
            main_candidate(range->start > private_end ? range->start : private_end, range->end);
        }
    }
}

bool memory_map_is_ram(uint64_t start, uint64_t bytes)
{
    uint64_t private_start = host_space.region.v;
    uint64_t private_end = private_start + REGION_PRIVATE_BYTES;

    if (bytes == 0 || start + bytes < start || start + bytes > host_space.direct_end ||
        (start < private_end && start + bytes > private_start)) {
        return false;
    }
    if (start + bytes <= LOW_MEMORY_END) {
        return true;
    }
    for (unsigned i = 0; i < boot_info.memory_count; i++) {
        const struct hw_memory_range *range = &boot_info.memory[i];
        if (start >= range->start && start < range->end && range->type != HW_MEMORY_BAD) {
            if (start + bytes <= range->end) {
                return true;
            }
            bytes -= range->end - start;
            start = range->end;
        }
    }
    return false;
}
