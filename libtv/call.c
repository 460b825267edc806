#include "call.h"

#include "caller.h"
#include "pals.h"
#include "register.h"
#include "view.h"

#include <base/bits.h>
#include <base/log.h>
#include <hw/cpu.h>
#include <stddef.h>

#define RFLAGS_CF BIT(0)
#define RFLAGS_RF BIT(16) /* set by the exit, for an instruction that is not executed again */
#define X86_GP 13

/*
 * The result of a PAL that was called like a function: EAX/RAX, and CF for an error.  RSP and
 * RFLAGS are still those of the call: the guest did not run meanwhile.
 */
static void return_to_caller(const struct tv_cpu *self, enum vcpu_width width, enum tv_error error,
                             uint64_t value)
{
    uint64_t rflags = self->memory.paging.rflags & ~(RFLAGS_CF | RFLAGS_RF);
    uint64_t rsp = self->rsp + (unsigned)width, return_address = self->return_address;
    struct vcpu *guest = self->guest;

    if (error != TV_OK) {
        value = error;
        rflags |= RFLAGS_CF;
    }
    if (width != VCPU_64BIT) { /* addresses in the segments, which wrap */
        return_address = (uint32_t)return_address;
        rsp = (uint32_t)rsp;
        value = (uint32_t)value;
    }
    vcpu_set_gpr(guest, VCPU_RAX, value);
    vcpu_set_gpr(guest, VCPU_RSP, rsp);
    vcpu_set_rip(guest, return_address);
    vcpu_set_rflags(guest, rflags);
}

/* The answer to TV_PAL_CALL.  That it could be written was checked before the call. */
static void answer_number(struct tv_cpu *self, enum tv_error error, uint64_t value, unsigned vector)
{
    struct {
        uint64_t result;
        uint32_t error, vector;
    } answer = {error == TV_OK ? value : 0, error, vector};
    uint64_t at = self->call_linear + offsetof(struct tv_pal_call, result);

    _Static_assert(sizeof(answer) ==
                       sizeof(struct tv_pal_call) - offsetof(struct tv_pal_call, result),
                   "the part of tv_pal_call that is written back");
    if (tv_memory_write_caller(&self->memory, at, &answer, sizeof(answer)) != TV_OK) {
        error = TV_ERROR_ADDRESS;
    }
    vcpu_set_gpr(self->guest, VCPU_RAX, error);
}

static void deliver(struct tv_cpu *self, enum vcpu_width width, bool by_number, enum tv_error error,
                    uint64_t value, unsigned vector)
{
    if (by_number) {
        answer_number(self, error, value, vector);
    } else {
        return_to_caller(self, width, error, value);
    }
}

/* As many registers as count parameters take, and always RSP. */
static void caller_registers(struct tv_cpu *self, enum vcpu_width width, unsigned count,
                             struct tv_marshal_registers *registers)
{
    const struct vcpu *vcpu = self->guest;

    self->rsp = registers->rsp = vcpu_gpr(vcpu, VCPU_RSP);
    if (width != VCPU_64BIT) {
        registers->rsp = (uint32_t)(vcpu_segment_base(vcpu, VCPU_SS) + registers->rsp);
        return;
    }
    if (count > 0) {
        registers->rdi = vcpu_gpr(vcpu, VCPU_RDI);
    }
    if (count > 1) {
        registers->rsi = vcpu_gpr(vcpu, VCPU_RSI);
    }
    if (count > 2) {
        registers->rdx = vcpu_gpr(vcpu, VCPU_RDX);
        registers->rcx = vcpu_gpr(vcpu, VCPU_RCX);
        registers->r8 = vcpu_gpr(vcpu, VCPU_R8);
        registers->r9 = vcpu_gpr(vcpu, VCPU_R9);
    }
}

/* The same of the PAL's, which are 0 otherwise. */
static void set_registers(struct vcpu *isolated, const struct tv_marshal_entry *entry,
                          unsigned count)
{
    if (count > 0) {
        vcpu_set_gpr(isolated, VCPU_RDI, entry->rdi);
    }
    if (count > 1) {
        vcpu_set_gpr(isolated, VCPU_RSI, entry->rsi);
    }
    if (count > 2) {
        vcpu_set_gpr(isolated, VCPU_RDX, entry->rdx);
        vcpu_set_gpr(isolated, VCPU_RCX, entry->rcx);
        vcpu_set_gpr(isolated, VCPU_R8, entry->r8);
        vcpu_set_gpr(isolated, VCPU_R9, entry->r9);
    }
}

static void enter(struct tv *tv, struct tv_cpu *self, struct tv_context *context,
                  const struct tv_marshal_entry *entry)
{
    const struct tv_pal *pal = context->pal;
    unsigned cpu = vcpu_cpu(self->guest);
    struct vcpu *isolated = tv->config.isolated[cpu];
    uint64_t cpu_bit = BIT(cpu);
    bool seen = (__atomic_load_n(&context->space.seen, __ATOMIC_RELAXED) & cpu_bit) != 0;

    if (!seen) {
        (void)__atomic_fetch_or(&context->space.seen, cpu_bit, __ATOMIC_RELAXED);
    }
    vcpu_isolated_start(isolated, &(struct vcpu_isolated_start){
                                      .width = pal->key.width,
                                      .vector = context->vector,
                                      .invalidate = !seen,
                                      .cr3 = context->space.root.v,
                                      .nested_root = ept_pointer(&context->space.ept),
                                      .rip = pal->key.entry,
                                      .rsp = entry->rsp,
                                  });
    if (pal->key.width == VCPU_64BIT) {
        set_registers(isolated, entry, context->plan.signature.count);
    }
    self->running = context;
    self->first_stop = 0;
    self->id = pal->id;
}

/* The context is RUNNING and this CPU's; after an error it is IDLE again and the guest loaded. */
static enum tv_error start(struct tv *tv, struct tv_cpu *self, struct tv_context *context,
                           const uint64_t value[TV_PARAMS_MAX])
{
    struct tv_marshal_entry entry;
    enum tv_error error = TV_OK;

    if (context->doomed) {
        error = TV_ERROR_PAL_LOST;
    } else if (context->share_count > 0 && !tv_view_shares_hold(tv, context, &self->memory)) {
        error = TV_ERROR_ADDRESS;
    } else {
        error = tv_marshal_in(&self->memory, &context->plan, value,
                              tv_sentinel(context->pal->key.width), &entry, &self->back);
    }
    if (error != TV_OK) {
        tv_set_state(context, TV_IDLE);
        return error;
    }
    if (log_level() >= LOG_TRACE) {
        log_trace("CPU %u: PAL %u: %u parameters marshalled, area %#llx, stack %#llx; to the view "
                  "%#llx",
                  vcpu_cpu(self->guest), context->pal->id, context->plan.signature.count,
                  (unsigned long long)context->plan.area, (unsigned long long)entry.rsp,
                  (unsigned long long)context->space.ept.root.v);
    }
    enter(tv, self, context, &entry);
    return TV_OK;
}

/* The caller's return address alone, for an error before anything else is looked at. */
static void fail(struct tv_cpu *self, enum vcpu_width width, enum tv_error error)
{
    struct tv_marshal_registers registers;

    caller_registers(self, width, 0, &registers);
    self->return_address = 0;
    if (tv_memory_read_caller(&self->memory, registers.rsp, &self->return_address,
                              (unsigned)width) != TV_OK) {
        vcpu_inject_exception(self->guest, X86_GP, true, 0); /* there is nowhere to return to */
        return;
    }
    return_to_caller(self, width, error, 0);
}

static __attribute__((noinline)) void call_of_busy(struct tv_cpu *self,
                                                   const struct tv_context *context)
{
    if (tv_state(context) == TV_ENDED) {
        fail(self, context->pal->key.width, TV_ERROR_PAL_ENDED);
    } else {
        hw_pause(); /* the caller waits by trying again; interrupts reach it in between */
    }
}

void tv_call_by_address(struct tv *tv, struct tv_cpu *self, struct tv_context *context)
{
    const struct tv_pal *pal = context->pal;
    struct tv_marshal_registers registers;
    uint64_t value[TV_PARAMS_MAX];

    if (!tv_take(context, TV_IDLE, TV_RUNNING)) {
        call_of_busy(self, context);
        return;
    }
    self->last = context;
    self->memory.pal = pal;
    self->memory.context = context;
    caller_registers(self, pal->key.width, context->plan.signature.count, &registers);
    if (log_level() >= LOG_TRACE) {
        log_trace("CPU %u: PAL %u called by address %#llx, caller's stack %#llx",
                  vcpu_cpu(self->guest), pal->id, (unsigned long long)pal->key.entry,
                  (unsigned long long)registers.rsp);
    }
    enum tv_error error =
        tv_marshal_fetch(&self->memory, &context->plan, &registers, value, &self->return_address);
    if (error != TV_OK) {
        tv_set_state(context, TV_IDLE);
        fail(self, pal->key.width, error);
        return;
    }
    error = start(tv, self, context, value);
    if (error != TV_OK) {
        return_to_caller(self, pal->key.width, error, 0);
    }
}

/* The arguments of TV_PAL_CALL, read once. */
static enum tv_error read_call(struct tv_cpu *self, const struct tv_marshal_plan *plan,
                               const struct tv_pal_call *call, uint64_t value[TV_PARAMS_MAX])
{
    if (call->argument_count != plan->signature.count) {
        return TV_ERROR_PARAM_COUNT;
    }
    enum tv_error error = call->argument_count == 0
                              ? TV_OK
                              : tv_memory_read_caller(&self->memory, call->arguments, value,
                                                      call->argument_count * sizeof(value[0]));
    for (unsigned i = 0; plan->signature.width != VCPU_64BIT && i < call->argument_count; i++) {
        value[i] = (uint32_t)value[i];
    }
    return error;
}

static enum tv_error take_for_number(struct tv_context *context)
{
    if (tv_take(context, TV_IDLE, TV_RUNNING)) {
        return TV_OK;
    }
    return tv_state(context) == TV_ENDED ? TV_ERROR_PAL_ENDED : TV_ERROR_PAL_BUSY;
}

bool tv_call_by_number(struct tv *tv, struct vcpu *vcpu, enum tv_error *error)
{
    struct tv_cpu *self = &tv->cpu[vcpu_cpu(vcpu)];
    struct tv_pal_call call;
    uint64_t value[TV_PARAMS_MAX];

    self->guest = vcpu;
    self->call_linear = tv_linear(vcpu, VCPU_DS, tv_argument(vcpu, VCPU_RCX));
    *error = tv_memory_read_caller(&self->memory, self->call_linear, &call, sizeof(call));
    if (*error == TV_OK) {
        *error = tv_memory_check_writable(&self->memory, self->call_linear, sizeof(call));
    }
    if (*error != TV_OK) {
        return false;
    }
    const struct tv_pal *pal = tv_find_number(tv, &self->memory, call.id);
    if (pal == NULL || !tv_context_of(tv, pal)->by_number) {
        *error = TV_ERROR_NO_SUCH_PAL;
    } else {
        struct tv_context *context = tv_context_of(tv, pal);
        *error = take_for_number(context);
        if (*error == TV_OK) {
            self->memory.pal = pal;
            self->memory.context = context;
            *error = read_call(self, &context->plan, &call, value);
            if (*error != TV_OK) {
                tv_set_state(context, TV_IDLE);
            } else {
                *error = start(tv, self, context, value);
            }
        }
    }
    if (*error == TV_OK) {
        return true;
    }
    answer_number(self, *error, 0, 0);
    return false;
}

static struct tv_context *leave(struct tv_cpu *self, struct vcpu *isolated)
{
    struct tv_context *context = self->running;

    vcpu_isolated_end(isolated, self->guest);
    self->running = NULL;
    self->id = TV_CPUID_NO_PAL;
    return context;
}

void tv_call_return(struct tv_cpu *self, struct vcpu *isolated)
{
    uint64_t value = vcpu_gpr(isolated, VCPU_RAX);
    uint32_t id = self->id;
    struct tv_context *context = leave(self, isolated);
    enum vcpu_width width = context->plan.signature.width;
    bool by_number = context->by_number;

    if (width != VCPU_64BIT) {
        value = (uint32_t)value;
    }
    enum tv_error error = tv_marshal_out(&self->memory, &self->back);
    tv_set_state(context, TV_IDLE);
    if (log_level() >= LOG_TRACE) {
        log_trace("CPU %u: PAL %u returns to %#llx, %u pointers copied back: %s",
                  vcpu_cpu(self->guest), id, (unsigned long long)self->return_address,
                  self->back.count, tv_error_text(error)); /* its result is the caller's business */
    }
    deliver(self, width, by_number, error, value, 0);
}

void tv_call_end(struct tv *tv, struct vcpu *isolated, enum tv_error error, unsigned vector)
{
    unsigned cpu = vcpu_cpu(isolated);
    struct tv_cpu *self = &tv->cpu[cpu];
    struct tv_context *context = leave(self, isolated);
    const struct tv_pal *pal = context->pal;

    log_debug("CPU %u: PAL %u ended: %s", cpu, pal->id, tv_error_text(error));
    (void)__atomic_fetch_add(&tv->calls_ended, 1, __ATOMIC_RELAXED);
    tv_pal_wipe(tv, cpu, pal);
    enum vcpu_width width = context->plan.signature.width;
    bool by_number = context->by_number;
    tv_set_state(context, TV_ENDED);
    deliver(self, width, by_number, error, 0, vector);
}
