/*
 * MSR bitmaps (SDM vol. 3, "MSR-Bitmap Address"): pure operations on the 4-KiB page, and the
 * default policy.  The page belongs to the caller; an all-zero page lets every MSR in the two
 * ranges 0-1FFFH and C0000000H-C0001FFFH through, all others always exit.
 */
#ifndef VMX_MSR_BITMAP_H
#define VMX_MSR_BITMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <vmx/controls.h>

enum vmx_msr_access { VMX_MSR_READ = 1, VMX_MSR_WRITE = 2, VMX_MSR_READ_WRITE = 3 };

/* CHECKs that the bitmap can express the MSR. */
void vmx_msr_intercept(void *bitmap, uint32_t msr, enum vmx_msr_access access, bool intercept);
/* access is VMX_MSR_READ or VMX_MSR_WRITE; true for MSRs outside the two ranges. */
bool vmx_msr_exits(const void *bitmap, uint32_t msr, enum vmx_msr_access access);

/*
 * Clears the page and sets Nacre's policy (msr_policy.c holds the table and the reasons).  What
 * then exits is either emulated by vmx_emulate() or the hypapp's: MTRRs, IA32_APIC_BASE, x2APIC
 * ICR.
 */
void vmx_msr_policy(void *bitmap, const struct vmx_controls *controls);

/* Who answers for an MSR that exits. */
enum vmx_msr_owner {
    VMX_MSR_ABSENT, /* #GP(0): hidden, or the CPU has none */
    VMX_MSR_LIBVMX, /* vmx_emulate() */
    VMX_MSR_HYPAPP  /* VMX_NOT_HANDLED */
};
enum vmx_msr_owner vmx_msr_owner(uint32_t msr);

#endif
