/*
 * Per-CPU data of the platform, found through GS.  One static array; each CPU writes only its own
 * entry, except `stopped`, which a panicking CPU polls.  traps.S and vmx.S use the offsets below.
 */
#ifndef X86_PERCPU_H
#define X86_PERCPU_H

#define PERCPU_SELF 0
#define PERCPU_CPU 8
#define PERCPU_NMI_PENDING 12

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS 0x18

/* What a stack holds before its first use: no address, no small number. */
#define STACK_PAINT 0xc0dedbadc0dedbad

#define IST_NMI 1
#define IST_DF 2
#define IST_MC 3

#ifndef __ASSEMBLER__
#include <base/addr.h>
#include <config/config.h>
#include <hw/boot.h>
#include <stddef.h>
#include <stdint.h>

/* SDM figure "64-Bit TSS Format". */
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM figure 64-Bit TSS Format");

struct percpu {
    struct percpu *self;
    uint32_t cpu;
    uint32_t nmi_pending;
    uint32_t apic_id;
    uint32_t online;
    uint32_t stopping;    /* this CPU is on its way to being parked for a panic */
    uint32_t stopped;     /* atomic: it is parked, and what follows is for others to read */
    int error_number;     /* errno */
    uint64_t stopped_rip; /* where it was; 0: its guest ran */
    uint64_t stopped_rsp;
    uint32_t faulted; /* it has a fault of its own: */
    uint32_t fault_vector;
    uint64_t fault_rip, fault_address, fault_rsp;
    struct hw_guest_state guest;
    uint64_t gdt[5];
    struct tss tss;
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct percpu, self) == PERCPU_SELF, "traps.S");
_Static_assert(offsetof(struct percpu, cpu) == PERCPU_CPU, "traps.S");
_Static_assert(offsetof(struct percpu, nmi_pending) == PERCPU_NMI_PENDING, "traps.S, vmx.S");

extern struct percpu percpu[CONFIG_MAX_CPUS];

static inline struct percpu *percpu_this(void)
{
    struct percpu *self;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(self));
    return self;
}

/* Loads GDT, TSS, IDT and GS of this CPU.  with_ist: the stacks area is mapped. */
void percpu_load(unsigned cpu, bool with_ist);
#endif

#endif
