/*
 * A panic: the other CPUs are stopped by NMI first, then everything is printed by one CPU, past all
 * locks, because whoever held them is parked.  report.c says what is printed.
 */
#include "console.h"
#include "layout.h"
#include "percpu.h"
#include "traps.h"

#include <base/check.h>
#include <hw/apic.h>
#include <hw/console.h>
#include <hw/cpu.h>
#include <hw/nmi.h>
#include <stdarg.h>
#include <stdio.h>

#define ICR_NMI 0x400
#define ICR_ASSERT 0x4000
#define STOP_WAIT_US 20000
#define STOP_POLL_US 50

uint32_t trap_panic_cpu;
static bool reset_after_panic;

void hw_panic_reset(bool reset)
{
    reset_after_panic = reset;
}

/* rip 0: this CPU's guest ran.  A fault in here comes back with `stopping` set and just parks. */
static _Noreturn void park(struct percpu *self, uint64_t rip, uint64_t rsp)
{
    if (!self->stopping) {
        self->stopping = 1;
        self->stopped_rip = rip;
        self->stopped_rsp = rsp;
        app_panic_state(self->cpu, &self->guest);
    }
    __atomic_store_n(&self->stopped, 1, __ATOMIC_RELEASE);
    hw_halt();
}

void panic_nmi(uint64_t rip, uint64_t rsp)
{
    struct percpu *self = percpu_this();

    if (trap_panic_cpu == self->cpu + 1 || self->stopping) {
        return; /* more NMIs than one: the report, or the way to the parking place, goes on */
    }
    park(self, rip, rsp);
}

void panic_park_if_stopped(void)
{
    struct percpu *self = percpu_this();
    uint32_t reporter = __atomic_load_n(&trap_panic_cpu, __ATOMIC_ACQUIRE);

    if (reporter != 0 && reporter != self->cpu + 1) {
        park(self, 0, (uint64_t)__builtin_frame_address(0));
    }
}

/*
 * Another fault on the CPU that reports: one line, unformatted to need little stack, then the end;
 * a fault in that ends without a word.
 */
static _Noreturn void report_failed(void)
{
    static const char line[] = "nacre: PANIC: the report itself failed\n";
    static bool again;

    if (!again) {
        again = true;
        console_write_unlocked(line, sizeof(line) - 1);
        if (reset_after_panic) {
            hw_reset();
        }
    }
    hw_halt();
}

static void stop_others(const struct percpu *self)
{
    bool all_stopped = false;

    for (unsigned cpu = 0; cpu < CONFIG_MAX_CPUS; cpu++) {
        if (percpu[cpu].online && cpu != self->cpu) {
            hw_apic_send_ipi((uint64_t)percpu[cpu].apic_id << 32 | ICR_ASSERT | ICR_NMI);
        }
    }
    for (unsigned us = 0; !all_stopped && us < STOP_WAIT_US; us += STOP_POLL_US) {
        all_stopped = true;
        for (unsigned cpu = 0; cpu < CONFIG_MAX_CPUS; cpu++) {
            if (percpu[cpu].online && cpu != self->cpu &&
                !__atomic_load_n(&percpu[cpu].stopped, __ATOMIC_ACQUIRE)) {
                all_stopped = false;
            }
        }
        if (!all_stopped) {
            hw_delay_us(STOP_POLL_US);
        }
    }
}

void panic_begin(uint64_t rip, uint64_t rsp)
{
    struct percpu *self = percpu_this();
    uint32_t none = 0;

    if (!__atomic_compare_exchange_n(&trap_panic_cpu, &none, self->cpu + 1, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        if (none == self->cpu + 1) {
            report_failed();
        }
        park(self, rip, rsp);
    }
    stop_others(self);
    app_panic_state(self->cpu, &self->guest);
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

_Noreturn void panic_finish(void)
{
    report_cpus();
    panic_printf("%s", reset_after_panic ? "resetting the machine" : "halted");
    if (reset_after_panic) {
        hw_reset();
    }
    hw_halt();
}

_Noreturn void base_check_failed(const char *file, unsigned line, const char *expression)
{
    uint64_t rip = (uint64_t)__builtin_return_address(0);

    panic_begin(rip, (uint64_t)__builtin_frame_address(0));
    panic_printf("CHECK failed on CPU %u: %s at %s:%u", hw_this_cpu(), expression, file, line);
    report_stack_of(rip, (uint64_t)__builtin_frame_address(0));
    report_backtrace(rip, 0, *(uint64_t *)__builtin_frame_address(0));
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
