/*
 * What this CPU can do: CPUID words and VMX capability MSRs as one value, and the gate that decides
 * whether that is enough for Nacre.
 *
 * vmx_caps_read() runs on the CPU concerned; everything else is pure and takes the value, so tests
 * feed it CPU models.  The caller owns the structure.  No locks.
 */
#ifndef VMX_CAPS_H
#define VMX_CAPS_H

#include <stdbool.h>
#include <stdint.h>

struct vmx_caps {
    bool amd;                   /* vendor AuthenticAMD or HygonGenuine: SVM instead of VMX */
    uint32_t max_leaf;          /* CPUID.0:EAX */
    uint32_t max_extended_leaf; /* CPUID.80000000H:EAX */
    uint32_t leaf1_eax, leaf1_ecx, leaf1_edx;
    uint32_t leaf7_ebx, leaf7_ecx, leaf7_edx; /* CPUID.(7,0) */
    uint32_t extended1_edx;                   /* CPUID.80000001H:EDX */
    uint32_t xsave1_eax;                      /* CPUID.(0DH,1):EAX */
    uint64_t xcr0_bits;                       /* CPUID.(0DH,0):EDX:EAX */
    uint64_t xss_bits;                        /* CPUID.(0DH,1):EDX:ECX */
    unsigned phys_bits;                       /* MAXPHYADDR */

    /* SDM vol. 3 appendix A.  0 for every MSR that the CPU does not have. */
    uint64_t feature_control, basic, misc;
    uint64_t pin, proc, proc2, exit, entry; /* the TRUE capability MSRs where they exist */
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t ept_vpid;
};

/* Reads only MSRs that CPUID or another capability says exist (REQ-MSR-7). */
void vmx_caps_read(struct vmx_caps *caps);

/* What a CPU may lack; in the order in which the gate looks. */
enum vmx_missing {
    VMX_MISSING_NOTHING = 0,
    VMX_MISSING_INTEL,
    VMX_MISSING_VMX,
    VMX_MISSING_FIRMWARE_ENABLE,
    VMX_MISSING_TRUE_CONTROLS,
    VMX_MISSING_VMCS_WRITE_BACK,
    VMX_MISSING_ADDRESSES_64BIT,
    VMX_MISSING_NMI_EXITING,
    VMX_MISSING_VIRTUAL_NMIS,
    VMX_MISSING_NMI_WINDOW,
    VMX_MISSING_INTERRUPT_WINDOW,
    VMX_MISSING_CR3_WITHOUT_EXIT,
    VMX_MISSING_IO_BITMAPS,
    VMX_MISSING_MSR_BITMAPS,
    VMX_MISSING_SECONDARY_CONTROLS,
    VMX_MISSING_EPT,
    VMX_MISSING_UNRESTRICTED_GUEST,
    VMX_MISSING_EPT_4_LEVELS,
    VMX_MISSING_EPT_WRITE_BACK,
    VMX_MISSING_EPT_2M,
    VMX_MISSING_INVEPT,
    VMX_MISSING_INVEPT_SINGLE,
    VMX_MISSING_INVEPT_ALL,
    VMX_MISSING_HOST_64BIT,
    VMX_MISSING_SAVE_DEBUG,
    VMX_MISSING_SAVE_PAT,
    VMX_MISSING_EXIT_LOAD_PAT,
    VMX_MISSING_SAVE_EFER,
    VMX_MISSING_EXIT_LOAD_EFER,
    VMX_MISSING_LOAD_DEBUG,
    VMX_MISSING_GUEST_64BIT,
    VMX_MISSING_ENTRY_LOAD_PAT,
    VMX_MISSING_ENTRY_LOAD_EFER,
    VMX_MISSING_HLT_STATE,
    VMX_MISSING_COUNT
};

/* The first capability that is needed and absent. */
enum vmx_missing vmx_gate(const struct vmx_caps *caps);

/* "the CPU has no VMX": half a sentence for the log; and what to do about it.  Never NULL. */
const char *vmx_missing_text(enum vmx_missing missing);
const char *vmx_missing_advice(enum vmx_missing missing);

/* IA32_VMX_BASIC fields (SDM vol. 3, A.1). */
static inline uint32_t vmx_caps_revision(const struct vmx_caps *caps)
{
    return (uint32_t)caps->basic & 0x7fffffff;
}

/* IA32_VMX_EPT_VPID_CAP bits (SDM vol. 3, A.10). */
#define EPT_CAP_EXECUTE_ONLY (1ULL << 0)
#define EPT_CAP_4_LEVELS (1ULL << 6)
#define EPT_CAP_WRITE_BACK (1ULL << 14)
#define EPT_CAP_2M (1ULL << 16)
#define EPT_CAP_1G (1ULL << 17)
#define EPT_CAP_INVEPT (1ULL << 20)
#define EPT_CAP_ACCESSED_DIRTY (1ULL << 21)
#define EPT_CAP_INVEPT_SINGLE (1ULL << 25)
#define EPT_CAP_INVEPT_ALL (1ULL << 26)
#define VPID_CAP_INVVPID (1ULL << 32)
#define VPID_CAP_INVVPID_SINGLE (1ULL << 41)
#define VPID_CAP_INVVPID_ALL (1ULL << 42)

#endif
