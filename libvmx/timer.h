/* Parts of the VMX-preemption timer's use, for guests and for isolated code. */
#ifndef LIBVMX_TIMER_H
#define LIBVMX_TIMER_H

#include <vmx/vcpu.h>

/* Ticks of the timer for at least so many of the TSC; false: no timer, or it cannot count so far.
 */
bool vmx_timer_count(const struct vmx_caps *caps, uint64_t tsc_ticks, uint32_t *count);

/* Sets the controls in vcpu->controls, and writes those into the current VMCS. */
void vmx_timer_controls(struct vcpu *vcpu, bool on);
void vmx_timer_write_controls(const struct vcpu *vcpu);

#endif
