/*
 * A hypapp that overflows each of its stacks on purpose, while guests run: the first module's
 * string is "overflow WHAT CPU [flood]" (the module itself is not used).
 *
 * That CPU's guest executes CPUID in a loop and commit() is called in the handler of the first one.
 * Of the others (the test boots four), FLOODER sends it NMIs if told so, the last waits for its
 * start-up IPI, and the rest run guests that do nothing.  tests/boot/test_stack.py reads the
 * report.
 */
#include "nacre.h"
#include "no_pals.h"

#include "../../../../platform/x86_64/layout.h"
#include "../../../../platform/x86_64/percpu.h"

#include <base/check.h>
#include <base/log.h>
#include <hw/apic.h>
#include <hw/cpu.h>
#include <hw/mem.h>
#include <hw/nmi.h>
#include <hw/vmx.h>
#include <smp/smp.h>
#include <smp/start.h>
#include <stdlib.h>
#include <string.h>
#include <vmx/state.h>

#define FLOODER 2
#define PARKED 3
#define BUSY_PAGE 0x8 /* start-up vectors of the guests' code */
#define IDLE_PAGE 0x9
#define ICR_NMI 0x4400
#define FLOOD_SEEN 20
#define KICKS 3000
#define KICK_LOST_PAUSES 100000000

/* Real mode: inc ebp; cpuid; back to the start.  And: jump to itself. */
static const uint8_t busy_code[] = {0x66, 0x45, 0x0f, 0xa2, 0xeb, 0xfa};
static const uint8_t idle_code[] = {0xeb, 0xfe};

static char what[32];
static unsigned victim;
static bool flood;
static bool flood_go;   /* atomic */
static uint32_t rounds; /* of the victim's guest */
static uint64_t room_taken;
static volatile uint64_t sink;

_Noreturn void boot_switch(uint64_t cr3, uint64_t stack_top, void (*next)(void));

/* FNV-1a over what no NMI exit changes of a vCPU: all but `launched` and the counts. */
static uint64_t checksum(const struct vcpu *vcpu)
{
    const uint8_t *bytes = (const uint8_t *)vcpu;
    uint64_t sum = 0xcbf29ce484222325;

    for (size_t i = 0; i < sizeof(*vcpu); i++) {
        bool counts = i - offsetof(struct vcpu, exits) < sizeof(vcpu->exits);
        if (!counts && i != offsetof(struct vcpu, launched)) {
            sum = (sum ^ bytes[i]) * 0x100000001b3;
        }
    }
    return sum;
}

/* For the test, which computes the sums again from the halted machine's memory. */
static void print_checksums(void)
{
    log_info("overflow: layout size=%zu launched=%zu exits=%zu+%zu", sizeof(struct vcpu),
             offsetof(struct vcpu, launched), offsetof(struct vcpu, exits),
             sizeof(nacre.cpu[0].vcpu.exits));
    for (unsigned cpu = 0; cpu < nacre.table.count; cpu++) {
        const struct vcpu *vcpu = &nacre.cpu[cpu].vcpu;
        log_info("overflow: vcpu %u at=0x%llx sum=0x%016llx", cpu,
                 (unsigned long long)(uintptr_t)vcpu, (unsigned long long)checksum(vcpu));
    }
}

/*
 * As the marshalling of a call with ten pointer parameters did it: each is copied with what it
 * points to, one level deeper.  Far past the guard page, had that not stopped it.
 */
static __attribute__((noinline)) uint64_t marshal(const uint64_t *parameters[10], unsigned depth)
{
    const uint64_t *inner[10];
    volatile uint64_t copies[10][6];

    for (unsigned i = 0; i < 10; i++) {
        inner[i] = parameters[(i + depth) % 10];
        for (unsigned word = 0; word < 6; word++) {
            copies[i][word] = *inner[i] + word;
        }
    }
    sink = depth < 100 ? marshal(inner, depth + 1) + copies[depth % 10][depth % 6] : 0;
    return sink;
}

static void overflow_main(void)
{
    static const uint64_t value = 1;
    const uint64_t *parameters[10];

    for (unsigned i = 0; i < 10; i++) {
        parameters[i] = &value;
    }
    sink = marshal(parameters, 0);
}

/* The interrupt stack gets room for the CPU's frame and one word: the handler needs more. */
static void overflow_nmi(void)
{
    struct percpu *self = percpu_this();

    self->tss.ist[IST_NMI - 1] = stack_range(self->cpu, STACK_NMI).bottom + 48;
    hw_apic_send_ipi((uint64_t)self->apic_id << 32 | ICR_NMI);
    hw_delay_us(1000);
}

/* A fault while the stack is as good as full: no room for the frame of the #GP. */
static void fault_on_full_stack(void)
{
    sink = hw_rdmsr(0x12345678);
}

/* RSP of the caller, before it calls anything. */
static __attribute__((noinline)) uint64_t stack_pointer(void)
{
    return (uint64_t)__builtin_frame_address(0) + 16;
}

/*
 * Entered twice on fresh stacks: to measure its own frame, then so that hw_vmx_enter() ends exactly
 * at the bottom.  The exit finds all registers the guest's and no room for the first of them.
 */
static void enter_at_the_bottom(void)
{
    struct vcpu *vcpu = &nacre.cpu[victim].vcpu;
    struct stack_range range = stack_range(victim, STACK_MAIN);
    const uint64_t entry_needs = 8 * sizeof(uint64_t);

    if (room_taken == 0) {
        room_taken = range.top - stack_pointer();
        boot_switch(hw_read_cr3(), range.bottom + room_taken + entry_needs, enter_at_the_bottom);
    }
    sink = (uint64_t)hw_vmx_enter(&vcpu->gprs, vcpu->launched);
}

static void commit(struct vcpu *vcpu)
{
    struct stack_range range = stack_range(victim, STACK_MAIN);

    if (strcmp(what, "main") == 0) {
        overflow_main();
    } else if (strcmp(what, "nmi") == 0) {
        overflow_nmi();
    } else if (strcmp(what, "fault") == 0) {
        boot_switch(hw_read_cr3(), range.bottom + 48, fault_on_full_stack);
    } else if (strcmp(what, "exit") == 0) {
        vcpu_set_gpr(vcpu, VCPU_RSI, 0x5117c0de);
        boot_switch(hw_read_cr3(), range.top, enter_at_the_bottom);
    } else if (strcmp(what, "report") == 0) {
        base_check_failed("overflow", 1, (const char *)8); /* the report reads what is not there */
    } else if (strcmp(what, "tag") == 0) {
        vcpu->tag ^= 1;
        return; /* found at the next exit */
    }
    log_error("overflow: '%s' was not caught", what);
}

static void prepare(void)
{
    hw_delay_us(20000); /* the others have reached their guests */
    print_checksums();
    if (flood) {
        __atomic_store_n(&flood_go, true, __ATOMIC_RELEASE);
        for (unsigned seen = 0; seen < FLOOD_SEEN;) {
            seen += hw_nmi_take();
        }
    }
}

static void send_flood(void)
{
    while (!__atomic_load_n(&flood_go, __ATOMIC_ACQUIRE)) {
        hw_pause();
    }
    for (;;) {
        hw_apic_send_ipi((uint64_t)percpu[victim].apic_id << 32 | ICR_NMI);
    }
}

/* Each kick must be collected before the next: one that is lost is waited for in vain. */
_Noreturn static void send_kicks(void)
{
    for (unsigned kick = 0; kick < KICKS; kick++) {
        unsigned pauses = 0;
        smp_kick(&nacre.smp, victim);
        while (__atomic_load_n(&nacre.smp.cpu[victim].kick, __ATOMIC_ACQUIRE)) {
            hw_pause();
            if (++pauses == KICK_LOST_PAUSES) {
                log_error("overflow: kick %u was lost", kick);
            }
        }
        for (unsigned i = 0; i < kick % 61; i++) {
            hw_pause(); /* another instruction of the victim's each time */
        }
    }
    log_info("overflow: kicks=%u rounds=%u", KICKS, __atomic_load_n(&rounds, __ATOMIC_RELAXED));
    hw_halt();
}

bool app_cpuid(struct vcpu *vcpu)
{
    unsigned cpu = vcpu_cpu(vcpu);
    uint32_t round = (uint32_t)vcpu_gpr(vcpu, VCPU_RBP);

    if (cpu == victim) {
        if (round != rounds + 1) {
            log_error("overflow: round %u came after %u", round, rounds);
        }
        __atomic_store_n(&rounds, round, __ATOMIC_RELAXED);
        if (round == 1 && strcmp(what, "kicks") != 0) {
            prepare();
            commit(vcpu);
        }
    } else if (cpu == FLOODER && strcmp(what, "kicks") == 0) {
        send_kicks();
    } else if (cpu == FLOODER && flood) {
        send_flood();
    }
    vcpu_skip_instruction(vcpu);
    return true;
}

static void read_words(void)
{
    const char *string = nacre.boot->modules[0].string + strlen("overflow ");
    size_t length = strcspn(string, " ");

    if (length < sizeof(what)) {
        memcpy(what, string, length);
    }
    victim = (unsigned)strtoul(string + length, NULL, 10);
    string += length + 1;
    flood = strcmp(string + strcspn(string, " "), " flood") == 0;
}

static void start_guests(void)
{
    bool flooder = flood || strcmp(what, "kicks") == 0;

    CHECK(hw_phys_write(hpa(BUSY_PAGE * PAGE_BYTES), busy_code, sizeof(busy_code)) == STATUS_OK);
    CHECK(hw_phys_write(hpa(IDLE_PAGE * PAGE_BYTES), idle_code, sizeof(idle_code)) == STATUS_OK);
    for (unsigned cpu = 0; cpu < nacre.table.count; cpu++) {
        bool busy = cpu == victim || (cpu == FLOODER && flooder);
        uint8_t page = busy ? BUSY_PAGE : IDLE_PAGE;
        if (cpu == 0) {
            vmx_state_sipi(&nacre.cpu[0].vcpu, page);
        } else if (cpu < 3 || cpu == victim) {
            smp_startup_post_sipi(&nacre.cpu[cpu].startup, page);
            smp_kick(&nacre.smp, cpu);
        }
    }
}

/* For tools/gdb in QEMU, which has no VMX: all CPUs in the hypervisor, vCPUs with marks. */
_Noreturn static __attribute__((noinline)) void wait_for_gdb(unsigned cpu)
{
    struct vcpu *vcpu = &nacre.cpu[cpu].vcpu;

    vcpu->cpu = cpu;
    vcpu->parked = cpu != 0;
    vcpu->controls.pin = 0x16 + cpu;
    vcpu->exits[VMX_EXIT_CPUID] = 100 + cpu;
    vcpu->tag = vmx_vcpu_tag(vcpu) ^ (cpu == PARKED); /* one is wrong */
    for (;;) {
        hw_pause();
    }
}

_Noreturn static void start_for_gdb(void)
{
    nacre_find_cpus();
    CHECK(nacre.table.count == 1 || smp_start_all(&nacre.table) == STATUS_OK);
    hw_delay_us(10000);
    log_info("overflow: waits for gdb");
    wait_for_gdb(0);
}

_Noreturn void app_main(const struct hw_boot_info *boot)
{
    nacre_options(boot);
    read_words();
    if (strcmp(what, "gdb") == 0) {
        start_for_gdb();
    }
    nacre_gate();
    nacre_find_cpus();
    nacre_build_tables();
    nacre_start_cpus();
    start_guests();
    nacre_run(0);
}

_Noreturn void app_ap_main(unsigned cpu)
{
    if (strcmp(what, "gdb") == 0) {
        wait_for_gdb(cpu);
    }
    nacre_run_ap(cpu);
}

bool app_vmcall(struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}

void app_summary(void)
{
}
