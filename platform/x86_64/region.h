/* Where the hypervisor's region goes: the top of RAM below 4 GiB, or where region= says.  Pure. */
#ifndef X86_REGION_H
#define X86_REGION_H

#include <hw/boot.h>

/*
 * Sets info->region and region_bytes; nothing in `avoid` is touched.  NULL on success, else what is
 * wrong and what to change, for the one line of the refusal.
 */
const char *region_choose(struct hw_boot_info *info, const struct hw_memory_range *avoid,
                          unsigned avoid_count);

#endif
