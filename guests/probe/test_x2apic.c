/*
 * The same in x2APIC mode (REQ-SMP-1), and how a guest gets there.  There is no way back but
 * through a disabled APIC, so this is the last group.
 */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"

#define APIC_BASE_EXTD BIT(10)
#define APIC_BASE_EN BIT(11)
#define MSR_ID 0x802U
#define MSR_ICR 0x830U
#define MSR_SELF_IPI 0x83fU

static void enable(void *argument)
{
    (void)argument;
    wrmsr(IA32_APIC_BASE, rdmsr(IA32_APIC_BASE) | APIC_BASE_EXTD);
    apic_write(APIC_SPURIOUS, 0x1ff);
}

static void switch_all(void)
{
    if (!(cpuid(1, 0).ecx & BIT(21))) {
        skip("no x2APIC");
        return;
    }
    EXPECT(GP, rdmsr, MSR_ID, 0); /* not before */
    EXPECT(GP, wrmsr, MSR_ICR, IPI_NMI);
    REQUIRE(smp_call_all(enable, NULL), "a CPU does not answer");
    REQUIRE(rdmsr(MSR_ID) == 0, "ID %llx", (unsigned long long)rdmsr(MSR_ID));
    uint64_t base = rdmsr(IA32_APIC_BASE);
    EXPECT(GP, wrmsr, IA32_APIC_BASE, base & ~APIC_BASE_EXTD); /* not back to xAPIC */
    EXPECT(NO_FAULT, wrmsr, IA32_APIC_BASE, base);
    REQUIRE(rdmsr(IA32_APIC_BASE) == base, "IA32_APIC_BASE %llx",
            (unsigned long long)rdmsr(IA32_APIC_BASE));
}

static bool is_off(void)
{
    if (!apic_is_x2apic()) {
        skip("not in x2APIC mode");
        return true;
    }
    return false;
}

static void registers(void)
{
    if (is_off()) {
        return;
    }
    EXPECT(GP, wrmsr, MSR_ID, 0); /* read-only */
    if (on_nacre()) {             /* reserved bits of the command; Bochs passes over them */
        EXPECT(GP, wrmsr, MSR_ICR, BIT(13) | IPI_NMI);
        EXPECT(GP, wrmsr, MSR_ICR, BIT(20) | IPI_NMI);
        EXPECT(GP, wrmsr, MSR_ICR, BIT(31) | IPI_SIPI);
    }
    EXPECT(GP, rdmsr, 0x831, 0);
    for (uint32_t msr = 0x800; msr < 0x900; msr++) {
        int vector = try(rdmsr, msr, 0);
        REQUIRE(vector == NO_FAULT || vector == GP, "RDMSR %x: exception %d", msr, vector);
    }
    unsigned before = cpu_self()->irq_count;
    wrmsr(MSR_SELF_IPI, 0x44);
    ipi(0, IPI_FIXED | 0x54);
    __asm__ volatile("sti");
    delay(2000);
    __asm__ volatile("cli");
    REQUIRE(cpu_self()->irq_count == before + 2, "%u interrupts of 2",
            cpu_self()->irq_count - before);
}

static void nmis(void)
{
    if (is_off()) {
        return;
    }
    for (const struct probe *probe = nmi_probes; probe->name != NULL; probe++) {
        if (cpu_count > 1 || !(probe->flags & SEVERAL)) {
            probe->run();
        }
    }
}

static void startups(void)
{
    if (is_off()) {
        return;
    }
    for (const struct probe *probe = startup_probes; probe->name != NULL; probe++) {
        probe->run();
    }
}

/* Events for a CPU that runs a PAL, in this mode (REQ-PAL-6). */
static void pals(void)
{
    for (const struct probe *probe = pal_event_probes; !(probe->flags & BY_NAME); probe++) {
        probe->run();
    }
}

const struct probe x2apic_probes[] = {
    {"x2apic-switch", switch_all, ANYWHERE},  {"x2apic-registers", registers, ANYWHERE},
    {"x2apic-nmi", nmis, ANYWHERE},           {"x2apic-startup", startups, SEVERAL},
    {"x2apic-pal", pals, ON_NACRE | SEVERAL}, {0},
};
