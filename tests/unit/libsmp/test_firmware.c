/* libsmp/firmware.c: bounded reads of firmware memory.  REQ-MEM-4. */
#include "suite.h"

#include <fake/machine.h>
#include <firmware.h>
#include <string.h>

static int setup(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    return 0;
}

/* Memory that is not RAM is read by aligned words: every alignment and length, and no byte more. */
static void test_reserved_memory_at_any_alignment(void **state)
{
    uint8_t *rom = fake_ram(0xf0000, 64);

    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        rom[i] = (uint8_t)(i + 1);
    }
    for (unsigned start = 0; start < 8; start++) {
        for (unsigned bytes = 0; bytes < 20; bytes++) {
            uint8_t copy[24];
            memset(copy, 0xee, sizeof(copy));
            assert_int_equal(smp_firmware_read(0xf0000 + start, copy, bytes), STATUS_OK);
            assert_memory_equal(copy, rom + start, bytes);
            assert_int_equal(copy[bytes], 0xee);
        }
    }
}

static void test_ram(void **state)
{
    uint8_t copy[3];

    (void)state;
    memcpy(fake_ram(0x123455, 3), "abc", 3);
    assert_int_equal(smp_firmware_read(0x123455, copy, 3), STATUS_OK);
    assert_memory_equal(copy, "abc", 3);
}

static void test_bounds(void **state)
{
    uint8_t copy[16];

    (void)state;
    assert_int_equal(smp_firmware_read(0xfffffff8, copy, 8), STATUS_OK);
    assert_int_equal(smp_firmware_read(0xfffffff8, copy, 9), STATUS_FAULT);
    assert_int_equal(smp_firmware_read(0x100000000, copy, 1), STATUS_FAULT);
    assert_int_equal(smp_firmware_read(~0ULL, copy, 1), STATUS_FAULT);
    assert_int_equal(smp_firmware_read(~0ULL - 7, copy, 16), STATUS_FAULT);
}

static void test_ebda(void **state)
{
    uint8_t *word = fake_ram(0x40e, 2);

    (void)state;
    assert_true(smp_firmware_ebda() == 0);
    word[1] = 0x9f;
    assert_true(smp_firmware_ebda() == 0x9f000);
    word[1] = 0xa0; /* video memory */
    assert_true(smp_firmware_ebda() == 0);
    word[1] = 0;
    word[0] = 0x4f; /* inside the BIOS data area */
    assert_true(smp_firmware_ebda() == 0);
}

static void test_scan(void **state)
{
    uint64_t at = 0x100001;

    (void)state;
    memcpy(fake_ram(0x100008, 4), "_MP_", 4); /* not on a boundary of 16 bytes */
    memcpy(fake_ram(0x100020, 4), "_MP_", 4);
    assert_true(smp_firmware_scan(&at, 0x100400, "_MP_"));
    assert_true(at == 0x100020);
    at += 16;
    assert_false(smp_firmware_scan(&at, 0x100400, "_MP_"));
    at = 0x100020;
    assert_false(smp_firmware_scan(&at, 0x100020, "_MP_"));
}

static void test_get(void **state)
{
    const uint8_t bytes[] = {0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8};

    (void)state;
    assert_int_equal(smp_firmware_get16(bytes), 0xf2f1);
    assert_true(smp_firmware_get32(bytes) == 0xf4f3f2f1);
    assert_true(smp_firmware_get64(bytes) == 0xf8f7f6f5f4f3f2f1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_reserved_memory_at_any_alignment, setup),
        cmocka_unit_test_setup(test_ram, setup),
        cmocka_unit_test_setup(test_bounds, setup),
        cmocka_unit_test_setup(test_ebda, setup),
        cmocka_unit_test_setup(test_scan, setup),
        cmocka_unit_test(test_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
