/* MSRs: which exist, their values on each CPU, and the rules of a write. */
#include "internal.h"

#define HINTS 1024

/* The walkers ask for capabilities at every step: where each MSR was found last. */
static atomic_ushort hints[HINTS];

int fake_msr_slot(uint32_t msr)
{
    atomic_ushort *hint = &hints[(msr ^ msr >> 20) % HINTS];
    unsigned guess = atomic_load_explicit(hint, memory_order_relaxed);
    if (guess < fake_m.msr_count && fake_m.msrs[guess].msr == msr) {
        return (int)guess;
    }
    for (unsigned i = 0; i < fake_m.msr_count; i++) {
        if (fake_m.msrs[i].msr == msr) {
            atomic_store_explicit(hint, (unsigned short)i, memory_order_relaxed);
            return (int)i;
        }
    }
    return -1;
}

bool fake_msr_exists(uint32_t msr)
{
    return fake_msr_slot(msr) >= 0;
}

void fake_msr_define(uint32_t msr, uint64_t value, uint64_t reserved, bool read_only)
{
    int slot = fake_msr_slot(msr);
    if (slot < 0) {
        if (fake_m.msr_count == MSR_MAX) {
            fake_misuse("more than %d MSRs", MSR_MAX);
        }
        slot = (int)fake_m.msr_count++;
    }
    fake_m.msrs[slot] = (struct msr_rule){msr, value, reserved, read_only, false};
    for (unsigned i = 0; i < CONFIG_MAX_CPUS; i++) {
        fake_m.cpus[i].msr[slot] = value;
    }
}

void fake_msr_remove(uint32_t msr)
{
    int slot = fake_msr_slot(msr);
    if (slot >= 0) {
        fake_m.msrs[slot].msr = ~0u; /* its slot stays, so that the others keep theirs */
    }
}

uint64_t fake_msr_raw(const struct fake_cpu *cpu, uint32_t msr)
{
    int slot = fake_msr_slot(msr);
    return slot < 0 ? 0 : cpu->msr[slot];
}

void fake_msr_raw_set(struct fake_cpu *cpu, uint32_t msr, uint64_t value)
{
    int slot = fake_msr_slot(msr);
    if (slot >= 0) {
        cpu->msr[slot] = value;
    }
}

uint64_t fake_msr_get(unsigned cpu, uint32_t msr)
{
    if (!fake_msr_exists(msr)) {
        fake_misuse("fake_msr_get: MSR %#x does not exist", msr);
    }
    return fake_msr_raw(fake_cpu(cpu), msr);
}

void fake_msr_set(unsigned cpu, uint32_t msr, uint64_t value)
{
    if (!fake_msr_exists(msr)) {
        fake_misuse("fake_msr_set: MSR %#x does not exist", msr);
    }
    fake_msr_raw_set(fake_cpu(cpu), msr, value);
}

bool fake_pat_valid(uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        uint8_t type = (uint8_t)(value >> (8 * i));
        if (type > 7 || type == 2 || type == 3) {
            return false;
        }
    }
    return true;
}

static bool mtrr_type_valid(uint8_t type)
{
    return type == 0 || type == 1 || type == 4 || type == 5 || type == 6;
}

static bool is_canonical_msr(uint32_t msr)
{
    return msr == MSR_SYSENTER_ESP || msr == MSR_SYSENTER_EIP || msr == MSR_FS_BASE ||
           msr == MSR_GS_BASE || msr == MSR_KERNEL_GS_BASE || msr == 0xc0000082 ||
           msr == 0xc0000083 || msr == 0x600 || msr == MSR_BNDCFGS;
}

/* Rules about the value beyond reserved bits. */
static bool value_allowed(struct fake_cpu *cpu, uint32_t msr, uint64_t value)
{
    uint64_t cr0 = cpu->in_guest ? guest_field(cpu, F_GUEST_CR0) : cpu->cr0;
    uint64_t old = fake_msr_raw(cpu, msr);
    if (is_canonical_msr(msr)) {
        return fake_is_canonical(value);
    }
    if (msr == MSR_FEATURE_CONTROL) {
        return !(old & 1);
    }
    if (msr == MSR_PAT) {
        return fake_pat_valid(value);
    }
    if (msr == MSR_EFER) {
        return !((value ^ old) & EFER_LME) || !(cr0 & CR0_PG);
    }
    if (msr == 0x2ff) {
        return mtrr_type_valid((uint8_t)value);
    }
    if (msr >= 0x200 && msr <= 0x213 && !(msr & 1)) {
        return mtrr_type_valid((uint8_t)value);
    }
    if (msr == 0x250 || msr == 0x258 || msr == 0x259 || (msr >= 0x268 && msr <= 0x26f)) {
        for (unsigned i = 0; i < 8; i++) {
            if (!mtrr_type_valid((uint8_t)(value >> (8 * i)))) {
                return false;
            }
        }
    }
    return true;
}

static bool apic_base_allowed(const struct fake_cpu *cpu, uint64_t value)
{
    uint64_t old = fake_msr_raw(cpu, MSR_APIC_BASE);
    bool has_x2apic = fake_cpuid_get(1, 0, FAKE_ECX) & (1u << 21);
    bool old_on = old & BIT(11), new_on = value & BIT(11);
    bool old_x2 = old & BIT(10), new_x2 = value & BIT(10);
    if ((value & 0xff) || (value & BIT(9)) || (value >> fake_maxphyaddr()) ||
        (new_x2 && !has_x2apic)) {
        return false;
    }
    if (new_x2 && !new_on) {
        return false;
    }
    /* SDM "x2APIC State Transitions": not from off straight to x2APIC, not from x2APIC to xAPIC. */
    if (new_x2 && !old_on) {
        return false;
    }
    return !(old_x2 && !new_x2 && new_on);
}

bool fake_cpu_rdmsr(struct fake_cpu *cpu, uint32_t msr, uint64_t *value)
{
    if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST) {
        return fake_apic_msr_read(cpu, msr, value);
    }
    int slot = fake_msr_slot(msr);
    if (slot < 0 || fake_m.msrs[slot].write_only) {
        return false;
    }
    *value = msr == MSR_TSC ? fake_tsc() : cpu->msr[slot];
    return true;
}

bool fake_cpu_wrmsr(struct fake_cpu *cpu, uint32_t msr, uint64_t value)
{
    if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST) {
        return fake_apic_msr_write(cpu, msr, value);
    }
    int slot = fake_msr_slot(msr);
    if (slot < 0) {
        return false;
    }
    const struct msr_rule *rule = &fake_m.msrs[slot];
    uint64_t reserved = rule->reserved;
    if (msr == MSR_EFER) {
        reserved &= ~EFER_LMA; /* writes to it are ignored */
        value = (value & ~EFER_LMA) | (cpu->msr[slot] & EFER_LMA);
    }
    if (rule->read_only || (value & reserved) || !value_allowed(cpu, msr, value) ||
        (msr == MSR_APIC_BASE && !apic_base_allowed(cpu, value))) {
        return false;
    }
    cpu->msr[slot] = value;
    return true;
}

uint64_t hw_rdmsr(uint32_t msr)
{
    uint64_t value = 0;
    fake_count(FAKE_RDMSR);
    if (!fake_cpu_rdmsr(fake_this(), msr, &value)) {
        fake_trap("#GP: RDMSR of %#x", msr);
    }
    return value;
}

void hw_wrmsr(uint32_t msr, uint64_t value)
{
    fake_count(FAKE_WRMSR);
    if (!fake_cpu_wrmsr(fake_this(), msr, value)) {
        fake_trap("#GP: WRMSR of %#llx to %#x", (unsigned long long)value, msr);
    }
}

bool hw_rdmsr_safe(uint32_t msr, uint64_t *value)
{
    int result;
    if (fake_enter(FAKE_RDMSR_SAFE, &result)) {
        return false;
    }
    return fake_cpu_rdmsr(fake_this(), msr, value);
}

bool hw_wrmsr_safe(uint32_t msr, uint64_t value)
{
    int result;
    if (fake_enter(FAKE_WRMSR_SAFE, &result)) {
        return false;
    }
    return fake_cpu_wrmsr(fake_this(), msr, value);
}
