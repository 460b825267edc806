/* One round: enter the guest, come back, say why (SDM vol. 3, "VM Entries", "VM Exits"). */
#include <hw/nmi.h>
#include <vmx/vcpu.h>
#include <vmx/x86.h>

#include "access.h"
#include "inject.h"

static void check_vcpu(const struct vcpu *vcpu)
{
    CHECK(vcpu->tag == vmx_vcpu_tag(vcpu));
}

/*
 * Exits by an instruction cannot fall into the delivery of an event, so the IDT-vectoring field
 * need not be read for them; these are the frequent ones.  A bit for each reason below 64.
 */
static bool is_instruction(uint32_t reason)
{
    const uint64_t instructions =
        1ULL << VMX_EXIT_CPUID | 1ULL << VMX_EXIT_VMCALL | 1ULL << VMX_EXIT_RDMSR |
        1ULL << VMX_EXIT_WRMSR | 1ULL << VMX_EXIT_XSETBV | 1ULL << VMX_EXIT_INVD |
        1ULL << VMX_EXIT_GETSEC | 0x1ffULL << VMX_EXIT_VMCLEAR; /* VMCLEAR to VMXON */
    return reason < 64 && (instructions >> reason & 1);
}

/*
 * An IRET that faulted had ended NMI blocking already; it will be executed again, so blocking is
 * put back (SDM "NMI unblocking due to IRET").
 */
static void restore_nmi_blocking(void)
{
    uint32_t blocking = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, blocking | BLOCKING_BY_NMI);
}

static enum vmx_run take_exception(struct vcpu *vcpu, struct vmx_exit *exit, bool vectoring)
{
    exit->interruption_info = vmcs_read32(VMCS_EXIT_INTERRUPTION_INFO);
    if ((exit->interruption_info & INTERRUPTION_TYPE) == INTERRUPTION_NMI) {
        hw_nmi_note();
        hw_nmi_unblock();
        return VMX_RUN_NMI;
    }
    if ((exit->interruption_info & INTERRUPTION_VECTOR) != X86_PF) {
        vcpu->isolated.residue = true; /* of a page fault none is left: it is how calls end */
    }
    exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
    exit->interruption_error_code = exit->interruption_info & INTERRUPTION_ERROR_CODE
                                        ? vmcs_read32(VMCS_EXIT_INTERRUPTION_ERROR_CODE)
                                        : 0;
    if (!vectoring && (exit->interruption_info & INTERRUPTION_NMI_UNBLOCKED) &&
        (exit->interruption_info & INTERRUPTION_VECTOR) != X86_DF) {
        restore_nmi_blocking();
    }
    return VMX_RUN_EXIT;
}

static enum vmx_run read_details(struct vcpu *vcpu, struct vmx_exit *exit, uint32_t reason)
{
    bool vectoring = vmx_inject_record(vcpu);
    if (reason == VMX_EXIT_EXCEPTION_NMI) {
        return take_exception(vcpu, exit, vectoring);
    }
    vcpu->isolated.residue = true;
    switch (reason) {
    case VMX_EXIT_EPT_VIOLATION:
        exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
        exit->gpa = gpa(vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS));
        if (!vectoring && (exit->qualification & EPT_VIOLATION_NMI_UNBLOCKED)) {
            restore_nmi_blocking();
        }
        break;
    case VMX_EXIT_EPT_MISCONFIGURATION:
        exit->gpa = gpa(vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS));
        break;
    case VMX_EXIT_CR_ACCESS:
    case VMX_EXIT_MOV_DR:
    case VMX_EXIT_IO:
    case VMX_EXIT_TASK_SWITCH:
    case VMX_EXIT_SIPI:
        exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
        break;
    default:
        break;
    }
    return VMX_RUN_EXIT;
}

static void count(struct vcpu *vcpu, uint32_t reason)
{
    uint32_t last = VMX_EXIT_REASON_COUNT - 1;
    vcpu->exits[reason < last ? reason : last]++;
}

static enum vmx_run after_exit(struct vcpu *vcpu, struct vmx_exit *exit)
{
    uint32_t raw = vmcs_read32(VMCS_EXIT_REASON), reason = raw & 0xffff;
    exit->reason = reason;
    exit->entry_failed = (raw & EXIT_REASON_ENTRY_FAILED) != 0;
    count(vcpu, reason);
    if (exit->entry_failed) {
        exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
        vmx_inject_cancel(vcpu);
        return VMX_RUN_EXIT;
    }
    vcpu->launched = true;
    vmx_inject_done(vcpu);
    if (is_instruction(reason)) {
        vcpu->isolated.residue = true;
        return VMX_RUN_EXIT;
    }
    return read_details(vcpu, exit, reason);
}

/* A double fault of our own injection could not be delivered: what the CPU calls shutdown. */
static enum vmx_run report_triple_fault(struct vcpu *vcpu, struct vmx_exit *exit)
{
    *exit = (struct vmx_exit){.reason = VMX_EXIT_TRIPLE_FAULT};
    count(vcpu, exit->reason);
    return VMX_RUN_EXIT;
}

/* Most entries have nothing of this, so it is asked in few branches. */
static bool is_anything_pending(const struct vcpu *vcpu)
{
    return (vcpu->triple_fault | vcpu->parked) || vmx_inject_is_needed(vcpu);
}

static void prepare(struct vcpu *vcpu)
{
    if (vmx_inject_is_needed(vcpu)) {
        vmx_inject_prepare(vcpu);
    }
    if (vcpu->parked) { /* whatever the exit stored: Bochs says active after an NMI in HLT */
        vmcs_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
    }
}

enum vmx_run vmx_vcpu_run(struct vcpu *vcpu, struct vmx_exit *exit)
{
    if (is_anything_pending(vcpu)) {
        if (vcpu->triple_fault) {
            return report_triple_fault(vcpu, exit);
        }
        prepare(vcpu);
    }
    enum hw_vmx_result result = hw_vmx_enter(&vcpu->gprs, vcpu->launched);
    check_vcpu(vcpu);
    if (result == HW_VMX_OK) {
        return after_exit(vcpu, exit);
    }
    vmx_inject_cancel(vcpu);
    if (result == HW_VMX_NMI_PENDING) {
        return VMX_RUN_NMI;
    }
    *exit = (struct vmx_exit){0};
    if (result == HW_VMX_FAIL_VALID) {
        exit->instruction_error = vmcs_read32(VMCS_INSTRUCTION_ERROR);
    }
    return VMX_RUN_FAILED;
}
