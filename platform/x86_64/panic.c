/*
 * The report of a panic: the other CPUs are stopped by NMI first, then everything is printed by one
 * CPU, past all locks, because whoever held them is parked.
 */
#include "traps.h"

#include "console.h"
#include "layout.h"
#include "percpu.h"

#include <base/check.h>
#include <hw/apic.h>
#include <hw/console.h>
#include <hw/cpu.h>
#include <hw/nmi.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ICR_NMI 0x400
#define ICR_ASSERT 0x4000
#define STOP_WAIT_US 20000
#define BACKTRACE_FRAMES 24

uint32_t trap_panic_cpu;
static bool reset_after_panic;

void hw_panic_reset(bool reset)
{
    reset_after_panic = reset;
}

void panic_park_if_stopped(void)
{
    if (__atomic_load_n(&trap_panic_cpu, __ATOMIC_ACQUIRE) == 0) {
        return;
    }
    __atomic_store_n(&percpu_this()->stopped, 1, __ATOMIC_RELEASE);
    hw_halt();
}

void panic_begin(void)
{
    struct percpu *self = percpu_this();
    uint32_t none = 0;

    if (!__atomic_compare_exchange_n(&trap_panic_cpu, &none, self->cpu + 1, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        if (none == self->cpu + 1) {
            hw_halt(); /* the report itself faulted */
        }
        panic_park_if_stopped();
    }
    for (unsigned cpu = 0; cpu < CONFIG_MAX_CPUS; cpu++) {
        if (percpu[cpu].online && cpu != self->cpu) {
            hw_apic_send_ipi((uint64_t)percpu[cpu].apic_id << 32 | ICR_ASSERT | ICR_NMI);
        }
    }
    hw_delay_us(STOP_WAIT_US);
}

void panic_printf(const char *format, ...)
{
    static char line[256]; /* one reporter at a time */
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length > (int)sizeof(line) - 1) {
        length = (int)sizeof(line) - 1;
    }
    console_write_unlocked("nacre: PANIC: ", 14);
    console_write_unlocked(line, length < 0 ? 0 : (size_t)length);
    console_write_unlocked("\n", 1);
}

static void print_frame(unsigned index, uint64_t rip)
{
    uint64_t offset = 0;
    const char *symbol = symbol_find(rip, &offset);
    panic_printf("  #%u 0x%llx %s+0x%llx", index, (unsigned long long)rip,
                 symbol != NULL ? symbol : "?", (unsigned long long)offset);
}

/* Frame pointers are followed only inside one stack and only upwards. */
void panic_backtrace(uint64_t rip, uint64_t rbp)
{
    unsigned cpu;
    enum stack_kind kind;
    bool in_guard;

    print_frame(0, rip);
    for (unsigned index = 1; index < BACKTRACE_FRAMES; index++) {
        if (rbp % 8 != 0 || !stack_find(rbp, &cpu, &kind, &in_guard) || in_guard ||
            rbp + 16 > stack_range(cpu, kind).top) {
            return;
        }
        const uint64_t *frame = (const uint64_t *)rbp;
        if (frame[1] == 0 || frame[0] <= rbp) {
            return;
        }
        print_frame(index, frame[1]);
        rbp = frame[0];
    }
}

static void print_other_cpus(void)
{
    for (unsigned cpu = 0; cpu < CONFIG_MAX_CPUS; cpu++) {
        const struct percpu *other = &percpu[cpu];
        if (!other->online || cpu == hw_this_cpu()) {
            continue;
        }
        if (!__atomic_load_n(&other->stopped, __ATOMIC_ACQUIRE)) {
            panic_printf("CPU %u did not stop", cpu);
            continue;
        }
        if (other->stopped_rip == 0) {
            panic_printf("CPU %u stopped while its guest ran", cpu);
            continue;
        }
        uint64_t offset = 0;
        const char *symbol = symbol_find(other->stopped_rip, &offset);
        panic_printf("CPU %u stopped at 0x%llx %s+0x%llx rsp=0x%llx", cpu,
                     (unsigned long long)other->stopped_rip, symbol != NULL ? symbol : "?",
                     (unsigned long long)offset, (unsigned long long)other->stopped_rsp);
    }
}

_Noreturn void panic_finish(void)
{
    print_other_cpus();
    panic_printf("%s", reset_after_panic ? "resetting the machine" : "halted");
    if (reset_after_panic) {
        hw_reset();
    }
    hw_halt();
}

_Noreturn void base_check_failed(const char *file, unsigned line, const char *expression)
{
    panic_begin();
    panic_printf("CHECK failed on CPU %u: %s at %s:%u", hw_this_cpu(), expression, file, line);
    panic_backtrace((uint64_t)__builtin_return_address(0), (uint64_t)__builtin_frame_address(0));
    panic_finish();
}

unsigned hw_nmi_take(void)
{
    panic_park_if_stopped();
    return __atomic_exchange_n(&percpu_this()->nmi_pending, 0, __ATOMIC_ACQ_REL);
}

void hw_nmi_note(void)
{
    __atomic_fetch_add(&percpu_this()->nmi_pending, 1, __ATOMIC_RELAXED);
}
