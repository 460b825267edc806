/*
 * EPT violations: the guest touched what its nested tables do not give it.  On the CPU whose guest
 * stopped; takes the lock of the tables itself.
 */
#ifndef APPS_VIOLATION_H
#define APPS_VIOLATION_H

#include <vmx/exit.h>
#include <vmx/vcpu.h>

void violation_handle(struct vcpu *vcpu, const struct vmx_exit *exit);

/* guest.c: the VMCALLs of our own real-mode stubs (BIOS memory calls, boot failure); else false. */
bool guest_vmcall(struct vcpu *vcpu);

#endif
