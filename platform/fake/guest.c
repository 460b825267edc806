/* What happens between two guest instructions: signals, windows, timers, delivery of events. */
#include "internal.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#define TYPE_EXTERNAL 0
#define TYPE_NMI 2
#define TYPE_OTHER 7
#define IDLE_HOOK_CALLS 10000
#define IDLE_SECONDS 20

/* Guest state that hardware keeps in an MSR while the guest runs. */
static uint32_t msr_of_field(uint32_t field)
{
    switch (field) {
    case F_GUEST_FS_BASE:
        return MSR_FS_BASE;
    case F_GUEST_GS_BASE:
        return MSR_GS_BASE;
    case F_GUEST_SYSENTER_CS:
        return MSR_SYSENTER_CS;
    case F_GUEST_SYSENTER_ESP:
        return MSR_SYSENTER_ESP;
    case F_GUEST_SYSENTER_EIP:
        return MSR_SYSENTER_EIP;
    case F_GUEST_PAT:
        return MSR_PAT;
    case F_GUEST_EFER:
        return MSR_EFER;
    case F_GUEST_DEBUGCTL:
        return MSR_DEBUGCTL;
    default:
        return 0;
    }
}

uint64_t guest_field(struct fake_cpu *cpu, uint32_t field)
{
    uint32_t msr = msr_of_field(field);
    return msr ? fake_msr_raw(cpu, msr) : vmcs_get(cpu->current, field);
}

void guest_field_set(struct fake_cpu *cpu, uint32_t field, uint64_t value)
{
    uint32_t msr = msr_of_field(field);
    if (msr) {
        fake_msr_raw_set(cpu, msr, value);
    } else {
        vmcs_set(cpu->current, field, value);
    }
}

static _Noreturn void leave(struct fake_cpu *cpu, uint32_t reason, uint64_t qualification)
{
    struct exit_info info = {.reason = reason, .qualification = qualification};
    guest_leave(cpu, &info);
}

static void record(struct fake_cpu *cpu, uint32_t event, uint32_t error_code, bool injected)
{
    if (cpu->delivery_count == DELIVERY_MAX) {
        return; /* a flood: the test counts exits instead */
    }
    cpu->deliveries[cpu->delivery_count++] = (struct fake_delivery){
        .vector = (uint8_t)event,
        .type = (uint8_t)bits_get(event, 8, 3),
        .has_error_code = event & BIT(11),
        .error_code = event & BIT(11) ? error_code : 0,
        .injected = injected,
        .entry = cpu->guest.entry,
        .rip = guest_field(cpu, F_GUEST_RIP),
        .cr2 = cpu->cr2,
    };
}

/* Delivery writes a frame: what that access does to an event whose stack is not mapped. */
static void push_frame(struct fake_cpu *cpu, uint32_t event, uint32_t error_code)
{
    if (cpu->delivery_stack == NO_ADDRESS || !(vmx_secondary(cpu->current) & SECONDARY_EPT)) {
        return;
    }
    uint64_t pointer = vmcs_get(cpu->current, F_EPT_POINTER);
    struct fake_walk walk = fake_ept_walk(pointer, cpu->delivery_stack);
    if (walk.result == FAKE_WALK_OK && (walk.rights & 2)) {
        return;
    }
    bool misconfigured = walk.result == FAKE_WALK_MISCONFIGURED;
    struct exit_info info = {
        .reason = misconfigured ? REASON_EPT_MISCONFIGURATION : REASON_EPT_VIOLATION,
        .qualification = misconfigured ? 0 : 2 | (uint64_t)walk.rights << 3 | 0x180,
        .idt_vectoring = event & ~(uint32_t)BIT(12),
        .idt_error_code = error_code,
        .physical = cpu->delivery_stack,
        .has_physical = true,
        .linear = cpu->delivery_stack,
        .has_linear = true,
    };
    uint32_t type = (uint32_t)bits_get(event, 8, 3);
    if (type >= 4 && type <= 6) {
        info.has_length = true;
        info.instruction_length = (uint32_t)vmcs_get(cpu->current, F_ENTRY_INSTRUCTION_LENGTH);
    }
    guest_leave(cpu, &info);
}

void guest_deliver(struct fake_cpu *cpu, uint32_t event, uint32_t error_code, bool injected)
{
    uint32_t type = (uint32_t)bits_get(event, 8, 3);
    uint64_t state = guest_field(cpu, F_INTERRUPTIBILITY);
    if (type == TYPE_OTHER) {
        leave(cpu, REASON_MTF, 0);
    }
    state &= ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS);
    if (type == TYPE_NMI) {
        state |= BLOCKING_NMI;
    }
    guest_field_set(cpu, F_INTERRUPTIBILITY, state);
    guest_field_set(cpu, F_ACTIVITY, ACTIVITY_ACTIVE);
    push_frame(cpu, event, error_code);
    record(cpu, event, error_code, injected);
}

static bool take_interrupt(struct fake_cpu *cpu, uint32_t *vector)
{
    for (int word = 3; word >= 0; word--) {
        uint64_t pending = atomic_load(&cpu->interrupts[word]);
        if (pending) {
            unsigned bit = 63 - (unsigned)__builtin_clzll(pending);
            atomic_fetch_and(&cpu->interrupts[word], ~BIT(bit));
            *vector = (uint32_t)word * 64 + bit;
            return true;
        }
    }
    return false;
}

static bool interrupt_pending(const struct fake_cpu *cpu)
{
    return atomic_load(&cpu->interrupts[0]) || atomic_load(&cpu->interrupts[1]) ||
           atomic_load(&cpu->interrupts[2]) || atomic_load(&cpu->interrupts[3]);
}

static void boundary_nmi(struct fake_cpu *cpu)
{
    uint32_t pin = (uint32_t)guest_field(cpu, F_PIN_CONTROLS);
    uint64_t state = guest_field(cpu, F_INTERRUPTIBILITY);
    bool window = guest_field(cpu, F_PRIMARY_CONTROLS) & PRIMARY_NMI_WINDOW;
    if (window && !(state & (BLOCKING_NMI | BLOCKING_MOV_SS))) {
        leave(cpu, REASON_NMI_WINDOW, 0);
    }
    bool blocked =
        (state & BLOCKING_MOV_SS) || (!(pin & PIN_VIRTUAL_NMI) && (state & BLOCKING_NMI));
    if (blocked || !atomic_exchange(&cpu->nmi_latch, false)) {
        return;
    }
    if (pin & PIN_NMI) {
        struct exit_info info = {.reason = REASON_EXCEPTION_NMI, .interruption = 0x80000202};
        cpu->nmi_blocked = true;
        guest_leave(cpu, &info);
    }
    guest_deliver(cpu, 0x80000202, 0, false);
}

static void boundary_interrupt(struct fake_cpu *cpu)
{
    uint64_t state = guest_field(cpu, F_INTERRUPTIBILITY);
    bool enabled = (guest_field(cpu, F_GUEST_RFLAGS) & RFLAGS_IF) &&
                   !(state & (BLOCKING_STI | BLOCKING_MOV_SS));
    if (guest_field(cpu, F_ACTIVITY) == ACTIVITY_SHUTDOWN) {
        return;
    }
    if (enabled && (guest_field(cpu, F_PRIMARY_CONTROLS) & PRIMARY_INTERRUPT_WINDOW)) {
        leave(cpu, REASON_INTERRUPT_WINDOW, 0);
    }
    bool exiting = guest_field(cpu, F_PIN_CONTROLS) & PIN_EXTERNAL_INTERRUPT;
    uint32_t vector;
    if (exiting && interrupt_pending(cpu)) {
        struct exit_info info = {.reason = REASON_EXTERNAL_INTERRUPT};
        bool acknowledge = guest_field(cpu, F_EXIT_CONTROLS) & EXIT_ACKNOWLEDGE;
        if (acknowledge && take_interrupt(cpu, &vector)) {
            info.interruption = (uint32_t)BIT(31) | vector;
        }
        guest_leave(cpu, &info);
    }
    if (!exiting && enabled && take_interrupt(cpu, &vector)) {
        guest_deliver(cpu, (uint32_t)BIT(31) | TYPE_EXTERNAL << 8 | vector, 0, false);
    }
}

/* Priorities of SDM section "Other Causes of VM Exits". */
void guest_boundary(struct fake_cpu *cpu)
{
    if (guest_field(cpu, F_ACTIVITY) == ACTIVITY_WAIT_FOR_SIPI) {
        int vector = atomic_exchange(&cpu->sipi_latch, -1);
        if (vector >= 0) {
            leave(cpu, REASON_SIPI, (uint64_t)vector);
        }
        return; /* everything else is blocked, INIT too */
    }
    if (atomic_exchange(&cpu->init_latch, false)) {
        leave(cpu, REASON_INIT, 0);
    }
    if (cpu->timer_on && fake_tsc() >= cpu->timer_deadline) {
        leave(cpu, REASON_PREEMPTION, 0);
    }
    boundary_nmi(cpu);
    boundary_interrupt(cpu);
}

void guest_wait(struct fake_cpu *cpu)
{
    time_t start = time(NULL);
    for (unsigned calls = 0; guest_field(cpu, F_ACTIVITY) != ACTIVITY_ACTIVE; calls++) {
        guest_boundary(cpu);
        if (guest_field(cpu, F_ACTIVITY) == ACTIVITY_ACTIVE) {
            return;
        }
        fake_tick(1000);
        fake_run_pause_hook();
        sched_yield();
        bool stuck = fake_alone() ? calls > IDLE_HOOK_CALLS : time(NULL) - start > IDLE_SECONDS;
        if (stuck) {
            cpu->in_guest = false;
            fake_trap("guest of CPU %u waits in activity state %u, and nothing is pending",
                      cpu->index, (unsigned)vmcs_get(cpu->current, F_ACTIVITY));
        }
    }
}

void fake_guest_set(unsigned index, fake_guest_fn *fn, void *arg)
{
    struct fake_cpu *cpu = fake_cpu(index);
    cpu->guest_fn = fn;
    cpu->guest = (struct fake_guest){.cpu = index, .arg = arg};
    memset(cpu->exits, 0, sizeof cpu->exits);
    cpu->exits_all = 0;
}

uint64_t fake_guest_get(struct fake_guest *guest, uint32_t field)
{
    return guest_field(fake_cpu(guest->cpu), field);
}

void fake_guest_put(struct fake_guest *guest, uint32_t field, uint64_t value)
{
    guest_field_set(fake_cpu(guest->cpu), field, value);
}

uint64_t fake_guest_msr(struct fake_guest *guest, uint32_t msr)
{
    return fake_msr_get(guest->cpu, msr);
}

size_t fake_delivery_count(unsigned cpu)
{
    return fake_cpu(cpu)->delivery_count;
}

const struct fake_delivery *fake_delivery_at(unsigned cpu, size_t index)
{
    return index < fake_cpu(cpu)->delivery_count ? &fake_cpu(cpu)->deliveries[index] : NULL;
}

void fake_deliveries_clear(unsigned cpu)
{
    fake_cpu(cpu)->delivery_count = 0;
}

void fake_delivery_stack(unsigned cpu, uint64_t gpa)
{
    fake_cpu(cpu)->delivery_stack = gpa;
}

uint64_t fake_exits(unsigned cpu, uint32_t reason)
{
    return reason < EXIT_REASONS ? fake_cpu(cpu)->exits[reason] : 0;
}

uint64_t fake_exits_all(unsigned cpu)
{
    return fake_cpu(cpu)->exits_all;
}
