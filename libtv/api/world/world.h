/*
 * What libtv asks of the hypapp about the other CPUs.  Implemented by the hypapp, because only it
 * knows all libraries (apps/trustvisor/world.c); by tests in user space.
 *
 * Called on any CPU in root operation.  Nothing fails.
 */
#ifndef WORLD_WORLD_H
#define WORLD_WORLD_H

#include <stdbool.h>

/*
 * Returns with the lock of the guest's nested tables and their pool held and all other CPUs stopped
 * in root operation, between two VM entries of theirs.  Other CPUs' stops may have come before:
 * what was read earlier may have changed.
 */
void world_stop(unsigned cpu);

/*
 * Lets the others go on.  Every CPU, the caller's included, drops what it cached of the guest's
 * nested tables before it enters its guest, or isolated code, again.
 */
void world_resume(unsigned cpu);

/*
 * In a stopped world: whether there is something to be wiped before the guest resets the machine or
 * switches it off (tv_wipe_all()).  Not at the start.
 */
void world_guard(bool on);

/* In long work outside world_stop(): takes part in a stop that another CPU waits for. */
void world_poll(unsigned cpu);

#endif
