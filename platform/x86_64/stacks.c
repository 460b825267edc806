/* Where the stacks are (pure arithmetic over config/stack.h), and how deep each has been. */
#include "layout.h"
#include "percpu.h"

#include <hw/stack.h>
#include <stddef.h>

_Static_assert((int)STACK_BOOT == (int)HW_STACK_BOOT && (int)STACK_MC == (int)HW_STACK_MC,
               "hw/stack.h and layout.h name the same stacks");

static const uint64_t stack_bytes[STACK_PER_CPU_COUNT] = {
    [STACK_MAIN] = STACK_MAIN_BYTES,
    [STACK_NMI] = STACK_NMI_BYTES,
    [STACK_DF] = STACK_DF_BYTES,
    [STACK_MC] = STACK_MC_BYTES,
};

#define STACKS_PER_CPU_BYTES                                                                       \
    (STACK_MAIN_BYTES + STACK_NMI_BYTES + STACK_DF_BYTES + STACK_MC_BYTES +                        \
     STACK_PER_CPU_COUNT * PAGE_BYTES)

struct stack_range stack_range(unsigned cpu, enum stack_kind kind)
{
    if (kind == STACK_BOOT) {
        return (struct stack_range){(uint64_t)boot_stack, (uint64_t)boot_stack_top};
    }
    uint64_t at = STACKS_VIRTUAL + cpu * STACKS_PER_CPU_BYTES;
    for (unsigned i = 0; i < kind; i++) {
        at += PAGE_BYTES + stack_bytes[i];
    }
    at += PAGE_BYTES;
    return (struct stack_range){.bottom = at, .top = at + stack_bytes[kind]};
}

const char *stack_name(enum stack_kind kind)
{
    static const char *const names[STACK_KIND_COUNT] = {"main", "NMI", "#DF", "#MC", "boot"};
    return names[kind];
}

bool stack_find(uint64_t address, unsigned *cpu, enum stack_kind *kind, bool *in_guard)
{
    if (address >= (uint64_t)boot_guard && address < (uint64_t)boot_stack_top) {
        *cpu = 0;
        *kind = STACK_BOOT;
        *in_guard = address < (uint64_t)boot_stack;
        return true;
    }
    if (address < STACKS_VIRTUAL ||
        address >= STACKS_VIRTUAL + CONFIG_MAX_CPUS * STACKS_PER_CPU_BYTES) {
        return false;
    }
    *cpu = (unsigned)((address - STACKS_VIRTUAL) / STACKS_PER_CPU_BYTES);
    for (unsigned i = 0; i < STACK_PER_CPU_COUNT; i++) {
        struct stack_range range = stack_range(*cpu, (enum stack_kind)i);
        if (address < range.top) {
            *kind = (enum stack_kind)i;
            *in_guard = address < range.bottom;
            return true;
        }
    }
    return false;
}

uint64_t stack_peak_bytes(struct stack_range range)
{
    const volatile uint64_t *word = (const volatile uint64_t *)range.bottom;

    while ((uint64_t)word < range.top && *word == STACK_PAINT) {
        word++;
    }
    return range.top - (uint64_t)word;
}

bool hw_stack_use(unsigned cpu, enum hw_stack stack, struct hw_stack_use *use)
{
    if (cpu >= CONFIG_MAX_CPUS || !__atomic_load_n(&percpu[cpu].online, __ATOMIC_ACQUIRE) ||
        (stack == HW_STACK_BOOT && cpu != 0)) {
        return false;
    }
    enum stack_kind kind = (enum stack_kind)stack;
    struct stack_range range = stack_range(cpu, kind);
    *use = (struct hw_stack_use){
        .name = stack_name(kind),
        .used_bytes = (uint32_t)stack_peak_bytes(range),
        .computed_bytes = nacre_stack_computed[kind],
        .size_bytes = (uint32_t)(range.top - range.bottom),
    };
    return true;
}
