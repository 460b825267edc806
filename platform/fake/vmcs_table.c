/*
 * Which VMCS fields exist (SDM appendix "Field Encoding in VMCS" with its footnotes): a field of an
 * optional feature exists only on CPUs that have the control for it.
 */
#include "internal.h"

struct field_range {
    uint16_t first, last; /* encodings, steps of 2 */
    enum { ALWAYS, PIN, PRIMARY, SECONDARY, EXIT, ENTRY, ENTRY_OR_EXIT } need;
    uint32_t bits; /* any of these control bits can be 1 */
};

static const struct field_range ranges[] = {
    {F_VPID, F_VPID, SECONDARY, SECONDARY_VPID},
    {0x0002, 0x0002, PIN, PIN_POSTED},
    {0x0004, 0x0004, SECONDARY, SECONDARY_EPT_VE},
    {F_GUEST_ES_SELECTOR, F_GUEST_TR_SELECTOR, ALWAYS, 0},
    {0x0810, 0x0810, SECONDARY, SECONDARY_INTERRUPT_DELIVERY},
    {0x0812, 0x0812, SECONDARY, SECONDARY_PML},
    {F_HOST_ES_SELECTOR, F_HOST_TR_SELECTOR, ALWAYS, 0},
    {F_IO_BITMAP_A, F_IO_BITMAP_B, ALWAYS, 0},
    {F_MSR_BITMAPS, F_MSR_BITMAPS, PRIMARY, PRIMARY_MSR_BITMAPS},
    {F_EXIT_MSR_STORE_ADDRESS, 0x200c, ALWAYS, 0}, /* to the executive-VMCS pointer */
    {F_PML_ADDRESS, F_PML_ADDRESS, SECONDARY, SECONDARY_PML},
    {F_TSC_OFFSET, F_TSC_OFFSET, ALWAYS, 0},
    {F_VIRTUAL_APIC_ADDRESS, F_VIRTUAL_APIC_ADDRESS, PRIMARY, PRIMARY_TPR_SHADOW},
    {F_APIC_ACCESS_ADDRESS, F_APIC_ACCESS_ADDRESS, SECONDARY, SECONDARY_APIC_ACCESSES},
    {F_POSTED_DESCRIPTOR, F_POSTED_DESCRIPTOR, PIN, PIN_POSTED},
    {0x2018, 0x2018, SECONDARY, SECONDARY_VMFUNC},
    {F_EPT_POINTER, F_EPT_POINTER, SECONDARY, SECONDARY_EPT},
    {0x201c, 0x2022, SECONDARY, SECONDARY_INTERRUPT_DELIVERY},
    {0x2024, 0x2024, SECONDARY, SECONDARY_VMFUNC},
    {0x2026, 0x2028, SECONDARY, 1u << 14},
    {0x202a, 0x202a, SECONDARY, SECONDARY_EPT_VE},
    {F_XSS_EXITING_BITMAP, F_XSS_EXITING_BITMAP, SECONDARY, SECONDARY_XSAVES},
    {0x2032, 0x2032, SECONDARY, 1u << 25},
    {F_GUEST_PHYSICAL_ADDRESS, F_GUEST_PHYSICAL_ADDRESS, SECONDARY, SECONDARY_EPT},
    {F_VMCS_LINK_POINTER, F_GUEST_DEBUGCTL, ALWAYS, 0},
    {F_GUEST_PAT, F_GUEST_PAT, ENTRY_OR_EXIT, ENTRY_LOAD_PAT},
    {F_GUEST_EFER, F_GUEST_EFER, ENTRY_OR_EXIT, ENTRY_LOAD_EFER},
    {F_GUEST_PERF_GLOBAL_CTRL, F_GUEST_PERF_GLOBAL_CTRL, ENTRY, ENTRY_LOAD_PERF},
    {F_GUEST_PDPTE0, F_GUEST_PDPTE0 + 6, SECONDARY, SECONDARY_EPT},
    {F_GUEST_BNDCFGS, F_GUEST_BNDCFGS, ENTRY, ENTRY_LOAD_BNDCFGS},
    {F_HOST_PAT, F_HOST_PAT, EXIT, EXIT_LOAD_PAT},
    {F_HOST_EFER, F_HOST_EFER, EXIT, EXIT_LOAD_EFER},
    {F_HOST_PERF_GLOBAL_CTRL, F_HOST_PERF_GLOBAL_CTRL, EXIT, EXIT_LOAD_PERF},
    {F_PIN_CONTROLS, F_ENTRY_INSTRUCTION_LENGTH, ALWAYS, 0},
    {F_TPR_THRESHOLD, F_TPR_THRESHOLD, PRIMARY, PRIMARY_TPR_SHADOW},
    {F_SECONDARY_CONTROLS, F_SECONDARY_CONTROLS, PRIMARY, PRIMARY_SECONDARY},
    {0x4020, 0x4022, SECONDARY, 1u << 10},
    {F_INSTRUCTION_ERROR, F_INSTRUCTION_INFORMATION, ALWAYS, 0},
    {F_GUEST_ES_LIMIT, F_GUEST_SYSENTER_CS, ALWAYS, 0},
    {F_PREEMPTION_TIMER, F_PREEMPTION_TIMER, PIN, PIN_PREEMPTION_TIMER},
    {F_HOST_SYSENTER_CS, F_HOST_SYSENTER_CS, ALWAYS, 0},
    {F_CR0_MASK, 0x600e, ALWAYS, 0},
    {F_QUALIFICATION, F_GUEST_LINEAR_ADDRESS, ALWAYS, 0},
    {F_GUEST_CR0, F_GUEST_SYSENTER_EIP, ALWAYS, 0},
    {F_HOST_CR0, F_HOST_RIP, ALWAYS, 0},
};

unsigned vmcs_width(uint32_t field)
{
    static const unsigned bytes[] = {2, 8, 4, 8};
    return bytes[bits_get(field, 13, 2)];
}

unsigned vmcs_slot(uint32_t field)
{
    return (unsigned)(bits_get(field, 13, 2) << 8 | bits_get(field, 10, 2) << 6 |
                      bits_get(field, 1, 6));
}

static bool is_available(const struct field_range *range)
{
    switch (range->need) {
    case PIN:
        return vmx_allowed1(FAKE_PIN) & range->bits;
    case PRIMARY:
        return vmx_allowed1(FAKE_PRIMARY) & range->bits;
    case SECONDARY:
        return (vmx_allowed1(FAKE_PRIMARY) & PRIMARY_SECONDARY) &&
               (vmx_allowed1(FAKE_SECONDARY) & range->bits);
    case EXIT:
        return vmx_allowed1(FAKE_EXIT) & range->bits;
    case ENTRY:
        return vmx_allowed1(FAKE_ENTRY) & range->bits;
    case ENTRY_OR_EXIT: {
        uint32_t save = range->bits == ENTRY_LOAD_PAT ? EXIT_SAVE_PAT : EXIT_SAVE_EFER;
        return (vmx_allowed1(FAKE_ENTRY) & range->bits) || (vmx_allowed1(FAKE_EXIT) & save);
    }
    default:
        return true;
    }
}

bool vmcs_field_exists(uint32_t field)
{
    bool is_high = field & 1;
    if (field >> 15 || (is_high && bits_get(field, 13, 2) != 1)) {
        return false;
    }
    uint32_t full = field & ~1u;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (full >= ranges[i].first && full <= ranges[i].last) {
            return is_available(&ranges[i]);
        }
    }
    return false;
}

bool fake_field_exists(uint32_t field)
{
    return vmcs_field_exists(field);
}

uint64_t vmcs_get(const struct vmcs *vmcs, uint32_t field)
{
    uint64_t value = vmcs->value[vmcs_slot(field)];
    return field & 1 ? value >> 32 : value;
}

void vmcs_set(struct vmcs *vmcs, uint32_t field, uint64_t value)
{
    uint64_t *slot = &vmcs->value[vmcs_slot(field)];
    if (field & 1) {
        *slot = (*slot & 0xffffffff) | value << 32;
    } else {
        *slot = value & bits_mask(0, 8 * vmcs_width(field));
    }
}

uint32_t vmx_secondary(const struct vmcs *vmcs)
{
    bool active = vmcs_get(vmcs, F_PRIMARY_CONTROLS) & PRIMARY_SECONDARY;
    return active ? (uint32_t)vmcs_get(vmcs, F_SECONDARY_CONTROLS) : 0;
}
