/* The local APIC in both modes, inter-processor interrupts, and starting CPUs. */
#ifndef PROBE_APIC_H
#define PROBE_APIC_H

#include "cpu.h"
#include "layout.h"

#define APIC_PAGE 0xfee00000ULL
#define APIC_ID 0x20
#define APIC_TPR 0x80
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_DFR 0xe0
#define APIC_SPURIOUS 0xf0
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_LINT0 0x350

#define IPI_FIXED 0x4000U /* assert */
#define IPI_NMI 0x4400U
#define IPI_INIT 0x4500U
#define IPI_SIPI 0x4600U
#define IPI_LOGICAL 0x800U
#define IPI_SELF 0x40000U
#define IPI_ALL 0x80000U
#define IPI_OTHERS 0xc0000U

bool apic_is_x2apic(void);
uint32_t apic_read(uint32_t reg);
void apic_write(uint32_t reg, uint32_t value);
void apic_eoi(void);
/* destination: APIC ID or logical ID, as wide as the mode has them. */
void ipi(uint32_t destination, uint32_t low);

/* The registers that a CPU had after its start-up IPI (entry.S). */
struct start_state {
    uint32_t gpr[8], cr[4];
    uint16_t segment[6];
    uint32_t flags;
    struct {
        uint16_t limit;
        uint32_t base;
        uint16_t pad;
    } __attribute__((packed)) gdt, idt;
    uint32_t dr6, dr7, efer, apic_base;
    uint64_t high[8];
};

extern unsigned cpu_count; /* those that answered */

void smp_init(void);      /* low-memory code; call once */
void smp_start_all(void); /* INIT and SIPI to all others by shorthand; counts them */
const struct start_state *smp_state(unsigned cpu);
uint8_t smp_vector(unsigned cpu); /* of the start-up IPI for its own trampoline page */

/* Waits for a CPU's start number `starts`; false: it did not come in time. */
bool smp_wait_start(unsigned cpu, unsigned starts);
/* INIT, SIPI by physical destination, and waits. */
bool smp_restart(unsigned cpu);
/* Lets a running CPU call job(argument); smp_wait(): until it is done. */
void smp_call(unsigned cpu, void (*job)(void *), void *argument);
bool smp_wait(unsigned cpu, uint64_t ticks);
bool smp_call_all(void (*job)(void *), void *argument); /* all CPUs at once, this one too */

_Noreturn void ap_main(unsigned apic_id);

#endif
