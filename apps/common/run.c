/* The run loop of each CPU: enter the guest, find out why it stopped, act, again. */
#include "run.h"
#include "apic.h"
#include "memtype.h"
#include "nacre.h"
#include "power.h"
#include "stacks.h"
#include "violation.h"

#include <base/check.h>
#include <base/log.h>
#include <hw/cpu.h>
#include <hw/nmi.h>
#include <hw/vmx.h>
#include <smp/rendezvous.h>
#include <vmx/msr.h>
#include <vmx/state.h>

/* What a stopped world may have changed is in force here before the guest runs on (REQ-EPT-1).
 * Nested tables of isolated code are looked after by who starts it there. */
void nacre_join_rendezvous(unsigned cpu)
{
    while (smp_rendezvous_join(&nacre.smp, cpu)) {
        hw_invept(HW_INVEPT_SINGLE_CONTEXT, ept_pointer(&nacre.ept));
    }
}

_Noreturn static void guest_over(struct vcpu *vcpu, const char *why)
{
    log_warn("CPU %u: %s at 0x%llx; resetting the machine", vcpu_cpu(vcpu), why,
             (unsigned long long)vcpu_rip(vcpu));
    app_closing(vcpu_cpu(vcpu));
    nacre_summary();
    hw_reset();
}

static void start_up(struct nacre_cpu *self)
{
    struct smp_startup_actions actions;
    unsigned cpu = self->vcpu.cpu;

    smp_startup_collect(&self->startup, &actions);
    for (unsigned i = 0; i < actions.count; i++) {
        switch (actions.action[i]) {
        case SMP_RESET_TO_WAIT:
            apic_reset_registers(cpu);
            vmx_state_park(&self->vcpu);
            break;
        case SMP_RESET_TO_BOOT:
            guest_over(&self->vcpu, "the guest sent INIT to its boot CPU");
        case SMP_RUN:
            log_debug("CPU %u starts at 0x%x", cpu, (unsigned)actions.vector << PAGE_SHIFT);
            vmx_state_sipi(&self->vcpu, actions.vector);
            break;
        case SMP_NMI:
            vmx_vcpu_post_nmi(&self->vcpu);
            break;
        }
    }
}

/* An NMI is a kick of ours, with a rendezvous or something posted behind it, or the guest's. */
void run_collect_nmi(struct nacre_cpu *self)
{
    unsigned cpu = self->vcpu.cpu;

    unsigned count = hw_nmi_take();

    if (count == 0) {
        return;
    }
    if (smp_kick_take(&nacre.smp, cpu)) {
        count--;
    }
    if (count > 0) {
        smp_startup_post_nmi(&self->startup); /* which knows whether this CPU may take it now */
    }
    nacre_join_rendezvous(cpu);
    if (self->vcpu.loaded) {
        start_up(self); /* else when isolated code has ended (REQ-PAL-6) */
    }
}

static void handle_msr(struct vcpu *vcpu, bool write)
{
    switch (vmx_vcpu_msr(vcpu)) {
    case IA32_APIC_BASE:
        if (write) {
            apic_write_base(vcpu);
        } else {
            apic_read_base(vcpu);
        }
        return;
    case IA32_X2APIC_ICR:
        if (write) {
            apic_write_x2apic_icr(vcpu);
            return;
        }
        break;
    default:
        if (write) {
            memtype_write_msr(vcpu); /* #GP for what is no MTRR either */
        } else {
            memtype_read_msr(vcpu);
        }
        return;
    }
    vmx_vcpu_inject_gp(vcpu);
}

/* What libvmx leaves to us and is not that frequent. */
static void handle_rest(struct nacre_cpu *self, const struct vmx_exit *exit)
{
    struct vcpu *vcpu = &self->vcpu;

    switch (exit->reason) {
    case VMX_EXIT_RDMSR:
    case VMX_EXIT_WRMSR:
        handle_msr(vcpu, exit->reason == VMX_EXIT_WRMSR);
        return;
    case VMX_EXIT_IO:
        power_handle_io(vcpu, exit);
        return;
    case VMX_EXIT_INIT:
        smp_startup_post_init(&self->startup);
        start_up(self);
        return;
    case VMX_EXIT_SIPI:
        smp_startup_post_sipi(&self->startup, (uint8_t)exit->qualification);
        start_up(self);
        return;
    default:
        guest_over(vcpu, vmx_exit_reason_text(exit->reason));
    }
}

/* The exits that guests with PALs have most come first, and none of them is a failed entry. */
static void handle(struct nacre_cpu *self, const struct vmx_exit *exit)
{
    struct vcpu *vcpu = &self->vcpu;

    if (exit->reason == VMX_EXIT_EPT_VIOLATION) {
        violation_handle(vcpu, exit);
        return;
    }
    if (exit->reason == VMX_EXIT_VMCALL) {
        if (!guest_vmcall(vcpu) && !stacks_vmcall(vcpu) && !app_vmcall(vcpu)) {
            vmx_vcpu_inject_ud(vcpu);
        }
        return;
    }
    if (exit->reason == VMX_EXIT_CPUID && app_cpuid(vcpu)) {
        return;
    }
    switch (vmx_emulate(vcpu, exit)) {
    case VMX_RESUME:
        break;
    case VMX_GUEST_SHUTDOWN:
        guest_over(vcpu, vmx_exit_reason_text(exit->reason));
    case VMX_NOT_HANDLED:
        handle_rest(self, exit);
        break;
    }
}

void run_entry_refused(const struct nacre_cpu *self, const struct vmx_exit *exit)
{
    log_error("CPU %u: VM entry failed, VM-instruction error %u", self->vcpu.cpu,
              exit->instruction_error);
    CHECK(!"VM entry with controls that the CPU accepted before");
}

/* One entry of the guest and what comes of it. */
static void run_guest(struct nacre_cpu *self)
{
    struct vmx_exit exit;

    if (smp_startup_pending(&self->startup)) {
        start_up(self); /* posted by this CPU to itself, or while isolated code ran */
    }
    switch (vmx_vcpu_run(&self->vcpu, &exit)) {
    case VMX_RUN_NMI:
        run_collect_nmi(self);
        return;
    case VMX_RUN_FAILED:
        run_entry_refused(self, &exit);
        return;
    case VMX_RUN_EXIT:
        handle(self, &exit);
        return;
    }
}

_Noreturn void nacre_run(unsigned cpu)
{
    struct nacre_cpu *self = &nacre.cpu[cpu];

    nacre_join_rendezvous(cpu);
    for (;;) {
        CHECK(self->vcpu.loaded != self->isolated.loaded);
        if (self->vcpu.loaded) {
            run_guest(self);
        } else {
            run_isolated(self);
        }
    }
}
