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
#define SEL_USER_CODE32 (SEL_TSS + 16 * MAX_CPUS + 3)
#define SEL_USER_CODE16 (SEL_TSS + 16 * MAX_CPUS + 11)

/* Low memory: one trampoline page for each CPU (the first one for broadcasts), then 16-bit code. */
#define TRAMPOLINE 0x10000
#define TOUR16 0x18000
#define TOUR16_SEGMENT 0x1800

#define STACK_BYTES 16384

/* User processes (pal.h): pages of theirs from here on, below 4 GiB for 32-bit code. */
#define USER 0x80000000

/* What the PAL of pal_code.S does, by its first parameter. */
#define OP_DOUBLE 0 /* 2 * value + 1 */
#define OP_SECRET 1 /* keeps value, returns what it kept before */
#define OP_LOOP 2   /* takes value rounds, counts itself, returns value */
#define OP_ENDLESS 3
#define OP_POINTER 4 /* returns the pointer's first word, adds 1 to it */
#define OP_LOAD 5    /* from address value */
#define OP_STORE 6   /* 0x5a5a to address value */
#define OP_GARBLE 7  /* all registers and flags */
#define OP_VMCALL 8  /* number value */
#define OP_CPUID 9   /* EBX of leaf value */
#define OP_UD2 10
#define OP_LEAK 11 /* all registers that are no parameters, ORed */
#define OP_CLI 12
#define OP_COUNT 13 /* loops that came to their end */
#define OP_FLAGS 14
#define OP_JUMP 15   /* to address value */
#define OP_VECTOR 16 /* moves value to XMM0 */

/* User code (pal_code.S), offsets from USER. */
#define STUB_VMCALL 0
#define STUB_CALL 16  /* RBX */
#define STUB_JUMP 32  /* RBX */
#define STUB_LOAD 48  /* EAX from RDI */
#define STUB_STORE 64 /* EAX to RDI */
#define STUB_CPUID 80
#define STUB_RETURN 96
#define STUB_WATCH 112  /* until the word at RDI is not EDX */
#define STUB_HAMMER 128 /* EAX to RDI for ever */

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
