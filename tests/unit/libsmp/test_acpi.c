/* libsmp/acpi.c: root pointer, list of tables, table by signature.  REQ-MEM-4 throughout. */
#include "suite.h"
#include "tables.h"

#include <fake/machine.h>
#include <smp/acpi.h>

#define RSDP_AT 0xf5a30
#define RSDT_AT 0x200003 /* not aligned: firmware need not align tables */
#define XSDT_AT 0x201001
#define MADT_AT 0x202000
#define FADT_AT 0x203000

static struct smp_acpi acpi;

static void place(uint64_t at, const struct builder *builder)
{
    memcpy(fake_ram(at, builder->used), builder->bytes, builder->used);
}

static void place_root(const char *signature, uint64_t at, unsigned entry_bytes,
                       const uint64_t *entries, unsigned count)
{
    struct builder root;

    acpi_begin(&root, signature);
    for (unsigned i = 0; i < count; i++) {
        put(&root, entries[i], entry_bytes);
    }
    acpi_seal(&root);
    place(at, &root);
}

static int setup(void **state)
{
    static const uint64_t entries[] = {FADT_AT, 0, MADT_AT};
    struct builder table;

    (void)state;
    fake_machine_reset(NULL);
    memset(&acpi, 0x5a, sizeof(acpi));
    rsdp_make(fake_ram(RSDP_AT, 36), 2, RSDT_AT, XSDT_AT);
    place_root("RSDT", RSDT_AT, 4, entries, 1);
    place_root("XSDT", XSDT_AT, 8, entries, 3);
    acpi_begin(&table, "FACP");
    acpi_seal(&table);
    place(FADT_AT, &table);
    madt_simple(&table, 2);
    place(MADT_AT, &table);
    return 0;
}

static void test_sum(void **state)
{
    const uint8_t bytes[] = {0xff, 2, 0x80};

    (void)state;
    assert_int_equal(smp_acpi_sum(bytes, 0), 0);
    assert_int_equal(smp_acpi_sum(bytes, 2), 1);
    assert_int_equal(smp_acpi_sum(bytes, 3), 0x81);
}

static void test_xsdt_by_address_and_by_search(void **state)
{
    size_t bytes;

    (void)state;
    for (unsigned searched = 0; searched < 2; searched++) {
        assert_int_equal(smp_acpi_open(&acpi, searched ? 0 : RSDP_AT), STATUS_OK);
        assert_int_equal(acpi.count, 2); /* the empty entry is left out */
        assert_int_equal(smp_acpi_find(&acpi, "APIC", &bytes), STATUS_OK);
        assert_int_equal(bytes, 36 + 8 + 2 * 8 + 12);
        assert_memory_equal(acpi.table, fake_ram(MADT_AT, bytes), bytes);
        assert_int_equal(smp_acpi_find(&acpi, "FACP", &bytes), STATUS_OK);
        assert_int_equal(smp_acpi_find(&acpi, "DMAR", &bytes), STATUS_NOT_FOUND);
    }
}

static void test_rsdt_of_acpi_1(void **state)
{
    size_t bytes;

    (void)state;
    rsdp_make(fake_ram(RSDP_AT, 36), 0, RSDT_AT, 0);
    memset(fake_ram(RSDP_AT + 20, 16), 0xee, 16); /* not part of the old structure */
    assert_int_equal(smp_acpi_open(&acpi, 0), STATUS_OK);
    assert_int_equal(acpi.count, 1);
    assert_int_equal(smp_acpi_find(&acpi, "FACP", &bytes), STATUS_OK);
    assert_int_equal(smp_acpi_find(&acpi, "APIC", &bytes), STATUS_NOT_FOUND);
    /* Revision 2 without an XSDT. */
    rsdp_make(fake_ram(RSDP_AT, 36), 2, RSDT_AT, 0);
    assert_int_equal(smp_acpi_open(&acpi, 0), STATUS_OK);
    assert_int_equal(acpi.count, 1);
}

static void test_search_in_ebda(void **state)
{
    struct builder word = {.used = 0};

    (void)state;
    memset(fake_ram(RSDP_AT, 36), 0, 36);
    assert_int_equal(smp_acpi_open(&acpi, 0), STATUS_NOT_FOUND);
    put(&word, 0x9fc0, 2);
    place(0x40e, &word);
    rsdp_make(fake_ram(0x9fc00 + 976, 36), 2, RSDT_AT, XSDT_AT);
    assert_int_equal(smp_acpi_open(&acpi, 0), STATUS_OK);
    memset(fake_ram(0x9fc00, 1024), 0, 1024);
    rsdp_make(fake_ram(0x9fc00 - 16, 36), 2, RSDT_AT, XSDT_AT);
    assert_int_equal(smp_acpi_open(&acpi, 0), STATUS_NOT_FOUND);
}

static void test_search_passes_a_damaged_copy(void **state)
{
    (void)state;
    rsdp_make(fake_ram(0xf1000, 36), 2, RSDT_AT, XSDT_AT);
    *(uint8_t *)fake_ram(0xf1000 + 17, 1) ^= 1;
    assert_int_equal(smp_acpi_open(&acpi, 0), STATUS_OK);
    memset(fake_ram(RSDP_AT, 36), 0, 36);
    assert_int_equal(smp_acpi_open(&acpi, 0), STATUS_INVALID); /* only the damaged one is left */
}

static void test_damaged_root_pointer(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 36; at++) {
        uint8_t *byte = fake_ram(RSDP_AT + at, 1);
        *byte ^= 0x40;
        assert_int_not_equal(smp_acpi_open(&acpi, RSDP_AT), STATUS_OK);
        assert_int_equal(acpi.count, 0);
        *byte ^= 0x40;
    }
    rsdp_make(fake_ram(RSDP_AT, 36), 0, 0, 0);
    assert_int_equal(smp_acpi_open(&acpi, RSDP_AT), STATUS_INVALID);
}

/* REQ-MEM-4: addresses that firmware names, at every kind of end. */
static void test_addresses_out_of_bounds(void **state)
{
    static const uint64_t wild[] = {
        ~0ULL,      ~0ULL - 35,  1ULL << 63,       1ULL << 52,
        0xfffffff0, 0xffffffff,  0x100000000,      CONFIG_MAX_PHYS_BYTES,
        0x7fffff0,  0xa0000 - 4, 0x100000000 - 36, 3};
    size_t bytes;

    (void)state;
    for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        assert_int_not_equal(smp_acpi_open(&acpi, wild[i]), STATUS_OK);
        rsdp_make(fake_ram(RSDP_AT, 36), 2, RSDT_AT, wild[i]);
        assert_int_not_equal(smp_acpi_open(&acpi, RSDP_AT), STATUS_OK);
    }
    const uint64_t entries[] = {~0ULL - 3, FADT_AT};
    rsdp_make(fake_ram(RSDP_AT, 36), 2, RSDT_AT, XSDT_AT);
    place_root("XSDT", XSDT_AT, 8, entries, 2);
    assert_int_equal(smp_acpi_open(&acpi, RSDP_AT), STATUS_OK);
    assert_int_equal(smp_acpi_find(&acpi, "FACP", &bytes), STATUS_OK);
    /* The unreadable one might be it. */
    assert_int_equal(smp_acpi_find(&acpi, "APIC", &bytes), STATUS_INVALID);
}

static void set_length(uint64_t table, uint32_t length)
{
    memcpy(fake_ram(table + 4, 4), &length, 4);
}

static void test_lengths_of_tables(void **state)
{
    static const uint32_t wrong[] = {0, 4, 35, SMP_ACPI_TABLE_BYTES + 1, 0x7fffffff, 0xffffffff};
    size_t bytes;

    (void)state;
    assert_int_equal(smp_acpi_open(&acpi, RSDP_AT), STATUS_OK);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        set_length(MADT_AT, wrong[i]);
        assert_int_equal(smp_acpi_find(&acpi, "APIC", &bytes),
                         wrong[i] < 36 ? STATUS_INVALID : STATUS_OVERFLOW);
    }
    /* The largest one, whole. */
    set_length(MADT_AT, SMP_ACPI_TABLE_BYTES);
    seal_bytes(fake_ram(MADT_AT, SMP_ACPI_TABLE_BYTES), SMP_ACPI_TABLE_BYTES, 9);
    assert_int_equal(smp_acpi_find(&acpi, "APIC", &bytes), STATUS_OK);
    assert_int_equal(bytes, SMP_ACPI_TABLE_BYTES);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        set_length(XSDT_AT, wrong[i]);
        assert_int_not_equal(smp_acpi_open(&acpi, RSDP_AT), STATUS_OK);
    }
}

static void test_every_byte_of_a_table(void **state)
{
    size_t bytes, length = 36 + 8 + 2 * 8 + 12;

    (void)state;
    assert_int_equal(smp_acpi_open(&acpi, RSDP_AT), STATUS_OK);
    for (unsigned at = 0; at < length; at++) {
        uint8_t *byte = fake_ram(MADT_AT + at, 1);
        *byte ^= 0x10;
        /* A changed signature is another table; all else is a wrong length or checksum. */
        assert_int_not_equal(smp_acpi_find(&acpi, "APIC", &bytes), STATUS_OK);
        *byte ^= 0x10;
    }
    assert_int_equal(smp_acpi_find(&acpi, "APIC", &bytes), STATUS_OK);
}

static void test_too_many_tables(void **state)
{
    static uint64_t entries[SMP_ACPI_MAX_TABLES + 1];

    (void)state;
    for (unsigned i = 0; i <= SMP_ACPI_MAX_TABLES; i++) {
        entries[i] = MADT_AT;
    }
    place_root("XSDT", XSDT_AT, 8, entries, SMP_ACPI_MAX_TABLES);
    assert_int_equal(smp_acpi_open(&acpi, RSDP_AT), STATUS_OK);
    assert_int_equal(acpi.count, SMP_ACPI_MAX_TABLES);
    place_root("XSDT", XSDT_AT, 8, entries, SMP_ACPI_MAX_TABLES + 1);
    assert_int_equal(smp_acpi_open(&acpi, RSDP_AT), STATUS_OVERFLOW);
    assert_int_equal(acpi.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_sum, setup),
        cmocka_unit_test_setup(test_xsdt_by_address_and_by_search, setup),
        cmocka_unit_test_setup(test_rsdt_of_acpi_1, setup),
        cmocka_unit_test_setup(test_search_in_ebda, setup),
        cmocka_unit_test_setup(test_search_passes_a_damaged_copy, setup),
        cmocka_unit_test_setup(test_damaged_root_pointer, setup),
        cmocka_unit_test_setup(test_addresses_out_of_bounds, setup),
        cmocka_unit_test_setup(test_lengths_of_tables, setup),
        cmocka_unit_test_setup(test_every_byte_of_a_table, setup),
        cmocka_unit_test_setup(test_too_many_tables, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
