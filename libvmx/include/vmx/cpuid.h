/*
 * CPUID as the guest sees it: the CPU's own answer with the features removed that the guest cannot
 * have, and a leaf range that tells of the hypervisor (REQ-MSR-10).  Pure.
 */
#ifndef VMX_CPUID_H
#define VMX_CPUID_H

#include <hw/cpu.h>
#include <stdbool.h>
#include <stdint.h>
#include <vmx/controls.h>

#define VMX_CPUID_HYPERVISOR 0x40000000U
#define VMX_CPUID_HYPERVISOR_LAST 0x40000001U
/* The range up to here is ours: what vmx_emulate() does not know in it reads as 0. */
#define VMX_CPUID_HYPERVISOR_END 0x40000100U
/* EBX, ECX, EDX of leaf 40000000H: "NacreNacre", NUL-padded. */
#define VMX_CPUID_SIGNATURE_EBX 0x7263614eU
#define VMX_CPUID_SIGNATURE_ECX 0x63614e65U
#define VMX_CPUID_SIGNATURE_EDX 0x00006572U

/*
 * The leaf that the CPU answers for: leaves past the last one give the data of the last basic leaf
 * (SDM vol. 2, CPUID, "Output When EAX Is Greater Than ...").
 */
static inline uint32_t vmx_cpuid_effective_leaf(const struct vmx_caps *caps, uint32_t leaf)
{
    if (leaf <= caps->max_leaf) { /* most that are asked for */
        return leaf;
    }
    bool ours = leaf >= VMX_CPUID_HYPERVISOR && leaf < VMX_CPUID_HYPERVISOR_END;
    bool extended = leaf >= 0x80000000 && leaf <= caps->max_extended_leaf;
    return ours || extended ? leaf : caps->max_leaf;
}

/* False: vmx_cpuid_filter() changes nothing in this leaf. */
static inline bool vmx_cpuid_is_filtered(uint32_t leaf)
{
    const uint32_t filtered =
        1U << 1 | 1U << 6 | 1U << 7 | 1U << 0xd | 1U << 0x14 | 1U << 0x19 | 1U << 0x1b;
    return leaf >= 32 || (filtered >> leaf & 1) != 0;
}

/* raw is the CPU's answer; cr4 as the guest sees it. */
struct hw_cpuid vmx_cpuid_filter(const struct vmx_controls *controls, uint32_t leaf,
                                 uint32_t subleaf, uint64_t cr4, struct hw_cpuid raw);

/* Bits that the guest may set in XCR0 and IA32_XSS, of those that the CPU has. */
uint64_t vmx_guest_xcr0_bits(const struct vmx_caps *caps);
uint64_t vmx_guest_xss_bits(const struct vmx_caps *caps);

#endif
