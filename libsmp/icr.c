#include <smp/icr.h>

#include <base/bits.h>

/* SDM vol. 3, figures 11-12 "Interrupt Command Register (ICR)" and 11-28 (x2APIC mode). */
#define ICR_LOGICAL BIT(11)
#define ICR_ASSERT BIT(14)
#define ICR_LEVEL_TRIGGER BIT(15)
/* Bits 13, 17:16 and 31:20.  Bit 12 is ignored: it was the delivery status, and hardware lets it
 * be. */
#define X2APIC_ICR_RESERVED (BIT(13) | bits_mask(16, 18) | bits_mask(20, 32))

#define XAPIC_BROADCAST 0xff
#define X2APIC_BROADCAST 0xffffffff
#define DFR_CLUSTER 0x0
#define DFR_FLAT 0xf

void smp_apic_reset(struct smp_apic *apic)
{
    apic->ldr = 0;
    apic->dfr = 0xffffffff;
    apic->icr_high = 0;
}

static void decode_low(struct smp_icr *icr, uint32_t low)
{
    icr->vector = (uint8_t)low;
    icr->delivery = (enum smp_delivery)bits_get(low, 8, 3);
    icr->logical = (low & ICR_LOGICAL) != 0;
    icr->assert = (low & ICR_ASSERT) != 0;
    icr->level = (low & ICR_LEVEL_TRIGGER) != 0;
    icr->shorthand = (enum smp_shorthand)bits_get(low, 18, 2);
}

void smp_icr_decode_xapic(struct smp_icr *icr, uint32_t low, uint32_t high)
{
    decode_low(icr, low);
    icr->destination = high >> 24;
    icr->broadcast = icr->destination == XAPIC_BROADCAST;
    icr->x2apic = false;
}

void smp_icr_decode_x2apic(struct smp_icr *icr, uint64_t value)
{
    decode_low(icr, (uint32_t)value);
    icr->destination = (uint32_t)(value >> 32);
    icr->broadcast = icr->destination == X2APIC_BROADCAST;
    icr->x2apic = true;
}

bool smp_icr_x2apic_faults(uint64_t value)
{
    return (value & X2APIC_ICR_RESERVED) != 0;
}

enum smp_ipi_action smp_icr_action(const struct smp_icr *icr)
{
    switch (icr->delivery) {
    case SMP_DELIVERY_FIXED:
    case SMP_DELIVERY_LOWEST_PRIORITY:
    case SMP_DELIVERY_SMI:
        return SMP_IPI_HARDWARE;
    case SMP_DELIVERY_NMI:
        return SMP_IPI_NMI;
    case SMP_DELIVERY_INIT:
        /* "INIT Level De-assert" is not supported since Pentium 4: it does nothing. */
        return icr->level && !icr->assert ? SMP_IPI_IGNORE : SMP_IPI_INIT;
    case SMP_DELIVERY_START_UP:
        return SMP_IPI_START_UP;
    case SMP_DELIVERY_RESERVED_3:
    case SMP_DELIVERY_RESERVED_7:
        break;
    }
    return SMP_IPI_IGNORE;
}

/* SDM 11.12.10.2 "Deriving Logical x2APIC ID from the Local x2APIC ID". */
static uint32_t x2apic_logical_id(uint32_t id)
{
    return (uint32_t)(bits_get(id, 4, 16) << 16) | 1u << bits_get(id, 0, 4);
}

/* SDM 11.6.2.2 "Logical Destination Mode". */
static bool matches_logical(const struct smp_apic *apic, uint32_t destination)
{
    if (apic->x2apic) {
        uint32_t id = x2apic_logical_id(apic->id);
        return id >> 16 == destination >> 16 && (id & destination & 0xffff) != 0;
    }
    uint32_t id = apic->ldr >> 24;
    switch (apic->dfr >> 28) {
    case DFR_FLAT:
        return (id & destination) != 0;
    case DFR_CLUSTER:
        return id >> 4 == destination >> 4 && (id & destination & 0xf) != 0;
    default:
        return false; /* no model is defined for other values */
    }
}

static bool matches(const struct smp_icr *icr, const struct smp_apic *apic)
{
    if (icr->broadcast) {
        return true;
    }
    return icr->logical ? matches_logical(apic, icr->destination) : apic->id == icr->destination;
}

uint64_t smp_icr_targets(const struct smp_icr *icr, const struct smp_apic *apics, unsigned count,
                         unsigned self)
{
    uint64_t all = bits_mask(0, count), targets = 0;

    switch (icr->shorthand) {
    case SMP_SHORTHAND_SELF:
        return BIT(self);
    case SMP_SHORTHAND_ALL:
        return all;
    case SMP_SHORTHAND_OTHERS:
        return all & ~BIT(self);
    case SMP_SHORTHAND_NONE:
        break;
    }
    for (unsigned cpu = 0; cpu < count; cpu++) {
        if (matches(icr, &apics[cpu])) {
            targets |= BIT(cpu);
        }
    }
    return targets;
}

uint64_t smp_icr_hardware(const struct smp_icr *icr)
{
    return (uint64_t)icr->destination << 32 | (uint64_t)icr->shorthand << 18 |
           (icr->level ? ICR_LEVEL_TRIGGER : 0) | (icr->assert ? ICR_ASSERT : 0) |
           (icr->logical ? ICR_LOGICAL : 0) | (uint64_t)icr->delivery << 8 | icr->vector;
}
