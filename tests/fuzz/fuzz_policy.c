/*
 * What the guest sees of the CPU (REQ-MSR-3, REQ-MSR-4, REQ-MSR-8): for any CPUID data and any
 * capabilities, hidden features stay hidden, and the MSRs that must exit do.
 *
 * sources: libvmx/[a-z]*.c fake
 */
#include "fuzz.h"

#include <vmx/controls.h>
#include <vmx/cpuid.h>
#include <vmx/msr.h>
#include <vmx/msr_bitmap.h>
#include <vmx/x86.h>

static uint8_t bitmap[4096];

static bool same(struct hw_cpuid a, struct hw_cpuid b)
{
    return a.eax == b.eax && a.ebx == b.ebx && a.ecx == b.ecx && a.edx == b.edx;
}

static void check_cpuid(struct fuzz_input *input, const struct vmx_controls *controls)
{
    static const uint32_t leaves[] = {0, 1, 6, 7, 0xd, 0x14, 0x19, 0x40000000, 0x80000001};
    uint64_t pick = fuzz_take(input, 1), cr4 = fuzz_take(input, 4);
    uint32_t leaf = pick < 9 ? leaves[pick] : (uint32_t)fuzz_take(input, 4);
    uint32_t subleaf = (uint32_t)fuzz_take(input, 1);
    struct hw_cpuid raw;

    raw.eax = (uint32_t)fuzz_take(input, 4);
    raw.ebx = (uint32_t)fuzz_take(input, 4);
    raw.ecx = (uint32_t)fuzz_take(input, 4);
    raw.edx = (uint32_t)fuzz_take(input, 4);
    struct hw_cpuid out = vmx_cpuid_filter(controls, leaf, subleaf, cr4, raw);
    FUZZ_CHECK(same(out, vmx_cpuid_filter(controls, leaf, subleaf, cr4, out)));
    if (leaf == 1) {
        FUZZ_CHECK((out.ecx >> 5 & 3) == 0 && out.ecx >> 31 == 1); /* VMX, SMX; hypervisor */
        FUZZ_CHECK((out.ecx >> 27 & 1) == ((cr4 & CR4_OSXSAVE) != 0));
    }
    if (leaf == 7 && subleaf == 0) {
        FUZZ_CHECK((out.ebx >> 25 & 1) == 0); /* Intel PT */
        FUZZ_CHECK((out.ebx >> 10 & 1) == 0 || (controls->proc2 & PROC2_INVPCID) != 0);
    }
    if (leaf == 7 && subleaf < 2) { /* nothing is invented but what mirrors CR4 */
        FUZZ_CHECK((out.ebx & ~raw.ebx) == 0 && (out.edx & ~raw.edx) == 0);
        FUZZ_CHECK((out.ecx & ~raw.ecx & ~(1U << 4)) == 0);
    }
}

static bool exits(uint32_t msr, enum vmx_msr_access access)
{
    return vmx_msr_exits(bitmap, msr, access);
}

static void check_msrs(const struct vmx_controls *controls, uint32_t msr)
{
    vmx_msr_policy(bitmap, controls);
    for (uint32_t vmx = IA32_VMX_BASIC; vmx <= IA32_VMX_EXIT_CTLS2; vmx++) {
        FUZZ_CHECK(exits(vmx, VMX_MSR_READ) && exits(vmx, VMX_MSR_WRITE));
    }
    FUZZ_CHECK(exits(IA32_APIC_BASE, VMX_MSR_WRITE) && exits(IA32_X2APIC_ICR, VMX_MSR_WRITE));
    FUZZ_CHECK(exits(IA32_FEATURE_CONTROL, VMX_MSR_READ));
    FUZZ_CHECK(exits(IA32_BIOS_UPDT_TRIG, VMX_MSR_WRITE));
    FUZZ_CHECK(exits(IA32_MTRR_DEF_TYPE, VMX_MSR_WRITE) && exits(IA32_DS_AREA, VMX_MSR_WRITE));
    FUZZ_CHECK(!exits(IA32_FS_BASE, VMX_MSR_WRITE) && !exits(IA32_X2APIC_EOI, VMX_MSR_WRITE));
    /* What is nobody's passes, as far as the bitmap can say so. */
    bool covered = msr < 0x2000 || msr - 0xc0000000 < 0x2000;
    FUZZ_CHECK(covered || vmx_msr_owner(msr) == VMX_MSR_ABSENT);
    if (covered && vmx_msr_owner(msr) != VMX_MSR_ABSENT) {
        FUZZ_CHECK(exits(msr, VMX_MSR_READ) || exits(msr, VMX_MSR_WRITE));
    }
}

static void check_controls(const struct vmx_caps *caps, const struct vmx_controls *controls)
{
    if (vmx_gate(caps) != VMX_MISSING_NOTHING) {
        return;
    }
    FUZZ_CHECK(vmx_control_may_be_1(caps->pin, controls->pin));
    FUZZ_CHECK(vmx_control_may_be_1(caps->proc, controls->proc));
    FUZZ_CHECK(vmx_control_may_be_1(caps->proc2, controls->proc2));
    FUZZ_CHECK(vmx_control_may_be_1(caps->exit, controls->exit));
    FUZZ_CHECK(vmx_control_may_be_1(caps->entry, controls->entry));
    FUZZ_CHECK((controls->pin & caps->pin & UINT32_MAX) == (caps->pin & UINT32_MAX));
    FUZZ_CHECK((controls->pin & PIN_EXTERNAL_INTERRUPT_EXITING) == 0 ||
               !vmx_control_may_be_0(caps->pin, PIN_EXTERNAL_INTERRUPT_EXITING));
}

/* A capability MSR: bits that must be 1 may be 1. */
static uint64_t capability(struct fuzz_input *input)
{
    uint64_t zero = fuzz_take(input, 4), one = ~fuzz_take(input, 4) & UINT32_MAX;
    return (one | zero) << 32 | zero;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct vmx_caps caps;
    struct vmx_controls controls;

    memset(&caps, 0xff, sizeof(caps));
    caps.amd = false;
    caps.feature_control = 5;
    caps.basic = 0x00da040000000004;
    caps.phys_bits = 46;
    caps.pin = capability(&input);
    caps.proc = capability(&input);
    caps.proc2 = capability(&input);
    caps.exit = capability(&input);
    caps.entry = capability(&input);
    FUZZ_CHECK(strlen(vmx_missing_text(vmx_gate(&caps))) > 0 ||
               vmx_gate(&caps) == VMX_MISSING_NOTHING);
    vmx_controls_compute(&controls, &caps);
    check_controls(&caps, &controls);
    check_msrs(&controls, (uint32_t)fuzz_take(&input, 4));
    controls.proc2 ^= (uint32_t)fuzz_take(&input, 4);
    check_cpuid(&input, &controls);
    return 0;
}
