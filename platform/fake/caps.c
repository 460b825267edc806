/* VMX capability MSRs: what a control may be, and taking capabilities away. */
#include "internal.h"

static uint32_t msr_of(enum fake_controls controls, bool is_true)
{
    static const uint32_t old_msr[] = {0x481, 0x482, 0x48b, 0x483, 0x484};
    static const uint32_t true_msr[] = {0x48d, 0x48e, 0x48b, 0x48f, 0x490};
    return is_true ? true_msr[controls] : old_msr[controls];
}

/* The value that holds: the "true" one where IA32_VMX_BASIC[55] says that it exists. */
static uint64_t capability(enum fake_controls controls)
{
    const struct fake_cpu *cpu = &fake_m.cpus[0];
    bool has_true = fake_msr_raw(cpu, MSR_VMX_BASIC) & BIT(55);
    return fake_msr_raw(cpu, msr_of(controls, has_true));
}

uint32_t vmx_allowed0(enum fake_controls controls)
{
    return (uint32_t)capability(controls);
}

uint32_t vmx_allowed1(enum fake_controls controls)
{
    return (uint32_t)(capability(controls) >> 32);
}

static void change(enum fake_controls controls, uint64_t clear, uint64_t set)
{
    for (unsigned i = 0; i < 2; i++) {
        uint32_t msr = msr_of(controls, i == 1);
        if (fake_msr_exists(msr)) {
            uint64_t value = fake_m.msrs[fake_msr_slot(msr)].initial;
            fake_msr_define(msr, (value & ~clear) | set, 0, true);
        }
    }
}

void fake_vmx_deny(enum fake_controls controls, uint32_t bits)
{
    change(controls, (uint64_t)bits << 32 | bits, 0);
}

void fake_vmx_force(enum fake_controls controls, uint32_t bits)
{
    change(controls, 0, (uint64_t)bits << 32 | bits);
}

void fake_vmx_ept_vpid_clear(uint64_t bits)
{
    int slot = fake_msr_slot(MSR_VMX_EPT_VPID);
    if (slot >= 0) {
        fake_msr_define(MSR_VMX_EPT_VPID, fake_m.msrs[slot].initial & ~bits, 0, true);
    }
}

void fake_vmx_no_true_controls(void)
{
    uint64_t basic = fake_m.msrs[fake_msr_slot(MSR_VMX_BASIC)].initial;
    fake_msr_define(MSR_VMX_BASIC, basic & ~BIT(55), 0, true);
    for (uint32_t msr = 0x48d; msr <= 0x490; msr++) {
        fake_msr_remove(msr);
    }
}
