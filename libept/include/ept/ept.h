/*
 * Nested page tables in the EPT format (SDM vol. 3, section 29.3 "The Extended Page Table Mechanism
 * (EPT)"): guest-physical to host-physical translation, 4 levels, with the largest pages possible.
 *
 * The caller owns struct ept and the pool; table pages come from the pool and belong to the map
 * until ept_destroy().  Every call on one map, and on maps that share its pool, is made under one
 * lock of the caller's, on any CPU.
 *
 * A change is prepared, then committed: the table pages that it needs are counted first, and when
 * the pool has fewer the call returns STATUS_NO_MEMORY with nothing written (REQ-EPT-6).  A table
 * is linked by one store, empty where nothing was mapped, complete where it takes a large page's
 * place, so that hardware which walks the tables at the same time sees, at each store, either the
 * old or the new translation of the changed pages and the same translation as ever of all others
 * (REQ-EPT-4).
 *
 * Changes report whether cached translations have become wrong (SDM section 29.4.3.4 "Guidelines
 * for Use of the INVEPT Instruction"); the caller then executes INVEPT on every CPU that uses the
 * map, before it relies on the change.  Adding rights to a present page reports
 * EPT_INVALIDATE_NONE: a CPU that cached the smaller rights takes one EPT violation, which drops
 * its cached translation, so a handler that finds the access allowed by ept_lookup() just resumes
 * the guest.
 */
#ifndef EPT_EPT_H
#define EPT_EPT_H

#include <base/addr.h>
#include <base/pool.h>
#include <base/status.h>
#include <stdbool.h>
#include <stdint.h>

/* Rights, as in bits 2:0 of an entry; EPT_WRITE without EPT_READ is a misconfiguration. */
#define EPT_READ 1U
#define EPT_WRITE 2U
#define EPT_EXECUTE 4U
#define EPT_RWX (EPT_READ | EPT_WRITE | EPT_EXECUTE)

/* Memory types, numbered alike in MTRRs, the PAT and EPT entries (SDM table "Memory Types That Can
 * Be Encoded With PAT" / MTRRs). */
enum ept_type { EPT_UC = 0, EPT_WC = 1, EPT_WT = 4, EPT_WP = 5, EPT_WB = 6 };

enum ept_invalidate { EPT_INVALIDATE_NONE, EPT_INVALIDATE_SINGLE_CONTEXT };

/* IA32_VMX_EPT_VPID_CAP (SDM appendix A.10 "VPID and EPT Capabilities"). */
struct ept_features {
    bool usable; /* 4-level walk, write-back tables and INVEPT: without them libept cannot work */
    bool pages_2m, pages_1g, execute_only, accessed_dirty;
};

/* Tables that a merge took out and that CPUs may still walk until the next invalidation. */
#define EPT_RETIRED_MAX 16

struct ept {
    struct hpa root; /* PML4 table */
    struct pool *pool;
    struct ept_features features;
    unsigned maxphyaddr;   /* width of physical addresses */
    uint64_t generation;   /* counts changes; what was looked up before one may have become wrong */
    uint64_t hidden_pages; /* by ept_hide() */
    uint64_t mapped_end;   /* nothing was mapped from here up since the map was empty */
    bool accessed_dirty;   /* bit 6 of the EPTP; the owner may set it before the first use */
    unsigned retired_count;
    struct hpa retired[EPT_RETIRED_MAX];
};

struct ept_translation {
    struct hpa hpa; /* of the very address asked for */
    unsigned perms;
    enum ept_type type;
    uint64_t page_bytes; /* size of the page that maps it */
};

struct ept_features ept_features_from(uint64_t ia32_vmx_ept_vpid_cap);

/* An empty map.  maxphyaddr: CPUID.80000008H:EAX[7:0].  STATUS_UNSUPPORTED, STATUS_NO_MEMORY. */
enum status ept_init(struct ept *ept, struct pool *pool, const struct ept_features *features,
                     unsigned maxphyaddr);

/* Gives every table page back to the pool.  No CPU may use the map or have it cached any more. */
void ept_destroy(struct ept *ept);

/* The same, but an empty map with the same root remains.  CHECKs that no page is hidden: a later
 * ept_map() would make it reachable. */
void ept_clear(struct ept *ept);

/* Value for the EPT-pointer field: write-back tables, 4 levels (SDM section 25.6.11). */
uint64_t ept_pointer(const struct ept *ept);

/*
 * All ranges: page-aligned (else STATUS_INVALID), not empty, and below 2^48 and 2^maxphyaddr (else
 * STATUS_OVERFLOW).  Rights that the CPU has no encoding for: STATUS_INVALID or STATUS_UNSUPPORTED.
 */

/* STATUS_OVERLAP when any page of the range is mapped already, or hidden.  Never needs an
 * invalidation. */
enum status ept_map(struct ept *ept, struct gpa gpa, struct hpa hpa, uint64_t bytes, unsigned perms,
                    enum ept_type type);

/* Pages that are not mapped are passed over; hidden ones are among these and stay hidden. */
enum status ept_unmap(struct ept *ept, struct gpa gpa, uint64_t bytes, enum ept_invalidate *need);

/*
 * Removes every page of the range together with its tables, in time that depends on the tables and
 * not on the range; large pages that reach out of the range stay.  No other CPU may use the map
 * meanwhile, and all must invalidate before they use it again.  STATUS_OVERLAP, with nothing
 * changed, when a page of the range is hidden.
 */
enum status ept_drop(struct ept *ept, struct gpa gpa, uint64_t bytes);

/* STATUS_NOT_FOUND when any page of the range is not mapped, or hidden.  To take all rights use
 * ept_unmap(). */
enum status ept_protect(struct ept *ept, struct gpa gpa, uint64_t bytes, unsigned perms,
                        enum ept_invalidate *need);

/* Pages that are not mapped are passed over; a hidden one gets its type from ept_show(). */
enum status ept_set_type(struct ept *ept, struct gpa gpa, uint64_t bytes, enum ept_type type,
                         enum ept_invalidate *need);

/* Changes nothing: the table pages that ept_set_type() of this range would take now. */
enum status ept_set_type_tables(const struct ept *ept, struct gpa gpa, uint64_t bytes,
                                enum ept_type type, uint64_t *tables);

/*
 * Replaces tables that touch the range by large pages, or by nothing where they are empty; a table
 * with a hidden page is neither.  The
 * freed tables stay retired until ept_release(), because CPUs may still walk them; call that after
 * the invalidation.  When EPT_RETIRED_MAX tables are retired the rest is left as it is, which
 * returns STATUS_BUSY: invalidate, release, call again.
 */
enum status ept_merge(struct ept *ept, struct gpa gpa, uint64_t bytes, enum ept_invalidate *need);

/* Gives retired tables back to the pool; only after the invalidation on every CPU. */
void ept_release(struct ept *ept);

/* STATUS_NOT_FOUND when the address has no translation, as that of a hidden page. */
enum status ept_lookup(const struct ept *ept, struct gpa gpa, struct ept_translation *translation);

/*
 * Hidden pages are out of the map but not forgotten: their entries are not present, keep the
 * address and the type, and carry a tag of the caller's (who has the page).  Nothing but ept_show()
 * makes one reachable again; ept_destroy() forgets them.
 */
#define EPT_TAG_MAX 2047U

/*
 * Hides every page of the range.  Large pages are split down to 4 KiB, so that ept_show() needs no
 * table.  With nothing changed: STATUS_OVERLAP when a page of the range is hidden already,
 * STATUS_FAULT when one is not mapped with all of EPT_RWX, STATUS_INVALID for the tag,
 * STATUS_NO_MEMORY.
 */
enum status ept_hide(struct ept *ept, struct gpa gpa, uint64_t bytes, unsigned tag,
                     enum ept_invalidate *need);

/*
 * Puts the pages back with EPT_RWX and this type.  Never needs an invalidation, and cannot fail for
 * ranges that ept_hide() took, in whatever pieces and order.  STATUS_NOT_FOUND, with nothing
 * changed, when a page of the range is not hidden: the caller's books are wrong then, and what it
 * would show may be somebody else's.
 */
enum status ept_show(struct ept *ept, struct gpa gpa, uint64_t bytes, enum ept_type type);

/* One walk.  True for a hidden page, with its tag and the address that it would have (each where
 * not NULL); false for one that is mapped or never was. */
bool ept_hidden(const struct ept *ept, struct gpa gpa, unsigned *tag, struct hpa *hpa);

#endif
