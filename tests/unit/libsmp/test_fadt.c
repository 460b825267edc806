/* libsmp/fadt.c: power and reset ports.  REQ-MEM-4 for its length. */
#include "suite.h"
#include "tables.h"

#include <smp/fadt.h>
#include <stdlib.h>

static void fadt_make(struct builder *fadt, size_t bytes)
{
    acpi_begin(fadt, "FACP");
    fadt->used = bytes;
    poke(fadt, 48, 0xb2, 4);
    poke(fadt, 64, 0x604, 4);
    poke(fadt, 68, 0x704, 4);
    poke(fadt, 112, 1u << 10, 4);
    if (bytes >= 129) {
        poke(fadt, 116, SMP_ACPI_SPACE_IO, 1);
        poke(fadt, 117, 8, 1);
        poke(fadt, 120, 0xcf9, 8);
        poke(fadt, 128, 0x0f, 1);
    }
    if (bytes >= 196) {
        poke(fadt, 172, SMP_ACPI_SPACE_IO, 1);
        poke(fadt, 176, 0x1804, 8);
    }
    acpi_seal(fadt);
}

static void test_fields(void **state)
{
    struct builder table;
    struct smp_fadt fadt;

    (void)state;
    fadt_make(&table, 276);
    assert_int_equal(smp_fadt_parse(&fadt, table.bytes, table.used), STATUS_OK);
    assert_int_equal(fadt.smi_command_port, 0xb2);
    assert_int_equal(fadt.pm1a_control_port, 0x1804); /* the extended field */
    assert_int_equal(fadt.pm1b_control_port, 0x704);  /* the extended field is empty */
    assert_true(fadt.reset_supported);
    assert_int_equal(fadt.reset_space, SMP_ACPI_SPACE_IO);
    assert_true(fadt.reset_address == 0xcf9);
    assert_int_equal(fadt.reset_value, 0x0f);
}

static void test_revision_1(void **state)
{
    struct builder table;
    struct smp_fadt fadt;

    (void)state;
    fadt_make(&table, 116);
    assert_int_equal(smp_fadt_parse(&fadt, table.bytes, table.used), STATUS_OK);
    assert_int_equal(fadt.pm1a_control_port, 0x604);
    assert_false(fadt.reset_supported); /* the flag is set, but the field is not there */
}

static void test_what_names_no_port(void **state)
{
    struct builder table;
    struct smp_fadt fadt;

    (void)state;
    fadt_make(&table, 276);
    poke(&table, 172, SMP_ACPI_SPACE_MEMORY, 1);
    poke(&table, 68, 0x10000, 4);
    poke(&table, 112, 0, 4);
    acpi_seal(&table);
    assert_int_equal(smp_fadt_parse(&fadt, table.bytes, table.used), STATUS_OK);
    assert_int_equal(fadt.pm1a_control_port, 0x604);
    assert_int_equal(fadt.pm1b_control_port, 0);
    assert_false(fadt.reset_supported);
}

static void test_every_truncation(void **state)
{
    struct builder table;
    struct smp_fadt fadt;

    (void)state;
    for (size_t bytes = 36; bytes < 276; bytes++) {
        fadt_make(&table, 276);
        table.used = bytes; /* whole again at this length, in memory of just this length */
        acpi_seal(&table);
        uint8_t *exact = malloc(bytes);
        memcpy(exact, table.bytes, bytes);
        enum status status = smp_fadt_parse(&fadt, exact, bytes);
        assert_int_equal(status, bytes < 116 ? STATUS_INVALID : STATUS_OK);
        assert_int_equal(fadt.reset_supported, bytes >= 129);
        assert_int_equal(smp_fadt_parse(&fadt, exact, bytes - 1), STATUS_INVALID);
        assert_int_equal(fadt.pm1b_control_port, 0);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_revision_1),
        cmocka_unit_test(test_what_names_no_port),
        cmocka_unit_test(test_every_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
