/*
 * The guest's view: taking a PAL's pages out of it and giving them back.  In a stopped world.
 */
#ifndef LIBTV_VIEW_H
#define LIBTV_VIEW_H

#include "context.h"

/*
 * Checks every page of every section with the caller's rights, takes it from the guest and maps it
 * into the PAL's space, which is initialised.  After an error all is as it was, but for the space,
 * which must be destroyed; *faulty is the section.
 */
enum tv_error tv_view_take(struct tv *tv, const struct tv_pal *pal, struct tv_context *context,
                           struct tv_memory *caller, uint32_t *faulty);

/*
 * Lets the PAL use pages of the caller's too, all of [share, share + count) or none.  They stay the
 * guest's, but cannot be executed there: no other PAL can take or share them meanwhile.
 */
enum tv_error tv_view_share(struct tv *tv, const struct tv_pal *pal, struct tv_context *context,
                            struct tv_memory *caller, const struct tv_share *share, unsigned count);

/* Are all shared pages still where the caller's page tables say, writable?  Else the guest may use
 * the memory for something else by now. */
bool tv_view_shares_hold(const struct tv *tv, const struct tv_context *context,
                         const struct tv_memory *caller);

/* Gives all pages back, shared ones too.  Cannot fail. */
void tv_view_give_back(struct tv *tv, const struct tv_pal *pal, struct tv_context *context);

/* Does the PAL's process still map this page of the PAL's to where it was?  Changes nothing. */
bool tv_view_is_mapped(const struct tv *tv, const struct tv_context *context, uint64_t linear,
                       struct gpa page);

/*
 * Whether the guest's own changes of its map (devices, memory types) still find table pages.  Any
 * process may ask for PALs, so that they must not take the last ones.
 */
bool tv_view_leaves_tables(const struct tv *tv);

#endif
