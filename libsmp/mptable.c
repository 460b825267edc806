#include <smp/mptable.h>

#include "firmware.h"

#include <base/log.h>
#include <string.h>

/* MP specification 1.4, table 4-1 "MP Floating Pointer Structure Fields". */
#define POINTER_BYTES 16
#define POINTER_CONFIG 4
#define POINTER_LENGTH 8 /* in units of 16 bytes */
#define POINTER_FEATURE_1 11
/* Table 4-2 "MP Configuration Table Header Fields". */
#define CONFIG_BYTES 44
#define CONFIG_LENGTH 4
#define CONFIG_ENTRY_COUNT 34
#define CONFIG_LAPIC_ADDRESS 36
/* Tables 4-3 "Base MP Configuration Table Entry Types" and 4-4 "Processor Entry Fields". */
#define TYPE_PROCESSOR 0
#define TYPE_LAST 4
#define PROCESSOR_BYTES 20
#define OTHER_BYTES 8
#define PROCESSOR_ID 1
#define PROCESSOR_FLAGS 3
#define FLAG_ENABLED 1u
/* Chapter 5 "Default Configurations": two CPUs with APIC IDs 0 and 1. */
#define DEFAULT_LAPIC_ADDRESS 0xfee00000

#define SEARCH_BYTES 1024
#define BASE_MEMORY_END 0xa0000

static enum status refuse(const char *what)
{
    log_error("cannot start: the firmware's MP table is damaged: %s; update the firmware.", what);
    return STATUS_INVALID;
}

static enum status add_entries(struct smp_table *table, const uint8_t *config, size_t bytes)
{
    unsigned entries = smp_firmware_get16(config + CONFIG_ENTRY_COUNT);
    size_t at = CONFIG_BYTES;

    for (unsigned i = 0; i < entries; i++) {
        if (at >= bytes || config[at] > TYPE_LAST) {
            return refuse("it ends before its last entry");
        }
        const uint8_t *entry = config + at;
        size_t entry_bytes = entry[0] == TYPE_PROCESSOR ? PROCESSOR_BYTES : OTHER_BYTES;
        if (entry_bytes > bytes - at) {
            return refuse("it ends inside an entry");
        }
        if (entry[0] == TYPE_PROCESSOR && (entry[PROCESSOR_FLAGS] & FLAG_ENABLED) != 0 &&
            smp_table_add(table, entry[PROCESSOR_ID]) != STATUS_OK) {
            return refuse("two CPUs have one APIC ID");
        }
        at += entry_bytes;
    }
    return STATUS_OK;
}

enum status smp_mptable_parse(struct smp_table *table, const void *config, size_t bytes)
{
    const uint8_t *at = config;

    smp_table_clear(table);
    if (bytes < CONFIG_BYTES || memcmp(at, "PCMP", 4) != 0) {
        return refuse("no configuration table where the pointer says");
    }
    size_t length = smp_firmware_get16(at + CONFIG_LENGTH);
    if (length < CONFIG_BYTES || length > bytes || smp_acpi_sum(at, length) != 0) {
        return refuse("length or checksum of the configuration table");
    }
    table->lapic_address = smp_firmware_get32(at + CONFIG_LAPIC_ADDRESS);
    return add_entries(table, at, length);
}

static enum status read_config(struct smp_table *table, uint32_t address, uint8_t *buffer,
                               size_t buffer_bytes)
{
    if (buffer_bytes < CONFIG_BYTES ||
        smp_firmware_read(address, buffer, CONFIG_BYTES) != STATUS_OK) {
        return refuse("its configuration table cannot be read");
    }
    size_t length = smp_firmware_get16(buffer + CONFIG_LENGTH);
    if (length < CONFIG_BYTES || length > buffer_bytes) {
        return refuse("length of the configuration table");
    }
    if (smp_firmware_read(address, buffer, length) != STATUS_OK) {
        return refuse("its configuration table cannot be read");
    }
    return smp_mptable_parse(table, buffer, length);
}

static enum status default_configuration(struct smp_table *table)
{
    smp_table_clear(table);
    table->lapic_address = DEFAULT_LAPIC_ADDRESS;
    enum status status = smp_table_add(table, 0);
    return status == STATUS_OK ? smp_table_add(table, 1) : status;
}

/* An intact pointer in [start, end), copied to pointer. */
static bool search(uint64_t start, uint64_t end, uint8_t *pointer)
{
    for (uint64_t at = start; smp_firmware_scan(&at, end, "_MP_"); at += 16) {
        if (smp_firmware_read(at, pointer, POINTER_BYTES) == STATUS_OK &&
            pointer[POINTER_LENGTH] == 1 && smp_acpi_sum(pointer, POINTER_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

enum status smp_mptable_read(struct smp_table *table, void *buffer, size_t buffer_bytes)
{
    uint8_t pointer[POINTER_BYTES];
    uint64_t ebda = smp_firmware_ebda();

    bool found = (ebda != 0 && search(ebda, ebda + SEARCH_BYTES, pointer)) ||
                 search(BASE_MEMORY_END - SEARCH_BYTES, BASE_MEMORY_END, pointer) ||
                 search(FIRMWARE_BIOS_MP_START, FIRMWARE_BIOS_END, pointer);
    if (!found) {
        return STATUS_NOT_FOUND;
    }
    if (pointer[POINTER_FEATURE_1] != 0) {
        return default_configuration(table);
    }
    uint32_t config = smp_firmware_get32(pointer + POINTER_CONFIG);
    return config != 0 ? read_config(table, config, buffer, buffer_bytes)
                       : refuse("neither a configuration table nor a default configuration");
}
