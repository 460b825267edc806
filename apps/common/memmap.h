/*
 * The memory map that the guest sees: the firmware's, with everything that is kept from the guest
 * marked reserved.  Pure functions over a struct that the caller owns; boot CPU only until the
 * guest runs, read-only after that (the INT 15h hook reads it on any CPU).
 *
 * Invariant of every map: ranges are sorted, not empty, do not overlap, and neighbours that touch
 * differ in type.
 */
#ifndef APPS_MEMMAP_H
#define APPS_MEMMAP_H

#include <base/status.h>
#include <hw/boot.h>
#include <stdbool.h>
#include <stdint.h>

/* The firmware's ranges and those that carving our own out of them adds. */
#define MEMMAP_MAX_RANGES (CONFIG_MAX_MEMORY_RANGES + 16)

struct memmap {
    unsigned count;
    struct hw_memory_range ranges[MEMMAP_MAX_RANGES];
};

/* One entry as INT 15h E820 and Linux's zero page have it (ACPI table "Address Range Descriptor").
 */
struct memmap_e820 {
    uint64_t base;
    uint64_t length;
    uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct memmap_e820) == 20, "ACPI: Address Range Descriptor Structure");

/*
 * Takes the firmware's ranges in any order; where they overlap the higher type number wins, so RAM
 * never hides a reservation.  Empty and wrapping ranges are dropped.  STATUS_OVERFLOW: too many.
 */
enum status memmap_init(struct memmap *map, const struct hw_memory_range *firmware, unsigned count);

/* Makes [start, end) be of this type whatever it was.  STATUS_OVERFLOW leaves the map unchanged. */
enum status memmap_set(struct memmap *map, uint64_t start, uint64_t end, uint32_t type);

/*
 * Keeps RAM from limit_bytes up from the guest.  It becomes reserved, not absent: the guest must
 * not put devices where real memory answers.
 */
enum status memmap_limit(struct memmap *map, uint64_t limit_bytes);

/* True if all of [start, end) is of this type; false for empty or wrapping ranges. */
bool memmap_is(const struct memmap *map, uint64_t start, uint64_t end, uint32_t type);

/* Bytes of RAM, and the end of the highest range of RAM. */
uint64_t memmap_ram_bytes(const struct memmap *map);
uint64_t memmap_ram_end(const struct memmap *map);

struct memmap_hole { /* [start, end) that a search must avoid; empty ones are ignored */
    uint64_t start, end;
};

struct memmap_search {
    uint64_t bytes;     /* > 0 */
    uint64_t alignment; /* a power of two */
    uint64_t low, high; /* the place lies in [low, high) */
    const struct memmap_hole *holes;
    unsigned hole_count;
};

/* The highest place in RAM that fits and touches no hole.  STATUS_NOT_FOUND if there is none. */
enum status memmap_find_high(const struct memmap *map, const struct memmap_search *search,
                             uint64_t *start);

/* Entry number index for the guest; index < map->count. */
struct memmap_e820 memmap_e820(const struct memmap *map, unsigned index);

/* INT 15h AX=E801h: KiB of RAM from 1 MiB to at most 16 MiB; 64-KiB blocks of RAM from 16 MiB. */
void memmap_e801(const struct memmap *map, uint16_t *low_kib, uint16_t *high_64kib);
/* INT 15h AH=88h: KiB of RAM from 1 MiB, at most 63 MiB. */
uint16_t memmap_int15_88(const struct memmap *map);

#endif
