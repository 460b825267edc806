/*
 * Builders of firmware tables for the tests of libsmp, byte by byte as the specifications lay them
 * out, independent of the parsers' constants.
 */
#ifndef TESTS_LIBSMP_TABLES_H
#define TESTS_LIBSMP_TABLES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TABLE_BYTES 4096

struct builder {
    uint8_t bytes[TABLE_BYTES];
    size_t used;
};

static inline void put(struct builder *builder, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        builder->bytes[builder->used++] = (uint8_t)(value >> 8 * i);
    }
}

static inline void put_text(struct builder *builder, const char *text)
{
    size_t bytes = strlen(text);
    memcpy(builder->bytes + builder->used, text, bytes);
    builder->used += bytes;
}

static inline void poke(struct builder *builder, size_t at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        builder->bytes[at + i] = (uint8_t)(value >> 8 * i);
    }
}

/* Makes the sum of the first `bytes` bytes 0 through the byte at `checksum`. */
static inline void seal_bytes(uint8_t *at, size_t bytes, size_t checksum)
{
    unsigned sum = 0;

    at[checksum] = 0;
    for (size_t i = 0; i < bytes; i++) {
        sum += at[i];
    }
    at[checksum] = (uint8_t)-sum;
}

/* ACPI header: signature, length, revision, checksum, OEM ID, OEM table ID, revisions. */
static inline void acpi_begin(struct builder *builder, const char *signature)
{
    memset(builder, 0, sizeof(*builder));
    put_text(builder, signature);
    put(builder, 0, 4);
    put(builder, 3, 1);
    put(builder, 0, 1);
    put_text(builder, "NACRE TESTTABL");
    put(builder, 1, 4);
    put_text(builder, "TEST");
    put(builder, 1, 4);
}

static inline void acpi_seal(struct builder *builder)
{
    poke(builder, 4, builder->used, 4);
    seal_bytes(builder->bytes, builder->used, 9);
}

static inline void madt_begin(struct builder *builder)
{
    acpi_begin(builder, "APIC");
    put(builder, 0xfee00000, 4);
    put(builder, 1, 4);
}

static inline void madt_lapic(struct builder *builder, uint8_t id, uint32_t flags)
{
    put(builder, 0, 1);
    put(builder, 8, 1);
    put(builder, id, 1); /* ACPI processor UID */
    put(builder, id, 1);
    put(builder, flags, 4);
}

static inline void madt_x2apic(struct builder *builder, uint32_t id, uint32_t flags)
{
    put(builder, 9, 1);
    put(builder, 16, 1);
    put(builder, 0, 2);
    put(builder, id, 4);
    put(builder, flags, 4);
    put(builder, id, 4);
}

static inline void madt_ioapic(struct builder *builder)
{
    put(builder, 1, 1);
    put(builder, 12, 1);
    put(builder, 2, 2);
    put(builder, 0xfec00000, 4);
    put(builder, 0, 4);
}

/* cpus CPUs with APIC IDs 0, 2, 4, ... and an I/O APIC. */
static inline void madt_simple(struct builder *builder, unsigned cpus)
{
    madt_begin(builder);
    for (unsigned i = 0; i < cpus; i++) {
        madt_lapic(builder, (uint8_t)(2 * i), 1);
    }
    madt_ioapic(builder);
    acpi_seal(builder);
}

/* MP configuration table: header of 44 bytes, then entries. */
static inline void mp_begin(struct builder *builder)
{
    memset(builder, 0, sizeof(*builder));
    put_text(builder, "PCMP");
    put(builder, 0, 2);
    put(builder, 4, 1);
    put(builder, 0, 1);
    put_text(builder, "NACRE   TESTMACHINE ");
    put(builder, 0, 4);
    put(builder, 0, 2);
    put(builder, 0, 2); /* entry count */
    put(builder, 0xfee00000, 4);
    put(builder, 0, 4);
}

static inline void mp_count(struct builder *builder)
{
    builder->bytes[34]++;
}

static inline void mp_cpu(struct builder *builder, uint8_t id, uint8_t flags)
{
    size_t start = builder->used;
    put(builder, 0, 1);
    put(builder, id, 1);
    put(builder, 0x14, 1);
    put(builder, flags, 1);
    builder->used = start + 20;
    mp_count(builder);
}

static inline void mp_bus(struct builder *builder)
{
    put(builder, 1, 1);
    put(builder, 0, 1);
    put_text(builder, "ISA   ");
    mp_count(builder);
}

static inline void mp_seal(struct builder *builder)
{
    poke(builder, 4, builder->used, 2);
    seal_bytes(builder->bytes, builder->used, 7);
}

/* Root pointer of 36 bytes; revision 0 uses the first 20. */
static inline void rsdp_make(uint8_t *at, unsigned revision, uint32_t rsdt, uint64_t xsdt)
{
    struct builder builder = {.used = 0};
    put_text(&builder, "RSD PTR ");
    put(&builder, 0, 1);
    put_text(&builder, "NACRE ");
    put(&builder, revision, 1);
    put(&builder, rsdt, 4);
    put(&builder, 36, 4);
    put(&builder, xsdt, 8);
    put(&builder, 0, 4);
    seal_bytes(builder.bytes, 20, 8);
    seal_bytes(builder.bytes, 36, 32);
    memcpy(at, builder.bytes, revision == 0 ? 20 : 36);
}

/* MP floating pointer of 16 bytes. */
static inline void mp_pointer_make(uint8_t *at, uint32_t config, uint8_t feature_1)
{
    struct builder builder = {.used = 0};
    put_text(&builder, "_MP_");
    put(&builder, config, 4);
    put(&builder, 1, 1);
    put(&builder, 4, 1);
    put(&builder, 0, 1);
    put(&builder, feature_1, 1);
    put(&builder, 0, 4);
    seal_bytes(builder.bytes, 16, 10);
    memcpy(at, builder.bytes, 16);
}

#endif
