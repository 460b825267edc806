/* Hypercalls: which number does what, for the guest and for a PAL. */
#include "call.h"
#include "caller.h"
#include "register.h"

#include <base/log.h>

static enum tv_error test(const struct vcpu *vcpu)
{
    if (log_level() >= LOG_INFO) {
        log_info("CPU %u: guest test call, argument %#llx", vcpu_cpu(vcpu),
                 (unsigned long long)tv_argument(vcpu, VCPU_RCX));
    }
    return TV_OK;
}

/* Numbers of the micro-TPM, which this build does not have. */
static bool is_service(uint32_t number)
{
    return (number >= TV_SEAL_1 && number <= TV_ID_GETPUB && number != TV_SHARE) ||
           (number >= TV_NV_GETSIZE && number <= TV_NV_WRITEALL);
}

static bool is_for_processes(uint32_t number)
{
    return number == TV_REG || number == TV_UNREG || number == TV_SHARE ||
           (number >= TV_PAL_REGISTER && number <= TV_PAL_CALL);
}

static enum tv_error for_processes(struct tv *tv, struct vcpu *vcpu, uint32_t number)
{
    switch (number) {
    case TV_REG:
        return tv_register_old(tv, vcpu);
    case TV_UNREG:
        return tv_unregister_old(tv, vcpu);
    case TV_SHARE:
        return tv_share(tv, vcpu);
    case TV_PAL_REGISTER:
        return tv_register_new(tv, vcpu);
    default:
        return tv_unregister_new(tv, vcpu);
    }
}

/* Except TV_PAL_CALL, which may not have a result yet. */
static enum tv_error dispatch(struct tv *tv, struct vcpu *vcpu, uint32_t number)
{
    enum tv_error error = tv_caller_check(vcpu);

    if (error == TV_OK) {
        tv_caller_memory(vcpu, &tv->cpu[vcpu_cpu(vcpu)].memory);
        error = for_processes(tv, vcpu, number);
    }
    return error;
}

void tv_hypercall(struct tv *tv, struct vcpu *vcpu)
{
    uint32_t number = (uint32_t)vcpu_gpr(vcpu, VCPU_RAX);
    enum tv_error error = TV_ERROR_UNKNOWN_NUMBER;

    vcpu_skip_instruction(vcpu);
    if (number == TV_TEST) {
        error = test(vcpu);
    } else if (is_service(number)) {
        error = TV_ERROR_NOT_AVAILABLE;
    } else if (number == TV_PAL_CALL) {
        error = tv_caller_check(vcpu);
        if (error == TV_OK) {
            tv_caller_memory(vcpu, &tv->cpu[vcpu_cpu(vcpu)].memory);
            if (tv_call_by_number(tv, vcpu, &error)) {
                return; /* the answer comes when the PAL does */
            }
        }
    } else if (is_for_processes(number)) {
        error = dispatch(tv, vcpu, number);
    }
    if (log_level() >= LOG_TRACE) {
        log_trace("CPU %u: hypercall %u: %s", vcpu_cpu(vcpu), number, tv_error_text(error));
    }
    vcpu_set_gpr(vcpu, VCPU_RAX, error);
}

/* VMCALL of a PAL. */
static void hypercall_of_pal(struct vcpu *isolated)
{
    uint32_t number = (uint32_t)vcpu_gpr(isolated, VCPU_RAX);
    enum tv_error error = TV_ERROR_UNKNOWN_NUMBER;

    if (number == TV_TEST) {
        error = test(isolated);
    } else if (is_service(number)) {
        error = TV_ERROR_NOT_AVAILABLE;
    } else if (is_for_processes(number)) {
        error = TV_ERROR_INSIDE_PAL;
    }
    vcpu_set_gpr(isolated, VCPU_RAX, error);
    vcpu_skip_instruction(isolated);
}

#define X86_PF 14
#define PF_FETCH 16U /* page-fault error code, I/D */

/* Execution of the address that a PAL returns to. */
static inline bool is_return(const struct vcpu_stop *stop, enum vcpu_width width)
{
    return stop->reason == VCPU_STOP_EXCEPTION && stop->vector == X86_PF &&
           stop->address == tv_sentinel(width) && (stop->error_code & PF_FETCH) != 0;
}

/* Not inline, so that a return needs no registers saved. */
static __attribute__((noinline)) void other_stop(struct tv *tv, const struct tv_cpu *self,
                                                 struct vcpu *isolated,
                                                 const struct vcpu_stop *stop)
{
    switch (stop->reason) {
    case VCPU_STOP_EXCEPTION:
        tv_call_end(tv, isolated, TV_ERROR_PAL_FAULT, stop->vector);
        return;
    case VCPU_STOP_CALL:
        hypercall_of_pal(isolated);
        return;
    case VCPU_STOP_TIMER:
        tv_call_end(tv, isolated, TV_ERROR_PAL_TIMEOUT, 0);
        return;
    case VCPU_STOP_KICK:
        if (self->running->doomed) {
            tv_call_end(tv, isolated, TV_ERROR_PAL_LOST, 0);
        }
        return;
    default:
        tv_call_end(tv, isolated, TV_ERROR_PAL_FAULT, X86_PF);
        return;
    }
}

void tv_isolated_stop(struct tv *tv, struct vcpu *isolated, const struct vcpu_stop *stop)
{
    struct tv_cpu *self = &tv->cpu[vcpu_cpu(isolated)];

    if (is_return(stop, self->running->plan.signature.width)) {
        tv_call_return(self, isolated);
    } else {
        other_stop(tv, self, isolated, stop);
    }
}
