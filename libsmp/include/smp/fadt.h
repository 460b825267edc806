/*
 * What a hypervisor wants to know from ACPI's fixed description table, signature "FACP" (ACPI 6.4,
 * 5.2.9): the ports by which the guest powers the machine off, sleeps or resets it.  Pure.
 */
#ifndef SMP_FADT_H
#define SMP_FADT_H

#include <base/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMP_FADT_SIGNATURE "FACP"

/* ACPI 6.4 table 5.1 "Generic Address Structure", address space IDs. */
#define SMP_ACPI_SPACE_MEMORY 0
#define SMP_ACPI_SPACE_IO 1
#define SMP_ACPI_SPACE_PCI 2

struct smp_fadt {
    uint16_t pm1a_control_port; /* 0 if there is none in I/O space */
    uint16_t pm1b_control_port; /* 0 if there is none */
    uint16_t smi_command_port;  /* 0 if there is none */
    bool reset_supported;       /* RESET_REG_SUP; the rest is then valid */
    uint8_t reset_space;        /* SMP_ACPI_SPACE_... */
    uint64_t reset_address;
    uint8_t reset_value;
};

/* STATUS_INVALID: signature, length or checksum is wrong; *fadt is then all zero. */
enum status smp_fadt_parse(struct smp_fadt *fadt, const void *table, size_t bytes);

#endif
