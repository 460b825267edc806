/* libsmp/madt.c: the CPU list of the MADT.  REQ-MEM-4 for every length and byte of it. */
#include "suite.h"
#include "tables.h"

#include <fake/machine.h>
#include <smp/acpi.h>
#include <smp/madt.h>
#include <stdlib.h>

static int setup(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    return 0;
}

static void test_lists_enabled_cpus(void **state)
{
    struct builder madt;
    struct smp_table table;

    (void)state;
    madt_begin(&madt);
    madt_lapic(&madt, 4, 1);
    madt_lapic(&madt, 9, 0);    /* disabled */
    madt_lapic(&madt, 0, 1);    /* not in order of IDs */
    madt_lapic(&madt, 11, 2);   /* online capable only */
    madt_lapic(&madt, 0xff, 1); /* broadcast: no CPU */
    madt_ioapic(&madt);
    acpi_seal(&madt);
    assert_int_equal(smp_madt_parse(&table, madt.bytes, madt.used), STATUS_OK);
    assert_int_equal(table.count, 2);
    assert_int_equal(table.reported, 2);
    assert_int_equal(table.cpu[0].apic_id, 4);
    assert_int_equal(table.cpu[1].apic_id, 0);
    assert_false(table.cpu[0].boot);
    assert_int_equal(table.lapic_address, 0xfee00000);
}

static void test_x2apic_and_address_override(void **state)
{
    struct builder madt;
    struct smp_table table;

    (void)state;
    madt_begin(&madt);
    madt_x2apic(&madt, 0x12345, 1);
    madt_x2apic(&madt, 0x99, 0);
    madt_x2apic(&madt, 0xffffffff, 1);
    put(&madt, 5, 1);
    put(&madt, 12, 1);
    put(&madt, 0, 2);
    put(&madt, 0x1fee00000, 8);
    madt_lapic(&madt, 7, 1);
    acpi_seal(&madt);
    assert_int_equal(smp_madt_parse(&table, madt.bytes, madt.used), STATUS_OK);
    assert_int_equal(table.count, 2);
    assert_int_not_equal(smp_table_find(&table, 7), table.count);
    assert_int_not_equal(smp_table_find(&table, 0x12345), table.count);
    assert_true(table.lapic_address == 0x1fee00000);
}

static void test_one_cpu_in_both_types(void **state)
{
    struct builder madt;
    struct smp_table table;

    (void)state;
    madt_begin(&madt);
    madt_x2apic(&madt, 0, 1);
    madt_x2apic(&madt, 2, 1);
    madt_lapic(&madt, 0, 1);
    madt_lapic(&madt, 2, 1);
    acpi_seal(&madt);
    assert_int_equal(smp_madt_parse(&table, madt.bytes, madt.used), STATUS_OK);
    assert_int_equal(table.count, 2);
    assert_int_equal(table.reported, 2);
}

static void test_refuses_duplicates(void **state)
{
    struct builder madt;
    struct smp_table table;

    (void)state;
    madt_begin(&madt);
    madt_lapic(&madt, 2, 1);
    madt_lapic(&madt, 2, 1);
    acpi_seal(&madt);
    assert_int_equal(smp_madt_parse(&table, madt.bytes, madt.used), STATUS_INVALID);
    assert_true(fake_console_contains("duplicate APIC ID 2"));
    madt_begin(&madt);
    madt_x2apic(&madt, 3, 1);
    madt_x2apic(&madt, 3, 1);
    acpi_seal(&madt);
    assert_int_equal(smp_madt_parse(&table, madt.bytes, madt.used), STATUS_INVALID);
    /* A disabled entry names no CPU: firmware fills unused ones alike. */
    madt_begin(&madt);
    madt_lapic(&madt, 2, 1);
    madt_lapic(&madt, 2, 0);
    acpi_seal(&madt);
    assert_int_equal(smp_madt_parse(&table, madt.bytes, madt.used), STATUS_OK);
}

/* REQ-SMP-2: CPUs past the limit are counted, so that the caller can refuse. */
static void test_counts_past_the_limit(void **state)
{
    struct builder madt;
    struct smp_table table;

    (void)state;
    madt_simple(&madt, CONFIG_MAX_CPUS + 3);
    assert_int_equal(smp_madt_parse(&table, madt.bytes, madt.used), STATUS_OK);
    assert_int_equal(table.count, CONFIG_MAX_CPUS);
    assert_int_equal(table.reported, CONFIG_MAX_CPUS + 3);
}

static void test_wrong_structure_lengths(void **state)
{
    static const struct {
        uint8_t type, length;
    } wrong[] = {{0, 7}, {9, 15}, {5, 11}, {1, 0}, {1, 1}, {0, 255}, {77, 200}};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct builder madt;
        struct smp_table table;
        madt_begin(&madt);
        madt_lapic(&madt, 0, 1);
        size_t at = madt.used;
        madt.used += 40;
        madt.bytes[at] = wrong[i].type;
        madt.bytes[at + 1] = wrong[i].length;
        acpi_seal(&madt);
        fake_console_clear();
        assert_int_equal(smp_madt_parse(&table, madt.bytes, madt.used), STATUS_INVALID);
        assert_true(fake_console_contains("MADT"));
    }
}

/* REQ-MEM-4: the copy is exactly as long as it says it is, so that the sanitizer sees one byte
 * more. */
static void test_every_truncation(void **state)
{
    struct builder madt;
    struct smp_table table;

    (void)state;
    madt_simple(&madt, 3);
    for (size_t bytes = 0; bytes < madt.used; bytes++) {
        uint8_t *copy = malloc(bytes + 1);
        memcpy(copy, madt.bytes, bytes);
        uint8_t *exact = realloc(copy, bytes != 0 ? bytes : 1);
        assert_int_equal(smp_madt_parse(&table, exact, bytes), STATUS_INVALID);
        if (bytes >= 44) { /* the same, with a header that claims to be so short and whole */
            for (unsigned i = 0; i < 4; i++) {
                exact[4 + i] = (uint8_t)(bytes >> 8 * i);
            }
            seal_bytes(exact, bytes, 9);
            enum status status = smp_madt_parse(&table, exact, bytes);
            bool between = bytes == 44 || bytes == 52 || bytes == 60 || bytes == 68;
            assert_int_equal(status, between ? STATUS_OK : STATUS_INVALID);
        }
        free(exact);
    }
}

/* REQ-MEM-4: a flipped byte breaks the checksum; made whole again it never reads out of bounds. */
static void test_every_byte_changed(void **state)
{
    struct builder madt;
    struct smp_table table;

    (void)state;
    madt_simple(&madt, 3);
    uint8_t *copy = malloc(madt.used);
    for (size_t at = 0; at < madt.used; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            memcpy(copy, madt.bytes, madt.used);
            copy[at] ^= (uint8_t)flip;
            assert_int_equal(smp_madt_parse(&table, copy, madt.used), STATUS_INVALID);
            seal_bytes(copy, madt.used, at == 9 ? 8 : 9);
            (void)smp_madt_parse(&table, copy, madt.used);
            assert_true(table.count <= CONFIG_MAX_CPUS && table.count <= table.reported);
        }
    }
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lists_enabled_cpus, setup),
        cmocka_unit_test_setup(test_x2apic_and_address_override, setup),
        cmocka_unit_test_setup(test_one_cpu_in_both_types, setup),
        cmocka_unit_test_setup(test_refuses_duplicates, setup),
        cmocka_unit_test_setup(test_counts_past_the_limit, setup),
        cmocka_unit_test_setup(test_wrong_structure_lengths, setup),
        cmocka_unit_test_setup(test_every_truncation, setup),
        cmocka_unit_test_setup(test_every_byte_changed, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
