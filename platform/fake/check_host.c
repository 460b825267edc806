/* SDM "Checks on Host Control Registers and MSRs" and the two sections after it. */
#include "internal.h"

#define GET(field) vmcs_get(vmcs, field)
#define EFER_DEFINED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

static const char *check_registers(const struct vmcs *vmcs)
{
    uint32_t exit = (uint32_t)GET(F_EXIT_CONTROLS);
    if (!fake_cr_vmx_fixed(0, GET(F_HOST_CR0), 0)) {
        return "host CR0: fixed bits";
    }
    if (!fake_cr_vmx_fixed(4, GET(F_HOST_CR4), 0)) {
        return "host CR4: fixed bits";
    }
    if (!fake_is_physical(GET(F_HOST_CR3), 1)) {
        return "host CR3 beyond the physical-address width";
    }
    if (!fake_is_canonical(GET(F_HOST_SYSENTER_ESP)) ||
        !fake_is_canonical(GET(F_HOST_SYSENTER_EIP))) {
        return "host SYSENTER_ESP or EIP is not canonical";
    }
    if ((exit & EXIT_LOAD_PAT) && !fake_pat_valid(GET(F_HOST_PAT))) {
        return "host PAT";
    }
    if (exit & EXIT_LOAD_EFER) {
        uint64_t efer = GET(F_HOST_EFER);
        uint64_t mode = exit & EXIT_HOST_64 ? EFER_LME | EFER_LMA : 0;
        if ((efer & ~EFER_DEFINED) || (efer & (EFER_LME | EFER_LMA)) != mode) {
            return "host EFER";
        }
    }
    return NULL;
}

static const char *check_segments(const struct vmcs *vmcs)
{
    for (uint32_t field = F_HOST_ES_SELECTOR; field <= F_HOST_TR_SELECTOR; field += 2) {
        if (GET(field) & 7) {
            return "host selector: RPL or TI is not 0";
        }
    }
    if (GET(F_HOST_CS_SELECTOR) == 0 || GET(F_HOST_TR_SELECTOR) == 0) {
        return "host CS or TR selector is 0";
    }
    if (!(GET(F_EXIT_CONTROLS) & EXIT_HOST_64) && GET(F_HOST_SS_SELECTOR) == 0) {
        return "host SS selector is 0";
    }
    for (uint32_t field = F_HOST_FS_BASE; field <= F_HOST_IDTR_BASE; field += 2) {
        if (!fake_is_canonical(GET(field))) {
            return "host base address is not canonical";
        }
    }
    return NULL;
}

const char *check_host(struct fake_cpu *cpu, const struct vmcs *vmcs)
{
    const char *error = check_registers(vmcs);
    if (!error) {
        error = check_segments(vmcs);
    }
    if (error) {
        return error;
    }
    /* The platform always runs in IA-32e mode. */
    bool in_ia32e = fake_msr_raw(cpu, MSR_EFER) & EFER_LMA;
    if (in_ia32e && !(GET(F_EXIT_CONTROLS) & EXIT_HOST_64)) {
        return "host address-space size is 0 in IA-32e mode";
    }
    if (!(GET(F_HOST_CR4) & CR4_PAE)) {
        return "host CR4.PAE is 0 with a 64-bit host";
    }
    return fake_is_canonical(GET(F_HOST_RIP)) ? NULL : "host RIP is not canonical";
}
