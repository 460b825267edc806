/*
 * Event injection (SDM vol. 3, "Event Injection", "Information for VM Exits That Occur During Event
 * Delivery", "Virtual-NMI blocking").
 */
#include "inject.h"

#include <hw/cpu.h>
#include <vmx/x86.h>

#include "access.h"

#define BLOCKING_BY_STI_OR_MOV_SS (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)
#define EVENT_NMI (INTERRUPTION_VALID | INTERRUPTION_NMI | X86_NMI)

static void set_windows(struct vcpu *vcpu, bool nmi, bool interrupt)
{
    uint32_t proc = vcpu->controls.proc & ~(PROC_NMI_WINDOW | PROC_INTERRUPT_WINDOW);
    proc |= (nmi ? PROC_NMI_WINDOW : 0) | (interrupt ? PROC_INTERRUPT_WINDOW : 0);
    if (proc != vcpu->controls.proc) {
        vcpu->controls.proc = proc;
        vmcs_write(VMCS_PROC_CONTROLS, proc);
    }
}

/* Any injected event ends HLT, and only some may be injected into it: end it first. */
static void write_event(const struct vmx_event *event)
{
    vmcs_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    if (event->info & INTERRUPTION_ERROR_CODE) {
        vmcs_write(VMCS_ENTRY_EXCEPTION_ERROR_CODE, event->error_code);
    }
    if ((event->info & INTERRUPTION_TYPE) >= INTERRUPTION_SOFTWARE_INTERRUPT) {
        vmcs_write(VMCS_ENTRY_INSTRUCTION_LENGTH, event->instruction_bytes);
    }
    vmcs_write(VMCS_ENTRY_INTERRUPTION_INFO, event->info);
}

static enum vmx_injecting choose(const struct vcpu *vcpu, bool nmi)
{
    if (vmx_event_is_valid(vcpu->event)) {
        return VMX_INJECT_EVENT;
    }
    uint32_t blocking = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
    if (blocking & BLOCKING_BY_STI_OR_MOV_SS) {
        return VMX_INJECT_NOTHING;
    }
    if (nmi && !(blocking & BLOCKING_BY_NMI)) {
        return VMX_INJECT_NMI;
    }
    if (vmx_event_is_valid(vcpu->interrupt) && (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF)) {
        return VMX_INJECT_INTERRUPT;
    }
    return VMX_INJECT_NOTHING;
}

void vmx_inject_prepare(struct vcpu *vcpu)
{
    bool nmi = vcpu->nmi_pending && !vcpu->nmi_held && !vcpu->parked;
    vcpu->injecting = choose(vcpu, nmi);
    switch (vcpu->injecting) {
    case VMX_INJECT_EVENT:
        write_event(&vcpu->event);
        break;
    case VMX_INJECT_NMI:
        write_event(&(struct vmx_event){.info = EVENT_NMI});
        break;
    case VMX_INJECT_INTERRUPT:
        write_event(&vcpu->interrupt);
        break;
    default:
        break;
    }
    set_windows(vcpu, nmi && vcpu->injecting != VMX_INJECT_NMI,
                vmx_event_is_valid(vcpu->interrupt) && vcpu->injecting != VMX_INJECT_INTERRUPT);
}

void vmx_inject_delivered(struct vcpu *vcpu)
{
    switch (vcpu->injecting) {
    case VMX_INJECT_EVENT:
        vcpu->event.info = 0;
        break;
    case VMX_INJECT_NMI:
        vcpu->nmi_pending = false;
        break;
    case VMX_INJECT_INTERRUPT:
        vcpu->interrupt.info = 0;
        break;
    default:
        break;
    }
    vcpu->injecting = VMX_INJECT_NOTHING;
}

void vmx_inject_cancel(struct vcpu *vcpu)
{
    if (vcpu->injecting != VMX_INJECT_NOTHING) {
        vmcs_write(VMCS_ENTRY_INTERRUPTION_INFO, 0);
        vcpu->injecting = VMX_INJECT_NOTHING;
    }
}

void vmx_inject_clear(struct vcpu *vcpu)
{
    vcpu->event.info = 0;
    vcpu->interrupt.info = 0;
    vcpu->nmi_pending = false;
    vcpu->triple_fault = false;
    vcpu->injecting = VMX_INJECT_NOTHING;
}

void vmx_inject_take_over(struct vcpu *vcpu, uint32_t info)
{
    struct vmx_event event = {.info = info & (INTERRUPTION_VALID | INTERRUPTION_ERROR_CODE |
                                              INTERRUPTION_TYPE | INTERRUPTION_VECTOR)};
    if (info & INTERRUPTION_ERROR_CODE) {
        event.error_code = vmcs_read32(VMCS_IDT_VECTORING_ERROR_CODE);
    }
    uint32_t type = info & INTERRUPTION_TYPE;
    if (type >= INTERRUPTION_SOFTWARE_INTERRUPT) {
        event.instruction_bytes = vmcs_read32(VMCS_EXIT_INSTRUCTION_LENGTH);
    }
    if (type == INTERRUPTION_NMI) { /* its delivery set the blocking that would refuse it now */
        uint32_t blocking = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~BLOCKING_BY_NMI);
    }
    vcpu->event = event;
}

enum exception_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

/* SDM vol. 3, table "Interrupt and Exception Classes". */
static enum exception_class class_of(uint32_t vector)
{
    switch (vector) {
    case X86_DE:
    case X86_TS:
    case X86_NP:
    case X86_SS:
    case X86_GP:
    case X86_CP:
        return CONTRIBUTORY;
    case X86_PF:
    case X86_VE:
        return PAGE_FAULT;
    case X86_DF:
        return DOUBLE_FAULT;
    default:
        return BENIGN;
    }
}

/* SDM vol. 3, table "Conditions for Generating a Double Fault"; DOUBLE_FAULT + any = shutdown. */
static void combine_exceptions(struct vcpu *vcpu, struct vmx_event first, struct vmx_event second)
{
    enum exception_class before = class_of(first.info & INTERRUPTION_VECTOR);
    enum exception_class now = class_of(second.info & INTERRUPTION_VECTOR);
    if (before == DOUBLE_FAULT && now != BENIGN) {
        vcpu->event.info = 0;
        vcpu->triple_fault = true;
    } else if ((before == CONTRIBUTORY && now == CONTRIBUTORY) ||
               (before == PAGE_FAULT && (now == CONTRIBUTORY || now == PAGE_FAULT))) {
        uint32_t error_code = vmcs_read(VMCS_GUEST_CR0) & CR0_PE ? INTERRUPTION_ERROR_CODE : 0;
        vcpu->event = (struct vmx_event){.info = INTERRUPTION_VALID | error_code |
                                                 INTERRUPTION_HARDWARE_EXCEPTION | X86_DF};
    } else {
        vcpu->event = second;
    }
}

void vmx_inject_exception(struct vcpu *vcpu, struct vmx_event event)
{
    struct vmx_event interrupted = vcpu->event;
    if (!vmx_event_is_valid(interrupted)) {
        vcpu->event = event;
        return;
    }
    switch (interrupted.info & INTERRUPTION_TYPE) {
    case INTERRUPTION_HARDWARE_EXCEPTION:
        combine_exceptions(vcpu, interrupted, event);
        return;
    case INTERRUPTION_EXTERNAL: /* acknowledged already: must still be delivered */
        vcpu->interrupt = interrupted;
        break;
    case INTERRUPTION_NMI:
        vcpu->nmi_pending = true;
        break;
    default: /* the handler returns to the INT n, INT3 or INTO, which is then executed again */
        break;
    }
    vcpu->event = event;
}

void vcpu_inject_exception(struct vcpu *vcpu, unsigned vector, bool has_error_code,
                           uint32_t error_code)
{
    CHECK(vector < 32 && vector != X86_NMI);
    struct vmx_event event = {
        .info = INTERRUPTION_VALID | INTERRUPTION_HARDWARE_EXCEPTION | vector,
        .error_code = error_code,
    };
    /* No error code in real mode (SDM "Checks on VM-Entry Control Fields"). */
    if (has_error_code && (vmcs_read(VMCS_GUEST_CR0) & CR0_PE)) {
        event.info |= INTERRUPTION_ERROR_CODE;
    }
    /* Faults push RF = 1, so that an instruction breakpoint does not hit twice (SDM "RF"). */
    if (vector != X86_DB && vector != X86_DF && vector != X86_MC) {
        vmcs_write(VMCS_GUEST_RFLAGS, vmcs_read(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
    }
    vmx_inject_exception(vcpu, event);
}

void vcpu_inject_page_fault(struct vcpu *vcpu, uint64_t linear_address, uint32_t error_code)
{
    hw_write_cr2(linear_address);
    vcpu_inject_exception(vcpu, X86_PF, true, error_code);
}

void vmx_vcpu_inject_gp(struct vcpu *vcpu)
{
    vcpu_inject_exception(vcpu, X86_GP, true, 0);
}

void vmx_vcpu_inject_ud(struct vcpu *vcpu)
{
    vcpu_inject_exception(vcpu, X86_UD, false, 0);
}

void vmx_vcpu_reflect_exception(struct vcpu *vcpu, const struct vmx_exit *exit)
{
    uint32_t info = exit->interruption_info & ~INTERRUPTION_NMI_UNBLOCKED;
    struct vmx_event event = {.info = info, .error_code = exit->interruption_error_code};
    if ((info & INTERRUPTION_TYPE) >= INTERRUPTION_SOFTWARE_INTERRUPT) {
        event.instruction_bytes = vmx_exit_instruction_bytes();
    }
    uint32_t vector = info & INTERRUPTION_VECTOR;
    if (vector == X86_PF) {
        hw_write_cr2(exit->qualification);
    } else if (vector == X86_DB) { /* the exit left DR6 alone; the qualification has its bits */
        hw_write_dr(6, DR6_INIT | (exit->qualification & DR6_CAUSES));
    }
    vmx_inject_exception(vcpu, event);
}

void vmx_vcpu_post_nmi(struct vcpu *vcpu)
{
    vcpu->nmi_pending = true;
}

void vmx_vcpu_hold_nmi(struct vcpu *vcpu, bool hold)
{
    vcpu->nmi_held = hold;
}
