/*
 * The CPUs that run the hypervisor, and how one gets another's attention.
 *
 * The caller owns one struct smp for the machine; smp_init() runs on the boot CPU before others do;
 * everything else may be called on any CPU in VMX root operation, not in an NMI handler.  A kick is
 * an NMI, because external interrupts belong to the guest.
 *
 * Whose NMI is it?  A kick sets the target's flag first and sends an NMI only if the flag was
 * clear, so at most one of ours is under way to a CPU.  When the target has collected NMIs,
 * smp_kick_take() says whether one of them was ours; the others are the guest's.  Call it only
 * then: a flag taken without its NMI would turn that NMI into the guest's.
 */
#ifndef SMP_SMP_H
#define SMP_SMP_H

#include <base/spinlock.h>
#include <config/config.h>
#include <smp/table.h>
#include <stdbool.h>
#include <stdint.h>

/* One CPU's words, on a cache line of their own. */
struct smp_state {
    uint64_t parked; /* atomic: generation of the rendezvous that it joined last */
    uint32_t apic_id;
    bool kick;   /* atomic: an NMI of ours is under way */
    bool online; /* atomic: takes part in rendezvous */
} __attribute__((aligned(64)));

struct smp {
    unsigned count;
    struct spinlock stopper; /* held from smp_rendezvous_begin() to _end() */
    uint64_t generation;     /* atomic: odd while a rendezvous is on */
    uint32_t timeouts;       /* rendezvous that took too long and were reported */
    struct smp_state cpu[CONFIG_MAX_CPUS];
};

/* All CPUs are offline. */
void smp_init(struct smp *smp, const struct smp_table *table);

/* CPU cpu, by itself, before its first VM entry.  Join a pending rendezvous after it. */
void smp_set_online(struct smp *smp, unsigned cpu);

/* Makes CPU cpu (not the caller's) leave the guest, or look once more before it enters. */
void smp_kick(struct smp *smp, unsigned cpu);

/* Own CPU, after NMIs were collected: one of them was a kick. */
bool smp_kick_take(struct smp *smp, unsigned cpu);

#endif
