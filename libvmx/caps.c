/* Reading capabilities (SDM vol. 3, appendix A; CPUID in vol. 2). */
#include <base/bits.h>
#include <hw/cpu.h>
#include <vmx/caps.h>
#include <vmx/controls.h>
#include <vmx/msr.h>

#define LEAF1_ECX_VMX BIT(5)
#define LEAF1_ECX_XSAVE BIT(26)
#define BASIC_TRUE_CONTROLS BIT(55)

static bool vendor_is_amd(struct hw_cpuid leaf0)
{
    bool authentic = leaf0.ebx == 0x68747541 && leaf0.edx == 0x69746e65 && leaf0.ecx == 0x444d4163;
    bool hygon = leaf0.ebx == 0x6f677948 && leaf0.edx == 0x6e65476e && leaf0.ecx == 0x656e6975;
    return authentic || hygon;
}

static void read_cpuid(struct vmx_caps *caps)
{
    struct hw_cpuid leaf = hw_cpuid(0, 0);
    caps->max_leaf = leaf.eax;
    caps->amd = vendor_is_amd(leaf);
    leaf = hw_cpuid(1, 0);
    caps->leaf1_eax = leaf.eax;
    caps->leaf1_ecx = leaf.ecx;
    caps->leaf1_edx = leaf.edx;
    if (caps->max_leaf >= 7) {
        leaf = hw_cpuid(7, 0);
        caps->leaf7_ebx = leaf.ebx;
        caps->leaf7_ecx = leaf.ecx;
        caps->leaf7_edx = leaf.edx;
    }
    if (caps->max_leaf >= 0xd && (caps->leaf1_ecx & LEAF1_ECX_XSAVE)) {
        leaf = hw_cpuid(0xd, 0);
        caps->xcr0_bits = (uint64_t)leaf.edx << 32 | leaf.eax;
        leaf = hw_cpuid(0xd, 1);
        caps->xsave1_eax = leaf.eax;
        caps->xss_bits = (uint64_t)leaf.edx << 32 | leaf.ecx;
    }
    caps->max_extended_leaf = hw_cpuid(0x80000000, 0).eax;
    if (caps->max_extended_leaf >= 0x80000001) {
        caps->extended1_edx = hw_cpuid(0x80000001, 0).edx;
    }
    caps->phys_bits = 36; /* SDM vol. 3, "Physical-Address Width": without leaf 80000008H */
    if (caps->max_extended_leaf >= 0x80000008) {
        caps->phys_bits = hw_cpuid(0x80000008, 0).eax & 0xff;
    }
}

/* 0 when the CPU raises #GP all the same, which the gate then calls missing. */
static uint64_t read_or_zero(uint32_t msr)
{
    uint64_t value = 0;
    return hw_rdmsr_safe(msr, &value) ? value : 0;
}

static void read_vmx_msrs(struct vmx_caps *caps)
{
    caps->basic = read_or_zero(IA32_VMX_BASIC);
    bool true_controls = (caps->basic & BASIC_TRUE_CONTROLS) != 0;
    caps->pin = read_or_zero(true_controls ? IA32_VMX_TRUE_PINBASED_CTLS : IA32_VMX_PINBASED_CTLS);
    caps->proc =
        read_or_zero(true_controls ? IA32_VMX_TRUE_PROCBASED_CTLS : IA32_VMX_PROCBASED_CTLS);
    caps->exit = read_or_zero(true_controls ? IA32_VMX_TRUE_EXIT_CTLS : IA32_VMX_EXIT_CTLS);
    caps->entry = read_or_zero(true_controls ? IA32_VMX_TRUE_ENTRY_CTLS : IA32_VMX_ENTRY_CTLS);
    caps->misc = read_or_zero(IA32_VMX_MISC);
    caps->cr0_fixed0 = read_or_zero(IA32_VMX_CR0_FIXED0);
    caps->cr0_fixed1 = read_or_zero(IA32_VMX_CR0_FIXED1);
    caps->cr4_fixed0 = read_or_zero(IA32_VMX_CR4_FIXED0);
    caps->cr4_fixed1 = read_or_zero(IA32_VMX_CR4_FIXED1);
    if (vmx_control_may_be_1(caps->proc, PROC_SECONDARY)) {
        caps->proc2 = read_or_zero(IA32_VMX_PROCBASED_CTLS2);
    }
    if (vmx_control_may_be_1(caps->proc2, PROC2_EPT) ||
        vmx_control_may_be_1(caps->proc2, PROC2_VPID)) {
        caps->ept_vpid = read_or_zero(IA32_VMX_EPT_VPID_CAP);
    }
}

void vmx_caps_read(struct vmx_caps *caps)
{
    *caps = (struct vmx_caps){0};
    read_cpuid(caps);
    if (caps->leaf1_ecx & LEAF1_ECX_VMX) {
        caps->feature_control = read_or_zero(IA32_FEATURE_CONTROL);
        read_vmx_msrs(caps);
    }
}
