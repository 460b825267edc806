/* Where kernel, initrd and parameters go: named cases, then random machines. */
#include "cmocka_all.h"

#include "linux.h"

#include <string.h>

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

static struct memmap map;
static struct linux_image image;
static struct linux_request request;
static struct linux_plan plan;

static void ram(uint64_t start, uint64_t end)
{
    assert_int_equal(memmap_set(&map, start, end, HW_MEMORY_RAM), STATUS_OK);
}

static int fresh(void **state)
{
    (void)state;
    map.count = 0;
    ram(0, 0x9fc00);
    ram(MIB, 128 * MIB);
    image = (struct linux_image){
        .header_end = 0x26c,
        .setup_bytes = 0x4000,
        .kernel_bytes = 8 * MIB,
        .pref_address = 16 * MIB,
        .span_bytes = 32 * MIB,
        .kernel_alignment = 2 * MIB,
        .relocatable = true,
        .initrd_max = 0x80000000,
        .cmdline_max_bytes = 2047,
        .version = 0x20f,
    };
    request = (struct linux_request){
        .kernel = 4 * MIB,
        .kernel_bytes = 8 * MIB + 0x4000,
        .initrd = 14 * MIB,
        .initrd_bytes = 10 * MIB + 5,
        .cmdline = "quiet",
        .map = &map,
    };
    return 0;
}

static enum linux_error make_plan(void)
{
    return linux_plan(&image, &request, &plan);
}

static void test_usual_machine(void **state)
{
    (void)state;
    assert_int_equal(make_plan(), LINUX_OK);
    assert_true(plan.kernel_to == 16 * MIB);
    assert_true(plan.initrd_to == ((128 * MIB - request.initrd_bytes) & ~0xfffULL));
    assert_true(plan.low == 0x96000);
}

/* What is moved costs time at every boot. */
static void test_initrd_that_lies_well_stays(void **state)
{
    (void)state;
    request.initrd = 48 * MIB;
    assert_int_equal(make_plan(), LINUX_OK);
    assert_true(plan.initrd_to == 48 * MIB);
    request.initrd = 48 * MIB - 4096; /* the kernel's last page */
    assert_int_equal(make_plan(), LINUX_OK);
    assert_true(plan.initrd_to > 100 * MIB);
    request.initrd = 48 * MIB + 16; /* not page aligned */
    assert_int_equal(make_plan(), LINUX_OK);
    assert_true(plan.initrd_to > 100 * MIB);
    request.initrd = 48 * MIB;
    image.initrd_max = 50 * MIB; /* too high for the kernel */
    assert_int_equal(make_plan(), LINUX_NO_INITRD_ROOM);
    image.pref_address = 24 * MIB;
    image.span_bytes = 8 * MIB;
    assert_int_equal(make_plan(), LINUX_OK);
    assert_true(plan.initrd_to + request.initrd_bytes <= 50 * MIB);
    request.initrd_bytes = 0;
    assert_int_equal(make_plan(), LINUX_OK);
}

static void test_kernel_goes_elsewhere_only_if_it_can(void **state)
{
    (void)state;
    assert_int_equal(memmap_set(&map, 20 * MIB, 21 * MIB, HW_MEMORY_RESERVED), STATUS_OK);
    assert_int_equal(make_plan(), LINUX_OK);
    assert_true(plan.kernel_to == 96 * MIB);
    image.relocatable = false;
    assert_int_equal(make_plan(), LINUX_NO_KERNEL_ROOM);
    image.relocatable = true;
    image.span_bytes = 108 * MIB; /* only what lies above the preferred address counts */
    assert_int_equal(make_plan(), LINUX_NO_KERNEL_ROOM);
    image.span_bytes = 8 * MIB;
    image.pref_address = 0; /* over the BIOS's data */
    assert_int_equal(make_plan(), LINUX_OK);
    assert_true(plan.kernel_to >= MIB);
}

/* REQ-MEM-4: modules that overlap or wrap are refused. */
static void test_bad_modules_req_mem_4(void **state)
{
    (void)state;
    request.initrd = request.kernel + request.kernel_bytes - 1;
    assert_int_equal(make_plan(), LINUX_BAD_MODULES);
    request.initrd = request.kernel - request.initrd_bytes + 1;
    assert_int_equal(make_plan(), LINUX_BAD_MODULES);
    request.initrd = request.kernel + 1;
    request.initrd_bytes = 1;
    assert_int_equal(make_plan(), LINUX_BAD_MODULES);
    request.initrd = UINT64_MAX;
    request.initrd_bytes = 2;
    assert_int_equal(make_plan(), LINUX_BAD_MODULES);
    request.initrd_bytes = 0;
    request.kernel = UINT64_MAX - 100;
    assert_int_equal(make_plan(), LINUX_BAD_MODULES);
    fresh(state);
    request.initrd_bytes = 1ULL << 32;
    assert_int_equal(make_plan(), LINUX_NO_INITRD_ROOM);
    request.initrd_bytes = UINT64_MAX;
    assert_int_equal(make_plan(), LINUX_NO_INITRD_ROOM);
}

static void test_cmdline_length(void **state)
{
    static char line[LINUX_LOW_BYTES];
    (void)state;
    memset(line, 'x', sizeof(line) - 1);
    request.cmdline = line;
    assert_int_equal(make_plan(), LINUX_CMDLINE_LONG);
    line[2047] = '\0';
    assert_int_equal(make_plan(), LINUX_OK);
    image.cmdline_max_bytes = 2046;
    assert_int_equal(make_plan(), LINUX_CMDLINE_LONG);
    line[2047] = 'x';
    image.cmdline_max_bytes = UINT32_MAX;
    assert_int_equal(make_plan(), LINUX_CMDLINE_LONG);
    line[LINUX_LOW_BYTES - LINUX_LOW_CMDLINE - 1] = '\0';
    assert_int_equal(make_plan(), LINUX_OK);
}

static void test_parameters_without_low_memory(void **state)
{
    (void)state;
    assert_int_equal(memmap_set(&map, 0, 0x9fc00, HW_MEMORY_RESERVED), STATUS_OK);
    assert_int_equal(make_plan(), LINUX_OK);
    assert_true(plan.low >= MIB && plan.low + LINUX_LOW_BYTES <= plan.initrd_to);
    map.count = 0;
    ram(16 * MIB, 48 * MIB);
    request.initrd_bytes = 0;
    assert_int_equal(make_plan(), LINUX_NO_LOW_ROOM);
}

static void test_map_too_long_for_the_zero_page(void **state)
{
    (void)state;
    for (uint64_t i = 0; map.count < 128; i++) {
        ram(GIB + i * 0x2000, GIB + i * 0x2000 + 0x1000);
    }
    assert_int_equal(make_plan(), LINUX_OK);
    ram(2 * GIB, 3 * GIB);
    assert_int_equal(make_plan(), LINUX_MAP_LONG);
}

static bool apart(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
    return a_bytes == 0 || b_bytes == 0 || a + a_bytes <= b || b + b_bytes <= a;
}

static void assert_sound(void)
{
    const uint64_t span = image.span_bytes;
    const uint64_t initrd_bytes = request.initrd_bytes;

    assert_true(memmap_is(&map, plan.kernel_to, plan.kernel_to + span, HW_MEMORY_RAM));
    assert_true(plan.kernel_to >= MIB && plan.kernel_to + span <= 4 * GIB);
    assert_true(plan.kernel_to == image.pref_address ||
                (image.relocatable && plan.kernel_to % image.kernel_alignment == 0 &&
                 plan.kernel_to > image.pref_address));
    assert_true(memmap_is(&map, plan.low, plan.low + LINUX_LOW_BYTES, HW_MEMORY_RAM));
    assert_true(plan.low >= 4096);
    assert_true(apart(plan.low, LINUX_LOW_BYTES, plan.kernel_to, span));
    if (initrd_bytes == 0) {
        return;
    }
    assert_true(memmap_is(&map, plan.initrd_to, plan.initrd_to + initrd_bytes, HW_MEMORY_RAM));
    assert_true(plan.initrd_to + initrd_bytes <= image.initrd_max);
    assert_true(apart(plan.initrd_to, initrd_bytes, plan.kernel_to, span));
    assert_true(apart(plan.initrd_to, initrd_bytes, plan.low, LINUX_LOW_BYTES));
    assert_true(plan.initrd_to == request.initrd ||
                apart(plan.initrd_to, initrd_bytes, request.kernel, request.kernel_bytes));
}

/* REQ-MEM-4: no two things ever share memory, nothing leaves the guest's RAM. */
static void test_random_machines_req_mem_4(void **state)
{
    uint64_t seed = 0xc0ffee;
    unsigned planned = 0;
    for (unsigned round = 0; round < 50000; round++) {
        fresh(state);
        for (unsigned i = 0; i < 4; i++) {
            uint64_t start = (random_next(&seed) % (128 * MIB)) & ~0xfffULL;
            uint64_t end = start + 4096 + ((random_next(&seed) % (8 * MIB)) & ~0xfffULL);
            assert_int_equal(memmap_set(&map, start, end, HW_MEMORY_RESERVED), STATUS_OK);
        }
        image.pref_address = random_next(&seed) % 64 * MIB;
        image.span_bytes = (8 + random_next(&seed) % 24) * MIB;
        image.relocatable = random_next(&seed) % 4 != 0;
        image.initrd_max = random_next(&seed) % 3 == 0 ? 64 * MIB : 2 * GIB;
        request.kernel = random_next(&seed) % (128 * MIB);
        request.initrd = (random_next(&seed) % (128 * MIB)) & ~0xfffULL;
        request.initrd_bytes = random_next(&seed) % (16 * MIB);
        enum linux_error error = make_plan();
        if (error == LINUX_OK) {
            planned++;
            assert_sound();
        } else {
            assert_true(error == LINUX_BAD_MODULES || error == LINUX_NO_KERNEL_ROOM ||
                        error == LINUX_NO_INITRD_ROOM);
        }
    }
    assert_in_range(planned, 5000, 49000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_usual_machine, fresh),
        cmocka_unit_test_setup(test_initrd_that_lies_well_stays, fresh),
        cmocka_unit_test_setup(test_kernel_goes_elsewhere_only_if_it_can, fresh),
        cmocka_unit_test_setup(test_bad_modules_req_mem_4, fresh),
        cmocka_unit_test_setup(test_cmdline_length, fresh),
        cmocka_unit_test_setup(test_parameters_without_low_memory, fresh),
        cmocka_unit_test_setup(test_map_too_long_for_the_zero_page, fresh),
        cmocka_unit_test_setup(test_random_machines_req_mem_4, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
