/*
 * The program that starts a boot sector.  What it does when it runs is seen in tests/boot; here:
 * where it lies, that its parts are where its instructions look for them, and what is reported.
 */
#include "cmocka_all.h"

#include "chain.h"

#include <fake/machine.h>
#include <string.h>

static struct memmap map;
static struct chain_entry entry;

static int fresh(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    map.count = 0;
    assert_int_equal(memmap_set(&map, 0, 0x9fc00, HW_MEMORY_RAM), STATUS_OK);
    return 0;
}

static unsigned word_at(unsigned address)
{
    const uint8_t *from = fake_ram(address, 2);
    return from[0] | (unsigned)from[1] << 8;
}

static void test_entry(void **state)
{
    (void)state;
    assert_int_equal(chain_install(&map, 0x80, &entry), STATUS_OK);
    assert_int_equal(entry.ip, 0x600);
    assert_int_equal(entry.sp, 0x7c00);
    assert_memory_equal(fake_ram(entry.vmcall, 3), "\x0f\x01\xc1", 3);
}

/* REQ-BOOT-4: DL is the boot drive; every load of DL reads the byte that holds it. */
static void test_drive_number_reaches_dl_req_boot_4(void **state)
{
    (void)state;
    const uint8_t drives[] = {0x00, 0x80, 0x81, 0xff};
    for (unsigned i = 0; i < sizeof(drives); i++) {
        assert_int_equal(chain_install(&map, drives[i], &entry), STATUS_OK);
        unsigned loads = 0;
        for (unsigned at = entry.ip; at < 0x600u + CHAIN_STUB_MAX_BYTES - 4; at++) {
            if (word_at(at) == 0x168a) { /* mov dl, [word] */
                assert_int_equal(*(uint8_t *)fake_ram(word_at(at + 2), 1), drives[i]);
                loads++;
            }
        }
        assert_int_equal(loads, 4);
    }
}

static void test_disk_packet(void **state)
{
    (void)state;
    assert_int_equal(chain_install(&map, 0x80, &entry), STATUS_OK);
    assert_int_equal(*(uint8_t *)fake_ram(0x613, 1), 0xbe); /* mov si, packet */
    unsigned packet = word_at(0x614);
    assert_memory_equal(fake_ram(packet, 16), "\x10\0\1\0\0\x7c\0\0\0\0\0\0\0\0\0\0", 16);
}

/* Short jumps, by where they are and where they must lead. */
static void test_jumps(void **state)
{
    (void)state;
    const struct {
        unsigned at, target;
    } jumps[] = {{0x618, 0x652}, {0x636, 0x652}, {0x639, 0x61d}, {0x644, 0x64f},
                 {0x64d, 0x641}, {0x650, 0x64f}, {0x65a, 0x63b}};
    assert_int_equal(chain_install(&map, 0x80, &entry), STATUS_OK);
    assert_int_equal(entry.vmcall, 0x63b);
    for (unsigned i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        int8_t distance = *(int8_t *)fake_ram(jumps[i].at + 1, 1);
        assert_int_equal((int)jumps[i].at + 2 + distance, jumps[i].target);
    }
    assert_memory_equal(fake_ram(0x66c, 5), "\xea\x00\x7c\x00\x00", 5); /* jmp 0:7c00 */
}

static void test_machine_without_memory_there(void **state)
{
    (void)state;
    map.count = 0;
    assert_int_equal(chain_install(&map, 0x80, &entry), STATUS_UNSUPPORTED);
    assert_int_equal(memmap_set(&map, 0, 0x7c00, HW_MEMORY_RAM), STATUS_OK);
    assert_int_equal(chain_install(&map, 0x80, &entry), STATUS_UNSUPPORTED);
    assert_int_equal(*(uint8_t *)fake_ram(0x600, 1), 0);
}

static void test_report(void **state)
{
    (void)state;
    chain_report(0x81, 0x2042);
    assert_true(fake_console_contains("cannot read drive 0x81 (BIOS error 0x20)"));
    chain_report(0x80, 0x0000);
    assert_true(fake_console_contains("sector 0 of drive 0x80 is no boot sector"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_entry, fresh),
        cmocka_unit_test_setup(test_drive_number_reaches_dl_req_boot_4, fresh),
        cmocka_unit_test_setup(test_disk_packet, fresh),
        cmocka_unit_test_setup(test_jumps, fresh),
        cmocka_unit_test_setup(test_machine_without_memory_there, fresh),
        cmocka_unit_test_setup(test_report, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
