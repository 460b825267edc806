/* Descriptor tables of each CPU: GDT, TSS with its interrupt stacks, IDT, GS base. */
#include "percpu.h"

#include "layout.h"

#include <hw/cpu.h>

#define MSR_GS_BASE 0xc0000101
#define TRAP_STUB_BYTES 16
#define VECTOR_COUNT 32
#define GATE_INTERRUPT 0x8e

struct percpu percpu[CONFIG_MAX_CPUS];

extern char trap_stubs[], trap_nmi[];

struct gate { /* SDM figure "64-Bit IDT Gate Descriptors" */
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM figure 64-Bit IDT Gate Descriptors");

static struct gate idt[2][VECTOR_COUNT]; /* during the boot: only #DF has a stack; then all */

static void set_gate(struct gate *gate, uint64_t handler, uint8_t ist)
{
    *gate = (struct gate){
        .offset_low = (uint16_t)handler,
        .selector = SELECTOR_CODE,
        .ist = ist,
        .type = GATE_INTERRUPT,
        .offset_middle = (uint16_t)(handler >> 16),
        .offset_high = (uint32_t)(handler >> 32),
    };
}

static void fill_idt(struct gate *table, bool with_ist)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        set_gate(&table[vector], (uint64_t)trap_stubs + (uint64_t)vector * TRAP_STUB_BYTES, 0);
    }
    set_gate(&table[2], (uint64_t)trap_nmi, with_ist ? IST_NMI : 0);
    table[8].ist = IST_DF;
    if (with_ist) {
        table[18].ist = IST_MC;
        /* A page fault on a guard page cannot push its frame there: the CPU makes it a #DF. */
    }
}

static void fill_gdt(struct percpu *self, bool with_ist)
{
    uint64_t base = (uint64_t)&self->tss;

    self->gdt[0] = 0;
    self->gdt[1] = 0x00af9b000000ffff; /* 64-bit code */
    self->gdt[2] = 0x00cf93000000ffff; /* data */
    self->gdt[3] = (sizeof(struct tss) - 1) | (base & 0xffffff) << 16 | 0x89ULL << 40 |
                   (base >> 24 & 0xff) << 56;
    self->gdt[4] = base >> 32;
    self->tss.io_map_base = sizeof(struct tss);
    self->tss.ist[IST_NMI - 1] = stack_range(self->cpu, STACK_NMI).top;
    self->tss.ist[IST_DF - 1] =
        with_ist ? stack_range(self->cpu, STACK_DF).top : (uint64_t)boot_df_stack_top;
    self->tss.ist[IST_MC - 1] = stack_range(self->cpu, STACK_MC).top;
}

void percpu_load(unsigned cpu, bool with_ist)
{
    struct percpu *self = &percpu[cpu];
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) table;

    self->self = self;
    self->cpu = cpu;
    fill_gdt(self, with_ist);
    if (cpu == 0) {
        fill_idt(idt[with_ist], with_ist);
    }
    table.limit = sizeof(self->gdt) - 1;
    table.base = (uint64_t)self->gdt;
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %2, %%eax\n\t"
                     "movl %%eax, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs"
                     :
                     : "m"(table), "i"(SELECTOR_CODE), "i"(SELECTOR_DATA)
                     : "rax", "memory");
    __asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS) : "memory");
    table.limit = sizeof(idt[0]) - 1;
    table.base = (uint64_t)idt[with_ist];
    __asm__ volatile("lidt %0" : : "m"(table) : "memory");
    hw_wrmsr(MSR_GS_BASE, (uint64_t)self);
}

int *base_errno_location(void);
int *base_errno_location(void)
{
    return &percpu_this()->error_number;
}
