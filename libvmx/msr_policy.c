/*
 * Which MSRs exit, and who answers for them.  Whatever is not in the table goes straight to the
 * hardware: FS/GS base, STAR and friends, TSC deadline, x2APIC EOI, PAT, EFER, SYSENTER (REQ-MSR-2,
 * REQ-MSR-9); the CPU itself gives #GP for those that it does not have (REQ-MSR-1).
 */
#include <stddef.h>
#include <vmx/msr.h>
#include <vmx/msr_bitmap.h>

struct policy {
    uint32_t first, last;  /* inclusive, as manuals list them */
    uint8_t access;        /* enum vmx_msr_access */
    uint8_t owner;         /* enum vmx_msr_owner */
    uint32_t unless_proc2; /* passes when this secondary control is on */
};

static const struct policy policies[] = {
    /* Moving the local APIC changes what the hypapp has to guard. */
    {IA32_APIC_BASE, IA32_APIC_BASE, VMX_MSR_WRITE, VMX_MSR_HYPAPP, 0},
    /* VMX and SMX are hidden: locked and off. */
    {IA32_FEATURE_CONTROL, IA32_FEATURE_CONTROL, VMX_MSR_READ_WRITE, VMX_MSR_LIBVMX, 0},
    {IA32_VMX_BASIC, IA32_VMX_EXIT_CTLS2, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_SMM_MONITOR_CTL, IA32_SMM_MONITOR_CTL, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    /* The update would be read from a guest-linear address as if it were ours, and takes effect on
     * code that we run: the write is dropped, and the revision stays (REQ-MSR-5). */
    {IA32_BIOS_UPDT_TRIG, IA32_BIOS_UPDT_TRIG, VMX_MSR_WRITE, VMX_MSR_LIBVMX, 0},
    /* XD_DISABLE would take NX from our own page tables. */
    {IA32_MISC_ENABLE, IA32_MISC_ENABLE, VMX_MSR_READ_WRITE, VMX_MSR_LIBVMX, 0},
    /* EPT memory types follow the MTRRs: the hypapp's shadow (REQ-MSR-6). */
    {IA32_MTRR_PHYSBASE0, IA32_MTRR_PHYSMASK15, VMX_MSR_READ_WRITE, VMX_MSR_HYPAPP, 0},
    {IA32_MTRR_FIX64K_00000, IA32_MTRR_FIX64K_00000, VMX_MSR_READ_WRITE, VMX_MSR_HYPAPP, 0},
    {IA32_MTRR_FIX16K_80000, IA32_MTRR_FIX16K_A0000, VMX_MSR_READ_WRITE, VMX_MSR_HYPAPP, 0},
    {IA32_MTRR_FIX4K_C0000, IA32_MTRR_FIX4K_F8000, VMX_MSR_READ_WRITE, VMX_MSR_HYPAPP, 0},
    {IA32_MTRR_DEF_TYPE, IA32_MTRR_DEF_TYPE, VMX_MSR_READ_WRITE, VMX_MSR_HYPAPP, 0},
    /* INIT and SIPI are sent through here in x2APIC mode (REQ-SMP-2). */
    {IA32_X2APIC_ICR, IA32_X2APIC_ICR, VMX_MSR_WRITE, VMX_MSR_HYPAPP, 0},
    /* Features that make the CPU write to memory on its own (REQ-MSR-8): PEBS and BTS into the DS
     * area, Intel PT (also through XRSTORS), the hardware feedback table. */
    {IA32_PERF_CAPABILITIES, IA32_PERF_CAPABILITIES, VMX_MSR_READ_WRITE, VMX_MSR_LIBVMX, 0},
    {IA32_PEBS_ENABLE, IA32_PEBS_ENABLE, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_DS_AREA, IA32_DS_AREA, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_RTIT_OUTPUT_BASE, IA32_RTIT_OUTPUT_MASK_PTRS, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_RTIT_CTL, IA32_RTIT_CR3_MATCH, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_RTIT_ADDR0_A, IA32_RTIT_ADDR3_B, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_XSS, IA32_XSS, VMX_MSR_READ, VMX_MSR_ABSENT, PROC2_XSAVES},
    {IA32_XSS, IA32_XSS, VMX_MSR_WRITE, VMX_MSR_LIBVMX, 0},
    {IA32_HW_FEEDBACK_PTR, IA32_HW_FEEDBACK_CONFIG, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    /* Hidden with their CPUID bits (REQ-MSR-4): CET, PKS, user interrupts, key locker, MPX. */
    {IA32_U_CET, IA32_U_CET, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_S_CET, IA32_S_CET, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_PL0_SSP, IA32_INTERRUPT_SSP_TABLE_ADDR, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_PKRS, IA32_PKRS, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_UINTR_RR, IA32_UINTR_TT, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_COPY_STATUS, IA32_COPY_STATUS, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_BNDCFGS, IA32_COPY_PLATFORM_TO_LOCAL, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, 0},
    {IA32_UMWAIT_CONTROL, IA32_UMWAIT_CONTROL, VMX_MSR_READ_WRITE, VMX_MSR_ABSENT, PROC2_USER_WAIT},
};

#define POLICY_COUNT (sizeof(policies) / sizeof(policies[0]))

void vmx_msr_policy(void *bitmap, const struct vmx_controls *controls)
{
    uint8_t *bytes = bitmap;
    for (unsigned i = 0; i < 4096; i++) {
        bytes[i] = 0;
    }
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        const struct policy *policy = &policies[i];
        if (controls->proc2 & policy->unless_proc2) {
            continue;
        }
        for (uint32_t msr = policy->first; msr <= policy->last; msr++) {
            vmx_msr_intercept(bitmap, msr, (enum vmx_msr_access)policy->access, true);
        }
    }
}

/*
 * Reads and writes of one MSR never have different owners, except for IA32_XSS where emulate_msr.c
 * knows: the last row that names the MSR decides.
 */
enum vmx_msr_owner vmx_msr_owner(uint32_t msr)
{
    enum vmx_msr_owner owner = VMX_MSR_ABSENT;
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (msr >= policies[i].first && msr <= policies[i].last) {
            owner = (enum vmx_msr_owner)policies[i].owner;
        }
    }
    return owner;
}
