/*
 * The ACPI table of interrupt controllers, signature "APIC" (ACPI 6.4, 5.2.12): which CPUs exist.
 * Pure; works on a copy.
 */
#ifndef SMP_MADT_H
#define SMP_MADT_H

#include <base/status.h>
#include <smp/table.h>
#include <stddef.h>
#include <stdint.h>

#define SMP_MADT_SIGNATURE "APIC"

/*
 * Clears *table and adds the enabled CPUs of the Processor Local APIC (type 0) and x2APIC (type 9)
 * structures.  "Online capable" ones are absent until they are plugged in; their start-up would go
 * through the guest's ICR, which we intercept, so they are left out.  A CPU listed once by each
 * type is one CPU; twice by the same type is refused.  STATUS_INVALID with a log line.
 */
enum status smp_madt_parse(struct smp_table *table, const void *madt, size_t bytes);

#endif
