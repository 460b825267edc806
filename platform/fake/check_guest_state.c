/* SDM "Checks on Guest Descriptor-Table Registers", "RIP, RSP, and RFLAGS", "Non-Register State".
 */
#include "internal.h"

#define GET(field) vmcs_get(vmcs, field)

struct injection {
    bool valid;
    uint32_t type, vector;
};

static struct injection injection_of(const struct vmcs *vmcs)
{
    uint32_t info = (uint32_t)GET(F_ENTRY_INTERRUPTION);
    return (struct injection){info & BIT(31), (uint32_t)bits_get(info, 8, 3), info & 0xff};
}

static const char *check_rip_rflags(const struct vmcs *vmcs, struct injection event)
{
    bool ia32e = GET(F_ENTRY_CONTROLS) & ENTRY_IA32E;
    bool is_64 = ia32e && (GET(F_GUEST_CS_RIGHTS) & 0x2000);
    uint64_t rip = GET(F_GUEST_RIP), rflags = GET(F_GUEST_RFLAGS);
    if (is_64 ? !fake_is_canonical(rip) : rip >> 32 != 0) {
        return "guest RIP";
    }
    if ((rflags & (bits_mask(22, 64) | BIT(15) | BIT(5) | BIT(3))) || !(rflags & BIT(1))) {
        return "guest RFLAGS: reserved bits";
    }
    if ((rflags & RFLAGS_VM) && (ia32e || !(GET(F_GUEST_CR0) & CR0_PE))) {
        return "guest RFLAGS.VM in IA-32e or real mode";
    }
    if (event.valid && event.type == 0 && !(rflags & RFLAGS_IF)) {
        return "external interrupt injected with RFLAGS.IF clear";
    }
    return NULL;
}

static bool activity_takes(uint32_t activity, struct injection event)
{
    bool db_or_mc = event.type == 3 && (event.vector == 1 || event.vector == 18);
    switch (activity) {
    case ACTIVITY_HLT:
        return event.type == 0 || event.type == 2 || db_or_mc || event.type == 7;
    case ACTIVITY_SHUTDOWN:
        return event.type == 2 || (event.type == 3 && event.vector == 18);
    case ACTIVITY_WAIT_FOR_SIPI:
        return false;
    default:
        return true;
    }
}

static const char *check_activity(const struct vmcs *vmcs, struct injection event)
{
    uint32_t activity = (uint32_t)GET(F_ACTIVITY);
    uint64_t misc = fake_msr_raw(&fake_m.cpus[0], MSR_VMX_MISC);
    if (activity > ACTIVITY_WAIT_FOR_SIPI || (activity != 0 && !(misc & BIT(5 + activity)))) {
        return "activity state is not supported";
    }
    if (activity == ACTIVITY_HLT && (GET(F_GUEST_SS_RIGHTS) >> 5 & 3) != 0) {
        return "activity state HLT with SS.DPL not 0";
    }
    if (activity != 0 && (GET(F_INTERRUPTIBILITY) & (BLOCKING_STI | BLOCKING_MOV_SS))) {
        return "activity state is not active under blocking by STI or MOV SS";
    }
    if (event.valid && !activity_takes(activity, event)) {
        return "activity state does not take the injected event";
    }
    return NULL;
}

static const char *check_blocking(const struct vmcs *vmcs, struct injection event,
                                  uint64_t *qualification)
{
    uint32_t state = (uint32_t)GET(F_INTERRUPTIBILITY);
    bool sti = state & BLOCKING_STI, mov_ss = state & BLOCKING_MOV_SS;
    if (state & ~0xfu) {
        return "interruptibility state: reserved bits";
    }
    if (sti && mov_ss) {
        return "blocking by STI and by MOV SS";
    }
    if (sti && !(GET(F_GUEST_RFLAGS) & RFLAGS_IF)) {
        return "blocking by STI with RFLAGS.IF clear";
    }
    if (state & BLOCKING_SMI) {
        return "blocking by SMI outside SMM";
    }
    if (event.valid && event.type == 0 && (sti || mov_ss)) {
        return "external interrupt injected under blocking by STI or MOV SS";
    }
    if (event.valid && event.type == 2) {
        if (mov_ss) {
            return "NMI injected under blocking by MOV SS";
        }
        if (sti) { /* some processors refuse this: so do we */
            *qualification = 3;
            return "NMI injected under blocking by STI";
        }
        if ((GET(F_PIN_CONTROLS) & PIN_VIRTUAL_NMI) && (state & BLOCKING_NMI)) {
            return "NMI injected under virtual-NMI blocking";
        }
    }
    return NULL;
}

static const char *check_pending_debug(const struct vmcs *vmcs)
{
    uint64_t pending = GET(F_PENDING_DEBUG);
    if (pending & (0xff0 | BIT(13) | BIT(15) | bits_mask(17, 64))) {
        return "pending debug exceptions: reserved bits";
    }
    bool holds_back = (GET(F_INTERRUPTIBILITY) & (BLOCKING_STI | BLOCKING_MOV_SS)) ||
                      GET(F_ACTIVITY) == ACTIVITY_HLT;
    bool single_step = (GET(F_GUEST_RFLAGS) & RFLAGS_TF) && !(GET(F_GUEST_DEBUGCTL) & BIT(1));
    bool bs = pending & BIT(14);
    if (holds_back && bs != single_step) {
        return "pending debug exceptions: BS against RFLAGS.TF";
    }
    return NULL;
}

static const char *check_link(const struct vmcs *vmcs, uint64_t *qualification)
{
    uint64_t link = GET(F_VMCS_LINK_POINTER);
    uint32_t revision = (uint32_t)bits_get(fake_msr_raw(&fake_m.cpus[0], MSR_VMX_BASIC), 0, 31);
    if (link == NO_ADDRESS) {
        return NULL;
    }
    *qualification = 4;
    bool valid = fake_is_physical(link, PAGE_BYTES) && link != vmcs->address &&
                 (uint32_t)fake_read64(link) == revision;
    return valid ? NULL : "VMCS link pointer";
}

const char *check_guest_state(const struct vmcs *vmcs, uint64_t *qualification)
{
    struct injection event = injection_of(vmcs);
    if (!fake_is_canonical(GET(F_GUEST_GDTR_BASE)) || !fake_is_canonical(GET(F_GUEST_IDTR_BASE)) ||
        GET(F_GUEST_GDTR_LIMIT) >> 16 || GET(F_GUEST_IDTR_LIMIT) >> 16) {
        return "guest GDTR or IDTR";
    }
    const char *error = check_rip_rflags(vmcs, event);
    if (!error) {
        error = check_activity(vmcs, event);
    }
    if (!error) {
        error = check_blocking(vmcs, event, qualification);
    }
    if (!error) {
        error = check_pending_debug(vmcs);
    }
    return error ? error : check_link(vmcs, qualification);
}
