/* Numbers that assembly and C share. */
#ifndef PROBE_LAYOUT_H
#define PROBE_LAYOUT_H

#define MAX_CPUS 8

/* Selectors of the one GDT (entry.S). */
#define SEL_CODE64 0x08
#define SEL_DATA 0x10
#define SEL_CODE32 0x18
#define SEL_CODE16 0x20
#define SEL_DATA16 0x28
#define SEL_USER_DATA 0x33
#define SEL_USER_CODE64 0x3b
#define SEL_TSS32_A 0x40
#define SEL_TSS32_B 0x48
#define SEL_TSS 0x50 /* 16 bytes for each CPU */

/* Low memory: one trampoline page for each CPU (the first one for broadcasts), then 16-bit code. */
#define TRAMPOLINE 0x10000
#define TOUR16 0x18000
#define TOUR16_SEGMENT 0x1800

#define STACK_BYTES 16384

/* struct try in trap.h. */
#define TRY_RSP 0
#define TRY_RIP 8
#define TRY_RAX 16
#define TRY_RDX 24

/* struct start_state in smp.h, at this offset of a trampoline page. */
#define STATE 0x800
#define STATE_GPR 0  /* EAX ECX EDX EBX ESP EBP ESI EDI */
#define STATE_CR 32  /* CR0 CR2 CR3 CR4 */
#define STATE_SEG 48 /* ES CS SS DS FS GS, 16 bits each */
#define STATE_FLAGS 60
#define STATE_GDT 64
#define STATE_IDT 72
#define STATE_DR 80 /* DR6 DR7 */
#define STATE_EFER 88
#define STATE_APIC_BASE 92
#define STATE_HIGH 96 /* R8 to R15 */

#endif
