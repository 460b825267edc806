#include <smp/table.h>

#include <smp/madt.h>
#include <smp/mptable.h>

#include <base/log.h>

void smp_table_clear(struct smp_table *table)
{
    *table = (struct smp_table){0};
}

unsigned smp_table_find(const struct smp_table *table, uint32_t apic_id)
{
    unsigned cpu = 0;

    while (cpu < table->count && table->cpu[cpu].apic_id != apic_id) {
        cpu++;
    }
    return cpu;
}

enum status smp_table_add(struct smp_table *table, uint32_t apic_id)
{
    if (smp_table_find(table, apic_id) < table->count) {
        return STATUS_INVALID;
    }
    table->reported++;
    if (table->count < CONFIG_MAX_CPUS) {
        table->cpu[table->count++] = (struct smp_cpu){apic_id, false};
    }
    return STATUS_OK;
}

enum status smp_table_set_boot(struct smp_table *table, uint32_t boot_apic_id)
{
    unsigned at = smp_table_find(table, boot_apic_id);

    if (at == table->count) {
        return STATUS_NOT_FOUND;
    }
    for (; at > 0; at--) { /* the others keep the firmware's order */
        table->cpu[at] = table->cpu[at - 1];
    }
    table->cpu[0] = (struct smp_cpu){boot_apic_id, true};
    return STATUS_OK;
}

/* STATUS_NOT_FOUND: ACPI does not say, the MP table may; *damaged: it tried to. */
static enum status read_acpi(struct smp_table *table, struct smp_acpi *acpi, uint64_t rsdp,
                             bool *damaged)
{
    size_t bytes;

    enum status status = smp_acpi_open(acpi, rsdp);
    *damaged = status != STATUS_OK && status != STATUS_NOT_FOUND;
    if (*damaged) {
        log_warn("ACPI's root table is damaged (%s): trying the MP table", status_text(status));
    }
    if (status != STATUS_OK) {
        return STATUS_NOT_FOUND;
    }
    status = smp_acpi_find(acpi, SMP_MADT_SIGNATURE, &bytes);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_NOT_FOUND;
    }
    if (status != STATUS_OK) {
        log_error("cannot start: ACPI's table of CPUs (MADT) is damaged (%s): update the firmware.",
                  status_text(status));
        return STATUS_INVALID;
    }
    return smp_madt_parse(table, acpi->table, bytes);
}

static enum status check_boot_cpu(struct smp_table *table, uint32_t boot_apic_id)
{
    if (table->reported > CONFIG_MAX_CPUS) {
        log_error("cannot start: this machine has %u CPUs and the image is built for %u: raise "
                  "CONFIG_MAX_CPUS "
                  "in config/config.h or switch CPUs off in the firmware's setup.",
                  table->reported, (unsigned)CONFIG_MAX_CPUS);
        return STATUS_OVERFLOW;
    }
    if (smp_table_set_boot(table, boot_apic_id) != STATUS_OK) {
        log_error("cannot start: the firmware's table of CPUs lacks the boot CPU (APIC ID %u): "
                  "update the "
                  "firmware.",
                  (unsigned)boot_apic_id);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

enum status smp_table_read(struct smp_table *table, struct smp_acpi *acpi, uint64_t rsdp,
                           uint32_t boot_apic_id)
{
    bool damaged;

    smp_table_clear(table);
    enum status status = read_acpi(table, acpi, rsdp, &damaged);
    if (status == STATUS_NOT_FOUND) {
        status = smp_mptable_read(table, acpi->table, sizeof(acpi->table));
    }
    if (status == STATUS_NOT_FOUND && damaged) {
        log_error("cannot start: neither ACPI nor an MP table tells which CPUs there are: update "
                  "the firmware.");
        return STATUS_INVALID;
    }
    if (status == STATUS_NOT_FOUND) {
        log_warn("the firmware has no table of CPUs: using the boot CPU only");
        smp_table_clear(table);
        status = smp_table_add(table, boot_apic_id);
    }
    return status == STATUS_OK ? check_boot_cpu(table, boot_apic_id) : status;
}
