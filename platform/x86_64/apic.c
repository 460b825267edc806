/* The local APIC in xAPIC or x2APIC mode (hw/apic.h). */
#include <hw/apic.h>

#include <base/bits.h>
#include <hw/cpu.h>
#include <hw/mem.h>

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_EXTD BIT(10)
#define MSR_X2APIC 0x800
#define ICR_DELIVERY_PENDING BIT(12)
#define ICR_POLLS 1000000

static uint64_t apic_base(void)
{
    return hw_rdmsr(MSR_APIC_BASE);
}

static struct hpa apic_page(uint64_t base)
{
    return hpa(base & bits_mask(12, 39));
}

bool hw_apic_is_x2apic(void)
{
    return apic_base() & APIC_BASE_EXTD;
}

uint32_t hw_apic_read(uint32_t reg)
{
    uint64_t base = apic_base();
    if (base & APIC_BASE_EXTD) {
        return (uint32_t)hw_rdmsr(MSR_X2APIC + reg / 16);
    }
    return hw_mmio_read32(hpa(apic_page(base).v + reg));
}

void hw_apic_write(uint32_t reg, uint32_t value)
{
    uint64_t base = apic_base();
    if (base & APIC_BASE_EXTD) {
        hw_wrmsr(MSR_X2APIC + reg / 16, value);
        return;
    }
    hw_mmio_write32(hpa(apic_page(base).v + reg), value);
}

/* The high half is the guest's too: it is put back, for the guest may be between its two writes. */
void hw_apic_send_ipi(uint64_t icr)
{
    uint64_t base = apic_base();
    if (base & APIC_BASE_EXTD) {
        hw_wrmsr(MSR_X2APIC + HW_APIC_ICR_LOW / 16, icr);
        return;
    }
    struct hpa low = hpa(apic_page(base).v + HW_APIC_ICR_LOW);
    struct hpa high = hpa(apic_page(base).v + HW_APIC_ICR_HIGH);
    for (unsigned i = 0; i < ICR_POLLS && hw_mmio_read32(low) & ICR_DELIVERY_PENDING; i++) {
        hw_pause();
    }
    uint32_t guest_high = hw_mmio_read32(high);
    hw_mmio_write32(high, (uint32_t)(icr >> 32) << 24);
    hw_mmio_write32(low, (uint32_t)icr);
    hw_mmio_write32(high, guest_high);
}

uint32_t hw_apic_id(void)
{
    uint32_t id = hw_apic_read(HW_APIC_ID);
    return hw_apic_is_x2apic() ? id : id >> 24;
}
