/* RDMSR and WRMSR exits that libvmx answers; the policy that makes them exit is msr_policy.c. */
#include <hw/cpu.h>
#include <vmx/cpuid.h>
#include <vmx/msr.h>
#include <vmx/msr_bitmap.h>

#include "emulate.h"

#define MISC_ENABLE_HOST_OWNED                                                                     \
    (MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE | MISC_ENABLE_LIMIT_CPUID |        \
     MISC_ENABLE_XD_DISABLE)

/* false: #GP. */
static bool read_msr(uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case IA32_FEATURE_CONTROL: /* locked, with VMX and SMX off */
        if (!hw_rdmsr_safe(msr, value)) {
            return false;
        }
        *value &= ~(FEATURE_CONTROL_VMX_IN_SMX | FEATURE_CONTROL_VMX_OUTSIDE_SMX |
                    FEATURE_CONTROL_SENTER);
        *value |= FEATURE_CONTROL_LOCK;
        return true;
    case IA32_MISC_ENABLE:
        if (!hw_rdmsr_safe(msr, value)) {
            return false;
        }
        *value |= MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE;
        return true;
    case IA32_PERF_CAPABILITIES:
        if (!hw_rdmsr_safe(msr, value)) {
            return false;
        }
        *value &= ~PERF_CAPABILITIES_PEBS;
        return true;
    default: /* IA32_XSS exits on reads only when XSAVES is hidden */
        return false;
    }
}

static bool write_misc_enable(uint64_t value)
{
    uint64_t current = 0;
    if (!hw_rdmsr_safe(IA32_MISC_ENABLE, &current)) {
        return false;
    }
    value = (value & ~MISC_ENABLE_HOST_OWNED) | (current & MISC_ENABLE_HOST_OWNED);
    return hw_wrmsr_safe(IA32_MISC_ENABLE, value);
}

static bool write_xss(const struct vcpu *vcpu, uint64_t value)
{
    if (!(vcpu->controls.proc2 & PROC2_XSAVES) || (value & ~vmx_guest_xss_bits(vcpu->caps))) {
        return false;
    }
    return hw_wrmsr_safe(IA32_XSS, value);
}

/* false: #GP. */
static bool write_msr(const struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case IA32_BIOS_UPDT_TRIG: /* dropped; the guest sees that the revision did not change */
        return true;
    case IA32_MISC_ENABLE:
        return write_misc_enable(value);
    case IA32_XSS:
        return write_xss(vcpu, value);
    default: /* IA32_FEATURE_CONTROL is locked, IA32_PERF_CAPABILITIES read-only */
        return false;
    }
}

static enum vmx_action finish(struct vcpu *vcpu, bool done)
{
    if (done) {
        vcpu_skip_instruction(vcpu);
    } else {
        vmx_vcpu_inject_gp(vcpu);
    }
    return VMX_RESUME;
}

enum vmx_action vmx_emulate_rdmsr(struct vcpu *vcpu)
{
    uint32_t msr = vmx_vcpu_msr(vcpu);
    enum vmx_msr_owner owner = vmx_msr_owner(msr);
    if (owner == VMX_MSR_HYPAPP) {
        return VMX_NOT_HANDLED;
    }
    uint64_t value = 0;
    bool done = owner == VMX_MSR_LIBVMX && read_msr(msr, &value);
    if (done) {
        vmx_vcpu_set_msr_value(vcpu, value);
    }
    return finish(vcpu, done);
}

enum vmx_action vmx_emulate_wrmsr(struct vcpu *vcpu)
{
    uint32_t msr = vmx_vcpu_msr(vcpu);
    enum vmx_msr_owner owner = vmx_msr_owner(msr);
    if (owner == VMX_MSR_HYPAPP) {
        return VMX_NOT_HANDLED;
    }
    return finish(vcpu, owner == VMX_MSR_LIBVMX && write_msr(vcpu, msr, vmx_vcpu_msr_value(vcpu)));
}
