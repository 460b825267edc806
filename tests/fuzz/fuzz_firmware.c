/*
 * The firmware's descriptions of the CPUs (REQ-MEM-4): root pointer, XSDT, MADT, FADT and MP table,
 * well-formed around a body that is the input's, then spoilt at places that the input names.
 *
 * sources: libsmp/acpi.c libsmp/fadt.c libsmp/firmware.c libsmp/madt.c libsmp/mptable.c
 *     libsmp/table.c fake
 * include: tests/unit/libsmp
 */
#include "fuzz.h"
#include "tables.h"

#include <fake/machine.h>
#include <smp/fadt.h>
#include <smp/madt.h>
#include <smp/mptable.h>
#include <smp/table.h>

/* In the EBDA, where everything is searched for. */
#define AREA 0x9e000ULL
#define AREA_BYTES 8192U
#define XSDT_AT 0x100U
#define MADT_AT 0x200U
#define FADT_AT 0xc00U
#define MP_POINTER_AT 0x300U
#define MP_AT 0x1400U
#define BODY_BYTES_MAX 1024U
#define BOOT_APIC_ID 1U
#define SEARCH_ALL 0xffU

static struct smp_acpi acpi;
static uint8_t *area;

static void start(void)
{
    fake_machine_reset(NULL);
    area = fake_ram(AREA, AREA_BYTES);
    FUZZ_CHECK(area != NULL);
    const uint16_t ebda_segment = AREA >> 4;
    memcpy(fake_ram(0x40e, 2), &ebda_segment, 2);
}

static void put_body(struct builder *builder, struct fuzz_input *input, unsigned bytes)
{
    for (unsigned i = 0; i < bytes && input->left > 0; i++) {
        put(builder, fuzz_take(input, 1), 1);
    }
}

static void place(unsigned at, const struct builder *builder)
{
    memcpy(area + at, builder->bytes, builder->used);
}

static void build(struct fuzz_input *input)
{
    struct builder builder;
    unsigned shape = (unsigned)fuzz_take(input, 1), bytes = (unsigned)fuzz_take(input, 2);

    bytes %= BODY_BYTES_MAX;
    memset(area, 0, AREA_BYTES);
    if ((shape & 1) == 0) {
        rsdp_make(area, shape & 2 ? 0 : 2, AREA + XSDT_AT, shape & 4 ? 0 : AREA + XSDT_AT);
    }
    acpi_begin(&builder, shape & 2 || shape & 4 ? "RSDT" : "XSDT");
    put(&builder, AREA + MADT_AT, shape & 2 || shape & 4 ? 4 : 8);
    put(&builder, AREA + FADT_AT, shape & 2 || shape & 4 ? 4 : 8);
    acpi_seal(&builder);
    place(XSDT_AT, &builder);
    madt_begin(&builder);
    put_body(&builder, input, bytes);
    acpi_seal(&builder);
    place(MADT_AT, &builder);
    acpi_begin(&builder, "FACP");
    put_body(&builder, input, bytes);
    acpi_seal(&builder);
    place(FADT_AT, &builder);
    mp_begin(&builder);
    builder.bytes[34] = (uint8_t)fuzz_take(input, 1);
    put_body(&builder, input, bytes);
    mp_seal(&builder);
    place(MP_AT, &builder);
    /* Over the MADT's body: without ACPI the MP table decides.  Neither makes the parsers search
     * the BIOS's whole area, which takes milliseconds here. */
    if (shape != SEARCH_ALL && (shape & 9) != 0) {
        mp_pointer_make(area + MP_POINTER_AT, shape & 16 ? 0 : AREA + MP_AT, shape >> 5);
    }
    while (input->left >= 3 && (shape & 128) != 0) {
        area[fuzz_take(input, 2) % AREA_BYTES] = (uint8_t)fuzz_take(input, 1);
    }
}

static void check_table(const struct smp_table *table)
{
    FUZZ_CHECK(table->count >= 1 && table->count <= CONFIG_MAX_CPUS);
    FUZZ_CHECK(table->cpu[0].boot && table->cpu[0].apic_id == BOOT_APIC_ID);
    for (unsigned i = 0; i < table->count; i++) {
        FUZZ_CHECK(table->cpu[i].boot == (i == 0));
        FUZZ_CHECK(smp_table_find(table, table->cpu[i].apic_id) == i); /* no ID is there twice */
    }
}

/* The parsers by themselves, on a copy that ends where they are told. */
static void parse_alone(struct fuzz_input input)
{
    struct smp_table table;
    struct smp_fadt fadt;
    size_t bytes = input.left;
    uint8_t *copy = fuzz_copy(&input);

    if (bytes >= SMP_ACPI_HEADER_BYTES) {
        static const char *const signatures[] = {SMP_MADT_SIGNATURE, SMP_FADT_SIGNATURE};
        const uint32_t length = (uint32_t)bytes;
        memcpy(copy, signatures[copy[0] & 1], 4);
        memcpy(copy + 4, &length, sizeof(length));
        fuzz_seal(copy, bytes, 9);
    }
    smp_table_clear(&table);
    if (smp_madt_parse(&table, copy, bytes) == STATUS_OK) {
        FUZZ_CHECK(table.count <= CONFIG_MAX_CPUS && table.count <= table.reported);
    }
    (void)smp_fadt_parse(&fadt, copy, bytes);
    if (bytes >= 8) {
        const uint16_t length = (uint16_t)bytes;
        memcpy(copy, "PCMP", 4);
        memcpy(copy + 4, &length, sizeof(length));
        fuzz_seal(copy, bytes, 7);
    }
    smp_table_clear(&table);
    (void)smp_mptable_parse(&table, copy, bytes);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct smp_table table;
    struct smp_fadt fadt;
    size_t bytes;

    if (area == NULL) {
        start();
    }
    parse_alone(input);
    build(&input);
    bool search = size > 0 && data[0] == SEARCH_ALL;
    if (smp_table_read(&table, &acpi, search ? 0 : AREA, BOOT_APIC_ID) == STATUS_OK) {
        check_table(&table);
    }
    if (smp_acpi_open(&acpi, AREA) == STATUS_OK) {
        FUZZ_CHECK(acpi.count <= SMP_ACPI_MAX_TABLES);
        if (smp_acpi_find(&acpi, SMP_FADT_SIGNATURE, &bytes) == STATUS_OK) {
            FUZZ_CHECK(bytes <= sizeof(acpi.table));
            (void)smp_fadt_parse(&fadt, acpi.table, bytes);
        }
    }
    fake_console_clear();
    return 0;
}
