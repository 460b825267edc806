/* Isolated code in the run loop: it takes the guest's turn until the hypapp ends it. */
#include "nacre.h"
#include "run.h"

#include <base/log.h>
#include <vmx/x86.h>

/* What is not about isolated code but happened while it ran; true: that was all. */
static bool take_signal(struct nacre_cpu *self, const struct vmx_exit *exit)
{
    switch (exit->reason) {
    case VMX_EXIT_INIT:
        smp_startup_post_init(&self->startup);
        return true;
    case VMX_EXIT_SIPI:
        smp_startup_post_sipi(&self->startup, (uint8_t)exit->qualification);
        return true;
    default:
        return false;
    }
}

static bool is_machine_check(const struct vcpu_stop *stop)
{
    return stop->reason == VCPU_STOP_EXCEPTION && stop->vector == X86_MC;
}

/* One entry of isolated code; the hypapp decides what comes of it. */
void run_isolated(struct nacre_cpu *self)
{
    struct vmx_exit exit;
    struct vcpu_stop stop;

    switch (vmx_vcpu_run(&self->isolated, &exit)) {
    case VMX_RUN_NMI:
        run_collect_nmi(self);
        app_isolated_exit(&self->isolated, &(struct vcpu_stop){.reason = VCPU_STOP_KICK});
        return;
    case VMX_RUN_FAILED:
        run_entry_refused(self, &exit);
        return;
    case VMX_RUN_EXIT:
        break;
    }
    if (take_signal(self, &exit)) {
        return;
    }
    if (exit.entry_failed && !self->isolated_refused) {
        self->isolated_refused = true;
        log_error("CPU %u: VM entry refuses the state of isolated code, qualification %llu",
                  self->vcpu.cpu, (unsigned long long)exit.qualification);
    }
    vmx_isolated_stop(&exit, &stop);
    app_isolated_exit(&self->isolated, &stop);
    if (is_machine_check(&stop) && self->vcpu.loaded) {
        /* the guest looks after the machine */
        vcpu_inject_exception(&self->vcpu, X86_MC, false, 0);
    }
}
