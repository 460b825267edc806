#include <smp/smp.h>

#include <base/check.h>
#include <hw/apic.h>

/* ICR: NMI, level asserted, physical destination, no shorthand (SDM 11.6.1). */
#define ICR_NMI 0x4400u

void smp_init(struct smp *smp, const struct smp_table *table)
{
    *smp = (struct smp){.count = table->count};
    for (unsigned cpu = 0; cpu < table->count; cpu++) {
        smp->cpu[cpu].apic_id = table->cpu[cpu].apic_id;
    }
}

/* Sequentially consistent: either the stopper sees us online or we see its generation. */
void smp_set_online(struct smp *smp, unsigned cpu)
{
    CHECK(cpu < smp->count);
    __atomic_store_n(&smp->cpu[cpu].online, true, __ATOMIC_SEQ_CST);
}

/*
 * The exchange orders the caller's message before the flag, and smp_kick_take() the flag before the
 * target's look at its messages: if the flag was set already, the NMI that is under way is enough.
 */
void smp_kick(struct smp *smp, unsigned cpu)
{
    CHECK(cpu < smp->count);
    if (!__atomic_exchange_n(&smp->cpu[cpu].kick, true, __ATOMIC_SEQ_CST)) {
        hw_apic_send_ipi((uint64_t)smp->cpu[cpu].apic_id << 32 | ICR_NMI);
    }
}

bool smp_kick_take(struct smp *smp, unsigned cpu)
{
    CHECK(cpu < smp->count);
    return __atomic_exchange_n(&smp->cpu[cpu].kick, false, __ATOMIC_SEQ_CST);
}
