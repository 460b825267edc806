/*
 * ACPI's static tables (ACPI 6.4, chapter 5.2): the root pointer, the list of tables behind it, and
 * one table at a time by signature.
 *
 * The caller owns struct smp_acpi (it is large: keep it in static memory) and uses it on the boot
 * CPU only, before others run.  Everything read from the firmware is copied first, its length is
 * bounded by the copy and its checksum verified (REQ-MEM-4).  Nothing here logs.
 */
#ifndef SMP_ACPI_H
#define SMP_ACPI_H

#include <base/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A MADT with 1,000 CPUs takes 40 KiB; tables larger than this are not ones that we read. */
#define SMP_ACPI_TABLE_BYTES 65536
/* Tables listed by the root; real machines list 10 to 50. */
#define SMP_ACPI_MAX_TABLES 256
/* ACPI 6.4 table 5.4 "DESCRIPTION_HEADER Fields". */
#define SMP_ACPI_HEADER_BYTES 36

struct smp_acpi {
    unsigned count;
    uint64_t address[SMP_ACPI_MAX_TABLES]; /* physical, of each table; never 0 */
    uint8_t table[SMP_ACPI_TABLE_BYTES];   /* the table last found */
};

/*
 * Root pointer at rsdp, or searched for in the EBDA and [0xE0000, 0x100000) if rsdp is 0; then the
 * XSDT, or the RSDT if there is none.  STATUS_NOT_FOUND: there is no root pointer to be found.
 * STATUS_INVALID, _FAULT, _OVERFLOW: the root is damaged, unreadable or too large.
 */
enum status smp_acpi_open(struct smp_acpi *acpi, uint64_t rsdp);

/*
 * Copies the first table with this 4-character signature into acpi->table; *bytes is its length.
 * STATUS_NOT_FOUND: there is none.  STATUS_INVALID: its length or checksum is wrong, or an entry of
 * the root cannot be read, so that it might be the one.  STATUS_OVERFLOW: it is too large.
 */
enum status smp_acpi_find(struct smp_acpi *acpi, const char *signature, size_t *bytes);

/* Pure: sum of bytes modulo 256, which is 0 for every intact structure. */
uint8_t smp_acpi_sum(const void *data, size_t bytes);
/* Pure: a copied table has this signature, a length inside the copy, and a valid checksum. */
enum status smp_acpi_check(const void *table, size_t bytes, const char *signature);

#endif
