/*
 * How much of each stack was used: in the closing summary, and on request of the guest.
 *
 * The request is VMCALL with EAX = STACKS_VMCALL at CPL 0, answered only with log=debug or more:
 * the guest may fill the console with it, so nobody else gets more than #UD.  EAX is 0 afterwards.
 */
#ifndef APPS_STACKS_H
#define APPS_STACKS_H

#include <stdbool.h>
#include <stdint.h>
#include <vcpu/vcpu.h>

#define STACKS_VMCALL 0x4b535453 /* "STSK" */

/* One line for each CPU, level info: NAME=USED/COMPUTED/SIZE in bytes for each stack. */
void stacks_print(unsigned cpu_count);

/* True: it was the request and is done, RIP advanced. */
bool stacks_answer(struct vcpu *vcpu);
static inline bool stacks_vmcall(struct vcpu *vcpu)
{
    return (uint32_t)vcpu_gpr(vcpu, VCPU_RAX) == STACKS_VMCALL && stacks_answer(vcpu);
}

#endif
