/* CPUID: a table of leaves, with the parts that follow the CPU's state computed. */
#include "internal.h"

static struct cpuid_entry *find(uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < fake_m.cpuid_count; i++) {
        if (fake_m.cpuid[i].leaf == leaf && fake_m.cpuid[i].subleaf == subleaf) {
            return &fake_m.cpuid[i];
        }
    }
    return NULL;
}

void fake_cpuid_set(uint32_t leaf, uint32_t subleaf, enum fake_reg reg, uint32_t value)
{
    struct cpuid_entry *entry = find(leaf, subleaf);
    if (!entry) {
        if (fake_m.cpuid_count == CPUID_MAX) {
            fake_misuse("more than %d CPUID leaves", CPUID_MAX);
        }
        entry = &fake_m.cpuid[fake_m.cpuid_count++];
        *entry = (struct cpuid_entry){.leaf = leaf, .subleaf = subleaf};
    }
    entry->reg[reg] = value;
    fake_m.maxphyaddr = fake_cpuid_get(0x80000008, 0, FAKE_EAX) & 0xff;
}

uint32_t fake_cpuid_get(uint32_t leaf, uint32_t subleaf, enum fake_reg reg)
{
    const struct cpuid_entry *entry = find(leaf, subleaf);
    return entry ? entry->reg[reg] : 0;
}

void fake_cpuid_clear_bits(uint32_t leaf, uint32_t subleaf, enum fake_reg reg, uint32_t bits)
{
    fake_cpuid_set(leaf, subleaf, reg, fake_cpuid_get(leaf, subleaf, reg) & ~bits);
}

void fake_cpuid_set_bits(uint32_t leaf, uint32_t subleaf, enum fake_reg reg, uint32_t bits)
{
    fake_cpuid_set(leaf, subleaf, reg, fake_cpuid_get(leaf, subleaf, reg) | bits);
}

void fake_maxphyaddr_set(unsigned bits)
{
    uint32_t eax = fake_cpuid_get(0x80000008, 0, FAKE_EAX);
    fake_cpuid_set(0x80000008, 0, FAKE_EAX, (eax & ~0xffu) | bits);
}

unsigned fake_maxphyaddr(void)
{
    return fake_m.maxphyaddr;
}

bool fake_is_physical(uint64_t address, uint64_t alignment)
{
    return addr_is_aligned(address, alignment) && (address >> fake_maxphyaddr()) == 0;
}

bool fake_is_canonical(uint64_t address)
{
    int64_t extended = (int64_t)(address << 16) >> 16;
    return (uint64_t)extended == address;
}

struct hw_cpuid fake_cpuid_of(struct fake_cpu *cpu, uint64_t cr4, uint32_t leaf, uint32_t subleaf)
{
    uint32_t base = leaf >= 0x80000000u ? 0x80000000u : 0;
    if (leaf > fake_cpuid_get(base, 0, FAKE_EAX)) {
        /* Beyond the highest leaf the highest basic one answers (SDM vol. 2, CPUID). */
        leaf = fake_cpuid_get(0, 0, FAKE_EAX);
    }
    const struct cpuid_entry *entry = find(leaf, subleaf);
    bool has_subleaves = leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x14;
    if (!entry && !has_subleaves) {
        entry = find(leaf, 0);
    }
    struct hw_cpuid result = {0, 0, 0, 0};
    if (entry) {
        result = (struct hw_cpuid){entry->reg[0], entry->reg[1], entry->reg[2], entry->reg[3]};
    }
    if (leaf == 1) {
        result.ebx = (result.ebx & 0xffffff) | (cpu->apic_id & 0xff) << 24;
        result.ecx |= cr4 & CR4_OSXSAVE ? 1u << 27 : 0;
        if (!(fake_msr_raw(cpu, MSR_APIC_BASE) & BIT(11))) {
            result.edx &= ~(1u << 9);
        }
    } else if (leaf == 7 && subleaf == 0) {
        result.ecx |= cr4 & CR4_PKE ? 1u << 4 : 0;
    } else if (leaf == 0xb) {
        result.ecx = (result.ecx & ~0xffu) | (subleaf & 0xff);
        result.edx = cpu->apic_id;
    }
    return result;
}

struct hw_cpuid hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
    fake_count(FAKE_CPUID);
    struct fake_cpu *cpu = fake_this();
    fake_poll(cpu);
    return fake_cpuid_of(cpu, cpu->cr4, leaf, subleaf);
}

#define RDRAND (1u << 30) /* CPUID.1:ECX */
#define RDSEED (1u << 18) /* CPUID.7:EBX */

void fake_random_stick(bool stuck, uint64_t value)
{
    fake_m.random_stuck = stuck;
    fake_m.random = value;
}

/* splitmix64: different numbers, the same in each run. */
bool hw_random(uint64_t *value)
{
    int result;
    if (fake_enter(FAKE_RANDOM, &result) || (!(fake_cpuid_get(1, 0, FAKE_ECX) & RDRAND) &&
                                             !(fake_cpuid_get(7, 0, FAKE_EBX) & RDSEED))) {
        return false;
    }
    if (!fake_m.random_stuck) {
        fake_m.random += 0x9e3779b97f4a7c15;
    }
    uint64_t mixed = fake_m.random;
    if (!fake_m.random_stuck) {
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        mixed ^= mixed >> 31;
    }
    *value = mixed;
    return true;
}
