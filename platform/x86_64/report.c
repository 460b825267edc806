/*
 * What the report of a panic says: the stack, how it got that deep, and every CPU with its guest.
 * It runs on any stack, also #DF's, and believes nothing that the fault may have damaged: frame
 * pointers are followed only inside one stack and only upwards.
 */
#include "layout.h"
#include "percpu.h"
#include "traps.h"

#include <hw/cpu.h>
#include <stddef.h>

#define BACKTRACE_FRAMES 24

static const char *name_of(uint64_t address, uint64_t *offset)
{
    *offset = 0;
    const char *symbol = symbol_find(address, offset);
    return symbol != NULL ? symbol : "?";
}

/* The library's budget, and how deep the stack that rsp points into is and was. */
void report_stack_of(uint64_t rip, uint64_t rsp)
{
    unsigned cpu;
    enum stack_kind kind;
    bool in_guard;
    uint64_t offset;
    uint32_t budget_bytes;
    const char *library = symbol_library(rip, &budget_bytes);

    if (library != NULL) {
        panic_printf("%s is in %s, which has a budget of %u bytes of stack", name_of(rip, &offset),
                     library, budget_bytes);
    }
    if (stack_find(rsp, &cpu, &kind, &in_guard)) {
        struct stack_range range = stack_range(cpu, kind);
        panic_printf("stack in use: CPU %u's %s, %llu of %llu bytes, deepest %llu, computed %u",
                     cpu, stack_name(kind), (unsigned long long)(range.top - rsp),
                     (unsigned long long)(range.top - range.bottom),
                     (unsigned long long)stack_peak_bytes(range), nacre_stack_computed[kind]);
    }
}

bool report_overflow(uint64_t address)
{
    unsigned cpu;
    enum stack_kind kind;
    bool in_guard;

    if (!stack_find(address, &cpu, &kind, &in_guard) || !in_guard) {
        return false;
    }
    struct stack_range range = stack_range(cpu, kind);
    panic_printf("stack overflow: CPU %u's %s stack of %llu bytes, guard page hit at 0x%llx, "
                 "%llu bytes wanted",
                 cpu, stack_name(kind), (unsigned long long)(range.top - range.bottom),
                 (unsigned long long)address, (unsigned long long)(range.top - address));
    return true;
}

/* bytes: of that function's frame, 0 if unknown; times: how often it called itself from there. */
static void print_frame(unsigned index, uint64_t rip, uint64_t bytes, unsigned times)
{
    uint64_t offset;
    const char *symbol = name_of(rip, &offset);

    if (bytes == 0) {
        panic_printf("  #%u 0x%llx %s+0x%llx", index, (unsigned long long)rip, symbol,
                     (unsigned long long)offset);
    } else if (times == 1) {
        panic_printf("  #%u 0x%llx %s+0x%llx, %llu bytes", index, (unsigned long long)rip, symbol,
                     (unsigned long long)offset, (unsigned long long)bytes);
    } else {
        panic_printf("  #%u 0x%llx %s+0x%llx, %llu bytes, %u times", index, (unsigned long long)rip,
                     symbol, (unsigned long long)offset, (unsigned long long)bytes, times);
    }
}

static bool is_readable(uint64_t address, uint64_t bytes)
{
    unsigned cpu;
    enum stack_kind kind;
    bool in_guard;

    return address % 8 == 0 && stack_find(address, &cpu, &kind, &in_guard) && !in_guard &&
           address + bytes <= stack_range(cpu, kind).top;
}

/* Follows frame pointers while they return to the same place; the number of frames passed. */
static unsigned same_frames(uint64_t *rbp)
{
    const uint64_t *frame = (const uint64_t *)*rbp;
    uint64_t return_address = frame[1];
    unsigned times = 0;

    while (frame[1] == return_address && frame[0] > *rbp && is_readable(frame[0], 16)) {
        *rbp = frame[0];
        frame = (const uint64_t *)*rbp;
        times++;
    }
    return times;
}

void report_backtrace(uint64_t rip, uint64_t rsp, uint64_t rbp)
{
    unsigned index = 0;
    uint64_t offset;

    print_frame(index++, rip, 0, 1);
    (void)name_of(rip, &offset);
    if (offset == 0 && is_readable(rsp, 8) &&
        symbol_find(*(const uint64_t *)rsp, &offset) != NULL) {
        /* Before the function's PUSH RBP: its caller is known only by the return address. */
        print_frame(index++, *(const uint64_t *)rsp, 0, 1);
    }
    while (index < BACKTRACE_FRAMES && is_readable(rbp, 16)) {
        const uint64_t *frame = (const uint64_t *)rbp;
        if (frame[1] == 0) {
            return;
        }
        unsigned times = same_frames(&rbp);
        print_frame(index++, frame[1], times > 0 ? frame[0] - (uint64_t)frame : 0, times);
        if (times == 0) {
            return; /* the outermost, or damaged */
        }
    }
}

static void print_guest(unsigned cpu, const struct hw_guest_state *guest)
{
    static const char *const activities[HW_GUEST_ACTIVITY_COUNT] = {
        "none yet", "waits for its start-up IPI", "runs", "stopped, isolated code runs",
        "DAMAGED: the vCPU's tag is wrong"};

    if (guest->activity != HW_GUEST_RUNS && guest->activity != HW_GUEST_WAITS) {
        panic_printf("CPU %u guest: %s", cpu, activities[guest->activity]);
        return;
    }
    panic_printf("CPU %u guest: %s, rip=%x:%llx rsp=%llx cr0=%llx cr3=%llx rflags=%llx, %u-bit, "
                 "cpl %u, %llu exits",
                 cpu, activities[guest->activity], guest->cs, (unsigned long long)guest->rip,
                 (unsigned long long)guest->rsp, (unsigned long long)guest->cr0,
                 (unsigned long long)guest->cr3, (unsigned long long)guest->rflags,
                 guest->width_bits, guest->cpl, (unsigned long long)guest->exits);
}

/* A CPU that was stopped, or that stopped itself by a fault while another one reported. */
static void print_other(const struct percpu *other)
{
    uint64_t offset;
    const char *symbol = name_of(other->stopped_rip, &offset);
    unsigned cpu = other->cpu;

    if (!__atomic_load_n(&other->stopped, __ATOMIC_ACQUIRE)) {
        panic_printf("CPU %u did not stop", cpu);
        return;
    }
    if (other->stopped_rip == 0) {
        panic_printf("CPU %u stopped while its guest ran", cpu);
    } else {
        panic_printf("CPU %u stopped at 0x%llx %s+0x%llx", cpu,
                     (unsigned long long)other->stopped_rip, symbol, (unsigned long long)offset);
    }
    struct stack_range range = stack_range(cpu, STACK_MAIN);
    panic_printf("CPU %u main stack: %llu of %llu bytes, deepest %llu, computed %u", cpu,
                 other->stopped_rsp - range.bottom < range.top - range.bottom
                     ? (unsigned long long)(range.top - other->stopped_rsp)
                     : 0ULL,
                 (unsigned long long)(range.top - range.bottom),
                 (unsigned long long)stack_peak_bytes(range), nacre_stack_computed[STACK_MAIN]);
    if (other->faulted) {
        symbol = name_of(other->fault_rip, &offset);
        panic_printf("CPU %u had a fault of its own: vector %u at 0x%llx %s+0x%llx", cpu,
                     other->fault_vector, (unsigned long long)other->fault_rip, symbol,
                     (unsigned long long)offset);
        (void)report_overflow(other->fault_address);
    }
    print_guest(cpu, &other->guest);
}

void report_cpus(void)
{
    const struct percpu *self = percpu_this();

    print_guest(self->cpu, &self->guest);
    for (unsigned cpu = 0; cpu < CONFIG_MAX_CPUS; cpu++) {
        if (percpu[cpu].online && cpu != self->cpu) {
            print_other(&percpu[cpu]);
        }
    }
}
