/*
 * NMI, INIT, SIPI and IPIs between the fake CPUs, and the start of further CPUs.
 *
 * Signals may be sent from any thread; the target takes them at its next instruction boundary: any
 * call of the contract in root operation, any instruction of its guest.
 */
#ifndef FAKE_EVENTS_H
#define FAKE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * NMI: in VMX non-root operation with "NMI exiting" a VM exit, else the platform's handler, which
 * counts it for hw_nmi_take.  While NMIs are blocked one stays latched.
 */
void fake_send_nmi(unsigned cpu);
/* INIT: VM exit in non-root operation, blocked and latched in root operation, else a reset of the
 * CPU to wait-for-SIPI. */
void fake_send_init(unsigned cpu);
/* SIPI: VM exit in non-root wait-for-SIPI, starts a CPU that waits outside VMX, else discarded. */
void fake_send_sipi(unsigned cpu, uint8_t vector);

/* External interrupt: VM exit or delivery in the guest; in root operation it stays pending. */
void fake_send_interrupt(unsigned cpu, uint8_t vector);

bool fake_nmi_blocked(unsigned cpu);
bool fake_nmi_latched(unsigned cpu);
bool fake_init_latched(unsigned cpu);

/* Where a CPU is.  CPU 0 runs after reset, the others wait for SIPI. */
enum fake_cpu_state { FAKE_CPU_RUNNING, FAKE_CPU_WAIT_FOR_SIPI, FAKE_CPU_DEAD };
enum fake_cpu_state fake_cpu_state(unsigned cpu);
/* The vector of the last SIPI that started this CPU outside VMX; -1 = none. */
int fake_cpu_sipi_vector(unsigned cpu);
/* Makes a further CPU run without INIT and SIPI, as app_ap_main would find it. */
void fake_cpu_run(unsigned cpu);

/* Called (on the sender's thread, hw_this_cpu still the sender) when a SIPI starts a CPU that
 * hw_ap_prepare aimed at; a test may start a thread there.  hw_ap_started is true from then on. */
typedef void fake_start_fn(void *arg, unsigned cpu, uint8_t vector);
void fake_on_cpu_start(fake_start_fn *fn, void *arg);
/* CPUs with this bit never answer a SIPI. */
void fake_cpu_break(unsigned cpu);

/* Every hw_apic_send_ipi, and guests' native ICR writes, in order. */
struct fake_ipi {
    unsigned from;
    uint64_t icr; /* x2APIC format */
    bool by_guest;
};
size_t fake_ipi_count(void);
const struct fake_ipi *fake_ipi_at(size_t index);
void fake_ipis_clear(void);

/* APIC ID of a CPU; the default is its index times 2.  Set before the code under test reads it. */
void fake_apic_id_set(unsigned cpu, uint32_t apic_id);
uint32_t fake_apic_id(unsigned cpu);
/* Local APIC register of any CPU, xAPIC offsets. */
uint32_t fake_apic_get(unsigned cpu, uint32_t reg);
void fake_apic_set(unsigned cpu, uint32_t reg, uint32_t value);

/* Called on hw_pause and hw_delay_us, so that one thread can let other CPUs make progress. */
typedef void fake_pause_fn(void *arg);
void fake_on_pause(fake_pause_fn *fn, void *arg);

#endif
