/*
 * A call of a PAL: into its space and back.  On the CPU of the call, without a lock.
 */
#ifndef LIBTV_CALL_H
#define LIBTV_CALL_H

#include "context.h"

/*
 * A process, self->guest, executes the entry point of a PAL of its own, registered by address:
 * enters the PAL, or returns to the caller with an error, or lets the caller try again while the
 * PAL is busy.  The caller's memory is set up in tv_cpu.memory.
 */
void tv_call_by_address(struct tv *tv, struct tv_cpu *self, struct tv_context *context);

/* TV_PAL_CALL.  True: the PAL runs; false: *error is the hypercall's result. */
bool tv_call_by_number(struct tv *tv, struct vcpu *vcpu, enum tv_error *error);

/* The PAL that runs on this CPU came back. */
void tv_call_return(struct tv_cpu *self, struct vcpu *isolated);

/* The PAL that runs on this CPU is ended; vector: of the exception, for TV_ERROR_PAL_FAULT. */
void tv_call_end(struct tv *tv, struct vcpu *isolated, enum tv_error error, unsigned vector);

/* Where a PAL returns to: an address that no PAL can have. */
static inline uint64_t tv_sentinel(enum vcpu_width width)
{
    return width == VCPU_64BIT ? 0xffffffffffffff00 : 0xffffff00;
}

#endif
