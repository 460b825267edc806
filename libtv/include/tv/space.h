/*
 * The address space of one PAL: nested page tables of its own, and inside them 4-level page tables
 * of its own, which hold the PAL's pages and nothing else.
 *
 * Guest-physical addresses of a space are its own numbering, dense from 0, so that its nested
 * tables are few: first the pages of each tv_space_reserve(), in order, and between them the page
 * tables, which the PAL's view maps read-only (their accessed and dirty flags are set from the
 * start, so the CPU never writes to them).
 *
 * The caller owns struct tv_space; table pages come from the pool.  Everything that changes a space
 * is called with the pool's lock held (world_stop()); lookups on the CPU that owns the PAL. Nothing
 * here looks at the guest's tables: the caller has checked what it maps.
 */
#ifndef TV_SPACE_H
#define TV_SPACE_H

#include <base/addr.h>
#include <base/pool.h>
#include <config/config.h>
#include <ept/ept.h>
#include <stdbool.h>
#include <stdint.h>
#include <tv/abi.h>

/* Rights of the PAL to a page; all can be read. */
#define TV_SPACE_WRITE 1U
#define TV_SPACE_EXECUTE 2U

/* From here on the caller numbers pages itself. */
#define TV_SPACE_LATER PAGE_1G_BYTES
_Static_assert(2ULL * CONFIG_MAX_PAL_PAGES * PAGE_BYTES < TV_SPACE_LATER,
               "a PAL's pages and tables");

struct tv_space {
    struct ept ept;
    struct gpa root;       /* PML4 table: the PAL's CR3 */
    struct hpa root_table; /* the same table as we reach it */
    uint64_t reserved_end; /* the page tables but the first one lie above */
    uint64_t next_gpa;
    uint64_t leaf_linear;  /* the page table that tv_space_map() used last translates from here */
    struct hpa leaf_table; /* 0: none yet */
    uint64_t seen; /* atomic: CPUs that dropped what they cached of an older space, bit n = CPU n */
};

/* features, maxphyaddr: as for ept_init().  TV_ERROR_NO_MEMORY: nothing is left behind. */
enum tv_error tv_space_init(struct tv_space *space, struct pool *pool,
                            const struct ept_features *features, unsigned maxphyaddr);

/* Gives all table pages back; not the pages that were mapped.  No CPU may run in the space. */
void tv_space_destroy(struct tv_space *space);

/* Room for pages consecutive guest-physical pages, before the first tv_space_map(). */
struct gpa tv_space_reserve(struct tv_space *space, uint64_t pages);

/*
 * Maps one page, linear -> gpa (reserved before) -> hpa.  TV_ERROR_NO_MEMORY: the page is not
 * mapped.
 */
enum tv_error tv_space_map(struct tv_space *space, uint64_t linear, struct gpa gpa, struct hpa hpa,
                           unsigned rights);

/* Takes a page of tv_space_map() out again.  Every CPU drops what it cached before it enters. */
void tv_space_unmap(struct tv_space *space, uint64_t linear, struct gpa gpa);

/* The page behind one that is mapped; CHECKed. */
struct hpa tv_space_page(const struct tv_space *space, struct gpa gpa);

#endif
