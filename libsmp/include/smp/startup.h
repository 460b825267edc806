/*
 * The INIT/SIPI/NMI state machine of one virtual CPU (SDM vol. 3, 9.4 "Multiple-Processor
 * Initialization", 24.4.2 "Activity state", 26.2 "Other causes of VM exits").
 *
 * One struct per CPU, owned by the caller, never moved.  Any CPU posts, at any time, without a
 * lock: the mailbox is one atomic word.  Only the owner CPU collects.  After a post the sender
 * kicks the target (smp_kick()) so that it looks.  The VM exits for a real INIT or SIPI post to
 * their own CPU.
 *
 * A post never waits and nothing can fail.  Events between two looks are folded exactly as the CPU
 * would: INIT discards SIPI and NMI from before it; the first SIPI after it wins, later ones are
 * ignored; SIPI without wait-for-SIPI is ignored; NMI is blocked in wait-for-SIPI and delivered
 * after the start; several pending NMIs are one.
 */
#ifndef SMP_STARTUP_H
#define SMP_STARTUP_H

#include <stdbool.h>
#include <stdint.h>

struct smp_startup {
    uint32_t mailbox; /* atomic; bits in startup.c */
    bool boot;        /* IA32_APIC_BASE.BSP: INIT leads to the reset vector, not to wait-for-SIPI */
    bool waiting;     /* owner: in wait-for-SIPI */
    bool nmi;         /* owner: NMI blocked by wait-for-SIPI */
};

enum smp_startup_action {
    SMP_RESET_TO_WAIT, /* INIT: take the SDM's INIT state and wait for SIPI */
    SMP_RESET_TO_BOOT, /* INIT on the boot CPU: it runs from the reset vector, a machine restart */
    SMP_RUN,           /* SIPI: run at vector * 4096 in real mode */
    SMP_NMI            /* an NMI is pending for the guest */
};

/* In this order; at most one of each kind. */
struct smp_startup_actions {
    unsigned count;
    enum smp_startup_action action[3];
    uint8_t vector; /* of SMP_RUN */
};

/* The boot CPU runs; the others are in wait-for-SIPI. */
void smp_startup_init(struct smp_startup *startup, bool boot);

void smp_startup_post_init(struct smp_startup *startup);
void smp_startup_post_sipi(struct smp_startup *startup, uint8_t vector);
void smp_startup_post_nmi(struct smp_startup *startup);

/* Something was posted and not yet collected. */
static inline bool smp_startup_pending(const struct smp_startup *startup)
{
    return __atomic_load_n(&startup->mailbox, __ATOMIC_ACQUIRE) != 0;
}

/* Owner CPU: takes everything posted and says what to do, in order. */
void smp_startup_collect(struct smp_startup *startup, struct smp_startup_actions *actions);

#endif
