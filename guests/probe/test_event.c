/* Events whose delivery exits in the middle (REQ-SMP-5). */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"
#include "window.h"

/* Runs code with RSP in a place that cannot be pushed to; the fault comes on a stack of the IST. */
void on_stack(uint64_t rsp, const void *code);
__asm__(".pushsection .text\n"
        "on_stack:\n\t"
        "mov %rdi, %rsp\n\t"
        "jmp *%rsi\n"
        ".popsection");

static void set_ist(unsigned vector, unsigned ist)
{
    trap_set_gate(&idt[vector], vector, ist);
}

/* INT3 and INT n push onto the page: #GP on the IST, or #DF when #GP cannot be pushed either. */
static void bad_stack(uint64_t rsp)
{
    const void *const sources[] = {insn_int3, insn_int21, insn_rsm};

    for (unsigned ist = 0; ist < 2; ist++) {
        set_ist(GP, ist == 0 ? 0 : IST_FAULT);
        for (unsigned i = 0; i < 3; i++) {
            int vector = try_at(on_stack, rsp, (uint64_t)sources[i]);
            REQUIRE(vector == (ist == 0 ? DF : GP), "source %u at %llx: exception %d", i,
                    (unsigned long long)rsp, vector);
        }
    }
    set_ist(GP, 0);
}

static void stack_hidden(void)
{
    struct region region;

    REQUIRE(region_find(&region), "no region");
    bad_stack(region.start + 0x1000);
    bad_stack(region.end);
    bad_stack(region.start + 0x18); /* pushes cross from the region into RAM below it */
}

static void stack_apic(void)
{
    bad_stack(APIC_PAGE + 0x380);
}

/* The IDT ends in the hypervisor's region: entries for INT n are there, those for faults are not.
 */
static void idt_hidden(void)
{
    struct region region;
    struct table_register odd = {sizeof(idt) - 1, 0};

    REQUIRE(region_find(&region), "no region");
    odd.base = region.start - 0x200; /* vectors 0 to 31 below the region */
    memcpy((void *)odd.base, idt, 0x200);
    lidt(&odd);
    int vector = try(int21, 0, 0);
    int rsm = try(rsm, 0, 0);
    lidt(&idt_register);
    REQUIRE(vector == GP && cpu_self()->try.rsp != 0, "INT through a hidden IDT: exception %d",
            vector);
    REQUIRE(rsm == UD, "#UD through the IDT's visible part: exception %d", rsm);
}

/* An interrupt from outside, lost to a hidden entry of the IDT, ends in #GP too, and not for ever.
 */
static void interrupt_hidden(void)
{
    struct region region;
    struct table_register odd = {sizeof(idt) - 1, 0};
    static const uint8_t sti_nops[] = {0xfb, 0x90, 0x90, 0x90, 0x90, 0xfa, 0xc3};

    REQUIRE(region_find(&region), "no region");
    odd.base = region.start - 0x200;
    memcpy((void *)odd.base, idt, 0x200);
    unsigned before = cpu_self()->irq_count;
    ipi(0, IPI_FIXED | IPI_SELF | 0x45);
    delay(200);
    lidt(&odd);
    int vector = try_at(sti_nops, 0, 0);
    lidt(&idt_register);
    __asm__ volatile("sti");
    delay(2000);
    __asm__ volatile("cli");
    REQUIRE(vector == GP, "exception %d", vector);
    REQUIRE(cpu_self()->irq_count <= before + 1, "%u interrupts", cpu_self()->irq_count - before);
    apic_eoi();
}

static void gdt_hidden(void)
{
    struct region region;
    struct table_register old, odd;

    REQUIRE(region_find(&region), "no region");
    sgdt(&old);
    odd = (struct table_register){0xffff, region.start};
    odd.base -= 0x100; /* the selectors in use stay readable */
    memcpy((void *)odd.base, (const void *)old.base, 0x100);
    lgdt(&odd);
    int vector = try(load_fs, 0x200, 0);
    int ltr = try(ltr, 0x200, 0);
    lgdt(&old);
    REQUIRE(vector == GP && ltr == GP, "segment from a hidden GDT: exception %d, LTR %d", vector,
            ltr);
}

/* The handler's stack is on a page of the window that is not there yet: #PF inside a delivery. */
static void stack_absent(void)
{
    uint64_t linear = window_map(20, 0, 0);

    set_ist(PF, IST_FAULT);
    const void *const sources[] = {insn_int3, insn_int21, insn_rsm, insn_vmcall};
    for (unsigned i = 0; i < 3; i++) {
        int vector = try_at(on_stack, linear + 0x800, (uint64_t)sources[i]);
        REQUIRE(vector == PF, "source %u: exception %d", i, vector);
    }
    set_ist(PF, 0);
    int vector = try_at(on_stack, linear + 0x800, (uint64_t)insn_rsm);
    REQUIRE(vector == DF, "#PF that cannot be pushed: exception %d", vector);
    REQUIRE(try(rdmsr, 0x40000000, 0) == GP, "a fault afterwards");
}

/* Injected exceptions (our #GP and #UD) reach a handler on an absent stack as #PF too. */
static void injected_absent(void)
{
    uint64_t linear = window_map(20, 0, 0);
    const void *const sources[] = {insn_vmxoff, insn_getsec, insn_xsetbv};

    for (unsigned i = 0; i < 3; i++) {
        set_ist(PF, IST_FAULT);
        int vector = try_at(on_stack, linear + 0x800, (uint64_t)sources[i]);
        set_ist(PF, 0);
        int expected = i == 2 && read_cr4() & CR4_OSXSAVE ? DF : PF;
        REQUIRE(vector == expected, "source %u: exception %d", i, vector);
        vector = try_at(on_stack, linear + 0x800, (uint64_t)sources[i]);
        REQUIRE(vector == DF, "source %u: exception %d instead of #DF", i, vector);
    }
    (void)window_map(20, spare_page(0), PTE_NORMAL);
}

const struct probe event_probes[] = {
    {"event-stack-hidden", stack_hidden, ON_NACRE},
    {"event-stack-apic", stack_apic, ON_NACRE | SEVERAL},
    {"event-idt-hidden", idt_hidden, ON_NACRE},
    {"event-irq-hidden", interrupt_hidden, ON_NACRE},
    {"event-gdt-hidden", gdt_hidden, ON_NACRE},
    {"event-stack-absent", stack_absent, ANYWHERE},
    {"event-injected-absent", injected_absent, ANYWHERE},
    {0},
};
