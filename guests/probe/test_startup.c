/* INIT and start-up IPIs (REQ-SMP-1, REQ-SMP-2, REQ-BOOT-4). */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"

static void check_running(unsigned cpu);

/* The SDM's table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". */
static void check_state(unsigned cpu)
{
    const struct start_state *state = smp_state(cpu);
    uint32_t signature = cpuid(1, 0).eax;

    /* Bochs leaves 0 there. */
    REQUIRE(state->gpr[2] == signature || !on_nacre(), "EDX is %x, not the signature %x",
            state->gpr[2], signature);
    for (unsigned i = 0; i < 8; i++) {
        REQUIRE(i == 2 || state->gpr[i] == 0, "register %u is %x", i, state->gpr[i]);
    }
    REQUIRE((state->cr[0] & 0x9fffffff) == 0x10, "CR0 is %x", state->cr[0]);
    REQUIRE(state->cr[1] == 0 && state->cr[2] == 0 && state->cr[3] == 0, "CR2 to CR4: %x %x %x",
            state->cr[1], state->cr[2], state->cr[3]);
    for (unsigned i = 0; i < 6; i++) {
        uint16_t expected = i == 1 ? (uint16_t)((TRAMPOLINE >> 4) + cpu * 0x100) : 0;
        REQUIRE(state->segment[i] == expected, "segment register %u is %x", i, state->segment[i]);
    }
    REQUIRE((state->flags & ~0x55U) == 2, "EFLAGS is %x", state->flags);
    REQUIRE(state->gdt.base == 0 && state->gdt.limit == 0xffff && state->idt.base == 0 &&
                state->idt.limit == 0xffff,
            "GDTR %x %x IDTR %x %x", state->gdt.base, state->gdt.limit, state->idt.base,
            state->idt.limit);
    REQUIRE(state->dr6 == 0xffff0ff0 && state->dr7 == 0x400, "DR6 %x DR7 %x", state->dr6,
            state->dr7);
    REQUIRE(state->efer == 0, "EFER is %x", state->efer);
    REQUIRE(!(state->apic_base & BIT(8)) && state->apic_base & BIT(11), "IA32_APIC_BASE %x",
            state->apic_base);
    for (unsigned i = 0; i < 8; i++) {
        REQUIRE(state->high[i] == 0, "R%u is %llx", i + 8, (unsigned long long)state->high[i]);
    }
}

/* Dirties every register that INIT resets, so that a value left over is seen. */
static void dirty(void *argument)
{
    (void)argument;
    write_cr4(read_cr4() | CR4_PGE);
    wrmsr(EFER, rdmsr(EFER) | 0x801);
    apic_write(APIC_TPR, 0x20);
    __asm__ volatile(
        "mov %0, %%cr2\n\tmov %0, %%dr0\n\tmov %1, %%dr6\n\t"
        "mov $-1, %%r8\n\tmov $-1, %%r9\n\tmov $-1, %%r12\n\tmov $-1, %%r15" ::"r"(0x1234567000ULL),
        "r"(0xffff0fffULL)
        : "r8", "r9", "r12", "r15");
}

static void init_state(void)
{
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        smp_call(cpu, dirty, NULL);
        REQUIRE(smp_wait(cpu, 1000000), "CPU %u does not answer", cpu);
        REQUIRE(smp_restart(cpu), "CPU %u does not start", cpu);
        check_state(cpu);
        check_running(cpu);
    }
}

/* REQ-SMP-2: the started CPU is still where CPUID says that a hypervisor is (or not, bare). */
static void note_hypervisor(void *result)
{
    __atomic_store_n((uint32_t *)result, 1 + (cpuid(1, 0).ecx >> 31), __ATOMIC_SEQ_CST);
}

static void check_running(unsigned cpu)
{
    uint32_t seen = 0;

    smp_call(cpu, note_hypervisor, &seen);
    REQUIRE(smp_wait(cpu, 2000000), "CPU %u does not answer", cpu);
    REQUIRE(seen == 1 + (cpuid(1, 0).ecx >> 31), "CPU %u runs outside the hypervisor", cpu);
}

/* INIT, then SIPI twice as the MP specification has it: exactly one start. */
static void expect_start(unsigned cpu, uint32_t destination, uint32_t init_mode, const char *form)
{
    unsigned starts = cpus[cpu].starts;

    ipi(destination, IPI_INIT | init_mode);
    delay(10000);
    ipi(cpu, IPI_SIPI | smp_vector(cpu));
    delay(3000);
    ipi(cpu, IPI_SIPI | smp_vector(cpu));
    REQUIRE(smp_wait_start(cpu, starts + 1), "CPU %u does not start after INIT by %s", cpu, form);
    delay(20000);
    REQUIRE(cpus[cpu].starts == starts + 1, "CPU %u starts %u times", cpu,
            cpus[cpu].starts - starts);
    check_running(cpu);
}

/* In x2APIC mode the logical ID is derived from the ID. */
static void set_logical(void *argument)
{
    (void)argument;
    if (apic_is_x2apic()) {
        return;
    }
    apic_write(APIC_DFR, 0xffffffff);
    apic_write(APIC_LDR, 1U << (24 + cpu_number()));
}

static void destinations(void)
{
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        expect_start(cpu, cpu, 0, "physical ID");
        expect_start(cpu, cpu, 0, "physical ID, again");
        expect_start(cpu, cpu, 0x8000, "physical ID, level-triggered");
        smp_call(cpu, set_logical, NULL);
        REQUIRE(smp_wait(cpu, 1000000), "CPU %u does not answer", cpu);
        expect_start(cpu, 1U << cpu, IPI_LOGICAL, "logical ID");
    }
}

/* INIT by shorthand stops all others; SIPI by shorthand starts them at one address. */
static void shorthand(void)
{
    unsigned before[MAX_CPUS];

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
            before[cpu] = cpus[cpu].starts;
        }
        ipi(0, IPI_INIT | IPI_OTHERS);
        delay(10000);
        ipi(0, IPI_SIPI | IPI_OTHERS | smp_vector(0));
        for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
            REQUIRE(smp_wait_start(cpu, before[cpu] + 1), "CPU %u does not start", cpu);
            check_running(cpu);
        }
    }
}

/* A logical destination starts several CPUs; those without a bit keep running. */
static void logical_group(void)
{
    unsigned before[MAX_CPUS];
    uint32_t group = 0;

    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        smp_call(cpu, set_logical, NULL);
        REQUIRE(smp_wait(cpu, 1000000), "CPU %u does not answer", cpu);
        before[cpu] = cpus[cpu].starts;
        group |= cpu & 1 ? 1U << cpu : 0;
    }
    ipi(group, IPI_INIT | IPI_LOGICAL);
    delay(10000);
    for (unsigned cpu = 2; cpu < cpu_count; cpu += 2) {
        check_running(cpu);
    }
    for (unsigned cpu = 1; cpu < cpu_count; cpu += 2) {
        REQUIRE(cpus[cpu].starts == before[cpu], "CPU %u has started", cpu);
        ipi(cpu, IPI_SIPI | smp_vector(cpu));
        REQUIRE(smp_wait_start(cpu, before[cpu] + 1), "CPU %u does not start", cpu);
    }
}

/* A start-up IPI to a CPU that runs is ignored; a CPU that waits has no other way to go on. */
static void ignored(void)
{
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        unsigned starts = cpus[cpu].starts;
        ipi(cpu, IPI_SIPI | smp_vector(cpu));
        ipi(cpu, IPI_SIPI | 0x77);
        delay(20000);
        REQUIRE(cpus[cpu].starts == starts, "CPU %u has started by SIPI alone", cpu);
        check_running(cpu);
        ipi(cpu, IPI_INIT);
        delay(10000);
        ipi(cpu, IPI_FIXED | 0x40);
        ipi(cpu, 0x8500 | IPI_INIT); /* INIT level assert again */
        ipi(cpu, 0x8500);            /* INIT level de-assert */
        delay(20000);
        REQUIRE(cpus[cpu].starts == starts, "CPU %u has started without SIPI", cpu);
        ipi(cpu, IPI_SIPI | smp_vector(cpu));
        REQUIRE(smp_wait_start(cpu, starts + 1), "CPU %u does not start", cpu);
        check_state(cpu);
    }
}

static void spin(void *argument)
{
    (void)argument;
    for (;;) {
        pause();
    }
}

static void halt(void *argument)
{
    (void)argument;
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

static void halt_open(void *argument)
{
    (void)argument;
    for (;;) {
        __asm__ volatile("sti; hlt");
    }
}

static void exits(void *argument)
{
    (void)argument;
    for (;;) {
        (void)cpuid(0, 0);
    }
}

static void apic_stores(void *argument)
{
    (void)argument;
    for (uint32_t value = 0;; value++) {
        apic_write(APIC_TPR, value & 0xf0);
    }
}

static void (*const states[])(void *) = {spin, halt, halt_open, exits, apic_stores};
#define STATE_COUNT (sizeof(states) / sizeof(states[0]))

static void any_state(void)
{
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        for (unsigned i = 0; i < STATE_COUNT; i++) {
            smp_call(cpu, states[i], NULL);
            delay(3000 + random_next() % 3000);
            REQUIRE(smp_restart(cpu), "CPU %u does not start from state %u", cpu, i);
            check_state(cpu);
        }
    }
}

/*
 * INIT, SIPI and NMI in any order and at any distance.  A CPU takes an NMI on its way to long mode
 * as a triple fault, on bare machines too, so NMIs go to CPUs that are in ap_main() or that wait.
 */
enum expected { RUNNING, WAITING, STARTING };

static void storm_step(unsigned cpu, enum expected *state, unsigned *starts)
{
    if (*state == STARTING && cpus[cpu].starts != *starts) {
        *state = RUNNING;
    }
    switch (random_next() % 8) {
    case 0:
    case 1:
        ipi(cpu, IPI_INIT);
        *state = WAITING;
        break;
    case 2:
    case 3:
        if (*state == WAITING) {
            *starts = cpus[cpu].starts;
            *state = STARTING;
        }
        ipi(cpu, IPI_SIPI | smp_vector(cpu));
        break;
    case 4:
    case 5:
        if (*state != STARTING) {
            ipi(cpu, IPI_NMI);
        }
        break;
    case 6:
        if (*state == RUNNING) {
            smp_call(cpu, states[random_next() % STATE_COUNT], NULL);
        }
        break;
    default:
        delay(random_next() % 3000);
        break;
    }
}

static void storm(void)
{
    enum expected state[MAX_CPUS] = {RUNNING};
    unsigned starts[MAX_CPUS] = {0};

    for (unsigned i = 0; i < 1500; i++) {
        unsigned cpu = 1 + (unsigned)(random_next() % (cpu_count - 1));
        storm_step(cpu, &state[cpu], &starts[cpu]);
    }
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        delay(20000); /* a start under way ends before the next INIT */
        REQUIRE(smp_restart(cpu), "CPU %u does not start after the storm", cpu);
        check_state(cpu);
        check_running(cpu);
    }
}

const struct probe startup_probes[] = {
    {"startup-state", init_state, SEVERAL},    {"startup-forms", destinations, SEVERAL},
    {"startup-shorthand", shorthand, SEVERAL}, {"startup-logical", logical_group, SEVERAL},
    {"startup-ignored", ignored, SEVERAL},     {"startup-any", any_state, SEVERAL},
    {"startup-storm", storm, SEVERAL},         {0},
};
