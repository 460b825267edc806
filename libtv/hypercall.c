/* Hypercalls: which number does what, for the guest and for a PAL. */
#include "hypercall.h"

#include "call.h"
#include "caller.h"
#include "register.h"

#include <base/log.h>
#include <hw/cpu.h>

static enum tv_error test(const struct vcpu *vcpu)
{
    if (log_level() >= LOG_INFO) {
        log_info("CPU %u: guest test call, argument %#llx", vcpu_cpu(vcpu),
                 (unsigned long long)tv_argument(vcpu, VCPU_RCX));
    }
    return TV_OK;
}

static bool is_for_processes(uint32_t number)
{
    return number == TV_REG || number == TV_UNREG || number == TV_SHARE ||
           (number >= TV_PAL_REGISTER && number <= TV_NV_EXPORT);
}

/* Anybody may carry the blob to the next boot: only we can open it. */
static enum tv_error export_nv(struct tv *tv, const struct vcpu *vcpu)
{
    struct tv_cpu *self = &tv->cpu[vcpu_cpu(vcpu)];
    struct tv_nv_export out;
    enum tv_error error = tv_nv_export(&tv->platform, &self->random, out.blob);

    if (error == TV_OK) {
        uint64_t to = tv_linear(vcpu, VCPU_DS, tv_argument(vcpu, VCPU_RCX));
        error = tv_memory_write_caller(&self->memory, to, &out, sizeof(out));
    }
    return error;
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
    case TV_NV_EXPORT:
        return export_nv(tv, vcpu);
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
    } else if (tv_is_service(number)) {
        error = TV_ERROR_OUTSIDE_PAL;
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

static enum tv_error serve(struct tv *tv, const struct vcpu *isolated, uint32_t number)
{
    unsigned cpu = vcpu_cpu(isolated);
    struct tv_cpu *self = &tv->cpu[cpu];
    const struct tv_service service = {
        .platform = &tv->platform,
        .memory = &self->memory,
        .random = &self->random,
        .pcrs = &self->running->pcrs,
        .buffer = self->service,
        .cpu = cpu,
        .word_bytes = (unsigned)self->running->plan.signature.width,
        .number = number,
        .cx = vcpu_gpr(isolated, VCPU_RCX),
        .dx = vcpu_gpr(isolated, VCPU_RDX),
        .si = vcpu_gpr(isolated, VCPU_RSI),
        .di = vcpu_gpr(isolated, VCPU_RDI),
    };
    const struct tv_root *root = &tv->platform.root;
    bool lacked_key = !tv_root_has_rsa(root);
    uint64_t started = hw_rdtsc();
    enum tv_error error = tv_service(&service);
    if (lacked_key && tv_root_has_rsa(root)) {
        /* The machine's key, made once for all PALs: not on this one's time budget. */
        self->first_stop += hw_rdtsc() - started;
    }
    return error;
}

void tv_hypercall_of_pal(struct tv *tv, struct vcpu *isolated)
{
    uint32_t number = (uint32_t)vcpu_gpr(isolated, VCPU_RAX);
    enum tv_error error = TV_ERROR_UNKNOWN_NUMBER;

    if (number == TV_TEST) {
        error = test(isolated);
    } else if (tv_is_service(number)) {
        error = serve(tv, isolated, number);
    } else if (is_for_processes(number)) {
        error = TV_ERROR_INSIDE_PAL;
    }
    vcpu_set_gpr(isolated, VCPU_RAX, error);
    vcpu_skip_instruction(isolated);
}
