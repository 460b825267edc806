/*
 * The CPUs of the machine as its firmware describes them: the table from which everything that is
 * per CPU takes its indices.  Index 0 is the boot CPU; the others follow in the firmware's order.
 *
 * The caller owns the table.  It is written once on the boot CPU before others run, and read-only
 * after that.  Which sources are believed, and why some faults refuse the start, is in
 * smp_table_read().
 */
#ifndef SMP_TABLE_H
#define SMP_TABLE_H

#include <base/status.h>
#include <config/config.h>
#include <smp/acpi.h>
#include <stdbool.h>
#include <stdint.h>

/* Sets of CPUs are 64-bit masks, bit n = index n. */
_Static_assert(CONFIG_MAX_CPUS >= 1 && CONFIG_MAX_CPUS <= 64, "sets of CPUs are uint64_t masks");

struct smp_cpu {
    uint32_t apic_id;
    bool boot;
};

struct smp_table {
    unsigned count; /* valid entries of cpu[] */
    struct smp_cpu cpu[CONFIG_MAX_CPUS];
    unsigned reported;      /* usable CPUs that the firmware reports; may exceed count */
    uint64_t lapic_address; /* physical, as reported; 0 if unknown */
};

/*
 * Fills *table.  rsdp is the physical address of ACPI's root pointer, 0 to search for it; acpi is
 * working memory and stays usable for smp_acpi_find() when the call succeeds and ACPI is there.
 *
 * The MADT decides.  The MP configuration table stands in when ACPI has no MADT or its root is
 * damaged.  No table at all means one CPU, with a warning.  Refused, each with one log line:
 * a MADT or MP table that is there but damaged, duplicate APIC IDs, a boot CPU that is not listed
 * (STATUS_INVALID), and more than CONFIG_MAX_CPUS CPUs (STATUS_OVERFLOW).  Going on without knowing
 * every CPU would leave one outside VMX, where guest code could run on it (REQ-SMP-2).
 */
enum status smp_table_read(struct smp_table *table, struct smp_acpi *acpi, uint64_t rsdp,
                           uint32_t boot_apic_id);

/* Index of the CPU with that APIC ID; table->count if there is none. */
unsigned smp_table_find(const struct smp_table *table, uint32_t apic_id);

/* For the parsers: empties the table; adds a usable CPU; puts the boot CPU first. */
void smp_table_clear(struct smp_table *table);
/* STATUS_INVALID for a duplicate.  CPUs past CONFIG_MAX_CPUS are only counted in reported. */
enum status smp_table_add(struct smp_table *table, uint32_t apic_id);
/* STATUS_NOT_FOUND when the boot CPU is not in the table. */
enum status smp_table_set_boot(struct smp_table *table, uint32_t boot_apic_id);

#endif
