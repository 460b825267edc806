/* Where the stacks are: pure arithmetic over config/stack.h. */
#include "layout.h"

#include <stddef.h>

static const uint64_t stack_bytes[STACK_KIND_COUNT] = {
    [STACK_MAIN] = STACK_MAIN_BYTES,
    [STACK_NMI] = STACK_NMI_BYTES,
    [STACK_DF] = STACK_DF_BYTES,
    [STACK_MC] = STACK_MC_BYTES,
};

#define STACKS_PER_CPU_BYTES                                                                       \
    (STACK_MAIN_BYTES + STACK_NMI_BYTES + STACK_DF_BYTES + STACK_MC_BYTES +                        \
     STACK_KIND_COUNT * PAGE_BYTES)

struct stack_range stack_range(unsigned cpu, enum stack_kind kind)
{
    uint64_t at = STACKS_VIRTUAL + cpu * STACKS_PER_CPU_BYTES;
    for (unsigned i = 0; i < kind; i++) {
        at += PAGE_BYTES + stack_bytes[i];
    }
    at += PAGE_BYTES;
    return (struct stack_range){.bottom = at, .top = at + stack_bytes[kind]};
}

const char *stack_name(enum stack_kind kind)
{
    static const char *const names[STACK_KIND_COUNT] = {"main", "NMI", "#DF", "#MC"};
    return names[kind];
}

bool stack_find(uint64_t address, unsigned *cpu, enum stack_kind *kind, bool *in_guard)
{
    if (address < STACKS_VIRTUAL ||
        address >= STACKS_VIRTUAL + CONFIG_MAX_CPUS * STACKS_PER_CPU_BYTES) {
        return false;
    }
    *cpu = (unsigned)((address - STACKS_VIRTUAL) / STACKS_PER_CPU_BYTES);
    for (unsigned i = 0; i < STACK_KIND_COUNT; i++) {
        struct stack_range range = stack_range(*cpu, (enum stack_kind)i);
        if (address < range.top) {
            *kind = (enum stack_kind)i;
            *in_guard = address < range.bottom;
            return true;
        }
    }
    return false;
}
