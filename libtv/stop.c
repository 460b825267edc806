/* Why a PAL stopped running, and what comes of it. */
#include "call.h"
#include "hypercall.h"

#include <hw/cpu.h>

#define X86_PF 14
#define PF_FETCH 16U /* page-fault error code, I/D */

/* Execution of the address that a PAL returns to. */
static inline bool is_return(const struct vcpu_stop *stop, enum vcpu_width width)
{
    return stop->reason == VCPU_STOP_EXCEPTION && stop->vector == X86_PF &&
           stop->address == tv_sentinel(width) && (stop->error_code & PF_FETCH) != 0;
}

/*
 * The time budget's timer counts in the PAL only.  One that asks for something all the time spends
 * most of it here, with interrupts waiting as well: from its first question on it gets the same
 * time by the clock.
 */
static bool stops_too_long(const struct tv *tv, struct tv_cpu *self)
{
    uint64_t now = hw_rdtsc();

    if (self->first_stop == 0) {
        self->first_stop = now;
    }
    return tv->config.budget_ticks != 0 && now - self->first_stop > tv->config.budget_ticks;
}

/* Not inline, so that a return needs no registers saved. */
static __attribute__((noinline)) bool
other_stop(struct tv *tv, struct tv_cpu *self, struct vcpu *isolated, const struct vcpu_stop *stop)
{
    switch (stop->reason) {
    case VCPU_STOP_EXCEPTION:
        tv_call_end(tv, isolated, TV_ERROR_PAL_FAULT, stop->vector);
        return true;
    case VCPU_STOP_TIMER:
        tv_call_end(tv, isolated, TV_ERROR_PAL_TIMEOUT, 0);
        return true;
    case VCPU_STOP_CALL:
    case VCPU_STOP_CPUID:
    case VCPU_STOP_KICK:
        if (self->running->doomed || stops_too_long(tv, self)) {
            tv_call_end(tv, isolated,
                        self->running->doomed ? TV_ERROR_PAL_LOST : TV_ERROR_PAL_TIMEOUT, 0);
            return true;
        }
        if (stop->reason == VCPU_STOP_CALL) {
            tv_hypercall_of_pal(tv, isolated);
        }
        return stop->reason != VCPU_STOP_CPUID;
    default:
        tv_call_end(tv, isolated, TV_ERROR_PAL_FAULT, X86_PF);
        return true;
    }
}

bool tv_isolated_stop(struct tv *tv, struct vcpu *isolated, const struct vcpu_stop *stop)
{
    struct tv_cpu *self = &tv->cpu[vcpu_cpu(isolated)];

    if (is_return(stop, self->running->plan.signature.width)) {
        tv_call_return(self, isolated);
        return true;
    }
    return other_stop(tv, self, isolated, stop);
}
