/* Events on their way into the guest.  On the vCPU's CPU between exit and entry. */
#ifndef LIBVMX_INJECT_H
#define LIBVMX_INJECT_H

#include <vmx/vcpu.h>
#include <vmx/vmcs.h>

#include "access.h"

enum vmx_injecting { VMX_INJECT_NOTHING, VMX_INJECT_EVENT, VMX_INJECT_NMI, VMX_INJECT_INTERRUPT };

static inline bool vmx_event_is_valid(struct vmx_event event)
{
    return (event.info & INTERRUPTION_VALID) != 0;
}

/* Whether vmx_inject_prepare() has anything to do; keeps the usual entry short. */
static inline bool vmx_inject_is_needed(const struct vcpu *vcpu)
{
    return ((vcpu->event.info | vcpu->interrupt.info) & INTERRUPTION_VALID) || vcpu->nmi_pending ||
           (vcpu->controls.proc & (PROC_NMI_WINDOW | PROC_INTERRUPT_WINDOW));
}

/* Before entry: writes the event to inject and the windows to ask for. */
void vmx_inject_prepare(struct vcpu *vcpu);
/* The entry happened: the CPU delivered (or reports in IDT-vectoring) what was prepared. */
void vmx_inject_delivered(struct vcpu *vcpu);
static inline void vmx_inject_done(struct vcpu *vcpu)
{
    if (vcpu->injecting != VMX_INJECT_NOTHING) {
        vmx_inject_delivered(vcpu);
    }
}
/* It did not: everything stays pending. */
void vmx_inject_cancel(struct vcpu *vcpu);

/* After an exit that can cut a delivery short: takes over IDT-vectoring; true if there was one. */
void vmx_inject_take_over(struct vcpu *vcpu, uint32_t info);
static inline bool vmx_inject_record(struct vcpu *vcpu)
{
    uint32_t info = vmcs_read32(VMCS_IDT_VECTORING_INFO);
    if (!(info & INTERRUPTION_VALID)) {
        return false;
    }
    vmx_inject_take_over(vcpu, info);
    return true;
}

/* Queues an exception, combined with an interrupted delivery as the CPU would do it. */
void vmx_inject_exception(struct vcpu *vcpu, struct vmx_event event);

/* Forgets everything that is pending. */
void vmx_inject_clear(struct vcpu *vcpu);

#endif
