/*
 * Inter-processor interrupts: for every value that a guest can write, the set of targets names only
 * CPUs that exist, a sender that excludes itself is not in it, a physical destination reaches
 * exactly the CPU with that ID, and INIT, SIPI and NMI never go to the hardware as they are.
 *
 * sources: libsmp/icr.c
 * options: --unwind 9
 */
#include "proof.h"

#include <base/bits.h>
#include <config/config.h>
#include <smp/icr.h>

_Static_assert(CONFIG_MAX_CPUS == 8, "the loops above are unrolled for 8 CPUs");

static void any_apics(struct smp_apic apics[CONFIG_MAX_CPUS])
{
    for (unsigned i = 0; i < CONFIG_MAX_CPUS; i++) {
        apics[i] = (struct smp_apic){nondet_u32(), nondet_u32(), nondet_u32(), nondet_u32(),
                                     nondet_bool()};
    }
}

int main(void)
{
    struct smp_apic apics[CONFIG_MAX_CPUS];
    struct smp_icr icr;
    unsigned count = nondet_unsigned(), self = nondet_unsigned(), cpu = nondet_unsigned();
    uint64_t value = nondet_u64();

    proof_assume(count >= 1 && count <= CONFIG_MAX_CPUS && self < count && cpu < count);
    any_apics(apics);
    if (nondet_bool()) {
        smp_icr_decode_x2apic(&icr, value);
    } else {
        smp_icr_decode_xapic(&icr, (uint32_t)value, (uint32_t)(value >> 32));
    }

    uint64_t targets = smp_icr_targets(&icr, apics, count, self);
    proof_assert((targets & ~bits_mask(0, count)) == 0);
    if (icr.shorthand == SMP_SHORTHAND_OTHERS) {
        proof_assert((targets & BIT(self)) == 0);
    }
    if (icr.shorthand == SMP_SHORTHAND_NONE && !icr.logical && !icr.broadcast) {
        proof_assert(((targets & BIT(cpu)) != 0) == (apics[cpu].id == icr.destination));
    }
    if (icr.shorthand == SMP_SHORTHAND_NONE && icr.broadcast) {
        proof_assert(targets == bits_mask(0, count));
    }

    enum smp_ipi_action action = smp_icr_action(&icr);
    unsigned mode = (unsigned)bits_get(value, 8, 3);
    proof_assert(action != SMP_IPI_HARDWARE || (mode < SMP_DELIVERY_NMI && mode != 3));
    proof_assert(mode != SMP_DELIVERY_START_UP || action == SMP_IPI_START_UP);
    proof_assert(mode != SMP_DELIVERY_NMI || action == SMP_IPI_NMI);
    /* What the hardware gets has no reserved bit and says the same. */
    uint64_t hardware = smp_icr_hardware(&icr);
    struct smp_icr again;
    smp_icr_decode_x2apic(&again, hardware);
    proof_assert(!smp_icr_x2apic_faults(hardware));
    proof_assert(again.vector == icr.vector && again.delivery == icr.delivery &&
                 again.shorthand == icr.shorthand && again.destination == icr.destination &&
                 again.logical == icr.logical &&
                 again.assert == icr.assert &&again.level == icr.level);
    proof_reached();
    return 0;
}
