#include <smp/rendezvous.h>

#include <base/check.h>
#include <base/log.h>
#include <config/config.h>
#include <hw/cpu.h>

static uint64_t generation(const struct smp *smp)
{
    return __atomic_load_n(&smp->generation, __ATOMIC_SEQ_CST);
}

static bool is_parked(const struct smp_state *state, uint64_t now)
{
    return __atomic_load_n(&state->parked, __ATOMIC_ACQUIRE) == now;
}

/* The stopper itself never parks: it is between begin and end on this CPU. */
bool smp_rendezvous_pending(const struct smp *smp, unsigned cpu)
{
    uint64_t now = generation(smp);
    return (now & 1) != 0 && !is_parked(&smp->cpu[cpu], now);
}

bool smp_rendezvous_join(struct smp *smp, unsigned cpu)
{
    uint64_t now = generation(smp);

    if ((now & 1) == 0 || is_parked(&smp->cpu[cpu], now)) {
        return false;
    }
    __atomic_store_n(&smp->cpu[cpu].parked, now, __ATOMIC_RELEASE);
    while (generation(smp) == now) {
        hw_pause();
    }
    return true;
}

bool smp_lock(struct smp *smp, unsigned cpu, struct spinlock *lock)
{
    uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
    bool joined = false;

    while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket) {
        if (!smp_rendezvous_join(smp, cpu)) {
            hw_pause();
        } else {
            joined = true;
        }
    }
    return joined;
}

static void report(const struct smp *smp, unsigned cpu, uint64_t now)
{
    log_warn("CPU %u waits for others to stop since %u us", cpu,
             (unsigned)CONFIG_RENDEZVOUS_TIMEOUT_US);
    for (unsigned other = 0; other < smp->count; other++) {
        const struct smp_state *state = &smp->cpu[other];
        bool online = __atomic_load_n(&state->online, __ATOMIC_RELAXED);
        bool kick = __atomic_load_n(&state->kick, __ATOMIC_RELAXED);
        log_warn("CPU %u (APIC ID %u): %s%s", other, (unsigned)state->apic_id,
                 other == cpu            ? "waits"
                 : !online               ? "offline"
                 : is_parked(state, now) ? "parked"
                                         : "not parked",
                 kick ? ", NMI sent and not taken" : "");
    }
}

static uint64_t deadline_after_us(uint64_t us)
{
    return hw_rdtsc() + hw_tsc_hz() / 1000000 * us;
}

/* Kicks the online CPUs first, then waits for each. */
static void stop_others(struct smp *smp, unsigned cpu, uint64_t now)
{
    bool reported = false;

    for (unsigned other = 0; other < smp->count; other++) {
        if (other != cpu && __atomic_load_n(&smp->cpu[other].online, __ATOMIC_SEQ_CST)) {
            smp_kick(smp, other);
        }
    }
    uint64_t deadline = deadline_after_us(CONFIG_RENDEZVOUS_TIMEOUT_US);
    for (unsigned other = 0; other < smp->count; other++) {
        const struct smp_state *state = &smp->cpu[other];
        if (other == cpu || !__atomic_load_n(&state->online, __ATOMIC_SEQ_CST)) {
            continue;
        }
        while (!is_parked(state, now)) {
            hw_pause();
            if (!reported && (int64_t)(hw_rdtsc() - deadline) >= 0) {
                reported = true;
                smp->timeouts++;
                report(smp, cpu, now);
            }
        }
    }
}

bool smp_rendezvous_begin(struct smp *smp, unsigned cpu)
{
    CHECK(cpu < smp->count);
    bool joined = smp_lock(smp, cpu, &smp->stopper);
    uint64_t now = generation(smp) + 1;

    CHECK((now & 1) != 0);
    __atomic_store_n(&smp->cpu[cpu].parked, now, __ATOMIC_RELAXED);
    __atomic_store_n(&smp->generation, now, __ATOMIC_SEQ_CST);
    stop_others(smp, cpu, now);
    return joined;
}

void smp_rendezvous_end(struct smp *smp, unsigned cpu)
{
    uint64_t now = generation(smp);

    CHECK(cpu < smp->count && (now & 1) != 0 && is_parked(&smp->cpu[cpu], now));
    __atomic_store_n(&smp->generation, now + 1, __ATOMIC_SEQ_CST);
    spinlock_unlock(&smp->stopper);
}
