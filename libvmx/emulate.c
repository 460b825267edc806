/* Which exit is emulated by whom. */
#include "emulate.h"

#include <base/log.h>
#include <hw/cpu.h>
#include <vmx/cpuid.h>
#include <vmx/x86.h>

#include "access.h"

static void set_cpuid_result(struct vcpu *vcpu, struct hw_cpuid result)
{
    vcpu->gprs.gpr[HW_RAX] = result.eax;
    vcpu->gprs.gpr[HW_RBX] = result.ebx;
    vcpu->gprs.gpr[HW_RCX] = result.ecx;
    vcpu->gprs.gpr[HW_RDX] = result.edx;
}

enum vmx_action vmx_emulate_cpuid(struct vcpu *vcpu)
{
    uint32_t leaf = vmx_cpuid_effective_leaf(vcpu->caps, (uint32_t)vcpu->gprs.gpr[HW_RAX]);
    uint32_t subleaf = (uint32_t)vcpu->gprs.gpr[HW_RCX];
    struct hw_cpuid result = hw_cpuid(leaf, subleaf);
    if (vmx_cpuid_is_filtered(leaf)) {
        /* OSXSAVE and OSPKE follow the guest's CR4, the CPU's answer follows ours (REQ-CR-7). */
        uint64_t cr4 = vmcs_read(VMCS_GUEST_CR4);
        result = vmx_cpuid_filter(&vcpu->controls, leaf, subleaf, cr4, result);
    }
    set_cpuid_result(vcpu, result);
    vcpu_skip_instruction(vcpu);
    return VMX_RESUME;
}

/* The guest's dirty cache lines may be ours: they are written back, not dropped. */
static enum vmx_action emulate_invd(struct vcpu *vcpu)
{
    hw_wbinvd();
    vcpu_skip_instruction(vcpu);
    return VMX_RESUME;
}

static enum vmx_action emulate_undefined(struct vcpu *vcpu)
{
    vmx_vcpu_inject_ud(vcpu);
    return VMX_RESUME;
}

/*
 * Hardware task switches exit always and are not emulated: libvmx has no walker of guest page
 * tables to read a TSS with.  The guest gets #GP with the selector, as for a bad TSS.
 * Not inline, so that vmx_emulate() needs no registers saved.
 */
static __attribute__((noinline)) enum vmx_action refuse_task_switch(struct vcpu *vcpu,
                                                                    const struct vmx_exit *exit)
{
    uint32_t selector = exit->qualification & 0xffff;
    if (!vcpu->task_switch_reported) {
        vcpu->task_switch_reported = true;
        log_warn("cpu %u: hardware task switch to selector %#x refused", vcpu->cpu, selector);
    }
    vcpu_inject_exception(vcpu, X86_GP, true, selector & 0xfffc);
    return VMX_RESUME;
}

enum vmx_action vmx_emulate(struct vcpu *vcpu, const struct vmx_exit *exit)
{
    if (exit->entry_failed) {
        return VMX_GUEST_SHUTDOWN;
    }
    switch (exit->reason) {
    case VMX_EXIT_CPUID:
        return vmx_emulate_cpuid(vcpu);
    case VMX_EXIT_RDMSR:
        return vmx_emulate_rdmsr(vcpu);
    case VMX_EXIT_WRMSR:
        return vmx_emulate_wrmsr(vcpu);
    case VMX_EXIT_CR_ACCESS:
        return vmx_emulate_cr(vcpu, exit);
    case VMX_EXIT_XSETBV:
        return vmx_emulate_xsetbv(vcpu);
    case VMX_EXIT_INVD:
        return emulate_invd(vcpu);
    case VMX_EXIT_EXCEPTION_NMI:
        vmx_vcpu_reflect_exception(vcpu, exit);
        return VMX_RESUME;
    case VMX_EXIT_INTERRUPT_WINDOW: /* the next entry looks again */
    case VMX_EXIT_NMI_WINDOW:
        return VMX_RESUME;
    case VMX_EXIT_TASK_SWITCH:
        return refuse_task_switch(vcpu, exit);
    case VMX_EXIT_TRIPLE_FAULT:
        return VMX_GUEST_SHUTDOWN;
    case VMX_EXIT_GETSEC: /* VMX and SMX are hidden (REQ-MSR-10) */
    case VMX_EXIT_VMCLEAR:
    case VMX_EXIT_VMLAUNCH:
    case VMX_EXIT_VMPTRLD:
    case VMX_EXIT_VMPTRST:
    case VMX_EXIT_VMREAD:
    case VMX_EXIT_VMRESUME:
    case VMX_EXIT_VMWRITE:
    case VMX_EXIT_VMXOFF:
    case VMX_EXIT_VMXON:
    case VMX_EXIT_INVEPT:
    case VMX_EXIT_INVVPID:
    case VMX_EXIT_VMFUNC:
        return emulate_undefined(vcpu);
    default:
        return VMX_NOT_HANDLED;
    }
}
