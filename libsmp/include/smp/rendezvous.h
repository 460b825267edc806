/*
 * Stop the world: one CPU gets the exclusive right while all other online CPUs are parked in VMX
 * root operation.
 *
 * The run loop of every CPU calls smp_rendezvous_join() when smp_rendezvous_pending(), after
 * collecting NMIs and before each VM entry.  A joiner returns after the end, and then does what a
 * stopped world may require (INVEPT) before it enters the guest: thus a change made in between is
 * in force everywhere before any guest instruction runs (REQ-EPT-1).
 *
 * No deadlock: who waits here, for its turn or for a lock through smp_lock(), joins the others'
 * rendezvous while it waits.  The rule for callers: a CPU that holds a lock may begin a rendezvous
 * only if all takers of that lock in root operation use smp_lock().  Parked CPUs may hold locks:
 * the stopper takes none in between.
 */
#ifndef SMP_RENDEZVOUS_H
#define SMP_RENDEZVOUS_H

#include <base/spinlock.h>
#include <smp/smp.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * CPU cpu (the caller's): returns with all other online CPUs parked.  Waiting longer than
 * CONFIG_RENDEZVOUS_TIMEOUT_US is reported once with each CPU's state and counted in smp->timeouts;
 * the wait then goes on, because without the others stopped nothing that the caller wants to do is
 * safe.  True when this CPU itself was parked for others meanwhile, and so has a joiner's duties.
 */
bool smp_rendezvous_begin(struct smp *smp, unsigned cpu);

/* Releases the others; the same CPU. */
void smp_rendezvous_end(struct smp *smp, unsigned cpu);

/* A rendezvous of another CPU waits for this one; false on the CPU that holds it. */
bool smp_rendezvous_pending(const struct smp *smp, unsigned cpu);

/* Parks this CPU until the rendezvous ends; false if none was pending. */
bool smp_rendezvous_join(struct smp *smp, unsigned cpu);

/* Takes the lock, joining rendezvous while it waits; true when it did join one. */
bool smp_lock(struct smp *smp, unsigned cpu, struct spinlock *lock);

#endif
