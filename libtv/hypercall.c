/* Hypercalls: which number does what, for the guest and for a PAL. */
#include "hypercall.h"

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

void tv_hypercall_of_pal(struct vcpu *isolated)
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
