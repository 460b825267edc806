/*
 * The guest's MTRRs: each CPU has its own registers as its guest wrote them; the memory types of
 * the nested tables follow them (REQ-MSR-6).  The hardware's MTRRs stay as the firmware set them:
 * with nested paging they apply to the hypervisor's own accesses only.  On the CPU whose guest
 * stopped.
 */
#ifndef APPS_MEMTYPE_H
#define APPS_MEMTYPE_H

#include <vmx/vcpu.h>

/* RDMSR and WRMSR of any MTRR; the instruction is completed or faults. */
void memtype_read_msr(struct vcpu *vcpu);
void memtype_write_msr(struct vcpu *vcpu);

#endif
