/* SDM "Checks on Guest Control Registers, Debug Registers, and MSRs", and on PDPTEs. */
#include "internal.h"

#define GET(field) vmcs_get(vmcs, field)
#define EFER_DEFINED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

static const char *check_control_registers(const struct vmcs *vmcs)
{
    uint64_t cr0 = GET(F_GUEST_CR0), cr4 = GET(F_GUEST_CR4);
    bool unrestricted = vmx_secondary(vmcs) & SECONDARY_UNRESTRICTED;
    bool ia32e = GET(F_ENTRY_CONTROLS) & ENTRY_IA32E;
    if (!fake_cr_vmx_fixed(0, cr0, unrestricted ? CR0_PE | CR0_PG : 0)) {
        return "guest CR0: fixed bits";
    }
    if ((cr0 & CR0_PG) && !(cr0 & CR0_PE)) {
        return "guest CR0.PG without CR0.PE";
    }
    if (!fake_cr_vmx_fixed(4, cr4, 0)) {
        return "guest CR4: fixed bits";
    }
    if (ia32e && (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE))) {
        return "IA-32e mode guest without CR0.PG and CR4.PAE";
    }
    if (!ia32e && (cr4 & CR4_PCIDE)) {
        return "guest CR4.PCIDE outside IA-32e mode";
    }
    return fake_is_physical(GET(F_GUEST_CR3), 1) ? NULL : "guest CR3: reserved bits";
}

static const char *check_msrs(const struct vmcs *vmcs)
{
    uint32_t entry = (uint32_t)GET(F_ENTRY_CONTROLS);
    if ((entry & ENTRY_LOAD_DEBUG) &&
        ((GET(F_GUEST_DEBUGCTL) & ~0xdfc3ULL) || GET(F_GUEST_DR7) >> 32)) {
        return "guest DEBUGCTL or DR7: reserved bits";
    }
    if (!fake_is_canonical(GET(F_GUEST_SYSENTER_ESP)) ||
        !fake_is_canonical(GET(F_GUEST_SYSENTER_EIP))) {
        return "guest SYSENTER_ESP or EIP is not canonical";
    }
    if ((entry & ENTRY_LOAD_PERF) && (GET(F_GUEST_PERF_GLOBAL_CTRL) & ~0x7000000ffULL)) {
        return "guest PERF_GLOBAL_CTRL: reserved bits";
    }
    if ((entry & ENTRY_LOAD_PAT) && !fake_pat_valid(GET(F_GUEST_PAT))) {
        return "guest PAT";
    }
    if ((entry & ENTRY_LOAD_BNDCFGS) &&
        ((GET(F_GUEST_BNDCFGS) & 0xffc) || !fake_is_canonical(GET(F_GUEST_BNDCFGS)))) {
        return "guest BNDCFGS";
    }
    return NULL;
}

static const char *check_efer(const struct vmcs *vmcs)
{
    uint32_t entry = (uint32_t)GET(F_ENTRY_CONTROLS);
    uint64_t efer = GET(F_GUEST_EFER);
    if (!(entry & ENTRY_LOAD_EFER)) {
        return NULL;
    }
    if (efer & ~EFER_DEFINED) {
        return "guest EFER: reserved bits";
    }
    bool ia32e = entry & ENTRY_IA32E, lma = efer & EFER_LMA, lme = efer & EFER_LME;
    if (lma != ia32e) {
        return "guest EFER.LMA is not the IA-32e mode guest control";
    }
    if ((GET(F_GUEST_CR0) & CR0_PG) && lma != lme) {
        return "guest EFER.LMA is not EFER.LME with paging on";
    }
    return NULL;
}

const char *check_guest_cr(const struct vmcs *vmcs)
{
    const char *error = check_control_registers(vmcs);
    if (!error) {
        error = check_msrs(vmcs);
    }
    return error ? error : check_efer(vmcs);
}

const char *check_guest_pdptes(const struct vmcs *vmcs)
{
    bool pae = (GET(F_GUEST_CR0) & CR0_PG) && (GET(F_GUEST_CR4) & CR4_PAE) &&
               !(GET(F_ENTRY_CONTROLS) & ENTRY_IA32E);
    if (!pae) {
        return NULL;
    }
    bool has_ept = vmx_secondary(vmcs) & SECONDARY_EPT;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t table = addr_align_down(GET(F_GUEST_CR3) & 0xffffffff, 32);
        uint64_t pdpte = has_ept ? GET(F_GUEST_PDPTE0 + 2 * i) : fake_read64(table + 8 * i);
        uint64_t reserved = 0x1e6 | bits_mask(fake_maxphyaddr(), 64);
        if ((pdpte & 1) && (pdpte & reserved)) {
            return "guest PDPTE: reserved bits";
        }
    }
    return NULL;
}
