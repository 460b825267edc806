/*
 * The guest's memory map: exact examples, then properties over random maps, compared with a model
 * that holds one type for each of 4096 units of memory.
 */
#include "cmocka_all.h"

#include "memmap.h"

#include <string.h>

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define RAM HW_MEMORY_RAM
#define RESERVED HW_MEMORY_RESERVED

static struct memmap map;

static void assert_invariant(void)
{
    assert_true(map.count <= MEMMAP_MAX_RANGES);
    for (unsigned i = 0; i < map.count; i++) {
        const struct hw_memory_range *range = &map.ranges[i];
        assert_true(range->start < range->end);
        if (i > 0) {
            assert_true(range[-1].end <= range->start);
            assert_true(range[-1].end < range->start || range[-1].type != range->type);
        }
    }
}

static void assert_range(unsigned index, uint64_t start, uint64_t end, uint32_t type)
{
    assert_true(index < map.count);
    assert_true(map.ranges[index].start == start);
    assert_true(map.ranges[index].end == end);
    assert_int_equal(map.ranges[index].type, type);
}

static const struct hw_memory_range PC[] = {
    {0, 0x9fc00, RAM},
    {0x9fc00, 0xa0000, RESERVED},
    {0xf0000, MIB, RESERVED},
    {MIB, 0x7fff0000, RAM},
    {0x7fff0000, 0x80000000, HW_MEMORY_ACPI},
    {0xfffc0000, 4 * GIB, RESERVED},
    {4 * GIB, 6 * GIB, RAM},
};
#define PC_COUNT (sizeof(PC) / sizeof(PC[0]))

static void pc(void)
{
    assert_int_equal(memmap_init(&map, PC, PC_COUNT), STATUS_OK);
}

static void assert_is_pc(void)
{
    assert_int_equal(map.count, PC_COUNT);
    for (unsigned i = 0; i < PC_COUNT; i++) {
        assert_range(i, PC[i].start, PC[i].end, PC[i].type);
    }
}

/* REQ-BOOT-5: every byte of RAM above 4 GiB too. */
static void test_firmware_map_is_kept_req_boot_5(void **state)
{
    (void)state;
    pc();
    assert_is_pc();
    assert_true(memmap_ram_end(&map) == 6 * GIB);
    assert_true(memmap_ram_bytes(&map) == 0x9fc00ULL + 0x7fff0000 - MIB + 2 * GIB);
}

static void test_order_and_overlap_do_not_matter(void **state)
{
    (void)state;
    const struct hw_memory_range odd[] = {
        {0x5000, 0x6000, HW_MEMORY_BAD}, {0x4000, 0x8000, RESERVED}, {0x3000, 0x3000, RESERVED},
        {0x9000, 0x1000, RAM},           {0, 0x5000, RAM},           {0x7000, 0xa000, RAM},
        {0xa000, 0xb000, RAM},           {0xc000, 0xd000, 7},        {0xc000, 0xc800, UINT32_MAX},
    };
    assert_int_equal(memmap_init(&map, odd, sizeof(odd) / sizeof(odd[0])), STATUS_OK);
    assert_invariant();
    assert_int_equal(map.count, 7);
    assert_range(0, 0, 0x4000, RAM);
    assert_range(1, 0x4000, 0x5000, RESERVED);
    assert_range(2, 0x5000, 0x6000, HW_MEMORY_BAD);
    assert_range(3, 0x6000, 0x8000, RESERVED);
    assert_range(4, 0x8000, 0xb000, RAM);
    assert_range(5, 0xc000, 0xc800, UINT32_MAX);
    assert_range(6, 0xc800, 0xd000, 7);
}

/* REQ-BOOT-2: the hypervisor's region is reserved and all other RAM stays. */
static void test_region_is_carved_out_req_boot_2(void **state)
{
    (void)state;
    pc();
    uint64_t before = memmap_ram_bytes(&map);
    assert_int_equal(memmap_set(&map, 0x7de00000, 0x7fe00000, RESERVED), STATUS_OK);
    assert_invariant();
    assert_true(memmap_ram_bytes(&map) == before - 0x2000000);
    assert_int_equal(map.count, PC_COUNT + 2);
    assert_range(3, MIB, 0x7de00000, RAM);
    assert_range(4, 0x7de00000, 0x7fe00000, RESERVED);
    assert_range(5, 0x7fe00000, 0x7fff0000, RAM);
    assert_true(memmap_is(&map, 0x7de00000, 0x7fe00000, RESERVED));
    assert_false(memmap_is(&map, 0x7ddfffff, 0x7de00001, RAM));
}

static void test_set_merges_with_neighbours(void **state)
{
    (void)state;
    pc();
    assert_int_equal(memmap_set(&map, 0x9f800, 0x9fc00, RESERVED), STATUS_OK);
    assert_int_equal(map.count, PC_COUNT);
    assert_range(0, 0, 0x9f800, RAM);
    assert_range(1, 0x9f800, 0xa0000, RESERVED);
    assert_int_equal(memmap_set(&map, 0, UINT64_MAX, HW_MEMORY_NVS), STATUS_OK);
    assert_int_equal(map.count, 1);
    assert_int_equal(memmap_set(&map, 5, 5, RAM), STATUS_INVALID);
    assert_int_equal(memmap_set(&map, 6, 5, RAM), STATUS_INVALID);
    assert_int_equal(map.count, 1);
}

static void test_full_map_is_refused_unchanged(void **state)
{
    (void)state;
    struct hw_memory_range many[MEMMAP_MAX_RANGES];
    for (unsigned i = 0; i < MEMMAP_MAX_RANGES; i++) {
        many[i] = (struct hw_memory_range){i * 0x4000ULL, i * 0x4000ULL + 0x3000, RAM};
    }
    assert_int_equal(memmap_init(&map, many, MEMMAP_MAX_RANGES), STATUS_OK);
    struct memmap copy;
    memcpy(&copy, &map, sizeof(map)); /* padding too */
    assert_int_equal(memmap_set(&map, 0x1000, 0x2000, RESERVED), STATUS_OVERFLOW);
    assert_int_equal(memmap_set(&map, 0x3400, 0x3800, RESERVED), STATUS_OVERFLOW);
    assert_memory_equal(&map, &copy, sizeof(map));
    assert_int_equal(memmap_set(&map, 0x3000, 0x3800, RAM), STATUS_OK);
    assert_invariant();
}

static void test_limit_reserves_ram_above(void **state)
{
    (void)state;
    pc();
    assert_int_equal(memmap_limit(&map, 64 * MIB), STATUS_OK);
    assert_invariant();
    assert_true(memmap_ram_end(&map) == 64 * MIB);
    assert_true(memmap_is(&map, 64 * MIB, 0x7fff0000, RESERVED));
    assert_true(memmap_is(&map, 0x7fff0000, 0x80000000, HW_MEMORY_ACPI));
    assert_true(memmap_is(&map, 4 * GIB, 6 * GIB, RESERVED));
    pc();
    assert_int_equal(memmap_limit(&map, UINT64_MAX), STATUS_OK);
    assert_is_pc();
    pc();
    assert_int_equal(memmap_limit(&map, 5 * GIB), STATUS_OK);
    assert_true(memmap_ram_end(&map) == 5 * GIB);
}

static void test_int15_numbers(void **state)
{
    (void)state;
    uint16_t low;
    uint16_t high;

    pc();
    memmap_e801(&map, &low, &high);
    assert_int_equal(low, 0x3c00);
    assert_int_equal(high, (0x7fff0000 - 16 * MIB) >> 16);
    assert_int_equal(memmap_int15_88(&map), 0xfc00);
    assert_int_equal(memmap_limit(&map, 8 * MIB), STATUS_OK);
    memmap_e801(&map, &low, &high);
    assert_int_equal(low, 7 * 1024);
    assert_int_equal(high, 0);
    assert_int_equal(memmap_int15_88(&map), 7 * 1024);

    const struct hw_memory_range huge[] = {{0, 64 * GIB, RAM}};
    assert_int_equal(memmap_init(&map, huge, 1), STATUS_OK);
    memmap_e801(&map, &low, &high);
    assert_int_equal(high, (4 * GIB - 16 * MIB) >> 16);
    assert_int_equal(memmap_init(&map, huge, 0), STATUS_OK);
    memmap_e801(&map, &low, &high);
    assert_int_equal(low + high + memmap_int15_88(&map), 0);
    assert_true(memmap_ram_end(&map) == 0);
}

#define UNIT 0x1000ULL
#define UNITS 4096U
static uint32_t model[UNITS];

static void model_fill(uint64_t start, uint64_t end, uint32_t type)
{
    for (uint64_t unit = start; unit < end; unit++) {
        model[unit] = type;
    }
}

static void assert_map_is_model(void)
{
    unsigned i = 0;
    for (unsigned unit = 0; unit < UNITS; unit++) {
        while (i < map.count && map.ranges[i].end <= unit * UNIT) {
            i++;
        }
        bool covered = i < map.count && map.ranges[i].start <= unit * UNIT;
        assert_int_equal(covered ? map.ranges[i].type : 0, model[unit]);
    }
}

/* REQ-BOOT-2, REQ-BOOT-5: nothing appears, nothing is lost, whatever the firmware reported. */
static void test_random_maps_req_boot_2_req_boot_5(void **state)
{
    (void)state;
    uint64_t seed = 0xfeedface;
    for (unsigned round = 0; round < 2000; round++) {
        struct hw_memory_range firmware[40];
        unsigned count = (unsigned)(random_next(&seed) % 40);
        memset(model, 0, sizeof(model));
        for (unsigned i = 0; i < count; i++) {
            uint64_t start = random_next(&seed) % UNITS;
            uint64_t end = start + random_next(&seed) % (UNITS - start + 1);
            uint32_t type = 1 + (uint32_t)(random_next(&seed) % 6);
            firmware[i] = (struct hw_memory_range){start * UNIT, end * UNIT, type};
            for (uint64_t unit = start; unit < end; unit++) {
                model[unit] = model[unit] > type ? model[unit] : type;
            }
        }
        assert_int_equal(memmap_init(&map, firmware, count), STATUS_OK);
        assert_invariant();
        assert_map_is_model();
        for (unsigned i = 0; i < 8; i++) {
            uint64_t start = random_next(&seed) % (UNITS - 1);
            uint64_t end = start + 1 + random_next(&seed) % (UNITS - start);
            uint32_t type = 1 + (uint32_t)(random_next(&seed) % 3);
            assert_int_equal(memmap_set(&map, start * UNIT, end * UNIT, type), STATUS_OK);
            model_fill(start, end, type);
            assert_invariant();
            assert_map_is_model();
        }
        uint64_t limit = random_next(&seed) % UNITS;
        assert_int_equal(memmap_limit(&map, limit * UNIT), STATUS_OK);
        for (uint64_t unit = limit; unit < UNITS; unit++) {
            model[unit] = model[unit] == RAM ? RESERVED : model[unit];
        }
        assert_invariant();
        assert_map_is_model();
        assert_true(memmap_ram_end(&map) <= limit * UNIT);
    }
}

static bool model_fits(uint64_t start, uint64_t units, const struct memmap_hole *holes,
                       unsigned hole_count)
{
    for (uint64_t unit = start; unit < start + units; unit++) {
        if (model[unit] != RAM) {
            return false;
        }
        for (unsigned i = 0; i < hole_count; i++) {
            if (holes[i].start <= unit * UNIT && unit * UNIT < holes[i].end) {
                return false;
            }
        }
    }
    return true;
}

/* The search finds exactly the highest place that the model allows. */
static void test_random_searches(void **state)
{
    (void)state;
    uint64_t seed = 0xabcdef;
    for (unsigned round = 0; round < 3000; round++) {
        map.count = 0;
        memset(model, 0, sizeof(model));
        for (unsigned i = 0; i < 6; i++) {
            uint64_t start = random_next(&seed) % 200;
            uint64_t end = start + 1 + random_next(&seed) % 60;
            uint32_t type = random_next(&seed) % 3 == 0 ? RESERVED : RAM;
            assert_int_equal(memmap_set(&map, start * UNIT, end * UNIT, type), STATUS_OK);
            model_fill(start, end, type);
        }
        struct memmap_hole holes[3];
        for (unsigned i = 0; i < 3; i++) {
            holes[i].start = random_next(&seed) % 200 * UNIT;
            holes[i].end = holes[i].start + random_next(&seed) % 20 * UNIT;
        }
        uint64_t units = 1 + random_next(&seed) % 20;
        uint64_t align = 1ULL << random_next(&seed) % 4;
        uint64_t low = random_next(&seed) % 100;
        uint64_t high = low + random_next(&seed) % 200;
        uint64_t expected = UINT64_MAX;
        for (uint64_t at = low; at + units <= high; at++) {
            if (at % align == 0 && model_fits(at, units, holes, 3)) {
                expected = at * UNIT;
            }
        }
        struct memmap_search search = {units * UNIT, align * UNIT, low * UNIT,
                                       high * UNIT,  holes,        3};
        uint64_t found = UINT64_MAX;
        assert_int_equal(memmap_find_high(&map, &search, &found),
                         expected == UINT64_MAX ? STATUS_NOT_FOUND : STATUS_OK);
        assert_true(found == expected);
    }
}

static void test_e820_entries(void **state)
{
    (void)state;
    pc();
    struct memmap_e820 entry = memmap_e820(&map, 6);
    assert_true(entry.base == 4 * GIB && entry.length == 2 * GIB && entry.type == RAM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_firmware_map_is_kept_req_boot_5),
        cmocka_unit_test(test_order_and_overlap_do_not_matter),
        cmocka_unit_test(test_region_is_carved_out_req_boot_2),
        cmocka_unit_test(test_set_merges_with_neighbours),
        cmocka_unit_test(test_full_map_is_refused_unchanged),
        cmocka_unit_test(test_limit_reserves_ram_above),
        cmocka_unit_test(test_int15_numbers),
        cmocka_unit_test(test_random_maps_req_boot_2_req_boot_5),
        cmocka_unit_test(test_random_searches),
        cmocka_unit_test(test_e820_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
