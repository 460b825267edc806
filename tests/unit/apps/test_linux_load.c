/* A whole load on the fake machine: what the kernel finds in memory and registers. */
#include "cmocka_all.h"
#include "linux_sample.h"

#include "linux.h"

#include <fake/machine.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB (1ULL << 20)
#define CMDLINE "console=ttyS0 quiet"

static struct memmap map;
static struct linux_request request;
static struct linux_entry entry;

static uint8_t pattern(uint64_t i, uint8_t salt)
{
    return (uint8_t)(i * 7 + (i >> 9) * 13 + salt);
}

static void fill(uint64_t start, uint64_t bytes, uint8_t salt)
{
    uint8_t *to = fake_ram(start, bytes);
    assert_non_null(to);
    for (uint64_t i = 0; i < bytes; i++) {
        to[i] = pattern(i, salt);
    }
}

static void assert_filled(uint64_t start, uint64_t first, uint64_t bytes, uint8_t salt)
{
    const uint8_t *from = fake_ram(start, bytes);
    assert_non_null(from);
    for (uint64_t i = 0; i < bytes; i++) {
        if (from[i] != pattern(first + i, salt)) {
            fail_msg("byte %#lx at %#lx differs", (unsigned long)i, (unsigned long)start);
        }
    }
}

/* Puts the sample at kernel and an initrd at initrd. */
static void machine(uint64_t kernel, uint64_t initrd, uint64_t initrd_bytes)
{
    fake_machine_reset(NULL);
    map.count = 0;
    assert_int_equal(memmap_set(&map, 0, 0x9fc00, HW_MEMORY_RAM), STATUS_OK);
    assert_int_equal(memmap_set(&map, 0x9fc00, 0xa0000, HW_MEMORY_RESERVED), STATUS_OK);
    assert_int_equal(memmap_set(&map, MIB, 64 * MIB, HW_MEMORY_RAM), STATUS_OK);
    request =
        (struct linux_request){kernel, SAMPLE_BYTES, initrd, initrd_bytes, CMDLINE, &map, 0xf5a20};
    fill(kernel, SAMPLE_BYTES, 1);
    sample_header(fake_ram(kernel, 0x290));
    if (initrd_bytes > 0) {
        fill(initrd, initrd_bytes, 2);
    }
}

static uint64_t zero_page(unsigned offset, unsigned bytes)
{
    const uint8_t *from = fake_ram(entry.esi + offset, bytes);
    uint64_t value = 0;
    assert_non_null(from);
    for (unsigned i = bytes; i-- > 0;) {
        value = value << 8 | from[i];
    }
    return value;
}

static void load_and_check_places(void)
{
    assert_int_equal(linux_load(&request, &entry), LINUX_OK);
    assert_true(entry.eip == SAMPLE_PREF);
    assert_filled(entry.eip, SAMPLE_SETUP_BYTES, SAMPLE_KERNEL_BYTES, 1);
    assert_true(zero_page(0x21c, 4) == request.initrd_bytes);
    if (request.initrd_bytes > 0) {
        assert_filled(zero_page(0x218, 4), 0, request.initrd_bytes, 2);
    } else {
        assert_true(zero_page(0x218, 4) == 0);
    }
    assert_string_equal(fake_ram(zero_page(0x228, 4), sizeof(CMDLINE)), CMDLINE);
}

static void test_zero_page(void **state)
{
    (void)state;
    machine(2 * MIB, 8 * MIB, 3 * MIB + 17);
    fill(0x90000, 0xfc00, 9); /* memory is not clean when we find it */
    load_and_check_places();
    assert_int_equal(zero_page(0x006, 1), 3);  /* orig_video_mode */
    assert_int_equal(zero_page(0x007, 1), 80); /* orig_video_cols */
    assert_int_equal(zero_page(0x00e, 1), 25); /* orig_video_lines */
    assert_int_equal(zero_page(0x00f, 1), 1);  /* orig_video_isVGA */
    assert_int_equal(zero_page(0x010, 2), 16); /* orig_video_points */
    assert_int_equal(zero_page(0x002, 2), 63 * 1024);
    assert_int_equal(zero_page(0x1e0, 4), 63 * 1024);
    assert_true(zero_page(0x070, 8) == 0xf5a20);
    assert_int_equal(zero_page(0x1ef, 1), 0); /* sentinel: the zero page is initialised */
    assert_int_equal(zero_page(0x1e8, 1), 3);
    assert_true(zero_page(0x2d0 + 20, 8) == 0x9fc00);
    assert_true(zero_page(0x2d0 + 28, 8) == 0x400);
    assert_int_equal(zero_page(0x2d0 + 36, 4), 2);
    assert_true(zero_page(0x2d0 + 40, 8) == MIB);
    assert_true(zero_page(0x2d0 + 48, 8) == 63 * MIB);
    assert_int_equal(zero_page(0x2d0 + 56, 4), 1);
    assert_int_equal(zero_page(0x2d0 + 60, 8), 0);
}

static void test_setup_header(void **state)
{
    (void)state;
    machine(2 * MIB, 8 * MIB, MIB);
    load_and_check_places();
    assert_int_equal(zero_page(0x1f1, 1), 4);
    assert_int_equal(zero_page(0x202, 4), 0x53726448);
    assert_int_equal(zero_page(0x210, 1), 0xff); /* type_of_loader */
    assert_int_equal(zero_page(0x211, 1), 0x21); /* LOADED_HIGH, QUIET_FLAG, no CAN_USE_HEAP */
    assert_true(zero_page(0x214, 4) == SAMPLE_PREF);
    assert_int_equal(zero_page(SAMPLE_HEADER_END - 1, 1), 0xcc);
    assert_int_equal(zero_page(SAMPLE_HEADER_END, 4), 0); /* nothing behind the header is copied */
    machine(2 * MIB, 8 * MIB, MIB);
    request.cmdline = "quietly notquiet x=quiet quiet=1";
    sample_put(fake_ram(2 * MIB + 0x206, 2), 0, 0x20d, 2); /* knows no acpi_rsdp_addr */
    assert_int_equal(linux_load(&request, &entry), LINUX_OK);
    assert_int_equal(zero_page(0x211, 1), 0x01);
    assert_int_equal(zero_page(0x070, 8), 0);
}

/* boot.rst: a GDT with flat 4-GiB segments, __BOOT_CS execute/read, __BOOT_DS read/write. */
static void test_registers_and_gdt(void **state)
{
    (void)state;
    machine(2 * MIB, 8 * MIB, MIB);
    load_and_check_places();
    assert_int_equal(entry.cs, 0x10);
    assert_int_equal(entry.ds, 0x18);
    assert_int_equal(entry.gdt_limit, 0x1f);
    const uint64_t *gdt = fake_ram(entry.gdt_base, 32);
    for (unsigned i = 2; i < 4; i++) {
        assert_int_equal(gdt[i] & 0xffff, 0xffff);                   /* limit 15:0 */
        assert_int_equal(gdt[i] >> 16 & 0xffffff, 0);                /* base 23:0 */
        assert_int_equal(gdt[i] >> 48 & 0xff, 0xcf);                 /* G, D/B, limit 19:16 */
        assert_int_equal(gdt[i] >> 56, 0);                           /* base 31:24 */
        assert_int_equal(gdt[i] >> 40 & 0xff, i == 2 ? 0x9b : 0x93); /* P, S, type */
    }
    assert_true(gdt[0] == 0 && entry.gdt_base % 8 == 0 && entry.esi % 4096 == 0);
}

/* REQ-MEM-4: modules and destinations that overlap in every way arrive whole. */
static void test_overlaps_req_mem_4(void **state)
{
    (void)state;
    const uint64_t places[] = {2 * MIB,           16 * MIB - 0x2000, 16 * MIB - 0x200,
                               16 * MIB,          16 * MIB + 0x3210, 16 * MIB + 0x20000,
                               24 * MIB - 0x1000, 24 * MIB,          64 * MIB - 0x43000,
                               64 * MIB - 0x60000};
    const unsigned count = sizeof(places) / sizeof(places[0]);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < count; j++) {
            machine(places[i], 40 * MIB, 0);
            request.initrd = places[j];
            request.initrd_bytes = 0x43000 - 77;
            if (places[i] < places[j] + request.initrd_bytes &&
                places[j] < places[i] + SAMPLE_BYTES) {
                assert_int_equal(linux_load(&request, &entry), LINUX_BAD_MODULES);
                continue;
            }
            fill(places[j], request.initrd_bytes, 2);
            load_and_check_places();
        }
    }
}

static void test_initrd_in_place_is_not_touched(void **state)
{
    (void)state;
    machine(2 * MIB, 32 * MIB, 2 * MIB);
    load_and_check_places();
    assert_true(zero_page(0x218, 4) == 32 * MIB);
    machine(2 * MIB, 0, 0);
    load_and_check_places();
}

static void test_modules_outside_ram_are_an_error(void **state)
{
    (void)state;
    machine(2 * MIB, 32 * MIB, 2 * MIB);
    request.kernel = 1ULL << 40;
    assert_int_equal(linux_load(&request, &entry), LINUX_FAULT);
    machine(2 * MIB, 32 * MIB, 2 * MIB);
    request.initrd = 1ULL << 40;
    assert_int_equal(linux_load(&request, &entry), LINUX_FAULT);
    machine(2 * MIB, 32 * MIB, 2 * MIB);
    request.kernel_bytes = 0x28f;
    assert_int_equal(linux_load(&request, &entry), LINUX_SHORT);
}

/* A refused image changes nothing. */
static void test_refusal_leaves_memory_alone(void **state)
{
    (void)state;
    machine(2 * MIB, 8 * MIB, MIB);
    fill(0x1000, 0x9e000, 5);
    fill(16 * MIB, 8 * MIB, 6);
    request.kernel_bytes = SAMPLE_BYTES - 1;
    assert_int_equal(linux_load(&request, &entry), LINUX_TRUNCATED);
    assert_filled(0x1000, 0, 0x9e000, 5);
    assert_filled(16 * MIB, 0, 8 * MIB, 6);
    assert_filled(8 * MIB, 0, MIB, 2);
}

/* The kernels that the boot tests use, if they were fetched. */
static void real_kernel(const char *path)
{
    uint8_t header[LINUX_HEADER_BYTES];
    struct linux_image image;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        skip();
        return;
    }
    assert_int_equal(fread(header, 1, sizeof(header), file), sizeof(header));
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    uint64_t bytes = (uint64_t)ftell(file);
    fclose(file);
    assert_int_equal(linux_inspect(header, bytes, &image), LINUX_OK);
    assert_true(image.pref_address >= MIB && image.span_bytes > bytes / 2);
    assert_int_equal(linux_inspect(header, image.setup_bytes + image.kernel_bytes - 1, &image),
                     LINUX_TRUNCATED);
}

static void test_debian_amd64_kernel(void **state)
{
    (void)state;
    real_kernel("build/guests/amd64/vmlinuz");
}

static void test_debian_i386_kernel(void **state)
{
    (void)state;
    real_kernel("build/guests/i386/vmlinuz");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_page),
        cmocka_unit_test(test_setup_header),
        cmocka_unit_test(test_registers_and_gdt),
        cmocka_unit_test(test_overlaps_req_mem_4),
        cmocka_unit_test(test_initrd_in_place_is_not_touched),
        cmocka_unit_test(test_modules_outside_ram_are_an_error),
        cmocka_unit_test(test_refusal_leaves_memory_alone),
        cmocka_unit_test(test_debian_amd64_kernel),
        cmocka_unit_test(test_debian_i386_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
