/*
 * Ticket spin lock: first come, first served, so no CPU starves.  Owned by the object that embeds
 * it; all-zero is unlocked.  Not to be taken in NMI, #DF or #MC handlers (the interrupted code may
 * hold it).  INIT cannot stop a holder: it is blocked in VMX root operation (REQ-BOOT-7).
 */
#ifndef BASE_SPINLOCK_H
#define BASE_SPINLOCK_H

#include <stdint.h>

struct spinlock {
    uint32_t next;    /* ticket that the next taker draws */
    uint32_t serving; /* ticket that holds the lock */
};

static inline void spinlock_lock(struct spinlock *lock)
{
    uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket) {
        __builtin_ia32_pause();
    }
}

static inline void spinlock_unlock(struct spinlock *lock)
{
    __atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

#endif
