#include <smp/acpi.h>

#include "firmware.h"

#include <string.h>

/* ACPI 6.4 table 5.3 "RSDP Structure". */
#define RSDP_V1_BYTES 20
#define RSDP_V2_BYTES 36
#define RSDP_REVISION 15
#define RSDP_RSDT 16
#define RSDP_LENGTH 20
#define RSDP_XSDT 24
/* ACPI 6.4 table 5.4 "DESCRIPTION_HEADER Fields". */
#define HEADER_LENGTH 4
#define EBDA_SEARCH_BYTES 1024

struct root {
    uint64_t address;
    bool wide; /* XSDT: 64-bit entries */
};

uint8_t smp_acpi_sum(const void *data, size_t bytes)
{
    const uint8_t *at = data;
    unsigned sum = 0;

    for (size_t i = 0; i < bytes; i++) {
        sum += at[i];
    }
    return (uint8_t)sum;
}

enum status smp_acpi_check(const void *table, size_t bytes, const char *signature)
{
    const uint8_t *at = table;

    if (bytes < SMP_ACPI_HEADER_BYTES || memcmp(at, signature, 4) != 0) {
        return STATUS_INVALID;
    }
    uint32_t length = smp_firmware_get32(at + HEADER_LENGTH);
    if (length < SMP_ACPI_HEADER_BYTES || length > bytes || smp_acpi_sum(at, length) != 0) {
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

/* Revision 0 has one checksum over 20 bytes; later ones a second over 36 (their length says so). */
static enum status read_rsdp(uint64_t address, struct root *root)
{
    uint8_t rsdp[RSDP_V2_BYTES];

    enum status status = smp_firmware_read(address, rsdp, RSDP_V1_BYTES);
    if (status != STATUS_OK) {
        return status;
    }
    if (memcmp(rsdp, "RSD PTR ", 8) != 0 || smp_acpi_sum(rsdp, RSDP_V1_BYTES) != 0) {
        return STATUS_INVALID;
    }
    *root = (struct root){smp_firmware_get32(rsdp + RSDP_RSDT), false};
    if (rsdp[RSDP_REVISION] >= 2) {
        status = smp_firmware_read(address, rsdp, RSDP_V2_BYTES);
        if (status != STATUS_OK) {
            return status;
        }
        if (smp_firmware_get32(rsdp + RSDP_LENGTH) < RSDP_V2_BYTES ||
            smp_acpi_sum(rsdp, RSDP_V2_BYTES) != 0) {
            return STATUS_INVALID;
        }
        uint64_t xsdt = smp_firmware_get64(rsdp + RSDP_XSDT);
        if (xsdt != 0) {
            *root = (struct root){xsdt, true};
        }
    }
    return root->address != 0 ? STATUS_OK : STATUS_INVALID;
}

/* A signature with a wrong checksum is a chance find or an old copy: the search goes on. */
static enum status search_rsdp(uint64_t start, uint64_t end, struct root *root)
{
    enum status result = STATUS_NOT_FOUND;

    for (uint64_t at = start; smp_firmware_scan(&at, end, "RSD PTR "); at += 16) {
        result = read_rsdp(at, root);
        if (result == STATUS_OK) {
            break;
        }
    }
    return result;
}

static enum status find_root(uint64_t rsdp, struct root *root)
{
    if (rsdp != 0) {
        return read_rsdp(rsdp, root);
    }
    uint64_t ebda = smp_firmware_ebda();
    enum status in_ebda = STATUS_NOT_FOUND;
    if (ebda != 0) {
        in_ebda = search_rsdp(ebda, ebda + EBDA_SEARCH_BYTES, root);
        if (in_ebda == STATUS_OK) {
            return STATUS_OK;
        }
    }
    enum status in_bios = search_rsdp(FIRMWARE_BIOS_START, FIRMWARE_BIOS_END, root);
    return in_bios == STATUS_NOT_FOUND ? in_ebda : in_bios;
}

/* Copies the table at address; its first 36 bytes are in acpi->table already. */
static enum status read_table(struct smp_acpi *acpi, uint64_t address, const char *signature,
                              size_t *bytes)
{
    uint32_t length = smp_firmware_get32(acpi->table + HEADER_LENGTH);

    if (length > sizeof(acpi->table)) {
        return STATUS_OVERFLOW;
    }
    if (length < SMP_ACPI_HEADER_BYTES) {
        return STATUS_INVALID;
    }
    enum status status = smp_firmware_read(address, acpi->table, length);
    if (status != STATUS_OK) {
        return status;
    }
    *bytes = length;
    return smp_acpi_check(acpi->table, length, signature);
}

enum status smp_acpi_open(struct smp_acpi *acpi, uint64_t rsdp)
{
    struct root root;
    size_t bytes;

    acpi->count = 0;
    enum status status = find_root(rsdp, &root);
    if (status != STATUS_OK) {
        return status;
    }
    status = smp_firmware_read(root.address, acpi->table, SMP_ACPI_HEADER_BYTES);
    if (status != STATUS_OK) {
        return status;
    }
    status = read_table(acpi, root.address, root.wide ? "XSDT" : "RSDT", &bytes);
    if (status != STATUS_OK) {
        return status;
    }
    size_t entry_bytes = root.wide ? 8 : 4;
    size_t entries = (bytes - SMP_ACPI_HEADER_BYTES) / entry_bytes;
    if (entries > SMP_ACPI_MAX_TABLES) {
        return STATUS_OVERFLOW;
    }
    for (size_t i = 0; i < entries; i++) {
        const uint8_t *at = acpi->table + SMP_ACPI_HEADER_BYTES + i * entry_bytes;
        uint64_t address = root.wide ? smp_firmware_get64(at) : smp_firmware_get32(at);
        if (address != 0) { /* some firmware leaves empty entries */
            acpi->address[acpi->count++] = address;
        }
    }
    return STATUS_OK;
}

enum status smp_acpi_find(struct smp_acpi *acpi, const char *signature, size_t *bytes)
{
    enum status result = STATUS_NOT_FOUND;

    for (unsigned i = 0; i < acpi->count; i++) {
        uint64_t address = acpi->address[i];
        if (smp_firmware_read(address, acpi->table, SMP_ACPI_HEADER_BYTES) != STATUS_OK) {
            result = STATUS_INVALID; /* it might be the one that is asked for */
            continue;
        }
        if (memcmp(acpi->table, signature, 4) == 0) {
            return read_table(acpi, address, signature, bytes);
        }
    }
    return result;
}
