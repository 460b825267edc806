/* The VMX-preemption timer as a limit of guest time (SDM vol. 3, "VMX-Preemption Timer"). */
#include <vmx/vcpu.h>

#include "access.h"
#include "timer.h"

#define MISC_TIMER_RATE 0x1fU /* IA32_VMX_MISC bits 4:0: TSC ticks per timer tick, log2 */

bool vmx_timer_count(const struct vmx_caps *caps, uint64_t tsc_ticks, uint32_t *count)
{
    unsigned rate = caps->misc & MISC_TIMER_RATE;
    bool is_between = (tsc_ticks & ((1ULL << rate) - 1)) != 0;
    uint64_t ticks = (tsc_ticks >> rate) + is_between; /* a value of 0 would run nothing at all */
    if (!vmx_control_may_be_1(caps->pin, PIN_PREEMPTION_TIMER) || ticks > UINT32_MAX) {
        return false;
    }
    *count = (uint32_t)ticks;
    return true;
}

void vmx_timer_controls(struct vcpu *vcpu, bool on)
{
    vcpu->controls.pin &= ~PIN_PREEMPTION_TIMER;
    vcpu->controls.exit &= ~EXIT_SAVE_PREEMPTION_TIMER;
    if (on) {
        vcpu->controls.pin |= PIN_PREEMPTION_TIMER;
        /* Without it each entry starts the full time again. */
        if (vmx_control_may_be_1(vcpu->caps->exit, EXIT_SAVE_PREEMPTION_TIMER)) {
            vcpu->controls.exit |= EXIT_SAVE_PREEMPTION_TIMER;
        }
    }
}

void vmx_timer_write_controls(const struct vcpu *vcpu)
{
    vmcs_write(VMCS_PIN_CONTROLS, vcpu->controls.pin);
    vmcs_write(VMCS_EXIT_CONTROLS, vcpu->controls.exit);
}

bool vmx_vcpu_set_timer(struct vcpu *vcpu, uint64_t tsc_ticks)
{
    uint32_t count;
    if (!vmx_timer_count(vcpu->caps, tsc_ticks, &count)) {
        return false;
    }
    vmx_timer_controls(vcpu, tsc_ticks != 0);
    vmx_timer_write_controls(vcpu);
    if (tsc_ticks != 0) {
        vmcs_write(VMCS_PREEMPTION_TIMER_VALUE, count);
    }
    return true;
}
