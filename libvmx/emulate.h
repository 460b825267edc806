/* Emulation of single exit reasons, called by vmx_emulate(); and their pure parts. */
#ifndef LIBVMX_EMULATE_H
#define LIBVMX_EMULATE_H

#include <vmx/vcpu.h>

enum vmx_action vmx_emulate_cpuid(struct vcpu *vcpu);
enum vmx_action vmx_emulate_rdmsr(struct vcpu *vcpu);
enum vmx_action vmx_emulate_wrmsr(struct vcpu *vcpu);
enum vmx_action vmx_emulate_cr(struct vcpu *vcpu, const struct vmx_exit *exit);
enum vmx_action vmx_emulate_xsetbv(struct vcpu *vcpu);

/* Exit qualification for control-register accesses (SDM table of that name). */
enum vmx_cr_access_type { VMX_CR_MOV_TO, VMX_CR_MOV_FROM, VMX_CR_CLTS, VMX_CR_LMSW };
struct vmx_cr_access {
    unsigned cr;
    enum vmx_cr_access_type type;
    enum vcpu_gpr gpr;
    uint16_t lmsw_source;
};
struct vmx_cr_access vmx_cr_decode(uint64_t qualification);

/* What the legality of a MOV to CR0 depends on; cr0 as the guest sees it. */
struct vmx_cr_state {
    uint64_t cr0, cr4, efer;
    uint32_t cs_rights, tr_rights;
};
/* SDM vol. 2, "MOV - Move to/from Control Registers", protected mode exceptions; PDPTEs apart. */
bool vmx_cr0_is_legal(const struct vmx_cr_state *state, uint64_t value);

/* SDM vol. 1, "Enabling the XSAVE Feature Set": what XSETBV takes, hidden components refused. */
bool vmx_xcr0_is_legal(const struct vmx_caps *caps, uint64_t value);

#endif
