/*
 * How much of each of the hypervisor's stacks was ever used.
 *
 * Every stack is painted before its first use; the lowest word that lost its paint says how deep it
 * has been.  That is at most what the build computed (docs/stack.md), which a boot test asserts.
 * Any CPU may ask about any other at any time: no lock, the answer is a snapshot.
 */
#ifndef HW_STACK_H
#define HW_STACK_H

#include <stdbool.h>
#include <stdint.h>

enum hw_stack {
    HW_STACK_MAIN,
    HW_STACK_NMI,
    HW_STACK_DF,
    HW_STACK_MC,
    HW_STACK_BOOT, /* of the boot CPU, until app_main() */
    HW_STACK_COUNT
};

struct hw_stack_use {
    const char *name;
    uint32_t used_bytes;
    uint32_t computed_bytes; /* the build's bound; none if built with proof=off */
    uint32_t size_bytes;
};

/* false: this CPU has no such stack, or was never started. */
bool hw_stack_use(unsigned cpu, enum hw_stack stack, struct hw_stack_use *use);

#endif
