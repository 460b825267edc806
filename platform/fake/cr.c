/* Control registers, XCR0 and the state of a CPU after reset, INIT and the platform's start. */
#include "internal.h"

#include <string.h>

#define CR0_DEFINED (0x3fULL | BIT(16) | BIT(18) | CR0_NW | CR0_CD | CR0_PG)

uint64_t fake_cr4_supported(void)
{
    static const struct {
        uint32_t leaf;
        enum fake_reg reg;
        uint32_t feature;
        uint64_t bits;
    } rules[] = {
        {1, FAKE_EDX, 1u << 1, 0x3},        {1, FAKE_EDX, 1u << 4, BIT(2)},
        {1, FAKE_EDX, 1u << 2, BIT(3)},     {1, FAKE_EDX, 1u << 3, CR4_PSE},
        {1, FAKE_EDX, 1u << 6, CR4_PAE},    {1, FAKE_EDX, 1u << 7, BIT(6)},
        {1, FAKE_EDX, 1u << 13, CR4_PGE},   {1, FAKE_EDX, 1u << 24, 0x600},
        {1, FAKE_ECX, 1u << 5, CR4_VMXE},   {1, FAKE_ECX, 1u << 6, BIT(14)},
        {1, FAKE_ECX, 1u << 17, CR4_PCIDE}, {1, FAKE_ECX, 1u << 26, CR4_OSXSAVE},
        {7, FAKE_EBX, 1u << 0, BIT(16)},    {7, FAKE_EBX, 1u << 7, CR4_SMEP},
        {7, FAKE_EBX, 1u << 20, CR4_SMAP},  {7, FAKE_ECX, 1u << 3, CR4_PKE},
        {7, FAKE_ECX, 1u << 2, BIT(11)},    {7, FAKE_ECX, 1u << 16, BIT(12)},
    };
    uint64_t bits = BIT(8); /* PCE: no feature flag of its own */
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (fake_cpuid_get(rules[i].leaf, 0, rules[i].reg) & rules[i].feature) {
            bits |= rules[i].bits;
        }
    }
    return bits;
}

const char *fake_cr0_error(uint64_t cr0)
{
    if (cr0 >> 32) {
        return "CR0[63:32] is reserved";
    }
    if ((cr0 & CR0_PG) && !(cr0 & CR0_PE)) {
        return "CR0.PG without CR0.PE";
    }
    if ((cr0 & CR0_NW) && !(cr0 & CR0_CD)) {
        return "CR0.NW without CR0.CD";
    }
    return NULL;
}

const char *fake_cr4_error(uint64_t cr4)
{
    return cr4 & ~fake_cr4_supported() ? "CR4 has a bit that the CPU does not have" : NULL;
}

bool fake_cr_vmx_fixed(unsigned cr, uint64_t value, uint64_t exempt)
{
    uint32_t base = cr == 0 ? MSR_VMX_CR0_FIXED0 : MSR_VMX_CR4_FIXED0;
    uint64_t fixed0 = fake_msr_raw(&fake_m.cpus[0], base) & ~exempt;
    uint64_t fixed1 = fake_msr_raw(&fake_m.cpus[0], base + 1) | exempt;
    return (value & fixed0) == fixed0 && !(value & ~fixed1);
}

void fake_cpu_reset_state(struct fake_cpu *cpu, bool power_on)
{
    uint64_t apic_base = fake_msr_raw(cpu, MSR_APIC_BASE);
    cpu->cr0 = CR0_CD | CR0_NW | CR0_ET;
    cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->cr8 = 0;
    if (power_on) {
        for (unsigned i = 0; i < fake_m.msr_count; i++) {
            cpu->msr[i] = fake_m.msrs[i].initial;
        }
        cpu->xcr0 = 1;
        fake_vector_reset(cpu);
        memset(cpu->dr, 0, sizeof cpu->dr);
        apic_base = APIC_PAGE | BIT(11) | (fake_m.config.x2apic ? BIT(10) : 0);
        if (cpu->index == 0) {
            apic_base |= BIT(8); /* BSP */
        }
    }
    fake_msr_raw_set(cpu, MSR_APIC_BASE, apic_base);
    fake_msr_raw_set(cpu, MSR_EFER, 0);
}

void fake_cpu_long_mode(struct fake_cpu *cpu)
{
    cpu->cr0 = CR0_PE | CR0_ET | CR0_WP | CR0_PG;
    cpu->cr3 = 0x1000;
    cpu->cr4 = CR4_PAE;
    fake_msr_raw_set(cpu, MSR_EFER, EFER_LME | EFER_LMA | EFER_NXE);
}

uint64_t fake_cr_get(unsigned index, unsigned cr)
{
    const struct fake_cpu *cpu = fake_cpu(index);
    switch (cr) {
    case 0:
        return cpu->cr0;
    case 2:
        return cpu->cr2;
    case 3:
        return cpu->cr3;
    case 4:
        return cpu->cr4;
    case 8:
        return cpu->cr8;
    default:
        fake_misuse("CR%u does not exist", cr);
    }
}

void fake_cr_set(unsigned index, unsigned cr, uint64_t value)
{
    struct fake_cpu *cpu = fake_cpu(index);
    switch (cr) {
    case 0:
        cpu->cr0 = value;
        break;
    case 2:
        cpu->cr2 = value;
        break;
    case 3:
        cpu->cr3 = value;
        break;
    case 4:
        cpu->cr4 = value;
        break;
    case 8:
        cpu->cr8 = value;
        break;
    default:
        fake_misuse("CR%u does not exist", cr);
    }
}

uint64_t fake_xcr0(unsigned cpu)
{
    return fake_cpu(cpu)->xcr0;
}

bool fake_cpu_xsetbv(struct fake_cpu *cpu, uint32_t index, uint64_t value)
{
    uint64_t supported =
        (uint64_t)fake_cpuid_get(0xd, 0, FAKE_EDX) << 32 | fake_cpuid_get(0xd, 0, FAKE_EAX);
    bool avx = value & BIT(2), avx512 = value & 0xe0, mpx = value & 0x18;
    if (index != 0 || !(value & 1) || (value & ~supported) || (avx && !(value & BIT(1))) ||
        (avx512 && ((value & 0xe0) != 0xe0 || !avx)) || (mpx && (value & 0x18) != 0x18)) {
        return false;
    }
    cpu->xcr0 = value;
    return true;
}

bool hw_xsetbv_safe(uint32_t index, uint64_t value)
{
    int result;
    if (fake_enter(FAKE_XSETBV_SAFE, &result)) {
        return false;
    }
    struct fake_cpu *cpu = fake_this();
    if (!(cpu->cr4 & CR4_OSXSAVE)) {
        fake_trap("#UD: XSETBV with CR4.OSXSAVE clear");
    }
    return fake_cpu_xsetbv(cpu, index, value);
}

static uint64_t cr_read(unsigned cr)
{
    fake_count(FAKE_READ_CR);
    return fake_cr_get(fake_this()->index, cr);
}

uint64_t hw_read_cr0(void)
{
    return cr_read(0);
}

uint64_t hw_read_cr2(void)
{
    return cr_read(2);
}

uint64_t hw_read_cr3(void)
{
    return cr_read(3);
}

uint64_t hw_read_cr4(void)
{
    return cr_read(4);
}

void hw_write_cr0(uint64_t value)
{
    fake_count(FAKE_WRITE_CR);
    struct fake_cpu *cpu = fake_this();
    const char *error = fake_cr0_error(value);
    if (error) {
        fake_trap("#GP: MOV to CR0: %s", error);
    }
    if (!(value & CR0_PG)) {
        fake_trap("#GP: paging cannot be turned off in 64-bit mode");
    }
    value = (value & CR0_DEFINED) | CR0_ET;
    if (cpu->vmxon && !fake_cr_vmx_fixed(0, value, 0)) {
        fake_trap("#GP: MOV to CR0: a bit that VMX operation fixes");
    }
    cpu->cr0 = value;
}

void hw_write_cr2(uint64_t value)
{
    fake_count(FAKE_WRITE_CR);
    fake_this()->cr2 = value;
}

void hw_write_cr4(uint64_t value)
{
    fake_count(FAKE_WRITE_CR);
    struct fake_cpu *cpu = fake_this();
    const char *error = fake_cr4_error(value);
    if (error) {
        fake_trap("#GP: MOV to CR4: %s", error);
    }
    if (!(value & CR4_PAE)) {
        fake_trap("#GP: CR4.PAE cannot be cleared in 64-bit mode");
    }
    if (cpu->vmxon && !fake_cr_vmx_fixed(4, value, 0)) {
        fake_trap("#GP: MOV to CR4: a bit that VMX operation fixes");
    }
    cpu->cr4 = value;
}

void hw_write_dr(unsigned index, uint64_t value)
{
    struct fake_cpu *cpu = fake_this();
    CHECK(index < 4 || index == 6);
    fake_poll(cpu);
    cpu->dr[index] = value;
}

void hw_wbinvd(void)
{
    fake_count(FAKE_WBINVD);
    fake_poll(fake_this());
}

void hw_host_state(struct hw_host_state *state)
{
    const struct fake_cpu *cpu = fake_this();
    uint64_t own = 0xffffffff80200000ULL + cpu->index * 0x10000ULL;
    *state = (struct hw_host_state){
        .cr0 = cpu->cr0,
        .cr3 = cpu->cr3,
        .cr4 = cpu->cr4,
        .rip = FAKE_HOST_RIP,
        .efer = fake_msr_raw(cpu, MSR_EFER),
        .pat = fake_msr_raw(cpu, MSR_PAT),
        .gs_base = own,
        .tr_base = own + 0x1000,
        .gdtr_base = own + 0x2000,
        .idtr_base = 0xffffffff80300000ULL,
        .cs = 0x08,
        .ss = 0x10,
        .ds = 0x10,
        .es = 0x10,
        .tr = 0x18,
    };
}
