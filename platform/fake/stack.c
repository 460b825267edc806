/* In user space the code under test runs on the thread's stack: there is nothing to measure. */
#include <fake/stack.h>

#include <config/config.h>
#include <stddef.h>

static struct hw_stack_use uses[CONFIG_MAX_CPUS][HW_STACK_COUNT];

void fake_stack_set(unsigned cpu, enum hw_stack stack, const struct hw_stack_use *use)
{
    uses[cpu][stack] = use != NULL ? *use : (struct hw_stack_use){.name = NULL};
}

bool hw_stack_use(unsigned cpu, enum hw_stack stack, struct hw_stack_use *use)
{
    if (cpu >= CONFIG_MAX_CPUS || uses[cpu][stack].name == NULL) {
        return false;
    }
    *use = uses[cpu][stack];
    return true;
}
