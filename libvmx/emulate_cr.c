/*
 * Control-register exits and XSETBV.
 *
 * The guest owns all of CR0 but what VMX fixes (NE), so a MOV to CR0 exits only when it changes NE.
 * Then the shadow of NE takes the new value and the guest executes the instruction again: it does
 * not exit this time, and the CPU itself does everything else that the instruction entails: CD and
 * NW, PDPTEs read through the nested tables with all checks (REQ-CR-4), EFER.LMA and IA-32e mode
 * (REQ-CR-2), TLB.  What would make it fault is looked for first, so that the shadow of a MOV that
 * faults stays (REQ-CR-1).
 */
#include <base/bits.h>
#include <hw/cpu.h>
#include <vmx/cpuid.h>
#include <vmx/msr.h>
#include <vmx/x86.h>

#include "access.h"
#include "emulate.h"
#include "owned.h"

#define TSS_TYPE 0xfU
#define TSS_BUSY_16BIT 3U

struct vmx_cr_access vmx_cr_decode(uint64_t qualification)
{
    return (struct vmx_cr_access){
        .cr = (unsigned)bits_get(qualification, 0, 4),
        .type = (enum vmx_cr_access_type)bits_get(qualification, 4, 2),
        .gpr = (enum vcpu_gpr)bits_get(qualification, 8, 4),
        .lmsw_source = (uint16_t)(qualification >> 16),
    };
}

/* Switching paging on in IA-32e mode, or off again. */
static bool paging_change_is_legal(const struct vmx_cr_state *state, uint64_t value)
{
    bool long_code = (state->cs_rights & ACCESS_RIGHTS_L) != 0;
    if (value & CR0_PG) {
        return !(state->efer & EFER_LME) || ((state->cr4 & CR4_PAE) && !long_code &&
                                             (state->tr_rights & TSS_TYPE) != TSS_BUSY_16BIT);
    }
    return !(state->cr4 & CR4_PCIDE) && !((state->efer & EFER_LMA) && long_code);
}

bool vmx_cr0_is_legal(const struct vmx_cr_state *state, uint64_t value)
{
    if (value >> 32 || ((value & CR0_PG) && !(value & CR0_PE)) ||
        ((value & CR0_NW) && !(value & CR0_CD))) {
        return false;
    }
    if ((state->cr4 & CR4_CET) && !(value & CR0_WP)) {
        return false;
    }
    return !((state->cr0 ^ value) & CR0_PG) || paging_change_is_legal(state, value);
}

static enum vmx_action write_cr0(struct vcpu *vcpu, uint64_t value)
{
    uint64_t host_owned = vmx_cr0_host_owned(vcpu->caps);
    uint64_t shadow = vmcs_read(VMCS_CR0_READ_SHADOW);
    struct vmx_cr_state state = {
        .cr0 = vmcs_read(VMCS_GUEST_CR0),
        .cr4 = vmcs_read(VMCS_GUEST_CR4),
        .efer = vmcs_read(VMCS_GUEST_IA32_EFER),
        .cs_rights = vmcs_read32(VMCS_GUEST_CS_ACCESS_RIGHTS),
        .tr_rights = vmcs_read32(VMCS_GUEST_TR_ACCESS_RIGHTS),
    };
    if (!vmx_cr0_is_legal(&state, value)) {
        vmx_vcpu_inject_gp(vcpu);
        return VMX_RESUME;
    }
    if (!((value ^ shadow) & host_owned)) {
        return VMX_NOT_HANDLED; /* no reason to exit: executing it again would exit again */
    }
    vmcs_write(VMCS_CR0_READ_SHADOW, value & host_owned);
    return VMX_RESUME;
}

/* Exits only for bits that do not exist for the guest (REQ-CR-3, REQ-MSR-4). */
static enum vmx_action write_cr4(struct vcpu *vcpu, uint64_t value)
{
    if (!(value & vmx_cr4_host_owned())) {
        return VMX_NOT_HANDLED;
    }
    vmx_vcpu_inject_gp(vcpu);
    return VMX_RESUME;
}

enum vmx_action vmx_emulate_cr(struct vcpu *vcpu, const struct vmx_exit *exit)
{
    struct vmx_cr_access access = vmx_cr_decode(exit->qualification);
    if (access.type != VMX_CR_MOV_TO || (access.cr != 0 && access.cr != 4)) {
        return VMX_NOT_HANDLED; /* CLTS, LMSW, CR3, CR8: nothing of ours, so never an exit */
    }
    uint64_t value = vcpu_gpr(vcpu, access.gpr);
    if (vcpu_width(vcpu) != VCPU_64BIT) {
        value = (uint32_t)value;
    }
    return access.cr == 0 ? write_cr0(vcpu, value) : write_cr4(vcpu, value);
}

#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)
#define XCR0_AVX512 (BIT(5) | BIT(6) | BIT(7))
#define XCR0_AMX (BIT(17) | BIT(18))

bool vmx_xcr0_is_legal(const struct vmx_caps *caps, uint64_t value)
{
    if ((value & ~vmx_guest_xcr0_bits(caps)) || !(value & XCR0_X87)) {
        return false;
    }
    if ((value & XCR0_AVX) && !(value & XCR0_SSE)) {
        return false;
    }
    if ((value & XCR0_AVX512) && ((value & XCR0_AVX512) != XCR0_AVX512 || !(value & XCR0_AVX))) {
        return false;
    }
    return !(value & XCR0_AMX) || (value & XCR0_AMX) == XCR0_AMX;
}

/* XCR0 is not switched: we use no vector state, so the guest's value stays in the CPU. */
enum vmx_action vmx_emulate_xsetbv(struct vcpu *vcpu)
{
    uint32_t index = (uint32_t)vcpu->gprs.gpr[HW_RCX];
    uint64_t value = vmx_vcpu_msr_value(vcpu); /* EDX:EAX, as with WRMSR */
    bool legal = vcpu_cpl(vcpu) == 0 && index == 0 && vmx_xcr0_is_legal(vcpu->caps, value);
    if (legal && hw_xsetbv_safe(index, value)) {
        vcpu_skip_instruction(vcpu);
    } else {
        vmx_vcpu_inject_gp(vcpu);
    }
    return VMX_RESUME;
}
