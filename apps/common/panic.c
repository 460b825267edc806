/* What this CPU's vCPU was doing, for the report of a panic (hw/boot.h: no locks, no CHECK). */
#include "nacre.h"

#include <hw/vmx.h>
#include <vmx/msr.h>
#include <vmx/vmcs.h>
#include <vmx/x86.h>

/* A field that cannot be read is shown as 0: a CHECK would be a panic within the panic. */
static uint64_t field(uint32_t encoding)
{
    uint64_t value = 0;

    (void)hw_vmread(encoding, &value);
    return value;
}

static unsigned width_bits(void)
{
    uint32_t rights = (uint32_t)field(VMCS_GUEST_CS_ACCESS_RIGHTS);

    if ((rights & ACCESS_RIGHTS_L) && (field(VMCS_GUEST_IA32_EFER) & EFER_LMA)) {
        return 64;
    }
    return rights & ACCESS_RIGHTS_DB ? 32 : 16;
}

static bool is_whole(const struct vcpu *vcpu, unsigned cpu) /* REQ-STK-6 */
{
    return vcpu->tag == vmx_vcpu_tag(vcpu) && vcpu->cpu == cpu;
}

static uint64_t exits_of(const struct vcpu *vcpu)
{
    uint64_t exits = 0;

    for (unsigned reason = 0; reason < VMX_EXIT_REASON_COUNT; reason++) {
        exits += vcpu->exits[reason];
    }
    return exits;
}

static void read_registers(struct hw_guest_state *state)
{
    state->width_bits = width_bits();
    state->cpl = (unsigned)(field(VMCS_GUEST_SS_ACCESS_RIGHTS) >> ACCESS_RIGHTS_DPL_SHIFT & 3);
    state->cs = (uint16_t)field(VMCS_GUEST_CS_SELECTOR);
    state->rip = field(VMCS_GUEST_RIP);
    state->rsp = field(VMCS_GUEST_RSP);
    state->cr0 = field(VMCS_GUEST_CR0);
    state->cr3 = field(VMCS_GUEST_CR3);
    state->rflags = field(VMCS_GUEST_RFLAGS);
}

void app_panic_state(unsigned cpu, struct hw_guest_state *state)
{
    const struct vcpu *vcpu = &nacre.cpu[cpu].vcpu, *isolated = &nacre.cpu[cpu].isolated;
    uint64_t value;

    *state = (struct hw_guest_state){.activity = HW_GUEST_NONE};
    if (vcpu->tag == 0) {
        return; /* the tag is written after VMXON: before, VMREAD would be #UD */
    }
    if (!is_whole(vcpu, cpu) || (isolated->tag != 0 && !is_whole(isolated, cpu))) {
        state->activity = HW_GUEST_DAMAGED;
        return;
    }
    if (hw_vmread(VMCS_GUEST_RIP, &value) != HW_VMX_OK) {
        return; /* not yet a current VMCS */
    }
    state->exits = exits_of(vcpu) + exits_of(isolated);
    if (!vcpu->loaded) { /* the current VMCS is not the guest's, and what is in it stays isolated */
        state->activity = HW_GUEST_ISOLATED;
        return;
    }
    state->activity = vcpu->parked ? HW_GUEST_WAITS : HW_GUEST_RUNS;
    read_registers(state);
}
