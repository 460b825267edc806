#include "memmap.h"

#include <string.h>

#define MIB (1ULL << 20)

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Puts pieces in place of ranges [first, last). */
static enum status replace(struct memmap *map, unsigned first, unsigned last,
                           const struct hw_memory_range *pieces, unsigned piece_count)
{
    unsigned tail = map->count - last;

    if (first + piece_count + tail > MEMMAP_MAX_RANGES) {
        return STATUS_OVERFLOW;
    }
    memmove(&map->ranges[first + piece_count], &map->ranges[last], tail * sizeof(map->ranges[0]));
    memcpy(&map->ranges[first], pieces, piece_count * sizeof(pieces[0]));
    map->count = first + piece_count + tail;
    return STATUS_OK;
}

enum status memmap_set(struct memmap *map, uint64_t start, uint64_t end, uint32_t type)
{
    struct hw_memory_range pieces[3];
    struct hw_memory_range middle = {start, end, type};
    unsigned count = 0;
    unsigned first = 0;

    if (start >= end) {
        return STATUS_INVALID;
    }
    /* [first, last): the ranges that the new one overlaps or touches. */
    while (first < map->count && map->ranges[first].end < start) {
        first++;
    }
    unsigned last = first;
    while (last < map->count && map->ranges[last].start <= end) {
        last++;
    }
    for (unsigned i = first; i < last; i++) {
        const struct hw_memory_range *old = &map->ranges[i];
        if (old->type == type) {
            middle.start = min_u64(middle.start, old->start);
            middle.end = max_u64(middle.end, old->end);
        } else if (old->start < start) {
            pieces[count++] =
                (struct hw_memory_range){old->start, min_u64(old->end, start), old->type};
        }
    }
    pieces[count++] = middle;
    if (last > first && map->ranges[last - 1].type != type && map->ranges[last - 1].end > end) {
        const struct hw_memory_range *old = &map->ranges[last - 1];
        pieces[count++] = (struct hw_memory_range){max_u64(old->start, end), old->end, old->type};
    }
    return replace(map, first, last, pieces, count);
}

enum status memmap_init(struct memmap *map, const struct hw_memory_range *firmware, unsigned count)
{
    uint32_t type = 0;

    map->count = 0;
    /* By rising type, so that what is set later overrides what matters less. */
    for (;;) {
        bool found = false;
        uint32_t next = UINT32_MAX;
        for (unsigned i = 0; i < count; i++) {
            if (firmware[i].start >= firmware[i].end || firmware[i].type < type) {
                continue;
            }
            found = true;
            next = firmware[i].type < next ? firmware[i].type : next;
        }
        if (!found) {
            return STATUS_OK;
        }
        for (unsigned i = 0; i < count; i++) {
            if (firmware[i].type != next || firmware[i].start >= firmware[i].end) {
                continue;
            }
            enum status status = memmap_set(map, firmware[i].start, firmware[i].end, next);
            if (status != STATUS_OK) {
                return status;
            }
        }
        if (next == UINT32_MAX) {
            return STATUS_OK;
        }
        type = next + 1;
    }
}

enum status memmap_limit(struct memmap *map, uint64_t limit_bytes)
{
    /* Setting a range merges it with its neighbours, so the search starts again each time. */
    for (unsigned i = 0; i < map->count;) {
        const struct hw_memory_range *range = &map->ranges[i];
        if (range->type != HW_MEMORY_RAM || range->end <= limit_bytes) {
            i++;
            continue;
        }
        enum status status =
            memmap_set(map, max_u64(range->start, limit_bytes), range->end, HW_MEMORY_RESERVED);
        if (status != STATUS_OK) {
            return status;
        }
        i = 0;
    }
    return STATUS_OK;
}

bool memmap_is(const struct memmap *map, uint64_t start, uint64_t end, uint32_t type)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct hw_memory_range *range = &map->ranges[i];
        if (range->type == type && range->start <= start && end <= range->end) {
            return start < end;
        }
    }
    return false;
}

uint64_t memmap_ram_bytes(const struct memmap *map)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < map->count; i++) {
        if (map->ranges[i].type == HW_MEMORY_RAM) {
            bytes += map->ranges[i].end - map->ranges[i].start;
        }
    }
    return bytes;
}

uint64_t memmap_ram_end(const struct memmap *map)
{
    for (unsigned i = map->count; i-- > 0;) {
        if (map->ranges[i].type == HW_MEMORY_RAM) {
            return map->ranges[i].end;
        }
    }
    return 0;
}

static bool is_hit(const struct memmap_hole *hole, uint64_t start, uint64_t end)
{
    return hole->start < hole->end && hole->end > start && hole->start < end;
}

/* The highest place in [low, high): each hole that is in the way moves high below it. */
static bool find_between(const struct memmap_search *search, uint64_t low, uint64_t high,
                         uint64_t *start)
{
    for (;;) {
        if (high < low || high - low < search->bytes) {
            return false;
        }
        uint64_t at = addr_align_down(high - search->bytes, search->alignment);
        uint64_t end = at + search->bytes;
        if (at < low) {
            return false;
        }
        unsigned hit = 0;
        while (hit < search->hole_count && !is_hit(&search->holes[hit], at, end)) {
            hit++;
        }
        if (hit == search->hole_count) {
            *start = at;
            return true;
        }
        high = search->holes[hit].start;
    }
}

enum status memmap_find_high(const struct memmap *map, const struct memmap_search *search,
                             uint64_t *start)
{
    for (unsigned i = map->count; i-- > 0;) {
        const struct hw_memory_range *range = &map->ranges[i];
        if (range->type == HW_MEMORY_RAM &&
            find_between(search, max_u64(search->low, range->start),
                         min_u64(search->high, range->end), start)) {
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

struct memmap_e820 memmap_e820(const struct memmap *map, unsigned index)
{
    const struct hw_memory_range *range = &map->ranges[index];

    return (struct memmap_e820){range->start, range->end - range->start, range->type};
}

/* Bytes of RAM from start without a gap, not counting what lies at or above limit. */
static uint64_t ram_from(const struct memmap *map, uint64_t start, uint64_t limit)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct hw_memory_range *range = &map->ranges[i];
        if (range->type == HW_MEMORY_RAM && range->start <= start && start < range->end) {
            return min_u64(range->end, limit) - start;
        }
    }
    return 0;
}

void memmap_e801(const struct memmap *map, uint16_t *low_kib, uint16_t *high_64kib)
{
    *low_kib = (uint16_t)(ram_from(map, MIB, 16 * MIB) >> 10);
    *high_64kib = (uint16_t)(ram_from(map, 16 * MIB, 4096 * MIB) >> 16);
}

uint16_t memmap_int15_88(const struct memmap *map)
{
    return (uint16_t)(ram_from(map, MIB, 64 * MIB) >> 10);
}
