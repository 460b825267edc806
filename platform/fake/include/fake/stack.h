/* Uses of the hypervisor's stacks, as a test says that they were: hw_stack_use() repeats them. */
#ifndef FAKE_STACK_H
#define FAKE_STACK_H

#include <hw/stack.h>

/* use NULL: this CPU has no such stack (again). */
void fake_stack_set(unsigned cpu, enum hw_stack stack, const struct hw_stack_use *use);

#endif
