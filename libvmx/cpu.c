/* VMX operation on and off (SDM vol. 3, "Enabling and Entering VMX Operation"). */
#include <base/bits.h>
#include <base/check.h>
#include <hw/cpu.h>
#include <hw/mem.h>
#include <hw/vmx.h>
#include <vmx/cpu.h>
#include <vmx/msr.h>
#include <vmx/x86.h>

#include "region.h"

#define LEAF1_ECX_XSAVE BIT(26)
#define LEAF7_EBX_PT BIT(25)

/* The firmware's value is kept where it is locked; an open register is set and locked. */
static enum status open_feature_control(void)
{
    uint64_t value = hw_rdmsr(IA32_FEATURE_CONTROL);
    if (!(value & FEATURE_CONTROL_LOCK)) {
        hw_wrmsr(IA32_FEATURE_CONTROL,
                 value | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
        value = hw_rdmsr(IA32_FEATURE_CONTROL);
    }
    return value & FEATURE_CONTROL_VMX_OUTSIDE_SMX ? STATUS_OK : STATUS_UNSUPPORTED;
}

static void set_control_registers(const struct vmx_caps *caps)
{
    hw_write_cr0((hw_read_cr0() | caps->cr0_fixed0) & caps->cr0_fixed1);
    uint64_t cr4 = hw_read_cr4() | CR4_VMXE;
    if (caps->leaf1_ecx & LEAF1_ECX_XSAVE) {
        cr4 |= CR4_OSXSAVE;
    }
    hw_write_cr4((cr4 | caps->cr4_fixed0) & caps->cr4_fixed1);
}

/* A trace that the firmware left running writes to memory that may now be ours (REQ-MSR-8). */
static void stop_processor_trace(const struct vmx_caps *caps)
{
    if (caps->leaf7_ebx & LEAF7_EBX_PT) {
        hw_wrmsr(IA32_RTIT_CTL, 0);
    }
}

void vmx_region_prepare(const struct vmx_caps *caps, struct hpa region)
{
    CHECK(addr_is_aligned(region.v, PAGE_BYTES));
    uint32_t *words = hw_region_pointer(region, PAGE_BYTES);
    CHECK(words != NULL);
    for (unsigned i = 0; i < PAGE_BYTES / sizeof(*words); i++) {
        words[i] = 0;
    }
    words[0] = vmx_caps_revision(caps);
}

enum status vmx_cpu_enable(const struct vmx_caps *caps, struct hpa vmxon_region)
{
    enum status status = open_feature_control();
    if (status != STATUS_OK) {
        return status;
    }
    stop_processor_trace(caps);
    set_control_registers(caps);
    vmx_region_prepare(caps, vmxon_region);
    return hw_vmxon(vmxon_region) == HW_VMX_OK ? STATUS_OK : STATUS_HARDWARE;
}

enum status vmx_cpu_disable(void)
{
    if (hw_vmxoff() != HW_VMX_OK) {
        return STATUS_HARDWARE;
    }
    hw_write_cr4(hw_read_cr4() & ~CR4_VMXE);
    return STATUS_OK;
}
