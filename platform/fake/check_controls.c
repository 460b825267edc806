/* SDM "Checks on VMX Controls": VM-execution, VM-exit and VM-entry control fields. */
#include "internal.h"

#define GET(field) vmcs_get(vmcs, field)

static const char *check_reserved(const struct vmcs *vmcs)
{
    static const struct {
        uint32_t field;
        enum fake_controls controls;
        const char *error;
    } rules[] = {
        {F_PIN_CONTROLS, FAKE_PIN, "pin-based controls: reserved bits"},
        {F_PRIMARY_CONTROLS, FAKE_PRIMARY, "primary controls: reserved bits"},
        {F_EXIT_CONTROLS, FAKE_EXIT, "VM-exit controls: reserved bits"},
        {F_ENTRY_CONTROLS, FAKE_ENTRY, "VM-entry controls: reserved bits"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        uint32_t value = (uint32_t)GET(rules[i].field);
        uint32_t must = vmx_allowed0(rules[i].controls), may = vmx_allowed1(rules[i].controls);
        if ((value & must) != must || (value & ~may)) {
            return rules[i].error;
        }
    }
    uint32_t secondary = vmx_secondary(vmcs);
    bool active = GET(F_PRIMARY_CONTROLS) & PRIMARY_SECONDARY;
    if (active && ((secondary & ~vmx_allowed1(FAKE_SECONDARY)) ||
                   (vmx_allowed0(FAKE_SECONDARY) & ~secondary))) {
        return "secondary controls: reserved bits";
    }
    return NULL;
}

static const char *check_ept_pointer(uint64_t ept_pointer)
{
    uint64_t capabilities = fake_msr_raw(&fake_m.cpus[0], MSR_VMX_EPT_VPID);
    uint64_t type = bits_get(ept_pointer, 0, 3);
    bool type_ok =
        (type == 0 && (capabilities & BIT(8))) || (type == 6 && (capabilities & BIT(14)));
    if (!type_ok) {
        return "EPTP: memory type";
    }
    if (bits_get(ept_pointer, 3, 3) != 3) {
        return "EPTP: page-walk length";
    }
    if ((ept_pointer & BIT(6)) && !(capabilities & BIT(21))) {
        return "EPTP: accessed and dirty flags are not supported";
    }
    if ((ept_pointer & 0xf80) || (ept_pointer >> fake_maxphyaddr())) {
        return "EPTP: reserved bits";
    }
    return NULL;
}

static const char *check_apic(const struct vmcs *vmcs)
{
    uint32_t pin = (uint32_t)GET(F_PIN_CONTROLS), primary = (uint32_t)GET(F_PRIMARY_CONTROLS);
    uint32_t secondary = vmx_secondary(vmcs);
    uint32_t virtual = SECONDARY_X2APIC | SECONDARY_APIC_REGISTERS | SECONDARY_INTERRUPT_DELIVERY;
    if (primary & PRIMARY_TPR_SHADOW) {
        if (!fake_is_physical(GET(F_VIRTUAL_APIC_ADDRESS), PAGE_BYTES)) {
            return "virtual-APIC address";
        }
        bool delivery = secondary & SECONDARY_INTERRUPT_DELIVERY;
        if (!delivery && (GET(F_TPR_THRESHOLD) & ~0xfULL)) {
            return "TPR threshold: bits 31:4";
        }
    } else if (secondary & virtual) {
        return "APIC virtualization without TPR shadow";
    }
    if (secondary & SECONDARY_APIC_ACCESSES) {
        if (!fake_is_physical(GET(F_APIC_ACCESS_ADDRESS), PAGE_BYTES)) {
            return "APIC-access address";
        }
        if (secondary & SECONDARY_X2APIC) {
            return "virtualize x2APIC mode with virtualize APIC accesses";
        }
    }
    if ((secondary & SECONDARY_INTERRUPT_DELIVERY) && !(pin & PIN_EXTERNAL_INTERRUPT)) {
        return "virtual-interrupt delivery without external-interrupt exiting";
    }
    bool posted_ok =
        (secondary & SECONDARY_INTERRUPT_DELIVERY) && (GET(F_EXIT_CONTROLS) & EXIT_ACKNOWLEDGE);
    if ((pin & PIN_POSTED) && !posted_ok) {
        return "posted interrupts without virtual-interrupt delivery and acknowledge on exit";
    }
    return NULL;
}

static const char *check_secondary(const struct vmcs *vmcs)
{
    uint32_t secondary = vmx_secondary(vmcs);
    if ((secondary & SECONDARY_VPID) && GET(F_VPID) == 0) {
        return "VPID is 0";
    }
    if (secondary & SECONDARY_EPT) {
        const char *error = check_ept_pointer(GET(F_EPT_POINTER));
        if (error) {
            return error;
        }
    } else if (secondary & (SECONDARY_UNRESTRICTED | SECONDARY_PML)) {
        return "unrestricted guest or page-modification logging without EPT";
    }
    if ((secondary & SECONDARY_PML) && !fake_is_physical(GET(F_PML_ADDRESS), PAGE_BYTES)) {
        return "PML address";
    }
    return NULL;
}

static const char *check_execution(struct fake_cpu *cpu, const struct vmcs *vmcs)
{
    uint32_t pin = (uint32_t)GET(F_PIN_CONTROLS), primary = (uint32_t)GET(F_PRIMARY_CONTROLS);
    if (GET(F_CR3_TARGET_COUNT) > bits_get(fake_msr_raw(cpu, MSR_VMX_MISC), 16, 9)) {
        return "CR3-target count";
    }
    if ((primary & PRIMARY_IO_BITMAPS) && (!fake_is_physical(GET(F_IO_BITMAP_A), PAGE_BYTES) ||
                                           !fake_is_physical(GET(F_IO_BITMAP_B), PAGE_BYTES))) {
        return "I/O-bitmap address";
    }
    if ((primary & PRIMARY_MSR_BITMAPS) && !fake_is_physical(GET(F_MSR_BITMAPS), PAGE_BYTES)) {
        return "MSR-bitmap address";
    }
    if ((pin & PIN_VIRTUAL_NMI) && !(pin & PIN_NMI)) {
        return "virtual NMIs without NMI exiting";
    }
    if ((primary & PRIMARY_NMI_WINDOW) && !(pin & PIN_VIRTUAL_NMI)) {
        return "NMI-window exiting without virtual NMIs";
    }
    const char *error = check_apic(vmcs);
    return error ? error : check_secondary(vmcs);
}

const char *check_controls(struct fake_cpu *cpu, const struct vmcs *vmcs)
{
    const char *error = check_reserved(vmcs);
    if (!error) {
        error = check_execution(cpu, vmcs);
    }
    return error ? error : check_controls_misc(vmcs);
}
