#include <smp/startup.h>

#include <base/bits.h>

/*
 * The mailbox.  What was posted since the owner last looked, folded.  INIT comes before the SIPI
 * and the NMI that stand beside it, since it wipes both.  SIPI and NMI need no order among
 * themselves: a waiting CPU takes the NMI after its start either way, a running one ignores the
 * SIPI.
 */
#define MAIL_VECTOR 0xffu
#define MAIL_INIT (1u << 8)
#define MAIL_SIPI (1u << 9)
#define MAIL_NMI (1u << 10)

void smp_startup_init(struct smp_startup *startup, bool boot)
{
    *startup = (struct smp_startup){.mailbox = 0, .boot = boot, .waiting = !boot, .nmi = false};
}

/* INIT discards what came before it: a local APIC loses its pending events (SDM 11.4.7.3). */
void smp_startup_post_init(struct smp_startup *startup)
{
    __atomic_store_n(&startup->mailbox, MAIL_INIT, __ATOMIC_RELEASE);
}

void smp_startup_post_sipi(struct smp_startup *startup, uint8_t vector)
{
    uint32_t old = __atomic_load_n(&startup->mailbox, __ATOMIC_RELAXED);

    do {
        if ((old & MAIL_SIPI) != 0) {
            return; /* the first one wins */
        }
    } while (!__atomic_compare_exchange_n(&startup->mailbox, &old, old | MAIL_SIPI | vector, true,
                                          __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

void smp_startup_post_nmi(struct smp_startup *startup)
{
    (void)__atomic_fetch_or(&startup->mailbox, MAIL_NMI, __ATOMIC_RELEASE);
}

static void add(struct smp_startup_actions *actions, enum smp_startup_action action)
{
    actions->action[actions->count++] = action;
}

void smp_startup_collect(struct smp_startup *startup, struct smp_startup_actions *actions)
{
    uint32_t mail = __atomic_exchange_n(&startup->mailbox, 0, __ATOMIC_ACQUIRE);

    actions->count = 0;
    actions->vector = 0;
    if ((mail & MAIL_INIT) != 0) {
        startup->nmi = false;
        startup->waiting = !startup->boot;
        add(actions, startup->boot ? SMP_RESET_TO_BOOT : SMP_RESET_TO_WAIT);
    }
    if ((mail & MAIL_SIPI) != 0 && startup->waiting) {
        startup->waiting = false;
        actions->vector = mail & MAIL_VECTOR;
        add(actions, SMP_RUN);
    }
    if ((mail & MAIL_NMI) != 0) {
        startup->nmi = true;
    }
    if (startup->nmi && !startup->waiting) {
        startup->nmi = false;
        add(actions, SMP_NMI);
    }
}
