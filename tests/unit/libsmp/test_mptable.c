/* libsmp/mptable.c: the MP configuration table.  REQ-MEM-4 for every length and byte of it. */
#include "suite.h"
#include "tables.h"

#include <fake/machine.h>
#include <smp/mptable.h>
#include <stdlib.h>

#define POINTER_AT 0xf6b40
#define CONFIG_AT 0xf6b54

static uint8_t buffer[SMP_MPTABLE_MAX_BYTES];

static int setup(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    return 0;
}

static void config_make(struct builder *config)
{
    mp_begin(config);
    mp_cpu(config, 0, 3);
    mp_cpu(config, 5, 1);
    mp_cpu(config, 6, 0); /* disabled */
    mp_bus(config);
    mp_cpu(config, 3, 1);
    mp_seal(config);
}

static void place(const struct builder *config)
{
    memcpy(fake_ram(CONFIG_AT, config->used), config->bytes, config->used);
}

static enum status read_table(struct smp_table *table)
{
    fake_console_clear();
    return smp_mptable_read(table, buffer, sizeof(buffer));
}

static void test_finds_and_lists(void **state)
{
    struct builder config;
    struct smp_table table;

    (void)state;
    config_make(&config);
    place(&config);
    assert_int_equal(read_table(&table), STATUS_NOT_FOUND);
    mp_pointer_make(fake_ram(POINTER_AT, 16), CONFIG_AT, 0);
    assert_int_equal(read_table(&table), STATUS_OK);
    assert_int_equal(table.count, 3);
    assert_int_equal(table.cpu[0].apic_id, 0);
    assert_int_equal(table.cpu[1].apic_id, 5);
    assert_int_equal(table.cpu[2].apic_id, 3);
    assert_int_equal(table.lapic_address, 0xfee00000);
}

static void test_places_of_the_pointer(void **state)
{
    static const uint64_t places[] = {0x9f000 + 1008, 0xa0000 - 16, 0x9fc00, 0xffff0};
    struct builder config;
    struct smp_table table;

    (void)state;
    config_make(&config);
    place(&config);
    *(uint8_t *)fake_ram(0x40f, 1) = 0x9f; /* EBDA at 0x9f000 */
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        mp_pointer_make(fake_ram(places[i], 16), CONFIG_AT, 0);
        assert_int_equal(read_table(&table), STATUS_OK);
        memset(fake_ram(places[i], 16), 0, 16);
        assert_int_equal(read_table(&table), STATUS_NOT_FOUND);
    }
}

static void test_default_configuration(void **state)
{
    struct smp_table table;

    (void)state;
    mp_pointer_make(fake_ram(POINTER_AT, 16), 0, 5);
    assert_int_equal(read_table(&table), STATUS_OK);
    assert_int_equal(table.count, 2);
    assert_int_equal(table.cpu[0].apic_id, 0);
    assert_int_equal(table.cpu[1].apic_id, 1);
    mp_pointer_make(fake_ram(POINTER_AT, 16), 0, 0);
    assert_int_equal(read_table(&table), STATUS_INVALID);
}

static void test_pointer_checksum(void **state)
{
    struct smp_table table;

    (void)state;
    for (unsigned at = 0; at < 16; at++) {
        mp_pointer_make(fake_ram(POINTER_AT, 16), 0, 5);
        *(uint8_t *)fake_ram(POINTER_AT + at, 1) ^= 0x20;
        assert_int_equal(read_table(&table), STATUS_NOT_FOUND);
    }
}

static void test_wild_addresses(void **state)
{
    static const uint32_t wild[] = {0xffffffff, 0xfffffff0, 0xa0000, 0x7ffffff};
    struct smp_table table;

    (void)state;
    for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        mp_pointer_make(fake_ram(POINTER_AT, 16), wild[i], 0);
        assert_int_equal(read_table(&table), STATUS_INVALID);
        assert_true(fake_console_contains("MP table is damaged"));
    }
}

static void test_every_truncation(void **state)
{
    struct builder config;
    struct smp_table table;

    (void)state;
    mp_pointer_make(fake_ram(POINTER_AT, 16), CONFIG_AT, 0);
    for (size_t bytes = 0; bytes < 44 + 4 * 20 + 8; bytes++) {
        config_make(&config);
        uint8_t *exact = malloc(bytes + 1);
        memcpy(exact, config.bytes, bytes);
        assert_int_equal(smp_mptable_parse(&table, exact, bytes), STATUS_INVALID);
        free(exact);
        poke(&config, 4, bytes, 2); /* a whole table that claims more entries than it has */
        seal_bytes(config.bytes, bytes < 8 ? 8 : bytes, 7);
        place(&config);
        assert_int_equal(read_table(&table), STATUS_INVALID);
        assert_true(fake_console_contains("MP table is damaged"));
    }
}

static void test_every_byte_changed(void **state)
{
    struct builder config;
    struct smp_table table;

    (void)state;
    config_make(&config);
    uint8_t *copy = malloc(config.used);
    for (size_t at = 0; at < config.used; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            memcpy(copy, config.bytes, config.used);
            copy[at] ^= (uint8_t)flip;
            assert_int_equal(smp_mptable_parse(&table, copy, config.used), STATUS_INVALID);
            seal_bytes(copy, config.used, at == 7 ? 8 : 7);
            (void)smp_mptable_parse(&table, copy, config.used);
            assert_true(table.count <= CONFIG_MAX_CPUS && table.count <= table.reported);
        }
    }
    free(copy);
}

static void test_refuses_duplicates(void **state)
{
    struct builder config;
    struct smp_table table;

    (void)state;
    mp_begin(&config);
    mp_cpu(&config, 1, 1);
    mp_cpu(&config, 1, 1);
    mp_seal(&config);
    assert_int_equal(smp_mptable_parse(&table, config.bytes, config.used), STATUS_INVALID);
    assert_true(fake_console_contains("one APIC ID"));
}

static void test_buffer_too_small(void **state)
{
    struct builder config;
    struct smp_table table;

    (void)state;
    config_make(&config);
    place(&config);
    mp_pointer_make(fake_ram(POINTER_AT, 16), CONFIG_AT, 0);
    assert_int_equal(smp_mptable_read(&table, buffer, config.used), STATUS_OK);
    assert_int_equal(smp_mptable_read(&table, buffer, config.used - 1), STATUS_INVALID);
    assert_int_equal(smp_mptable_read(&table, buffer, 43), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_finds_and_lists, setup),
        cmocka_unit_test_setup(test_places_of_the_pointer, setup),
        cmocka_unit_test_setup(test_default_configuration, setup),
        cmocka_unit_test_setup(test_pointer_checksum, setup),
        cmocka_unit_test_setup(test_wild_addresses, setup),
        cmocka_unit_test_setup(test_every_truncation, setup),
        cmocka_unit_test_setup(test_every_byte_changed, setup),
        cmocka_unit_test_setup(test_refuses_duplicates, setup),
        cmocka_unit_test_setup(test_buffer_too_small, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
