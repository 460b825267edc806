/*
 * What the boot loader and firmware told the platform, checked and bounded, and where the platform
 * hands over to the hypapp.  Written once before app_main(), read-only after it.
 */
#ifndef HW_BOOT_H
#define HW_BOOT_H

#include <base/addr.h>
#include <config/config.h>
#include <stdbool.h>
#include <stdint.h>

/* ACPI address range types (ACPI "System Address Map Interfaces"). */
enum hw_memory_type {
    HW_MEMORY_RAM = 1,
    HW_MEMORY_RESERVED = 2,
    HW_MEMORY_ACPI = 3,
    HW_MEMORY_NVS = 4,
    HW_MEMORY_BAD = 5
};

struct hw_memory_range { /* [start, end), sorted by start, not overlapping */
    uint64_t start, end;
    uint32_t type;
};

struct hw_module {
    struct hpa start;
    uint64_t bytes;
    char string[CONFIG_CMDLINE_BYTES]; /* as in the boot loader's configuration, NUL-terminated */
};

struct hw_boot_info {
    char cmdline[CONFIG_CMDLINE_BYTES];
    unsigned memory_count;
    struct hw_memory_range memory[CONFIG_MAX_MEMORY_RANGES]; /* as the firmware reported it */
    unsigned module_count;
    struct hw_module modules[CONFIG_MAX_MODULES];
    uint64_t rsdp;         /* physical address of ACPI's root pointer as found, 0 if none */
    uint32_t bios_drive;   /* BIOS number of the drive we were loaded from, ~0 if unknown */
    struct hpa loaded;     /* where the loader had put the image: the guest's again */
    struct hpa region;     /* the hypervisor's own memory: image, stacks, pool; region= places it */
    uint64_t region_bytes; /* multiple of 2 MiB */
    struct hpa pool;       /* the part of the region that is free for the hypapp's tables */
    uint64_t pool_bytes;
    uint64_t text_bytes, data_bytes; /* of the image */
};

/* What the report of a panic says about the guest on one CPU. */
enum hw_guest_activity {
    HW_GUEST_NONE,     /* this CPU is not in VMX operation yet */
    HW_GUEST_WAITS,    /* for the guest's start-up IPI */
    HW_GUEST_RUNS,     /* the registers below are valid, as they are for HW_GUEST_WAITS */
    HW_GUEST_ISOLATED, /* isolated code has the CPU: no registers are told */
    HW_GUEST_DAMAGED,  /* the vCPU's own tag is wrong: nothing of it was believed */
    HW_GUEST_ACTIVITY_COUNT
};

struct hw_guest_state {
    enum hw_guest_activity activity;
    unsigned width_bits; /* of the code it executes: 16, 32, 64 */
    unsigned cpl;
    uint16_t cs;
    uint64_t rip, rsp, cr0, cr3, rflags;
    uint64_t exits; /* since the start */
};

/*
 * Provided by the hypapp for the report of a panic: the state of this CPU's guest.  Called on each
 * CPU for itself, once, on whatever stack it was stopped on, in NMI context too, while other CPUs
 * may hold any lock: it takes none, logs nothing and cannot fail.
 */
void app_panic_state(unsigned cpu, struct hw_guest_state *state);

/* Provided by the hypapp (apps/), called by the platform on the boot CPU, never returns. */
_Noreturn void app_main(const struct hw_boot_info *info);
/* Provided by the hypapp, called on each further CPU once it is in long mode on its own stack. */
_Noreturn void app_ap_main(unsigned cpu);

/*
 * Puts the start-up code for other CPUs into a free page below 1 MiB (its content is saved) and
 * gives the SIPI vector; hw_ap_prepare() then aims it at one CPU; hw_ap_started() is true once that
 * CPU has left the trampoline; hw_ap_finish() restores the page.  Boot CPU only.
 */
bool hw_ap_begin(uint8_t *sipi_vector);
void hw_ap_prepare(unsigned cpu, uint32_t apic_id);
bool hw_ap_started(unsigned cpu);
void hw_ap_finish(void);

#endif
