/* Local APICs: registers in both modes, and which CPUs an IPI reaches. */
#include "internal.h"

#include <string.h>

#define ICR_VECTOR 0xffu
#define ICR_LOGICAL (1u << 11)
#define ICR_LEVEL_ASSERT (1u << 14)
#define ICR_LEVEL_TRIGGER (1u << 15)

enum delivery { DELIVERY_FIXED, DELIVERY_LOWEST, DELIVERY_NMI = 4, DELIVERY_INIT, DELIVERY_SIPI };

static struct fake_ipi ipis[4096];
static size_t ipi_count;

static bool is_x2apic(const struct fake_cpu *cpu)
{
    return fake_msr_raw(cpu, MSR_APIC_BASE) & BIT(10);
}

void fake_apic_reset(struct fake_cpu *cpu)
{
    memset(cpu->apic, 0, sizeof cpu->apic);
    cpu->apic[0x03] = 0x00060015;
    cpu->apic[HW_APIC_DFR >> 4] = ~0u;
    cpu->apic[HW_APIC_SPURIOUS >> 4] = 0xff;
    cpu->apic[0x2f] = 0x10000;
    for (unsigned reg = 0x32; reg <= 0x37; reg++) {
        cpu->apic[reg] = 0x10000; /* LVT entries are masked */
    }
}

static uint32_t register_read(const struct fake_cpu *cpu, uint32_t reg)
{
    if (reg == HW_APIC_ID) {
        return is_x2apic(cpu) ? cpu->apic_id : cpu->apic_id << 24;
    }
    if (reg == HW_APIC_LDR && is_x2apic(cpu)) {
        return (cpu->apic_id >> 4) << 16 | 1u << (cpu->apic_id & 15);
    }
    return cpu->apic[(reg >> 4) % APIC_REGS];
}

static void register_write(struct fake_cpu *cpu, uint32_t reg, uint32_t value, bool by_guest)
{
    cpu->apic[(reg >> 4) % APIC_REGS] = value;
    if (reg == HW_APIC_ICR_LOW) {
        uint64_t destination = cpu->apic[HW_APIC_ICR_HIGH >> 4];
        destination = is_x2apic(cpu) ? destination : destination >> 24;
        fake_apic_ipi(cpu, destination << 32 | value, by_guest);
    }
}

/* Registers that exist in x2APIC mode (SDM table "x2APIC Operation Register Addresses"). */
static bool x2apic_readable(uint32_t index)
{
    return index == 0x02 || index == 0x03 || index == 0x08 || index == 0x0a || index == 0x0d ||
           index == 0x0f || (index >= 0x10 && index <= 0x28) || index == 0x2f || index == 0x30 ||
           (index >= 0x32 && index <= 0x39) || index == 0x3e;
}

static bool x2apic_writable(uint32_t index, uint64_t value)
{
    if (index == 0x0b || index == 0x28) {
        return value == 0;
    }
    if (index == 0x30) {
        return true;
    }
    return !(value >> 32) && (index == 0x08 || index == 0x0f || index == 0x2f || index == 0x3e ||
                              index == 0x3f || (index >= 0x32 && index <= 0x38));
}

bool fake_apic_msr_read(struct fake_cpu *cpu, uint32_t msr, uint64_t *value)
{
    uint32_t index = msr - MSR_X2APIC_FIRST;
    if (!is_x2apic(cpu) || !x2apic_readable(index)) {
        return false;
    }
    *value = register_read(cpu, index << 4);
    if (index == 0x30) {
        *value |= (uint64_t)cpu->apic[HW_APIC_ICR_HIGH >> 4] << 32;
    }
    return true;
}

bool fake_apic_msr_write(struct fake_cpu *cpu, uint32_t msr, uint64_t value)
{
    uint32_t index = msr - MSR_X2APIC_FIRST;
    if (!is_x2apic(cpu) || !x2apic_writable(index, value)) {
        return false;
    }
    if (index == 0x30) {
        cpu->apic[HW_APIC_ICR_HIGH >> 4] = (uint32_t)(value >> 32);
    } else if (index == 0x3f) {
        fake_send_interrupt(cpu->index, (uint8_t)value);
        return true;
    }
    register_write(cpu, index << 4, (uint32_t)value, cpu->in_guest);
    return true;
}

bool fake_is_apic_page(uint64_t address)
{
    uint64_t base = fake_msr_raw(fake_this(), MSR_APIC_BASE);
    bool mapped = (base & BIT(11)) && !(base & BIT(10));
    return mapped && addr_align_down(address, PAGE_BYTES) == addr_align_down(base, PAGE_BYTES);
}

uint32_t fake_apic_mmio(struct fake_cpu *cpu, uint64_t address, bool is_write, uint32_t value)
{
    uint32_t reg = address & 0xff0;
    if (is_write && (address & 0xf) == 0 && reg <= 0x3f0 && reg != HW_APIC_ID) {
        register_write(cpu, reg, value, cpu->in_guest);
    }
    return reg <= 0x3f0 ? register_read(cpu, reg) : 0;
}

static bool matches_logical(const struct fake_cpu *cpu, uint32_t destination)
{
    uint32_t ldr = register_read(cpu, HW_APIC_LDR);
    if (is_x2apic(cpu)) {
        return ldr >> 16 == destination >> 16 && (ldr & destination & 0xffff);
    }
    uint32_t id = ldr >> 24;
    if (cpu->apic[HW_APIC_DFR >> 4] >> 28 == 0xf) {
        return id & destination & 0xff;
    }
    bool same_cluster = id >> 4 == (destination >> 4 & 0xf) || (destination >> 4 & 0xf) == 0xf;
    return same_cluster && (id & destination & 0xf);
}

static bool is_target(const struct fake_cpu *from, const struct fake_cpu *cpu, uint64_t icr)
{
    uint32_t destination = (uint32_t)(icr >> 32);
    if (!is_x2apic(from)) {
        destination &= 0xff;
    }
    switch (bits_get(icr, 18, 2)) {
    case 1:
        return cpu == from;
    case 2:
        return true;
    case 3:
        return cpu != from;
    default:
        break;
    }
    if (destination == (is_x2apic(from) ? ~0u : 0xffu)) {
        return true;
    }
    return icr & ICR_LOGICAL ? matches_logical(cpu, destination) : cpu->apic_id == destination;
}

void fake_apic_ipi(struct fake_cpu *from, uint64_t icr, bool by_guest)
{
    fake_lock();
    if (ipi_count < sizeof ipis / sizeof ipis[0]) {
        ipis[ipi_count++] = (struct fake_ipi){from->index, icr, by_guest};
    }
    fake_unlock();
    enum delivery delivery = (enum delivery)bits_get(icr, 8, 3);
    bool is_deassert = (icr & ICR_LEVEL_TRIGGER) && !(icr & ICR_LEVEL_ASSERT);
    for (unsigned i = 0; i < fake_m.config.cpus; i++) {
        struct fake_cpu *cpu = &fake_m.cpus[i];
        if (!is_target(from, cpu, icr)) {
            continue;
        }
        if (delivery == DELIVERY_NMI) {
            fake_send_nmi(i);
        } else if (delivery == DELIVERY_INIT && !is_deassert) {
            fake_send_init(i);
        } else if (delivery == DELIVERY_SIPI) {
            fake_send_sipi(i, (uint8_t)(icr & ICR_VECTOR));
        } else if (delivery == DELIVERY_FIXED || delivery == DELIVERY_LOWEST) {
            fake_send_interrupt(i, (uint8_t)(icr & ICR_VECTOR));
        }
    }
}

size_t fake_ipi_count(void)
{
    return ipi_count;
}

const struct fake_ipi *fake_ipi_at(size_t index)
{
    return index < ipi_count ? &ipis[index] : NULL;
}

void fake_ipis_clear(void)
{
    ipi_count = 0;
}

void fake_apic_id_set(unsigned cpu, uint32_t apic_id)
{
    fake_cpu(cpu)->apic_id = apic_id;
}

uint32_t fake_apic_id(unsigned cpu)
{
    return fake_cpu(cpu)->apic_id;
}

uint32_t fake_apic_get(unsigned cpu, uint32_t reg)
{
    return register_read(fake_cpu(cpu), reg);
}

void fake_apic_set(unsigned cpu, uint32_t reg, uint32_t value)
{
    fake_cpu(cpu)->apic[(reg >> 4) % APIC_REGS] = value;
}

bool hw_apic_is_x2apic(void)
{
    return is_x2apic(fake_this());
}

uint32_t hw_apic_read(uint32_t reg)
{
    fake_count(FAKE_APIC_READ);
    struct fake_cpu *cpu = fake_this();
    if (is_x2apic(cpu) && !x2apic_readable(reg >> 4)) {
        fake_trap("#GP: x2APIC register %#x cannot be read", reg);
    }
    return register_read(cpu, reg);
}

void hw_apic_write(uint32_t reg, uint32_t value)
{
    fake_count(FAKE_APIC_WRITE);
    struct fake_cpu *cpu = fake_this();
    if (is_x2apic(cpu) && !x2apic_writable(reg >> 4, value)) {
        fake_trap("#GP: x2APIC register %#x cannot be written with %#x", reg, value);
    }
    register_write(cpu, reg, value, false);
}

void hw_apic_send_ipi(uint64_t icr)
{
    fake_count(FAKE_APIC_SEND_IPI);
    struct fake_cpu *cpu = fake_this();
    fake_apic_ipi(cpu, icr, false);
    fake_poll(cpu);
}

uint32_t hw_apic_id(void)
{
    return fake_this()->apic_id;
}
