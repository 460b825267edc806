/*
 * The CPU that the caller runs on: identification, control registers, MSRs, time, halt.
 *
 * Every function acts on the calling CPU only, takes no lock and may be called in any context.
 * platform/x86_64 executes the instruction; platform/fake models it.  A plain access to something
 * that the CPU does not have is a bug of ours and ends in the trap report; whatever a guest can
 * choose goes through the _safe variants, which report the fault instead.
 */
#ifndef HW_CPU_H
#define HW_CPU_H

#include <stdbool.h>
#include <stdint.h>

struct hw_cpuid {
    uint32_t eax, ebx, ecx, edx;
};

struct hw_cpuid hw_cpuid(uint32_t leaf, uint32_t subleaf);

/* Index of this CPU, dense from 0 (the boot CPU), below CONFIG_MAX_CPUS. */
unsigned hw_this_cpu(void);

uint64_t hw_rdmsr(uint32_t msr);
void hw_wrmsr(uint32_t msr, uint64_t value);
/* false: the access raised #GP; *value is then unchanged. */
bool hw_rdmsr_safe(uint32_t msr, uint64_t *value);
bool hw_wrmsr_safe(uint32_t msr, uint64_t value);
/* XSETBV; false: it raised #GP. */
bool hw_xsetbv_safe(uint32_t index, uint64_t value);

uint64_t hw_read_cr0(void);
uint64_t hw_read_cr2(void);
uint64_t hw_read_cr3(void);
uint64_t hw_read_cr4(void);
void hw_write_cr0(uint64_t value);
void hw_write_cr2(uint64_t value);
void hw_write_cr4(uint64_t value);
/* DR0 to DR3 and DR6: the VMCS switches DR7 only, so a guest's INIT clears these here. */
void hw_write_dr(unsigned index, uint64_t value);

/* WBINVD (SDM vol. 2): writes all caches of this CPU back and invalidates them. */
void hw_wbinvd(void);

/*
 * RDSEED, or RDRAND on a CPU without it (SDM vol. 1, "Random Number Generator Instructions"), as
 * often as the manual advises; false: the CPU has neither, or had no number.
 */
bool hw_random(uint64_t *value);

/* Time-stamp counter; and a busy wait that is at least so long.  More than 10 s is refused by
 * CHECK. */
uint64_t hw_rdtsc(void);
uint64_t hw_tsc_hz(void);
void hw_delay_us(uint32_t us);

void hw_pause(void);
/* Stops this CPU for ever, interrupts off. */
_Noreturn void hw_halt(void);
/* Resets the machine (keyboard controller, port 0xCF9, then triple fault). */
_Noreturn void hw_reset(void);

#endif
