/* IDT, per-CPU state, and calls that survive faults. */
#ifndef PROBE_TRAP_H
#define PROBE_TRAP_H

#include "cpu.h"
#include "layout.h"

enum {
    DE = 0,
    DB = 1,
    NMI = 2,
    BP = 3,
    UD = 6,
    NM = 7,
    DF = 8,
    TS = 10,
    NP = 11,
    SS = 12,
    GP = 13,
    PF = 14
};
#define NO_FAULT (-1)
#define VECTOR_USER_RETURN 0x80

struct frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/* One call under protection; trap.S knows the first four. */
struct
try {
    uint64_t rsp, rip; /* rip 0: no call is under way */
    uint64_t rax, rdx; /* what the code returned */
    int vector;        /* of its fault */
    uint64_t error, fault_rip, cr2;
    struct frame *seen; /* takes the registers at its fault; may be NULL */
};

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));

struct cpu {
    struct try try;
    struct tss tss;
    void (*volatile job)(void *);
    void *volatile job_argument;
    volatile unsigned starts; /* how often it was started */
    volatile unsigned nmi_count;
    volatile unsigned irq_count; /* of vectors from 32 up */
    volatile uint64_t irq_rip;   /* where the last one came */
    void (*volatile nmi_hook)(struct frame *);
};

extern struct cpu cpus[MAX_CPUS];
extern struct gate idt[256];
extern char pml4[], gdt[];

unsigned cpu_number(void); /* from the task register */
static inline struct cpu *cpu_self(void)
{
    return &cpus[cpu_number()];
}

/* Loads GDT, IDT and task register of CPU number cpu. */
void trap_init(unsigned cpu);

#define IST_NMI 1
#define IST_FAULT 2
void trap_set_gate(struct gate *gate, unsigned vector, unsigned ist);
extern struct table_register idt_register;

/* The exception's vector, or NO_FAULT; details in cpu_self()->try. */
int try_at(const void *code, uint64_t a, uint64_t b);
int try_user(const void *code, uint64_t a, uint64_t b);
#define try(name, a, b) try_at(insn_##name, (uint64_t)(a), (uint64_t)(b))

#define INSN(name) extern const char insn_##name[]
INSN(rdmsr);
INSN(wrmsr);
INSN(xsetbv);
INSN(xgetbv);
INSN(cpuid);
INSN(load);
INSN(store);
INSN(store32);
INSN(fetch);
INSN(write_cr0);
INSN(write_cr3);
INSN(write_cr4);
INSN(write_cr8);
INSN(lmsw);
INSN(vmcall);
INSN(vmclear);
INSN(vmlaunch);
INSN(vmptrld);
INSN(vmptrst);
INSN(vmread);
INSN(vmresume);
INSN(vmwrite);
INSN(vmxoff);
INSN(vmxon);
INSN(invept);
INSN(invvpid);
INSN(vmfunc);
INSN(vmmcall);
INSN(getsec);
INSN(rsm);
INSN(invd);
INSN(wbinvd);
INSN(rdtscp);
INSN(invpcid);
INSN(monitor);
INSN(rdpmc);
INSN(int3);
INSN(int21);
INSN(ltr);
INSN(load_fs);
INSN(swapgs);
INSN(encls);
INSN(xsaves);

#endif
