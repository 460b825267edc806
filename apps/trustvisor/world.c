/* The other CPUs, as libtv asks for them (<world/world.h>). */
#include "nacre.h"
#include "power.h"

#include <hw/mem.h>
#include <hw/vmx.h>
#include <smp/rendezvous.h>
#include <world/world.h>

void world_stop(unsigned cpu)
{
    /* Both may take part in stops of other CPUs first; what that asks for is done in
     * world_resume(). */
    (void)smp_lock(&nacre.smp, cpu, &nacre.ept_lock);
    (void)smp_rendezvous_begin(&nacre.smp, cpu);
}

void world_resume(unsigned cpu)
{
    smp_rendezvous_end(&nacre.smp, cpu);
    spinlock_unlock(&nacre.ept_lock);
    hw_invept(HW_INVEPT_SINGLE_CONTEXT, ept_pointer(&nacre.ept));
}

void world_guard(bool on)
{
    power_watch_resets(hw_region_pointer(nacre.io_bitmap_a, PAGE_BYTES),
                       hw_region_pointer(nacre.io_bitmap_b, PAGE_BYTES), on);
}

void world_poll(unsigned cpu)
{
    nacre_join_rendezvous(cpu);
}
