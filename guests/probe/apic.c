#include "apic.h"

#include "lib.h"
#include "probe.h"
#include "trap.h"

#define ICR_PENDING 0x1000U
#define X2APIC_MSR(reg) (0x800U + (reg) / 16)
#define START_TICKS 3000000ULL
#define IVT_NMI                                                                                    \
    0x5000 /* a real-mode handler that only returns, for NMIs at a CPU's first steps               \
            */

extern char trampoline[], trampoline_end[];
unsigned cpu_count = 1;

_Static_assert(offsetof(struct start_state, cr) == STATE_CR &&
                   offsetof(struct start_state, segment) == STATE_SEG &&
                   offsetof(struct start_state, flags) == STATE_FLAGS &&
                   offsetof(struct start_state, gdt) == STATE_GDT &&
                   offsetof(struct start_state, idt) == STATE_IDT &&
                   offsetof(struct start_state, dr6) == STATE_DR &&
                   offsetof(struct start_state, efer) == STATE_EFER &&
                   offsetof(struct start_state, high) == STATE_HIGH,
               "entry.S");

bool apic_is_x2apic(void)
{
    return (rdmsr(IA32_APIC_BASE) & BIT(10)) != 0;
}

uint32_t apic_read(uint32_t reg)
{
    if (apic_is_x2apic()) {
        return (uint32_t)rdmsr(X2APIC_MSR(reg));
    }
    return *(volatile uint32_t *)(APIC_PAGE + reg);
}

void apic_write(uint32_t reg, uint32_t value)
{
    if (apic_is_x2apic()) {
        wrmsr(X2APIC_MSR(reg), value);
    } else {
        *(volatile uint32_t *)(APIC_PAGE + reg) = value;
    }
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

void ipi(uint32_t destination, uint32_t low)
{
    if (apic_is_x2apic()) {
        wrmsr(X2APIC_MSR(APIC_ICR_LOW), (uint64_t)destination << 32 | low);
        return;
    }
    *(volatile uint32_t *)(APIC_PAGE + APIC_ICR_HIGH) = destination << 24;
    *(volatile uint32_t *)(APIC_PAGE + APIC_ICR_LOW) = low;
    for (unsigned i = 0; i < 1000 && (apic_read(APIC_ICR_LOW) & ICR_PENDING); i++) {
        pause();
    }
}

/* The page in which the CPU will note its registers. */
static uint64_t page_of(unsigned cpu)
{
    return TRAMPOLINE + 4096ULL * cpu;
}

const struct start_state *smp_state(unsigned cpu)
{
    return (const struct start_state *)(page_of(cpu) + STATE);
}

uint8_t smp_vector(unsigned cpu)
{
    return (uint8_t)(page_of(cpu) >> 12);
}

void smp_init(void)
{
    static const uint8_t iret = 0xcf;

    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        memcpy((void *)page_of(cpu), trampoline, (size_t)(trampoline_end - trampoline));
    }
    memcpy((void *)IVT_NMI, &iret, 1);
    *(volatile uint32_t *)(uintptr_t)(NMI * 4) = IVT_NMI;
    apic_write(APIC_SPURIOUS, 0x1ff);
}

_Noreturn void ap_main(unsigned apic_id)
{
    unsigned cpu = apic_id;
    struct cpu *self = &cpus[cpu];

    if (cpu >= MAX_CPUS) {
        for (;;) {
            __asm__ volatile("cli; hlt");
        }
    }
    trap_init(cpu);
    apic_write(APIC_SPURIOUS, 0x1ff);
    self->job = NULL;
    __atomic_add_fetch(&self->starts, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        if (self->job != NULL) {
            self->job(self->job_argument);
            self->job = NULL;
        }
        pause();
    }
}

bool smp_wait_start(unsigned cpu, unsigned starts)
{
    uint64_t start = rdtsc();

    while (cpus[cpu].starts < starts) {
        if (rdtsc() - start > START_TICKS) {
            return false;
        }
        pause();
    }
    return true;
}

void smp_start_all(void)
{
    ipi(0, IPI_INIT | IPI_OTHERS);
    delay(20000);
    ipi(0, IPI_SIPI | IPI_OTHERS | smp_vector(0));
    delay(400000);
    for (unsigned cpu = 1; cpu < MAX_CPUS; cpu++) {
        cpu_count += cpus[cpu].starts != 0;
    }
}

bool smp_restart(unsigned cpu)
{
    unsigned starts = cpus[cpu].starts;

    ipi(cpu, IPI_INIT);
    delay(10000);
    ipi(cpu, IPI_SIPI | smp_vector(cpu));
    return smp_wait_start(cpu, starts + 1);
}

void smp_call(unsigned cpu, void (*job)(void *), void *argument)
{
    cpus[cpu].job_argument = argument;
    __atomic_store_n(&cpus[cpu].job, job, __ATOMIC_SEQ_CST);
}

bool smp_wait(unsigned cpu, uint64_t ticks)
{
    uint64_t start = rdtsc();

    while (cpus[cpu].job != NULL) {
        if (rdtsc() - start > ticks) {
            return false;
        }
        pause();
    }
    return true;
}

bool smp_call_all(void (*job)(void *), void *argument)
{
    bool done = true;

    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        smp_call(cpu, job, argument);
    }
    job(argument);
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        done &= smp_wait(cpu, 50000000);
    }
    return done;
}
