/*
 * The smallest hypervisor that can enter a guest on any CPU model of the fake: 64-bit host, and a
 * guest in real mode where the CPU allows it, else in 32-bit protected mode with paging.  Written
 * from the SDM's tables only, so that the fake is not tested with the code it is there to test.
 */
#ifndef TESTS_FAKE_SMALL_VMM_H
#define TESTS_FAKE_SMALL_VMM_H

#include "suite.h"
#include "vmcs_fields.h"

#include <string.h>

#define VMXON_REGION 0x200000ULL
#define VMCS_REGION 0x201000ULL /* one page further for each CPU's: see vmcs_of */
#define MSR_BITMAP 0x210000ULL
#define IO_BITMAP 0x211000ULL
#define EPT_TABLES                                                                                 \
    0x220000ULL /* PML4, PDPT, PD, PT: maps [0, 2 MiB) by 4 KiB, up to 1 GiB by 2 MiB */
#define EPT_POINTER (EPT_TABLES | 6 | 3 << 3)

static inline struct hpa vmcs_of(unsigned cpu)
{
    return hpa(VMCS_REGION + cpu * 0x1000);
}

static inline uint64_t vmcs_value(uint32_t field)
{
    uint64_t value = 0;
    assert_int_equal(hw_vmread(field, &value), HW_VMX_OK);
    return value;
}

static inline void vmcs_put(uint32_t field, uint64_t value)
{
    assert_int_equal(hw_vmwrite(field, value), HW_VMX_OK);
}

/* For fields that this CPU model may not have. */
static inline void vmcs_put_optional(uint32_t field, uint64_t value)
{
    if (fake_field_exists(field)) {
        vmcs_put(field, value);
    }
}

static inline uint32_t controls_fit(uint32_t old_msr, uint32_t true_msr, uint32_t wanted)
{
    bool has_true = hw_rdmsr(0x480) & (1ULL << 55);
    uint64_t capability = hw_rdmsr(has_true ? true_msr : old_msr);
    return (uint32_t)((wanted | (uint32_t)capability) & (capability >> 32));
}

static inline void vmm_on(void)
{
    unsigned cpu = hw_this_cpu();
    uint32_t revision = (uint32_t)hw_rdmsr(0x480);
    uint64_t vmxon = VMXON_REGION - 0x10000 + cpu * 0x1000ULL;
    memcpy(fake_ram(vmxon, 4), &revision, 4);
    memcpy(fake_ram(vmcs_of(cpu).v, 4), &revision, 4);
    hw_write_cr0(hw_read_cr0() | hw_rdmsr(0x486));
    hw_write_cr4(hw_read_cr4() | hw_rdmsr(0x488));
    assert_int_equal(hw_vmxon(hpa(vmxon)), HW_VMX_OK);
    assert_int_equal(hw_vmclear(vmcs_of(cpu)), HW_VMX_OK);
    assert_int_equal(hw_vmptrld(vmcs_of(cpu)), HW_VMX_OK);
}

static inline void vmm_host_state(void)
{
    struct hw_host_state host;
    hw_host_state(&host);
    const uint64_t selectors[] = {host.es, host.cs, host.ss, host.ds, host.fs, host.gs, host.tr};
    for (uint32_t i = 0; i < 7; i++) {
        vmcs_put(F_HOST_ES_SELECTOR + 2 * i, selectors[i]);
    }
    vmcs_put(F_HOST_CR0, host.cr0);
    vmcs_put(F_HOST_CR3, host.cr3);
    vmcs_put(F_HOST_CR4, host.cr4);
    vmcs_put(F_HOST_RIP, host.rip);
    vmcs_put(F_HOST_FS_BASE, host.fs_base);
    vmcs_put(F_HOST_GS_BASE, host.gs_base);
    vmcs_put(F_HOST_TR_BASE, host.tr_base);
    vmcs_put(F_HOST_GDTR_BASE, host.gdtr_base);
    vmcs_put(F_HOST_IDTR_BASE, host.idtr_base);
    vmcs_put(F_HOST_SYSENTER_CS, 0);
    vmcs_put(F_HOST_SYSENTER_ESP, 0);
    vmcs_put(F_HOST_SYSENTER_EIP, 0);
    vmcs_put_optional(F_HOST_PAT, host.pat);
    vmcs_put_optional(F_HOST_EFER, host.efer);
    vmcs_put_optional(F_HOST_PERF_GLOBAL_CTRL, 0);
}

static inline void vmm_ept(void)
{
    uint64_t *tables = fake_ram(EPT_TABLES, 4 * 4096);
    memset(tables, 0, 4 * 4096);
    tables[0] = (EPT_TABLES + 0x1000) | 7;
    tables[512] = (EPT_TABLES + 0x2000) | 7;
    tables[1024] = (EPT_TABLES + 0x3000) | 7;
    for (uint64_t i = 0; i < 512; i++) {
        tables[1536 + i] = i << 12 | 6 << 3 | 7;
        tables[1024 + i] = i == 0 ? tables[1024] : i << 21 | 0x80 | 6 << 3 | 7;
    }
}

static inline void vmm_controls(void)
{
    uint32_t secondary = 0;
    uint32_t wanted = SECONDARY_EPT | SECONDARY_VPID | SECONDARY_UNRESTRICTED;
    uint32_t primary =
        controls_fit(0x482, 0x48e, PRIMARY_MSR_BITMAPS | PRIMARY_SECONDARY | PRIMARY_IO_BITMAPS);
    uint32_t required = 0x401e172; /* CR3 and INVLPG exiting are not wanted where they can be 0 */
    bool has_true = hw_rdmsr(0x480) & (1ULL << 55);
    primary = has_true ? (primary & ~(required & ~(uint32_t)hw_rdmsr(0x48e))) : primary;
    if (primary & PRIMARY_SECONDARY) {
        uint64_t capability = hw_rdmsr(0x48b);
        secondary = (uint32_t)(wanted & (capability >> 32));
        vmcs_put(F_SECONDARY_CONTROLS, secondary);
    }
    vmcs_put(F_PIN_CONTROLS, controls_fit(0x481, 0x48d, PIN_NMI | PIN_VIRTUAL_NMI));
    vmcs_put(F_PRIMARY_CONTROLS, primary);
    vmcs_put(F_EXIT_CONTROLS, controls_fit(0x483, 0x48f,
                                           EXIT_HOST_64 | EXIT_LOAD_EFER | EXIT_SAVE_EFER |
                                               EXIT_LOAD_PAT | EXIT_SAVE_PAT));
    vmcs_put(F_ENTRY_CONTROLS, controls_fit(0x484, 0x490, ENTRY_LOAD_EFER | ENTRY_LOAD_PAT));
    static const uint32_t zero[] = {
        F_TSC_OFFSET,
        F_EXCEPTION_BITMAP,
        F_PAGE_FAULT_MASK,
        F_PAGE_FAULT_MATCH,
        F_CR3_TARGET_COUNT,
        F_EXIT_MSR_STORE_COUNT,
        F_EXIT_MSR_LOAD_COUNT,
        F_ENTRY_MSR_LOAD_COUNT,
        F_ENTRY_INTERRUPTION,
        F_CR0_MASK,
        F_CR4_MASK,
        F_CR0_SHADOW,
        F_CR4_SHADOW,
        F_TPR_THRESHOLD,
    };
    for (size_t i = 0; i < sizeof zero / sizeof zero[0]; i++) {
        vmcs_put(zero[i], 0);
    }
    vmcs_put(F_MSR_BITMAPS, MSR_BITMAP);
    vmcs_put(F_IO_BITMAP_A, IO_BITMAP);
    vmcs_put(F_IO_BITMAP_B, IO_BITMAP + 0x1000);
    vmcs_put_optional(F_VPID, 1 + hw_this_cpu());
    vmcs_put_optional(F_EPT_POINTER, EPT_POINTER);
}

static inline void vmm_segment(uint32_t index, uint64_t selector, uint64_t base, uint64_t limit,
                               uint32_t rights)
{
    vmcs_put(F_GUEST_ES_SELECTOR + 2 * index, selector);
    vmcs_put(F_GUEST_ES_BASE + 2 * index, base);
    vmcs_put(F_GUEST_ES_LIMIT + 2 * index, limit);
    vmcs_put(F_GUEST_ES_RIGHTS + 2 * index, rights);
}

static inline void vmm_guest_state(bool real_mode)
{
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t rights = i == 1 ? 0x9b : 0x93;
        vmm_segment(i, real_mode ? 0 : (i == 1 ? 8 : 16), 0, real_mode ? 0xffff : 0xffffffff,
                    real_mode ? rights : rights | 0xc000);
    }
    vmm_segment(6, 0, 0, 0xffff, 0x10000);
    vmm_segment(7, 0, 0, 0xffff, 0x8b);
    uint64_t fixed0 = hw_rdmsr(0x486);
    vmcs_put(F_GUEST_CR0, real_mode ? fixed0 & ~0x80000001ULL : fixed0 | 0x80000001);
    vmcs_put(F_GUEST_CR4, hw_rdmsr(0x488));
    vmcs_put(F_GUEST_RFLAGS, 2);
    vmcs_put(F_GUEST_RIP, 0x7c00);
    vmcs_put(F_GUEST_DR7, 0x400);
    vmcs_put(F_GUEST_GDTR_LIMIT, 0xffff);
    vmcs_put(F_GUEST_IDTR_LIMIT, 0xffff);
    vmcs_put(F_VMCS_LINK_POINTER, ~0ULL);
    vmcs_put_optional(F_GUEST_PAT, 0x0007040600070406);
    vmcs_put_optional(F_GUEST_EFER, 0);
    static const uint32_t zero[] = {
        F_GUEST_CR3,          F_GUEST_RSP,          F_GUEST_GDTR_BASE, F_GUEST_IDTR_BASE,
        F_INTERRUPTIBILITY,   F_ACTIVITY,           F_PENDING_DEBUG,   F_GUEST_SYSENTER_CS,
        F_GUEST_SYSENTER_ESP, F_GUEST_SYSENTER_EIP, F_GUEST_DEBUGCTL,
    };
    for (size_t i = 0; i < sizeof zero / sizeof zero[0]; i++) {
        vmcs_put(zero[i], 0);
    }
}

/* All of it on the calling CPU; the next entry would succeed. */
static inline void vmm_prepare(void)
{
    vmm_on();
    vmm_host_state();
    vmm_ept();
    memset(fake_ram(MSR_BITMAP, 4096), 0, 4096);
    memset(fake_ram(IO_BITMAP, 8192), 0, 8192);
    vmm_controls();
    bool unrestricted = (fake_field(hw_this_cpu(), F_PRIMARY_CONTROLS) & PRIMARY_SECONDARY) &&
                        (fake_field(hw_this_cpu(), F_SECONDARY_CONTROLS) & SECONDARY_UNRESTRICTED);
    vmm_guest_state(unrestricted);
}

static inline uint32_t vmm_enter(struct hw_gprs *gprs)
{
    bool launched = fake_vmcs_launched(vmcs_of(hw_this_cpu()));
    assert_int_equal(hw_vmx_enter(gprs, launched), HW_VMX_OK);
    return (uint32_t)vmcs_value(F_EXIT_REASON);
}

static inline int vmm_setup(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    return 0;
}

#endif
