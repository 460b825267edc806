/* libsmp/table.c: which table of CPUs is believed, and what refuses the start (REQ-SMP-2). */
#include "suite.h"
#include "tables.h"

#include <fake/machine.h>
#include <smp/table.h>

#define RSDP_AT 0xf5000
#define XSDT_AT 0x200000
#define MADT_AT 0x201000
#define POINTER_AT 0xf6000
#define CONFIG_AT 0xf6010

static struct smp_acpi acpi;

static void place(uint64_t at, const struct builder *builder)
{
    memcpy(fake_ram(at, builder->used), builder->bytes, builder->used);
}

static int setup(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    return 0;
}

static void place_acpi(unsigned cpus)
{
    struct builder table;

    rsdp_make(fake_ram(RSDP_AT, 36), 2, 0, XSDT_AT);
    acpi_begin(&table, "XSDT");
    put(&table, MADT_AT, 8);
    acpi_seal(&table);
    place(XSDT_AT, &table);
    madt_simple(&table, cpus);
    place(MADT_AT, &table);
}

static void place_mp(unsigned cpus)
{
    struct builder config;

    mp_pointer_make(fake_ram(POINTER_AT, 16), CONFIG_AT, 0);
    mp_begin(&config);
    for (unsigned i = 0; i < cpus; i++) {
        mp_cpu(&config, (uint8_t)(2 * i), 1);
    }
    mp_seal(&config);
    place(CONFIG_AT, &config);
}

static enum status read_table(struct smp_table *table, uint32_t boot)
{
    fake_console_clear();
    return smp_table_read(table, &acpi, RSDP_AT, boot);
}

/* One clear line, and only one. */
static void assert_one_line(const char *text)
{
    const char *newline = strchr(fake_console_text(), '\n');
    assert_true(fake_console_contains(text));
    assert_non_null(newline);
    assert_int_equal(newline[1], '\0');
}

static void test_boot_cpu_comes_first(void **state)
{
    struct smp_table table;

    (void)state;
    place_acpi(4);
    assert_int_equal(read_table(&table, 4), STATUS_OK);
    assert_int_equal(table.count, 4);
    const uint32_t order[] = {4, 0, 2, 6};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(table.cpu[i].apic_id, order[i]);
        assert_int_equal(table.cpu[i].boot, i == 0);
        assert_int_equal(smp_table_find(&table, order[i]), i);
    }
    assert_int_equal(smp_table_find(&table, 99), 4);
    assert_string_equal(fake_console_text(), "");
}

static void test_all_cpus_that_fit(void **state)
{
    struct smp_table table;

    (void)state;
    place_acpi(CONFIG_MAX_CPUS);
    assert_int_equal(read_table(&table, 2 * (CONFIG_MAX_CPUS - 1)), STATUS_OK);
    assert_int_equal(table.count, CONFIG_MAX_CPUS);
}

static void test_REQ_SMP_2_too_many_cpus(void **state)
{
    struct smp_table table;

    (void)state;
    place_acpi(CONFIG_MAX_CPUS + 1);
    assert_int_equal(read_table(&table, 0), STATUS_OVERFLOW);
    assert_one_line("raise CONFIG_MAX_CPUS");
    assert_int_equal(table.reported, CONFIG_MAX_CPUS + 1);
}

static void test_REQ_SMP_2_damaged_madt_refuses(void **state)
{
    struct smp_table table;

    (void)state;
    place_acpi(2);
    place_mp(2); /* an intact MP table does not help: the guest may believe the MADT */
    *(uint8_t *)fake_ram(MADT_AT + 50, 1) ^= 1;
    assert_int_equal(read_table(&table, 0), STATUS_INVALID);
    assert_one_line("MADT) is damaged");
}

static void test_boot_cpu_not_listed(void **state)
{
    struct smp_table table;

    (void)state;
    place_acpi(2);
    assert_int_equal(read_table(&table, 1), STATUS_INVALID);
    assert_one_line("lacks the boot CPU (APIC ID 1)");
}

static void test_no_cpu_listed(void **state)
{
    struct smp_table table;

    (void)state;
    place_acpi(0);
    assert_int_equal(read_table(&table, 0), STATUS_INVALID);
    assert_one_line("lacks the boot CPU");
}

static void test_mp_table_stands_in(void **state)
{
    struct smp_table table;

    (void)state;
    place_mp(3);
    /* No ACPI. */
    assert_int_equal(smp_table_read(&table, &acpi, 0, 2), STATUS_OK);
    assert_int_equal(table.count, 3);
    assert_int_equal(table.cpu[0].apic_id, 2);
    /* ACPI without a MADT. */
    place_acpi(2);
    memcpy(fake_ram(MADT_AT, 4), "HPET", 4);
    assert_int_equal(read_table(&table, 0), STATUS_OK);
    assert_int_equal(table.count, 3);
    /* ACPI's root damaged: a warning. */
    *(uint8_t *)fake_ram(XSDT_AT + 20, 1) ^= 1;
    assert_int_equal(read_table(&table, 0), STATUS_OK);
    assert_int_equal(table.count, 3);
    assert_one_line("trying the MP table");
}

static void test_both_damaged_refuses(void **state)
{
    struct smp_table table;

    (void)state;
    place_acpi(2);
    *(uint8_t *)fake_ram(XSDT_AT + 20, 1) ^= 1;
    assert_int_equal(read_table(&table, 0), STATUS_INVALID);
    assert_true(fake_console_contains("neither ACPI nor an MP table"));
    place_mp(2);
    *(uint8_t *)fake_ram(CONFIG_AT + 20, 1) ^= 1;
    assert_int_equal(read_table(&table, 0), STATUS_INVALID);
    assert_true(fake_console_contains("MP table is damaged"));
    /* A damaged MP table alone. */
    assert_int_equal(smp_table_read(&table, &acpi, XSDT_AT, 0), STATUS_INVALID);
}

static void test_no_table_means_one_cpu(void **state)
{
    struct smp_table table;
    size_t bytes;

    (void)state;
    assert_int_equal(smp_table_read(&table, &acpi, 0, 6), STATUS_OK);
    assert_int_equal(table.count, 1);
    assert_int_equal(table.cpu[0].apic_id, 6);
    assert_true(table.cpu[0].boot);
    assert_one_line("boot CPU only");
    assert_int_equal(smp_acpi_find(&acpi, "FACP", &bytes), STATUS_NOT_FOUND);
}

/* REQ-MEM-4: whatever single byte of the root, its list, the MADT or the MP table is wrong. */
static void test_REQ_MEM_4_every_byte_of_everything(void **state)
{
    static const struct {
        uint64_t at;
        unsigned bytes;
    } areas[] = {{RSDP_AT, 36},
                 {XSDT_AT, 44},
                 {MADT_AT, 36 + 8 + 24 + 12},
                 {POINTER_AT, 16},
                 {CONFIG_AT, 44 + 60}};
    struct smp_table table;

    (void)state;
    place_acpi(3);
    place_mp(3);
    for (size_t area = 0; area < sizeof(areas) / sizeof(areas[0]); area++) {
        for (unsigned i = 0; i < areas[area].bytes; i++) {
            uint8_t *byte = fake_ram(areas[area].at + i, 1);
            for (unsigned bit = 0; bit < 8; bit++) {
                *byte ^= (uint8_t)(1u << bit);
                /* One source is always intact, so it is refused or right, never a wrong list. */
                enum status status = read_table(&table, 0);
                assert_true(status == STATUS_OK ? table.count == 3 : fake_console_contains("MADT"));
                *byte ^= (uint8_t)(1u << bit);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_boot_cpu_comes_first, setup),
        cmocka_unit_test_setup(test_all_cpus_that_fit, setup),
        cmocka_unit_test_setup(test_REQ_SMP_2_too_many_cpus, setup),
        cmocka_unit_test_setup(test_REQ_SMP_2_damaged_madt_refuses, setup),
        cmocka_unit_test_setup(test_boot_cpu_not_listed, setup),
        cmocka_unit_test_setup(test_no_cpu_listed, setup),
        cmocka_unit_test_setup(test_mp_table_stands_in, setup),
        cmocka_unit_test_setup(test_both_damaged_refuses, setup),
        cmocka_unit_test_setup(test_no_table_means_one_cpu, setup),
        cmocka_unit_test_setup(test_REQ_MEM_4_every_byte_of_everything, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
