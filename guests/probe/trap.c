#include "trap.h"

#include "apic.h"
#include "lib.h"
#include "probe.h"

#define GATE_INTERRUPT64 0x8e
#define GATE_DPL3 0x60
#define TSS_AVAILABLE 0x89ULL
#define EMERGENCY_BYTES 4096

extern char trap_stubs[], try_over[], gdt_end[];
void try_call(struct try *try, const void *code, uint64_t a, uint64_t b, bool user);
void trap(struct frame *frame);

struct cpu cpus[MAX_CPUS];
struct gate idt[256] __attribute__((aligned(4096)));
struct table_register idt_register = {sizeof(idt) - 1, 0};
static char stacks[MAX_CPUS][3][EMERGENCY_BYTES] __attribute__((aligned(16)));

_Static_assert(offsetof(struct try, rsp) == TRY_RSP && offsetof(struct try, rip) == TRY_RIP &&
                   offsetof(struct try, rax) == TRY_RAX && offsetof(struct try, rdx) == TRY_RDX,
               "trap.S");
_Static_assert(sizeof(struct tss) == 104 && sizeof(struct gate) == 16, "SDM vol. 3");

unsigned cpu_number(void)
{
    uint16_t selector;
    __asm__ volatile("str %0" : "=r"(selector));
    return (unsigned)(selector - SEL_TSS) / 16;
}

void trap_set_gate(struct gate *gate, unsigned vector, unsigned ist)
{
    uint64_t entry = (uint64_t)trap_stubs + vector * 16;

    *gate = (struct gate){.offset_low = (uint16_t)entry,
                          .selector = SEL_CODE64,
                          .ist = (uint8_t)ist,
                          .type = GATE_INTERRUPT64,
                          .offset_middle = (uint16_t)(entry >> 16),
                          .offset_high = (uint32_t)(entry >> 32)};
}

static void make_idt(void)
{
    for (unsigned vector = 0; vector < 256; vector++) {
        trap_set_gate(&idt[vector], vector, vector == NMI ? IST_NMI : vector == DF ? IST_FAULT : 0);
    }
    idt[VECTOR_USER_RETURN].type |= GATE_DPL3;
    idt_register.base = (uint64_t)idt;
}

void trap_init(unsigned cpu)
{
    struct tss *tss = &cpus[cpu].tss;
    uint64_t base = (uint64_t)tss;
    uint64_t *descriptor = (uint64_t *)(void *)(gdt + SEL_TSS + 16 * cpu);
    struct table_register gdt_register = {(uint16_t)(gdt_end - gdt - 1), (uint64_t)gdt};

    if (cpu == 0) {
        make_idt();
    }
    tss->rsp[0] = (uint64_t)stacks[cpu][1];
    tss->ist[IST_NMI - 1] = (uint64_t)stacks[cpu][2];
    tss->ist[IST_FAULT - 1] = (uint64_t)stacks[cpu][3];
    tss->io_map = sizeof(*tss);
    descriptor[0] = (sizeof(*tss) - 1) | (base & 0xffffff) << 16 | TSS_AVAILABLE << 40 |
                    (base >> 24 & 0xff) << 56;
    descriptor[1] = base >> 32;
    lgdt(&gdt_register);
    lidt(&idt_register);
    __asm__ volatile("ltr %w0" ::"r"(SEL_TSS + 16 * cpu) : "memory");
    cpus[cpu].try.rip = 0;
}

static int run(const void *code, uint64_t a, uint64_t b, bool user)
{
    struct try *try = &cpu_self()->try;

    try->vector = NO_FAULT;
    try_call(try, code, a, b, user);
    return try->vector;
}

int try_at(const void *code, uint64_t a, uint64_t b)
{
    return run(code, a, b, false);
}

int try_user(const void *code, uint64_t a, uint64_t b)
{
    int vector = run(code, a, b, true);
    return vector == VECTOR_USER_RETURN ? NO_FAULT : vector;
}

void trap(struct frame *frame)
{
    struct cpu *cpu = cpu_self();
    struct try *try = &cpu->try;

    if (frame->vector == NMI) {
        cpu->nmi_count++;
        if (cpu->nmi_hook != NULL) {
            cpu->nmi_hook(frame);
        }
        return;
    }
    if (frame->vector >= 32 && frame->vector != VECTOR_USER_RETURN && frame->vector != 0x21) {
        cpu->irq_rip = frame->rip;
        cpu->irq_count++;
        apic_eoi();
        return;
    }
    if (try->rip == 0) {
        die("CPU %u: exception %u error %llx at %llx, CR2 %llx", cpu_number(),
            (unsigned)frame->vector, (unsigned long long)frame->error,
            (unsigned long long)frame->rip, (unsigned long long)read_cr2());
    }
    try->vector = (int)frame->vector;
    try->error = frame->error;
    try->fault_rip = frame->rip;
    try->cr2 = read_cr2();
    if (try->seen != NULL) {
        *try->seen = *frame;
    }
    frame->rip = try->rip;
    frame->cs = SEL_CODE64;
    frame->rflags = 2;
    frame->rsp = try->rsp;
    frame->ss = SEL_DATA;
}
