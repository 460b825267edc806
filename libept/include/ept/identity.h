/*
 * The identity map of the guest: gpa == hpa over [0, end) except for one hole, the hypervisor's own
 * memory, with the memory types of the MTRRs and the largest pages that have one type throughout.
 *
 * Built on the boot CPU before any CPU uses it; retyped later under the map's lock (see ept.h).
 */
#ifndef EPT_IDENTITY_H
#define EPT_IDENTITY_H

#include <ept/ept.h>
#include <ept/mtrr.h>

/* More pieces of one type than this are refused (discontiguous MTRR masks can make millions). */
#define EPT_IDENTITY_RUNS_MAX 4096

/*
 * Table pages that ept_identity_map() needs at most, root included, whatever the MTRRs hold as long
 * as their masks are contiguous.  hole: one page-aligned range, or hole_bytes == 0.
 */
uint64_t ept_identity_tables(uint64_t end, const struct ept_features *features);

/*
 * ept must be empty.  end and hole page-aligned.  STATUS_NO_MEMORY, STATUS_OVERFLOW (more than
 * EPT_IDENTITY_RUNS_MAX pieces, or end too high): the map is then empty again.
 */
enum status ept_identity_map(struct ept *ept, uint64_t end, const struct mtrr *mtrr,
                             struct hpa hole_start, uint64_t hole_bytes);

/*
 * Gives every mapped page of [0, end) the type that mtrr says, and leaves rights and addresses as
 * they are.  STATUS_NO_MEMORY, STATUS_OVERFLOW: nothing changed.  Merge afterwards to regain large
 * pages.
 */
enum status ept_identity_retype(struct ept *ept, uint64_t end, const struct mtrr *mtrr,
                                enum ept_invalidate *need);

#endif
