/*
 * VMX operation on the calling CPU: on and off.
 *
 * The caller owns the pages.  caps are those of this CPU and passed vmx_gate().  No locks.
 */
#ifndef VMX_CPU_H
#define VMX_CPU_H

#include <base/addr.h>
#include <base/status.h>
#include <vmx/caps.h>

/*
 * Locks IA32_FEATURE_CONTROL with VMX outside SMX where the firmware left it open, sets the CR0 and
 * CR4 bits that VMX fixes, CR4.VMXE and (for XSETBV on the guest's behalf) CR4.OSXSAVE, stops Intel
 * PT, writes the revision into the region (4-KiB page in the hypervisor's region) and executes
 * VMXON.  Call hw_host_state() after this: it changes CR0 and CR4.
 * STATUS_UNSUPPORTED: locked off; STATUS_HARDWARE: VMXON failed.
 */
enum status vmx_cpu_enable(const struct vmx_caps *caps, struct hpa vmxon_region);

/* VMXOFF and CR4.VMXE off.  STATUS_HARDWARE when VMX was not on. */
enum status vmx_cpu_disable(void);

#endif
