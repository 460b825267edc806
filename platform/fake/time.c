/* Virtual time: the TSC moves only when something takes time. */
#include "internal.h"

#include <sched.h>

#define DELAY_MAX_US 10000000

void fake_time_reset(void)
{
    atomic_store(&fake_m.tsc, 1000000);
}

void fake_tick(uint64_t cycles)
{
    atomic_fetch_add(&fake_m.tsc, cycles);
}

uint64_t fake_tsc(void)
{
    return atomic_load(&fake_m.tsc);
}

void fake_tsc_advance(uint64_t cycles)
{
    fake_tick(cycles);
}

uint64_t hw_rdtsc(void)
{
    fake_count(FAKE_RDTSC);
    fake_poll(fake_this());
    fake_tick(20);
    return fake_tsc();
}

uint64_t hw_tsc_hz(void)
{
    return fake_m.config.tsc_hz;
}

void hw_delay_us(uint32_t us)
{
    fake_count(FAKE_DELAY);
    CHECK(us <= DELAY_MAX_US);
    fake_tick(us * fake_m.config.tsc_hz / 1000000);
    fake_run_pause_hook();
    if (!fake_alone()) {
        sched_yield();
    }
    fake_poll(fake_this());
}

void hw_pause(void)
{
    fake_count(FAKE_PAUSE);
    fake_tick(40);
    fake_run_pause_hook();
    if (!fake_alone()) {
        sched_yield();
    }
    fake_poll(fake_this());
}
