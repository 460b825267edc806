/* The capability gate: one table, looked through from the top. */
#include <base/bits.h>
#include <stddef.h>
#include <vmx/caps.h>
#include <vmx/controls.h>
#include <vmx/msr.h>

#define ADVICE_CPU "run on an Intel CPU with VT-x, EPT and unrestricted guest (Westmere or newer)"
#define ADVICE_FIRMWARE "enable VT-x (\"Virtualization Technology\") in the firmware setup"
#define ADVICE_AMD "run on an Intel CPU with VT-x; AMD's SVM is not supported yet"

enum capability {
    CAP_PIN,
    CAP_PROC,
    CAP_PROC2,
    CAP_EXIT,
    CAP_ENTRY,    /* an allowed-1 bit of a control */
    CAP_PROC_OFF, /* a bit that may be 0 */
    CAP_EPT,
    CAP_MISC,
    CAP_BASIC,
    CAP_SPECIAL
};

struct need {
    enum capability capability;
    uint64_t bits;
    const char *text;
};

#define BASIC_ADDRESSES_32BIT BIT(48)
#define BASIC_TRUE_CONTROLS BIT(55)
#define BASIC_MEMORY_TYPE_SHIFT 50
#define MEMORY_TYPE_WRITE_BACK 6
#define MISC_ACTIVITY_HLT BIT(6)
#define LEAF1_ECX_VMX BIT(5)

static const struct need needs[VMX_MISSING_COUNT] = {
    [VMX_MISSING_NOTHING] = {CAP_SPECIAL, 0, "nothing is missing"},
    [VMX_MISSING_INTEL] = {CAP_SPECIAL, 0, "the CPU has SVM (AMD), not VMX (Intel)"},
    [VMX_MISSING_VMX] = {CAP_SPECIAL, 0, "the CPU has no VMX"},
    [VMX_MISSING_FIRMWARE_ENABLE] = {CAP_SPECIAL, 0, "VMX is locked off by the firmware"},
    [VMX_MISSING_TRUE_CONTROLS] = {CAP_BASIC, BASIC_TRUE_CONTROLS,
                                   "VMX has no TRUE capability MSRs"},
    [VMX_MISSING_VMCS_WRITE_BACK] = {CAP_SPECIAL, 0, "the VMCS cannot be in write-back memory"},
    [VMX_MISSING_ADDRESSES_64BIT] = {CAP_SPECIAL, 0, "VMX structures are limited to 4 GiB"},
    [VMX_MISSING_NMI_EXITING] = {CAP_PIN, PIN_NMI_EXITING, "VMX has no NMI exiting"},
    [VMX_MISSING_VIRTUAL_NMIS] = {CAP_PIN, PIN_VIRTUAL_NMIS, "VMX has no virtual NMIs"},
    [VMX_MISSING_NMI_WINDOW] = {CAP_PROC, PROC_NMI_WINDOW, "VMX has no NMI-window exiting"},
    [VMX_MISSING_INTERRUPT_WINDOW] = {CAP_PROC, PROC_INTERRUPT_WINDOW,
                                      "VMX has no interrupt-window exiting"},
    [VMX_MISSING_CR3_WITHOUT_EXIT] = {CAP_PROC_OFF, PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING,
                                      "VMX cannot let CR3 accesses through"},
    [VMX_MISSING_IO_BITMAPS] = {CAP_PROC, PROC_IO_BITMAPS, "VMX has no I/O bitmaps"},
    [VMX_MISSING_MSR_BITMAPS] = {CAP_PROC, PROC_MSR_BITMAPS, "VMX has no MSR bitmaps"},
    [VMX_MISSING_SECONDARY_CONTROLS] = {CAP_PROC, PROC_SECONDARY, "VMX has no secondary controls"},
    [VMX_MISSING_EPT] = {CAP_PROC2, PROC2_EPT, "VMX has no EPT"},
    [VMX_MISSING_UNRESTRICTED_GUEST] = {CAP_PROC2, PROC2_UNRESTRICTED_GUEST,
                                        "VMX has no unrestricted guest"},
    [VMX_MISSING_EPT_4_LEVELS] = {CAP_EPT, EPT_CAP_4_LEVELS, "EPT has no 4-level tables"},
    [VMX_MISSING_EPT_WRITE_BACK] = {CAP_EPT, EPT_CAP_WRITE_BACK, "EPT has no write-back tables"},
    [VMX_MISSING_EPT_2M] = {CAP_EPT, EPT_CAP_2M, "EPT has no 2-MiB pages"},
    [VMX_MISSING_INVEPT] = {CAP_EPT, EPT_CAP_INVEPT, "the CPU has no INVEPT"},
    [VMX_MISSING_INVEPT_SINGLE] = {CAP_EPT, EPT_CAP_INVEPT_SINGLE,
                                   "INVEPT has no single-context type"},
    [VMX_MISSING_INVEPT_ALL] = {CAP_EPT, EPT_CAP_INVEPT_ALL, "INVEPT has no all-context type"},
    [VMX_MISSING_HOST_64BIT] = {CAP_EXIT, EXIT_HOST_64BIT, "VM exits cannot enter 64-bit mode"},
    [VMX_MISSING_SAVE_DEBUG] = {CAP_EXIT, EXIT_SAVE_DEBUG, "VM exits cannot save debug controls"},
    [VMX_MISSING_SAVE_PAT] = {CAP_EXIT, EXIT_SAVE_PAT, "VM exits cannot save IA32_PAT"},
    [VMX_MISSING_EXIT_LOAD_PAT] = {CAP_EXIT, EXIT_LOAD_PAT, "VM exits cannot load IA32_PAT"},
    [VMX_MISSING_SAVE_EFER] = {CAP_EXIT, EXIT_SAVE_EFER, "VM exits cannot save IA32_EFER"},
    [VMX_MISSING_EXIT_LOAD_EFER] = {CAP_EXIT, EXIT_LOAD_EFER, "VM exits cannot load IA32_EFER"},
    [VMX_MISSING_LOAD_DEBUG] = {CAP_ENTRY, ENTRY_LOAD_DEBUG, "VM entry cannot load debug controls"},
    [VMX_MISSING_GUEST_64BIT] = {CAP_ENTRY, ENTRY_IA32E_GUEST, "VM entry cannot enter 64-bit mode"},
    [VMX_MISSING_ENTRY_LOAD_PAT] = {CAP_ENTRY, ENTRY_LOAD_PAT, "VM entry cannot load IA32_PAT"},
    [VMX_MISSING_ENTRY_LOAD_EFER] = {CAP_ENTRY, ENTRY_LOAD_EFER, "VM entry cannot load IA32_EFER"},
    [VMX_MISSING_HLT_STATE] = {CAP_MISC, MISC_ACTIVITY_HLT, "VMX has no activity state HLT"},
};

static bool has_special(const struct vmx_caps *caps, enum vmx_missing missing)
{
    const uint64_t usable = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
    switch (missing) {
    case VMX_MISSING_INTEL:
        return !caps->amd;
    case VMX_MISSING_VMX:
        return (caps->leaf1_ecx & LEAF1_ECX_VMX) != 0;
    case VMX_MISSING_FIRMWARE_ENABLE: /* what is not locked, vmx_cpu_enable() sets */
        return !(caps->feature_control & FEATURE_CONTROL_LOCK) ||
               (caps->feature_control & usable) == usable;
    case VMX_MISSING_VMCS_WRITE_BACK:
        return bits_get(caps->basic, BASIC_MEMORY_TYPE_SHIFT, 4) == MEMORY_TYPE_WRITE_BACK;
    case VMX_MISSING_ADDRESSES_64BIT:
        return !(caps->basic & BASIC_ADDRESSES_32BIT);
    default:
        return true;
    }
}

static bool has(const struct vmx_caps *caps, enum vmx_missing missing)
{
    const struct need *need = &needs[missing];
    switch (need->capability) {
    case CAP_PIN:
        return vmx_control_may_be_1(caps->pin, (uint32_t)need->bits);
    case CAP_PROC:
        return vmx_control_may_be_1(caps->proc, (uint32_t)need->bits);
    case CAP_PROC2:
        return vmx_control_may_be_1(caps->proc2, (uint32_t)need->bits);
    case CAP_EXIT:
        return vmx_control_may_be_1(caps->exit, (uint32_t)need->bits);
    case CAP_ENTRY:
        return vmx_control_may_be_1(caps->entry, (uint32_t)need->bits);
    case CAP_PROC_OFF:
        return vmx_control_may_be_0(caps->proc, (uint32_t)need->bits);
    case CAP_EPT:
        return (caps->ept_vpid & need->bits) == need->bits;
    case CAP_MISC:
        return (caps->misc & need->bits) == need->bits;
    case CAP_BASIC:
        return (caps->basic & need->bits) == need->bits;
    case CAP_SPECIAL:
        break;
    }
    return has_special(caps, missing);
}

enum vmx_missing vmx_gate(const struct vmx_caps *caps)
{
    for (unsigned missing = 1; missing < VMX_MISSING_COUNT; missing++) {
        if (!has(caps, (enum vmx_missing)missing)) {
            return (enum vmx_missing)missing;
        }
    }
    return VMX_MISSING_NOTHING;
}

const char *vmx_missing_text(enum vmx_missing missing)
{
    return (unsigned)missing < VMX_MISSING_COUNT ? needs[missing].text : "unknown";
}

const char *vmx_missing_advice(enum vmx_missing missing)
{
    switch (missing) {
    case VMX_MISSING_NOTHING:
        return "nothing to change";
    case VMX_MISSING_INTEL:
        return ADVICE_AMD;
    case VMX_MISSING_FIRMWARE_ENABLE:
        return ADVICE_FIRMWARE;
    default:
        return ADVICE_CPU;
    }
}
