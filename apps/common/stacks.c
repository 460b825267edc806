#include "stacks.h"

#include "nacre.h"

#include <base/log.h>
#include <hw/stack.h>
#include <stdio.h>

void stacks_print(unsigned cpu_count)
{
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        char line[LOG_LINE_BYTES - 32]; /* five stacks of at most 40 characters */
        size_t used = 0;
        line[0] = '\0';
        for (unsigned stack = 0; stack < HW_STACK_COUNT; stack++) {
            struct hw_stack_use use;
            if (hw_stack_use(cpu, (enum hw_stack)stack, &use) && used < sizeof(line)) {
                used += (size_t)snprintf(line + used, sizeof(line) - used, " %s=%u/%u/%u", use.name,
                                         (unsigned)use.used_bytes, (unsigned)use.computed_bytes,
                                         (unsigned)use.size_bytes);
            }
        }
        log_info("summary: stack cpu=%u%s", cpu, line);
    }
}

bool stacks_answer(struct vcpu *vcpu)
{
    if (log_level() < LOG_DEBUG || vcpu_cpl(vcpu) != 0) {
        return false;
    }
    stacks_print(nacre.table.count);
    vcpu_set_gpr(vcpu, VCPU_RAX, 0);
    vcpu_skip_instruction(vcpu);
    return true;
}
