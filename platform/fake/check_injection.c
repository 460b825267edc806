/* SDM "VM-Exit Control Fields" and "VM-Entry Control Fields": MSR areas and event injection. */
#include "internal.h"

#define GET(field) vmcs_get(vmcs, field)

static bool area_valid(const struct vmcs *vmcs, uint32_t count_field, uint32_t address_field)
{
    uint64_t count = GET(count_field), address = GET(address_field);
    return count == 0 ||
           (fake_is_physical(address, 16) && fake_is_physical(address + count * 16 - 1, 1));
}

static bool has_error_code(uint32_t vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

static const char *check_type(uint32_t type, uint32_t vector)
{
    if (type == 1) {
        return "injection: reserved interruption type";
    }
    if (type == 7 && !(vmx_allowed1(FAKE_PRIMARY) & PRIMARY_MTF)) {
        return "injection: type 7 without monitor trap flag";
    }
    if ((type == 2 && vector != 2) || (type == 3 && vector > 31) || (type == 7 && vector != 0)) {
        return "injection: vector does not fit the type";
    }
    return NULL;
}

static const char *check_injection(const struct vmcs *vmcs)
{
    uint32_t info = (uint32_t)GET(F_ENTRY_INTERRUPTION);
    if (!(info & BIT(31))) {
        return NULL;
    }
    uint32_t vector = info & 0xff, type = (uint32_t)bits_get(info, 8, 3);
    const char *error = check_type(type, vector);
    if (error) {
        return error;
    }
    bool protected = !(vmx_secondary(vmcs) & SECONDARY_UNRESTRICTED) || (GET(F_GUEST_CR0) & CR0_PE);
    bool wants = protected && type == 3 && has_error_code(vector);
    bool delivers = info & BIT(11);
    if (wants != delivers) {
        return "injection: deliver-error-code does not fit the vector";
    }
    if (info & bits_mask(12, 31)) {
        return "injection: reserved bits";
    }
    if (delivers && GET(F_ENTRY_ERROR_CODE) >> 16) {
        return "injection: error code above 16 bits";
    }
    if (type >= 4 && type <= 6) {
        uint64_t bytes = GET(F_ENTRY_INSTRUCTION_LENGTH);
        bool zero_ok = fake_msr_raw(&fake_m.cpus[0], MSR_VMX_MISC) & BIT(30);
        if (bytes > 15 || (bytes == 0 && !zero_ok)) {
            return "injection: instruction length";
        }
    }
    return NULL;
}

const char *check_controls_misc(const struct vmcs *vmcs)
{
    uint32_t pin = (uint32_t)GET(F_PIN_CONTROLS);
    if (!(pin & PIN_PREEMPTION_TIMER) && (GET(F_EXIT_CONTROLS) & EXIT_SAVE_PREEMPTION)) {
        return "save VMX-preemption timer without the timer";
    }
    if (!area_valid(vmcs, F_EXIT_MSR_STORE_COUNT, F_EXIT_MSR_STORE_ADDRESS)) {
        return "VM-exit MSR-store address";
    }
    if (!area_valid(vmcs, F_EXIT_MSR_LOAD_COUNT, F_EXIT_MSR_LOAD_ADDRESS)) {
        return "VM-exit MSR-load address";
    }
    if (!area_valid(vmcs, F_ENTRY_MSR_LOAD_COUNT, F_ENTRY_MSR_LOAD_ADDRESS)) {
        return "VM-entry MSR-load address";
    }
    if (GET(F_ENTRY_CONTROLS) & (ENTRY_SMM | ENTRY_DUAL_MONITOR)) {
        return "entry to SMM outside SMM";
    }
    return check_injection(vmcs);
}
