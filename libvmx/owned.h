/* Control-register bits that are the hypervisor's.  Pure. */
#ifndef LIBVMX_OWNED_H
#define LIBVMX_OWNED_H

#include <stdint.h>
#include <vmx/caps.h>
#include <vmx/x86.h>

/*
 * CR0 and CR4 bits that the guest cannot change.  "Unrestricted guest" frees PE and PG; the rest of
 * what VMX fixes to 1 (NE) is ours.
 */
static inline uint64_t vmx_cr0_host_owned(const struct vmx_caps *caps)
{
    return caps->cr0_fixed0 & ~(CR0_PE | CR0_PG);
}

/*
 * All but those of features that we know and let the guest use: VMXE and SMXE, because VMX and SMX
 * are hidden, and every bit of a feature that we do not know or hide (cpuid.c).  Setting one exits
 * and gives #GP, as on a CPU without the feature (REQ-MSR-4).
 */
static inline uint64_t vmx_cr4_host_owned(void)
{
    return ~(0xfffULL | CR4_LA57 | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP |
             CR4_PKE);
}

#endif
