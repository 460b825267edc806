/* Making, sharing with, and removing PALs. */
#ifndef LIBTV_PALS_H
#define LIBTV_PALS_H

#include "context.h"

/*
 * Does what the CPU's request says for the CPU's caller (tv_cpu.request, tv_cpu.memory), removing
 * dead PALs where they are in the way.  An error leaves all as it was.  The PAL is this CPU's until
 * it is opened or dropped: nobody can call it, or read what it left, before its caller was told.
 */
enum tv_error tv_pal_make(struct tv *tv, unsigned cpu, const struct tv_pal **pal);
void tv_pal_open(struct tv *tv, unsigned cpu, const struct tv_pal *pal);
void tv_pal_drop(struct tv *tv, unsigned cpu, const struct tv_pal *pal);

/*
 * Wipes the PAL and gives its pages back.  TV_ERROR_PAL_BUSY: it runs, or another CPU changes it.
 */
enum tv_error tv_pal_remove(struct tv *tv, unsigned cpu, const struct tv_pal *pal);

/* Zeroes all that the PAL could write.  The CPU owns the context; takes part in stops meanwhile. */
void tv_pal_wipe(struct tv *tv, unsigned cpu, const struct tv_pal *pal);

/* The same in a stopped world, whoever owns the context. */
void tv_pal_wipe_stopped(const struct tv *tv, const struct tv_pal *pal);

/* Lets the PAL use count ranges of its process too, from tv_cpu.share; all or none. */
enum tv_error tv_pal_share(struct tv *tv, unsigned cpu, const struct tv_pal *pal, unsigned count);

/* Removes PALs whose process has ended or lets go of their memory; true if there was one. */
bool tv_pals_reap(struct tv *tv, unsigned cpu);

#endif
