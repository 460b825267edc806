/* Physical memory of the fake: bounds, the region, the write log, memory-mapped registers. */
#include "suite.h"

#define HIGH_RAM 0x100000000ULL
#define LAST_RAM 0x7ffffff000ULL /* the last page below CONFIG_MAX_PHYS_BYTES */

static uint64_t object_of_ours = 0x1122334455667788;

static int setup(void **state)
{
    (void)state;
    struct fake_config config = fake_config_default();
    config.ranges[3] = (struct fake_range){HIGH_RAM, 8ULL << 30, HW_MEMORY_RAM};
    config.ranges[4] = (struct fake_range){LAST_RAM, 0x2000, HW_MEMORY_RAM};
    config.range_count = 5;
    fake_machine_reset(&config);
    return 0;
}

/* REQ-MEM-1, REQ-MEM-2 */
static void test_copies(void **state)
{
    (void)state;
    const uint64_t places[] = {
        0, 0x9fff8, 0x123457, HIGH_RAM, HIGH_RAM + (8ULL << 30) - 8, LAST_RAM + 0xff8};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint8_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[8];
        memset(out, 0xee, sizeof out);
        assert_int_equal(hw_phys_write(hpa(places[i]), in, 8), STATUS_OK);
        assert_int_equal(hw_phys_read(hpa(places[i]), out, 5), STATUS_OK);
        assert_memory_equal(out, in, 5);
        assert_int_equal(out[5], 0xee);
        assert_memory_equal(fake_ram(places[i], 8), in, 8);
    }
}

static void test_faults_copy_nothing(void **state)
{
    (void)state;
    uint8_t data[16] = {1, 2, 3};
    const uint64_t places[] = {0x9fff8,          0xf0000,   0xfee00000, HIGH_RAM + (8ULL << 30) - 8,
                               LAST_RAM + 0xff8, ~0ULL - 7, 1ULL << 63};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint8_t before[16];
        memcpy(before, data, sizeof data);
        assert_int_equal(hw_phys_read(hpa(places[i]), data, 16), STATUS_FAULT);
        assert_memory_equal(data, before, 16);
        assert_int_equal(hw_phys_write(hpa(places[i]), data, 16), STATUS_FAULT);
        assert_int_equal(hw_phys_zero(hpa(places[i]), 16), STATUS_FAULT);
        assert_int_equal(hw_phys_move(hpa(0), hpa(places[i]), 16), STATUS_FAULT);
    }
    assert_int_equal(*(uint8_t *)fake_ram(0x9fff8, 1), 0);
    assert_int_equal(hw_phys_zero(hpa(0x1000), ~0ULL), STATUS_FAULT);
}

static void test_move_overlaps(void **state)
{
    (void)state;
    char text[] = "abcdefgh";
    hw_phys_write(hpa(0x1000), text, 8);
    assert_int_equal(hw_phys_move(hpa(0x1002), hpa(0x1000), 6), STATUS_OK);
    assert_memory_equal(fake_ram(0x1000, 8), "ababcdef", 8);
    assert_int_equal(hw_phys_move(hpa(0x1000), hpa(0x1002), 6), STATUS_OK);
    assert_memory_equal(fake_ram(0x1000, 8), "abcdefef", 8);
}

static void count_writes(void *arg, const struct fake_write *write)
{
    uint64_t *sum = arg;
    *sum += write->new_value - write->old_value;
}

static void test_write_log(void **state)
{
    (void)state;
    uint64_t sum = 0, expected = 5;
    fake_on_write(count_writes, &sum);
    hw_phys_write64(hpa(0x1000), 5);
    assert_true(hw_phys_cas64(hpa(0x1000), &expected, 9));
    assert_false(hw_phys_cas64(hpa(0x1000), &expected, 1));
    assert_int_equal(expected, 9);
    assert_int_equal(fake_write_count(), 2);
    assert_int_equal(fake_write_at(1)->address, 0x1000);
    assert_int_equal(fake_write_at(1)->old_value, 5);
    assert_int_equal(fake_write_at(1)->new_value, 9);
    assert_null(fake_write_at(2));
    assert_int_equal(sum, 9);
    assert_int_equal(hw_phys_read64(hpa(0x1000)), 9);
    assert_int_equal(FAKE_CATCH(hw_phys_write64(hpa(0x1004), 0)), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH(hw_phys_read64(hpa(0xa0000))), FAKE_END_CHECK);
}

static void test_region(void **state)
{
    (void)state;
    const struct hw_boot_info *info = fake_boot_info();
    uint64_t end = info->region.v + info->region_bytes;
    assert_int_equal(info->region.v % PAGE_2M_BYTES, 0);
    assert_ptr_equal(hw_region_pointer(info->pool, info->pool_bytes),
                     fake_ram(info->pool.v, info->pool_bytes));
    assert_null(hw_region_pointer(hpa(end - 8), 16));
    assert_null(hw_region_pointer(hpa(0x1000), 8));
    uint8_t *page = fake_region_alloc(4096, 4096);
    struct hpa at = hw_region_address(page);
    assert_int_equal(at.v % 4096, 0);
    assert_true(at.v >= info->region.v && at.v < info->pool.v);
    /* Static objects of the program are in the image part. */
    at = hw_region_address(&object_of_ours);
    assert_ptr_equal(hw_region_pointer(at, 8), &object_of_ours);
    hw_phys_write64(at, 42);
    assert_int_equal(object_of_ours, 42);
    int local = 0;
    assert_int_equal(FAKE_CATCH(hw_region_address(&local)), FAKE_END_CHECK);
}

static uint32_t device(void *arg, uint64_t address, bool is_write, uint32_t value)
{
    uint32_t *cell = arg;
    *cell = is_write ? value : *cell;
    return *cell + (uint32_t)(address & 0xff);
}

static void test_mmio(void **state)
{
    (void)state;
    uint32_t cell = 0;
    fake_mmio_handler(0xfed00000, 0x1000, device, &cell);
    hw_mmio_write8(hpa(0xfed00011), 0x55);
    assert_int_equal(cell, 0x55);
    cell = 0x1234;
    assert_int_equal(hw_mmio_read8(hpa(0xfed00011)), 0x45);
    assert_int_equal(hw_mmio_read8(hpa(0xfed30001)), 0xff); /* nobody's */
    hw_mmio_write32(hpa(0xfed00010), 7);
    assert_int_equal(cell, 7);
    assert_int_equal(hw_mmio_read32(hpa(0xfed00004)), 11);
    assert_int_equal(hw_mmio_read32(hpa(0xfec00000)), 0xffffffff);
    assert_int_equal(hw_mmio_read32(hpa(0xfee00020)), 0); /* APIC ID of CPU 0 */
    assert_int_equal(FAKE_CATCH(hw_mmio_read32(hpa(2))), FAKE_END_CHECK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_copies, setup),
        cmocka_unit_test_setup(test_faults_copy_nothing, setup),
        cmocka_unit_test_setup(test_move_overlaps, setup),
        cmocka_unit_test_setup(test_write_log, setup),
        cmocka_unit_test_setup(test_region, setup),
        cmocka_unit_test_setup(test_mmio, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
