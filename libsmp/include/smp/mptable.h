/*
 * The Intel MultiProcessor Specification 1.4's tables (chapter 4), from before ACPI: the fallback.
 * Parsing is pure; finding reads the BIOS areas.  Boot CPU only.
 */
#ifndef SMP_MPTABLE_H
#define SMP_MPTABLE_H

#include <base/status.h>
#include <smp/table.h>
#include <stddef.h>
#include <stdint.h>

/* Most CPUs times 20 bytes, plus buses and interrupts: a length field of 16 bits. */
#define SMP_MPTABLE_MAX_BYTES 65535

/*
 * Searches the floating pointer (first KiB of the EBDA, last KiB of base memory, [0xF0000,
 * 0x100000)), copies the configuration table into buffer and parses it into *table.
 * STATUS_NOT_FOUND: no floating pointer.  STATUS_INVALID or _FAULT: it is there but damaged, with a
 * log line.
 */
enum status smp_mptable_read(struct smp_table *table, void *buffer, size_t buffer_bytes);

/* Pure: the configuration table ("PCMP"), in a copy of bytes bytes. */
enum status smp_mptable_parse(struct smp_table *table, const void *config, size_t bytes);

#endif
