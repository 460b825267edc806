/*
 * Inter-processor interrupts that the guest sends: what a value of the interrupt command register
 * means (SDM vol. 3, 11.6.1 "Interrupt Command Register (ICR)", 11.12.9 "ICR Operation in x2APIC
 * Mode"), which CPUs it addresses (11.6.2), and whether the hardware may have it.
 *
 * All pure.  struct smp_apic is what the caller tracks of each guest local APIC: written on its own
 * CPU, read by senders on others (each field is one aligned word, any recent value is legal).
 */
#ifndef SMP_ICR_H
#define SMP_ICR_H

#include <stdbool.h>
#include <stdint.h>

/* SDM figure "Interrupt Command Register (ICR)", delivery mode. */
enum smp_delivery {
    SMP_DELIVERY_FIXED = 0,
    SMP_DELIVERY_LOWEST_PRIORITY = 1,
    SMP_DELIVERY_SMI = 2,
    SMP_DELIVERY_RESERVED_3 = 3,
    SMP_DELIVERY_NMI = 4,
    SMP_DELIVERY_INIT = 5,
    SMP_DELIVERY_START_UP = 6,
    SMP_DELIVERY_RESERVED_7 = 7
};

enum smp_shorthand {
    SMP_SHORTHAND_NONE = 0,
    SMP_SHORTHAND_SELF = 1,
    SMP_SHORTHAND_ALL = 2,
    SMP_SHORTHAND_OTHERS = 3
};

struct smp_icr {
    uint32_t destination; /* 8 bits from an xAPIC, 32 from an x2APIC */
    uint8_t vector;
    enum smp_delivery delivery;
    enum smp_shorthand shorthand;
    bool logical;   /* destination mode */
    bool assert;    /* level */
    bool level;     /* trigger mode */
    bool broadcast; /* destination is all ones in the sender's mode */
    bool x2apic;    /* format of the sender */
};

/* One local APIC of the guest. */
struct smp_apic {
    uint32_t id;       /* APIC ID, not shifted */
    uint32_t ldr, dfr; /* xAPIC registers as written; not used in x2APIC mode */
    uint32_t icr_high; /* the guest's: the hypervisor's own IPIs overwrite the register */
    bool x2apic;
};

/* What to do with an IPI. */
enum smp_ipi_action {
    SMP_IPI_HARDWARE, /* send it as it is: smp_icr_hardware() */
    SMP_IPI_INIT,     /* post to each target, never to the hardware */
    SMP_IPI_START_UP,
    SMP_IPI_NMI,
    SMP_IPI_IGNORE /* INIT level de-assert, reserved delivery modes: nothing happens */
};

/* LDR 0, DFR all ones (SDM 11.4.7.3, state after INIT); the ID stays. */
void smp_apic_reset(struct smp_apic *apic);

void smp_icr_decode_xapic(struct smp_icr *icr, uint32_t low, uint32_t high);
void smp_icr_decode_x2apic(struct smp_icr *icr, uint64_t value);

/* Reserved bits of the x2APIC ICR are set: WRMSR gives the guest #GP(0). */
bool smp_icr_x2apic_faults(uint64_t value);

enum smp_ipi_action smp_icr_action(const struct smp_icr *icr);

/*
 * The CPUs addressed, as a mask, sent by CPU number self of count.  Shorthands that the SDM's table
 * "Valid Combinations" leaves undefined for INIT, SIPI and NMI (self, all including self) are taken
 * at their word.
 */
uint64_t smp_icr_targets(const struct smp_icr *icr, const struct smp_apic *apics, unsigned count,
                         unsigned self);

/* For hw_apic_send_ipi(): x2APIC format, reserved and read-only bits clear. */
uint64_t smp_icr_hardware(const struct smp_icr *icr);

#endif
