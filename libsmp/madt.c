#include <smp/madt.h>

#include "firmware.h"

#include <base/log.h>
#include <stdbool.h>

/* ACPI 6.4 table 5.19 "Multiple APIC Description Table (MADT) Format". */
#define MADT_LAPIC_ADDRESS 36
#define MADT_STRUCTURES 44

/* ACPI 6.4 tables 5.21 "Interrupt Controller Structure Types", 5.22, 5.27, 5.34. */
#define TYPE_LOCAL_APIC 0
#define LOCAL_APIC_BYTES 8
#define LOCAL_APIC_ID 3
#define LOCAL_APIC_FLAGS 4
#define TYPE_ADDRESS_OVERRIDE 5
#define ADDRESS_OVERRIDE_BYTES 12
#define ADDRESS_OVERRIDE_ADDRESS 4
#define TYPE_X2APIC 9
#define X2APIC_BYTES 16
#define X2APIC_ID 4
#define X2APIC_FLAGS 8
#define FLAG_ENABLED 1u

/* IDs that mean "all": no CPU has one, firmware uses them in entries without a CPU behind. */
#define BROADCAST_ID 0xff
#define X2APIC_BROADCAST_ID 0xffffffff

static enum status refuse(const char *what, unsigned value)
{
    log_error("cannot start: ACPI's table of CPUs (MADT) is damaged: %s %u; update the firmware.",
              what, value);
    return STATUS_INVALID;
}

static enum status add_local_apic(struct smp_table *table, const uint8_t *at)
{
    uint32_t id = at[LOCAL_APIC_ID];

    if ((smp_firmware_get32(at + LOCAL_APIC_FLAGS) & FLAG_ENABLED) == 0 || id == BROADCAST_ID) {
        return STATUS_OK;
    }
    return smp_table_add(table, id) == STATUS_OK ? STATUS_OK : refuse("duplicate APIC ID", id);
}

/* first_x2apic: table entries below it came from Local APIC structures, and may be named again. */
static enum status add_x2apic(struct smp_table *table, const uint8_t *at, unsigned first_x2apic)
{
    uint32_t id = smp_firmware_get32(at + X2APIC_ID);

    if ((smp_firmware_get32(at + X2APIC_FLAGS) & FLAG_ENABLED) == 0 || id == X2APIC_BROADCAST_ID) {
        return STATUS_OK;
    }
    if (smp_table_find(table, id) < first_x2apic) {
        return STATUS_OK;
    }
    return smp_table_add(table, id) == STATUS_OK ? STATUS_OK : refuse("duplicate APIC ID", id);
}

static size_t least_bytes(uint8_t type)
{
    switch (type) {
    case TYPE_LOCAL_APIC:
        return LOCAL_APIC_BYTES;
    case TYPE_ADDRESS_OVERRIDE:
        return ADDRESS_OVERRIDE_BYTES;
    case TYPE_X2APIC:
        return X2APIC_BYTES;
    default:
        return 2;
    }
}

/* One pass over the structures: those of one type are added, the lengths of all are checked. */
static enum status add_type(struct smp_table *table, const uint8_t *madt, size_t bytes,
                            uint8_t type)
{
    enum status status = STATUS_OK;
    unsigned first_x2apic = table->count;
    size_t entry_bytes;

    for (size_t at = MADT_STRUCTURES; at < bytes && status == STATUS_OK; at += entry_bytes) {
        const uint8_t *entry = madt + at;
        entry_bytes = bytes - at < 2 ? 0 : entry[1];
        if (entry_bytes < 2 || entry_bytes < least_bytes(entry[0]) || entry_bytes > bytes - at) {
            return refuse("wrong length of the structure at byte", (unsigned)at);
        }
        if (entry[0] != type) {
            continue;
        }
        if (type == TYPE_LOCAL_APIC) {
            status = add_local_apic(table, entry);
        } else if (type == TYPE_X2APIC) {
            status = add_x2apic(table, entry, first_x2apic);
        } else {
            table->lapic_address = smp_firmware_get64(entry + ADDRESS_OVERRIDE_ADDRESS);
        }
    }
    return status;
}

enum status smp_madt_parse(struct smp_table *table, const void *madt, size_t bytes)
{
    static const uint8_t types[] = {TYPE_LOCAL_APIC, TYPE_X2APIC, TYPE_ADDRESS_OVERRIDE};
    const uint8_t *at = madt;

    smp_table_clear(table);
    if (smp_acpi_check(madt, bytes, SMP_MADT_SIGNATURE) != STATUS_OK) {
        return refuse("signature, length or checksum, of bytes", (unsigned)bytes);
    }
    bytes = smp_firmware_get32(at + 4);
    if (bytes < MADT_STRUCTURES) {
        return refuse("length", (unsigned)bytes);
    }
    table->lapic_address = smp_firmware_get32(at + MADT_LAPIC_ADDRESS);
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < sizeof(types) && status == STATUS_OK; i++) {
        status = add_type(table, at, bytes, types[i]);
    }
    return status;
}
