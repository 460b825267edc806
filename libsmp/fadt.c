#include <smp/fadt.h>

#include <smp/acpi.h>

#include "firmware.h"

#include <base/bits.h>

/* ACPI 6.4 table 5.9 "FADT Format"; older revisions end earlier. */
#define FADT_SMI_COMMAND 48
#define FADT_PM1A_CONTROL 64
#define FADT_PM1B_CONTROL 68
#define FADT_LEAST_BYTES 116 /* revision 1 */
#define FADT_FLAGS 112
#define FADT_FLAG_RESET_REG_SUP BIT(10)
#define FADT_RESET_REGISTER 116
#define FADT_RESET_VALUE 128
#define FADT_X_PM1A_CONTROL 172
#define FADT_X_PM1B_CONTROL 184
/* ACPI 6.4 table 5.1 "Generic Address Structure (GAS)". */
#define GAS_BYTES 12
#define GAS_ADDRESS 4

static uint16_t port(uint64_t address)
{
    return address <= 0xffff ? (uint16_t)address : 0;
}

/* The extended field wins if the table has it and it names a port (ACPI 5.2.9, X_PM1a_CNT_BLK). */
static uint16_t control_port(const uint8_t *table, size_t bytes, unsigned legacy, unsigned extended)
{
    if (bytes >= extended + GAS_BYTES && table[extended] == SMP_ACPI_SPACE_IO) {
        uint16_t found = port(smp_firmware_get64(table + extended + GAS_ADDRESS));
        if (found != 0) {
            return found;
        }
    }
    return port(smp_firmware_get32(table + legacy));
}

enum status smp_fadt_parse(struct smp_fadt *fadt, const void *table, size_t bytes)
{
    const uint8_t *at = table;

    *fadt = (struct smp_fadt){0};
    if (smp_acpi_check(table, bytes, SMP_FADT_SIGNATURE) != STATUS_OK) {
        return STATUS_INVALID;
    }
    bytes = smp_firmware_get32(at + 4);
    if (bytes < FADT_LEAST_BYTES) {
        return STATUS_INVALID;
    }
    fadt->smi_command_port = port(smp_firmware_get32(at + FADT_SMI_COMMAND));
    fadt->pm1a_control_port = control_port(at, bytes, FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL);
    fadt->pm1b_control_port = control_port(at, bytes, FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL);
    if (bytes > FADT_RESET_VALUE &&
        (smp_firmware_get32(at + FADT_FLAGS) & FADT_FLAG_RESET_REG_SUP) != 0) {
        fadt->reset_supported = true;
        fadt->reset_space = at[FADT_RESET_REGISTER];
        fadt->reset_address = smp_firmware_get64(at + FADT_RESET_REGISTER + GAS_ADDRESS);
        fadt->reset_value = at[FADT_RESET_VALUE];
    }
    return STATUS_OK;
}
