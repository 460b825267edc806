/* Non-maskable interrupts (REQ-SMP-3). */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"

static bool wait_count(unsigned cpu, unsigned count)
{
    uint64_t start = rdtsc();

    while (cpus[cpu].nmi_count < count) {
        if (rdtsc() - start > 1000000) {
            return false;
        }
        pause();
    }
    return true;
}

static void check_one(unsigned cpu, unsigned before, const char *what)
{
    REQUIRE(wait_count(cpu, before + 1), "%s: CPU %u got none", what, cpu);
    delay(3000);
    REQUIRE(cpus[cpu].nmi_count == before + 1, "%s: CPU %u got %u", what, cpu,
            cpus[cpu].nmi_count - before);
}

static void to_self(void)
{
    for (unsigned i = 0; i < 50; i++) {
        unsigned before = cpus[0].nmi_count;
        ipi(0, IPI_NMI);
        check_one(0, before, "NMI to itself");
    }
}

static void send_one(void *target)
{
    ipi((uint32_t)(uintptr_t)target, IPI_NMI);
}

static void to_others(void)
{
    for (unsigned from = 0; from < cpu_count; from++) {
        for (unsigned to = 0; to < cpu_count; to++) {
            unsigned before = cpus[to].nmi_count;
            if (from == 0) {
                ipi(to, IPI_NMI);
            } else {
                smp_call(from, send_one, (void *)(uintptr_t)to);
                REQUIRE(smp_wait(from, 1000000), "CPU %u does not answer", from);
            }
            check_one(to, before, "NMI");
        }
    }
    unsigned before[MAX_CPUS];
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        before[cpu] = cpus[cpu].nmi_count;
    }
    ipi(0, IPI_NMI | IPI_OTHERS);
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        check_one(cpu, before[cpu], "NMI to all others");
    }
    REQUIRE(cpus[0].nmi_count == before[0], "the sender got one too");
}

/* Sent twice while one is handled: one of them waits for the IRET, with exits before that. */
static volatile unsigned depth, depth_max, sent;

static void nest(struct frame *frame)
{
    (void)frame;
    depth++;
    depth_max = depth > depth_max ? depth : depth_max;
    if (sent == 0) {
        sent = 1;
        ipi(0, IPI_NMI);
        ipi(0, IPI_NMI);
        for (unsigned i = 0; i < 50; i++) {
            (void)cpuid(0, 0);
        }
        delay(2000);
    }
    depth--;
}

static void blocked(void)
{
    for (unsigned i = 0; i < 10; i++) {
        unsigned before = cpus[0].nmi_count;
        depth = depth_max = sent = 0;
        cpus[0].nmi_hook = nest;
        ipi(0, IPI_NMI);
        bool came = wait_count(0, before + 2);
        delay(2000);
        cpus[0].nmi_hook = NULL;
        REQUIRE(came, "%u NMIs of 2", cpus[0].nmi_count - before);
        REQUIRE(depth_max == 1, "an NMI came inside the handler");
        REQUIRE(cpus[0].nmi_count == before + 2, "%u NMIs instead of 2",
                cpus[0].nmi_count - before);
    }
}

/* A fault inside the handler ends in an IRET, which ends the blocking: architecture, not ours. */
static void fault_inside(struct frame *frame)
{
    (void)frame;
    if (sent == 0) {
        sent = 1;
        (void)try(rdmsr, 0x40000000, 0);
        (void)cpuid(0, 0);
    }
}

static void fault_in_handler(void)
{
    for (unsigned i = 0; i < 10; i++) {
        unsigned before = cpus[0].nmi_count;
        sent = 0;
        cpus[0].nmi_hook = fault_inside;
        ipi(0, IPI_NMI);
        check_one(0, before, "NMI with a fault in its handler");
        cpus[0].nmi_hook = NULL;
    }
}

/* Not between STI or MOV SS and the next instruction, but soon after. */
static void shadow(void)
{
    unsigned before = cpus[0].nmi_count;

    if (apic_is_x2apic()) {
        return; /* below is a store to the page */
    }
    for (unsigned i = 0; i < 20; i++) {
        *(volatile uint32_t *)(APIC_PAGE + APIC_ICR_HIGH) = 0;
        __asm__ volatile("mov %%ss, %%ecx\n\tmov %%ecx, %%ss\n\tmov %0, (%1)\n\tcpuid\n\t"
                         "mov %%ss, %%ecx\n\tmov %%ecx, %%ss\n\tcpuid" ::"r"(IPI_NMI),
                         "r"(APIC_PAGE + APIC_ICR_LOW)
                         : "eax", "ebx", "ecx", "edx", "memory");
        REQUIRE(wait_count(0, before + 1 + i), "NMI %u is lost", i);
    }
    REQUIRE(cpus[0].nmi_count == before + 20, "%u NMIs of 20", cpus[0].nmi_count - before);
}

#define FLOOD 2000 /* by all senders together */

static void flood(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < FLOOD / (cpu_count - 1); i++) {
        ipi(0, IPI_NMI);
    }
}

/* The target works with exits all the while; each NMI that comes was sent, and at least one comes.
 */
static void flood_exits(void)
{
    unsigned before = cpus[0].nmi_count;

    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        smp_call(cpu, flood, NULL);
    }
    uint64_t sum = 0;
    for (unsigned i = 0; i < 3000; i++) {
        sum += cpuid(1, 0).eax;
        sum += rdmsr(0x277) & 1;
        apic_write(APIC_TPR, 0);
    }
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        REQUIRE(smp_wait(cpu, 30000000), "CPU %u does not end its flood", cpu);
    }
    REQUIRE(sum == 3000ULL * cpuid(1, 0).eax, "a result is wrong");
    delay(20000);
    unsigned count = cpus[0].nmi_count - before;
    REQUIRE(count > 0 && count <= FLOOD, "%u NMIs", count);
    to_self(); /* and the next one is delivered once again */
}

/* To a CPU that halts with interrupts off: it wakes for the handler, then halts on. */
static void halted(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < 5; i++) {
        __asm__ volatile("hlt");
    }
}

static void wakes(void)
{
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        smp_call(cpu, halted, NULL);
        for (unsigned i = 0; i < 5; i++) {
            delay(3000);
            REQUIRE(cpus[cpu].job != NULL, "CPU %u does not halt", cpu);
            unsigned before = cpus[cpu].nmi_count;
            ipi(cpu, IPI_NMI);
            check_one(cpu, before, "NMI to a halted CPU");
        }
        REQUIRE(smp_wait(cpu, 100000), "CPU %u does not wake", cpu);
    }
}

/* Everything that kicks CPUs at once: MTRR changes (a rendezvous) while NMIs fly. */
static void with_rendezvous(void)
{
    uint64_t def_type = rdmsr(0x2ff);
    unsigned before[MAX_CPUS];

    for (unsigned i = 0; i < 8; i++) {
        unsigned cpu = 1 + i % (cpu_count - 1);
        before[cpu] = cpus[cpu].nmi_count;
        ipi(cpu, IPI_NMI);
        wrmsr(0x2ff, def_type ^ BIT(10));
        wrmsr(0x2ff, def_type);
        check_one(cpu, before[cpu], "NMI beside a rendezvous");
    }
}

const struct probe nmi_probes[] = {
    {"nmi-self", to_self, ANYWHERE},
    {"nmi-others", to_others, SEVERAL},
    {"nmi-blocked", blocked, ANYWHERE},
    {"nmi-fault", fault_in_handler, ANYWHERE},
    {"nmi-shadow", shadow, ANYWHERE},
    {"nmi-flood", flood_exits, SEVERAL},
    {"nmi-halted", wakes, SEVERAL},
    {"nmi-rendezvous", with_rendezvous, SEVERAL},
    {0},
};
