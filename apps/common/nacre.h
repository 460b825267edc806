/*
 * The hypervisor as one value: what setup.c makes, run.c runs and a hypapp builds on.
 *
 * There is one struct nacre, `nacre`, in static memory.  The boot CPU fills it before it starts the
 * others; afterwards each CPU writes only its own array elements, except what the comments below
 * put under a lock.  A hypapp's main.c calls the nacre_*() steps in the order of this header; each
 * either succeeds or refuses the start with one line and halts.
 */
#ifndef APPS_NACRE_H
#define APPS_NACRE_H

#include "int15.h"
#include "memmap.h"
#include "options.h"

#include <base/pool.h>
#include <base/spinlock.h>
#include <config/config.h>
#include <ept/ept.h>
#include <ept/gwalk.h>
#include <ept/mtrr.h>
#include <hw/boot.h>
#include <smp/acpi.h>
#include <smp/fadt.h>
#include <smp/icr.h>
#include <smp/smp.h>
#include <smp/startup.h>
#include <smp/table.h>
#include <vmx/caps.h>
#include <vmx/image.h>
#include <vmx/isolated.h>
#include <vmx/vcpu.h>

/* What each CPU keeps of its own. */
struct nacre_cpu {
    struct vcpu vcpu;
    struct vcpu isolated;       /* takes turns with vcpu; not there without nacre_isolate() */
    struct smp_startup startup; /* INIT, SIPI and NMI that other CPUs' guests sent */
    struct mtrr mtrr;           /* as this CPU's guest wrote them */
    uint64_t apic_base;         /* IA32_APIC_BASE as the guest wrote it */
    struct hpa vmxon_region, vmcs, isolated_vmcs;
    void *vector_area;             /* page: the guest's vector state while isolated code runs */
    struct gwalk_cache code_walks; /* of the instructions that store to the local APIC */
    bool isolated_refused;         /* VM entry refused isolated code's state: said once */
    bool ready;                    /* atomic: in VMX operation, about to enter its guest */
    bool stopped;                  /* atomic: could not be started */
} __attribute__((aligned(64)));

struct nacre {
    const struct hw_boot_info *boot;
    struct app_options options;
    struct vmx_caps caps;
    struct smp_acpi acpi;
    struct smp_table table;
    struct smp_fadt fadt;
    struct smp smp;
    struct pool pool;         /* under ept_lock once other CPUs run */
    struct spinlock ept_lock; /* taken by smp_lock() */
    struct ept ept;
    struct mtrr ept_mtrr;    /* what the memory types in ept follow; under ept_lock */
    uint64_t ept_end;        /* the identity map covers [0, ept_end); above it on demand */
    struct memmap memmap;    /* what the guest sees */
    struct int15_hook int15; /* chain mode only, else all zero */
    uint32_t chain_vmcall;   /* linear address of chain mode's failure report; 0: direct mode */
    uint8_t chain_drive;
    bool isolated; /* nacre_isolate() was called */
    struct hpa msr_bitmap, io_bitmap_a, io_bitmap_b;
    struct smp_apic apic[CONFIG_MAX_CPUS];
    struct nacre_cpu cpu[CONFIG_MAX_CPUS];
};

extern struct nacre nacre;

/* Steps of app_main(), boot CPU only, each once and in this order (setup.c, guest.c). */
void nacre_options(const struct hw_boot_info *boot); /* command line, console, log level */
void nacre_gate(void);                               /* is this CPU good enough? */
void nacre_find_cpus(void);                          /* ACPI: CPUs, power-management ports */
void nacre_build_tables(void);                       /* nested page tables, bitmaps */
void nacre_isolate(void);                            /* optional: isolated vCPUs as well */
void nacre_start_cpus(void);                         /* every CPU into VMX operation */
void nacre_load_guest(void);                         /* kernel modules, or the boot sector */
_Noreturn void nacre_run(unsigned cpu);              /* run.c: the guest, until the machine ends */

/* app_ap_main() is this: VMX operation, wait for the guest's start-up IPI, run. */
_Noreturn void nacre_run_ap(unsigned cpu);

/* Modules that are not the guest's: the root secret of PALs, and their NV memory. */
#define NACRE_MODULE_SECRET "secret"
#define NACRE_MODULE_NV "nv"

/* The module whose string begins with this word, and what follows the word; NULL: none (guest.c).
 */
const struct hw_module *nacre_find_module(const char *word, const char **rest);

/* pal-budget= in TSC ticks; 0: no limit (setup.c). */
uint64_t nacre_pal_budget(void);

/* Takes part in a stop that another CPU waits for; for work that takes long (run.c). */
void nacre_join_rendezvous(unsigned cpu);

/* One line that says what is wrong and what to change; then the machine halts. */
__attribute__((noreturn, format(printf, 1, 2))) void nacre_refuse(const char *format, ...);

/* The closing lines (counts of VM exits, memory), before the machine is powered off or reset. */
void nacre_summary(void);

/*
 * What a hypapp provides, called on the CPU concerned while its guest is stopped; true: handled,
 * RIP and registers set by the hypapp; false: the guest gets #UD for VMCALL, the CPU's CPUID else.
 */
bool app_vmcall(struct vcpu *vcpu);
bool app_cpuid(struct vcpu *vcpu);
/*
 * An EPT violation of the guest's: true when the hypapp has dealt with it (the access is repeated,
 * or what it injected is delivered); false: as for every guest.  No lock is held.
 */
bool app_violation(struct vcpu *vcpu, const struct vmx_exit *exit);
/*
 * Isolated code stopped.  Returns with it ready to go on, or ended by vcpu_isolated_end().  Comes
 * only after a vcpu_isolated_start() of the hypapp's; CPUID is not emulated yet (vmx_emulate()).
 */
void app_isolated_exit(struct vcpu *isolated, const struct vcpu_stop *stop);
/* The machine is about to be powered off or reset, unless the write that asked for it has no
 * effect.
 */
void app_closing(unsigned cpu);
/* Closing lines of its own. */
void app_summary(void);

#endif
