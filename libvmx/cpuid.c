/* CPUID as the guest sees it (SDM vol. 2, CPUID). */
#include <base/bits.h>
#include <vmx/cpuid.h>
#include <vmx/x86.h>

/* CPUID.1 */
#define LEAF1_ECX_HIDDEN (BIT(2) | BIT(4) | BIT(5) | BIT(6)) /* DTES64, DS-CPL, VMX, SMX */
#define LEAF1_ECX_OSXSAVE BIT(27)
#define LEAF1_ECX_HYPERVISOR BIT(31)
#define LEAF1_EDX_HIDDEN BIT(21) /* DS */
/* CPUID.6:EAX: hardware feedback interface and thread director write to memory. */
#define LEAF6_EAX_HIDDEN (BIT(19) | BIT(23))
/* CPUID.(7,0) */
#define LEAF7_EBX_HIDDEN (BIT(14) | BIT(25)) /* MPX, Intel PT */
#define LEAF7_EBX_INVPCID BIT(10)
#define LEAF7_ECX_HIDDEN (BIT(7) | BIT(23) | BIT(31)) /* CET_SS, KL, PKS */
#define LEAF7_ECX_OSPKE BIT(4)
#define LEAF7_ECX_WAITPKG BIT(5)
#define LEAF7_ECX_RDPID BIT(22)                       /* needs the control of RDTSCP */
#define LEAF7_EDX_HIDDEN (BIT(5) | BIT(18) | BIT(20)) /* UINTR, PCONFIG, CET_IBT */
/* CPUID.(7,1):EAX: LASS, FRED, LKGS, WRMSRNS, LAM, MSRLIST; EDX: CET_SSS */
#define LEAF7_1_EAX_HIDDEN (BIT(6) | BIT(17) | BIT(18) | BIT(19) | BIT(26) | BIT(27))
#define LEAF7_1_EDX_HIDDEN BIT(18)
/* State components: MPX; in IA32_XSS: PT, CET user and supervisor, UINTR. */
#define XCR0_HIDDEN (BIT(3) | BIT(4))
#define XSS_HIDDEN (BIT(8) | BIT(11) | BIT(12) | BIT(14))
#define XSAVE1_EAX_XSAVES BIT(3)
#define EXTENDED1_EDX_RDTSCP BIT(27)

uint64_t vmx_guest_xcr0_bits(const struct vmx_caps *caps)
{
    return caps->xcr0_bits & ~XCR0_HIDDEN;
}

uint64_t vmx_guest_xss_bits(const struct vmx_caps *caps)
{
    return caps->xss_bits & ~XSS_HIDDEN;
}

static struct hw_cpuid filter_leaf1(struct hw_cpuid out, uint64_t cr4)
{
    out.ecx &= (uint32_t) ~(LEAF1_ECX_HIDDEN | LEAF1_ECX_OSXSAVE);
    out.ecx |= (uint32_t)(LEAF1_ECX_HYPERVISOR | (cr4 & CR4_OSXSAVE ? LEAF1_ECX_OSXSAVE : 0));
    out.edx &= (uint32_t)~LEAF1_EDX_HIDDEN;
    return out;
}

static struct hw_cpuid filter_leaf7(struct hw_cpuid out, uint32_t proc2, uint64_t cr4)
{
    out.ebx &= (uint32_t)~LEAF7_EBX_HIDDEN;
    out.ecx &= (uint32_t) ~(LEAF7_ECX_HIDDEN | LEAF7_ECX_OSPKE);
    out.edx &= (uint32_t)~LEAF7_EDX_HIDDEN;
    if (!(proc2 & PROC2_INVPCID)) {
        out.ebx &= (uint32_t)~LEAF7_EBX_INVPCID;
    }
    if (!(proc2 & PROC2_USER_WAIT)) {
        out.ecx &= (uint32_t)~LEAF7_ECX_WAITPKG;
    }
    if (!(proc2 & PROC2_RDTSCP)) {
        out.ecx &= (uint32_t)~LEAF7_ECX_RDPID;
    }
    out.ecx |= (uint32_t)(cr4 & CR4_PKE ? LEAF7_ECX_OSPKE : 0);
    return out;
}

static struct hw_cpuid filter_xsave(struct hw_cpuid out, uint32_t proc2, uint32_t subleaf)
{
    if (subleaf == 0) {
        out.eax &= (uint32_t)~XCR0_HIDDEN;
    } else if (subleaf == 1) {
        bool xsaves = (proc2 & PROC2_XSAVES) != 0;
        out.eax &= (uint32_t)(xsaves ? ~0ULL : ~XSAVE1_EAX_XSAVES);
        out.ebx = xsaves ? out.ebx : 0;
        out.ecx = xsaves ? out.ecx & (uint32_t)~XSS_HIDDEN : 0;
        out.edx = xsaves ? out.edx : 0;
    } else if (subleaf < 32 && ((XCR0_HIDDEN | XSS_HIDDEN) >> subleaf & 1)) {
        out = (struct hw_cpuid){0};
    }
    return out;
}

static struct hw_cpuid hypervisor_leaf(uint32_t leaf)
{
    if (leaf == VMX_CPUID_HYPERVISOR) {
        return (struct hw_cpuid){VMX_CPUID_HYPERVISOR_LAST, VMX_CPUID_SIGNATURE_EBX,
                                 VMX_CPUID_SIGNATURE_ECX, VMX_CPUID_SIGNATURE_EDX};
    }
    return (struct hw_cpuid){0};
}

struct hw_cpuid vmx_cpuid_filter(const struct vmx_controls *controls, uint32_t leaf,
                                 uint32_t subleaf, uint64_t cr4, struct hw_cpuid raw)
{
    switch (leaf) {
    case 1:
        return filter_leaf1(raw, cr4);
    case 6:
        raw.eax &= (uint32_t)~LEAF6_EAX_HIDDEN;
        return raw;
    case 7:
        if (subleaf == 0) {
            return filter_leaf7(raw, controls->proc2, cr4);
        }
        raw.eax &= (uint32_t)(subleaf == 1 ? ~LEAF7_1_EAX_HIDDEN : ~0ULL);
        raw.edx &= (uint32_t)(subleaf == 1 ? ~LEAF7_1_EDX_HIDDEN : ~0ULL);
        return raw;
    case 0xd:
        return filter_xsave(raw, controls->proc2, subleaf);
    case 0x14: /* Intel PT */
    case 0x19: /* key locker */
    case 0x1b: /* PCONFIG */
        return (struct hw_cpuid){0};
    case 0x80000001:
        raw.edx &= (uint32_t)(controls->proc2 & PROC2_RDTSCP ? ~0ULL : ~EXTENDED1_EDX_RDTSCP);
        return raw;
    default:
        break;
    }
    if (leaf >= VMX_CPUID_HYPERVISOR && leaf < VMX_CPUID_HYPERVISOR_END) {
        return hypervisor_leaf(leaf);
    }
    return raw;
}
