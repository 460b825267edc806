/*
 * Walker of a guest's own page tables (SDM vol. 3, chapter 4 "Paging"): linear to guest-physical
 * address, with the rights, faults and accessed and dirty flags that the processor would give: no
 * paging, 32-bit paging with and without 4-MiB pages, PAE, 4-level and 5-level paging.
 *
 * Every table lies at a guest-physical address and is reached through the nested map that is
 * passed, so a table "in" memory that this map hides is never read.  The caller holds that map's
 * lock. Nothing is kept between calls.  Everything here is chosen by a guest: each outcome is a
 * status.
 *
 * Protection keys and shadow-stack pages are not applied.
 */
#ifndef EPT_GWALK_H
#define EPT_GWALK_H

#include <ept/ept.h>
#include <stddef.h>

/* The registers as the guest sees them.  The low 12 bits of CR3 (PCID, PWT, PCD) do not matter. */
struct gwalk_paging {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t rflags;   /* AC */
    uint64_t pdpte[4]; /* with PAE paging: as loaded into the registers */
    unsigned cpl;
    unsigned maxphyaddr;
    bool pages_1g; /* CPUID.80000001H:EDX.Page1GB */
};

/* What the access is; a data read when 0. */
#define GWALK_WRITE 1U
#define GWALK_EXECUTE 2U
#define GWALK_SUPERVISOR 4U /* implicit supervisor access (descriptor tables), whatever the CPL */
#define GWALK_PEEK 8U       /* leave accessed and dirty flags: the tables may be tables no more */

enum gwalk_status {
    GWALK_OK,
    GWALK_PAGE_FAULT,    /* inject #PF with linear and error_code */
    GWALK_NON_CANONICAL, /* inject #GP(0), or #SS(0) for stack accesses */
    GWALK_NESTED,        /* the nested map hides gpa, or it is not memory */
    GWALK_BUSY,          /* the guest kept changing the tables: resume it, it will come again */
    GWALK_TOO_LONG       /* more than GWALK_COPY_MAX_BYTES */
};

struct gwalk_result {
    uint64_t linear;     /* address that the status is about */
    struct gpa gpa;      /* GWALK_OK: translation; GWALK_NESTED: what the nested map refused */
    uint64_t page_bytes; /* GWALK_OK: size of the guest's page; 4 KiB without paging */
    uint32_t error_code; /* GWALK_PAGE_FAULT */
};

/* Sets accessed and dirty flags as the access would.  Whether the nested map allows the access to
 * the resulting gpa itself is not checked. */
enum gwalk_status gwalk_translate(const struct gwalk_paging *paging, const struct ept *ept,
                                  uint64_t linear, unsigned access, struct gwalk_result *result);

#define GWALK_COPY_MAX_BYTES 65536U

/*
 * Copy from or to linear addresses, across pages.  The rights of all pages, in the guest's tables
 * and in the nested map, are checked before the first byte is copied; on failure nothing was.
 * access: GWALK_EXECUTE (read only) and GWALK_SUPERVISOR.  result may be looked at for any status
 * but OK.
 */
enum gwalk_status gwalk_read(const struct gwalk_paging *paging, const struct ept *ept,
                             uint64_t linear, void *to, size_t bytes, unsigned access,
                             struct gwalk_result *result);
enum gwalk_status gwalk_write(const struct gwalk_paging *paging, const struct ept *ept,
                              uint64_t linear, const void *from, size_t bytes, unsigned access,
                              struct gwalk_result *result);

/*
 * Accesses that come again and again to the same pages: the entries that the last walks used are
 * kept, and a walk whose entries all still hold the same values gives the same again.  Exact, as
 * the entries are read each time; it saves finding and checking them.  Flags are part of the
 * values: a write goes by a kept walk only while the page's entry is dirty.  The caller owns the
 * cache (one a vCPU and purpose) and zeroes it once, and again when a map is initialised at the
 * address of an older one.
 */
#define GWALK_CACHE_LINES 32 /* of data: 64 KiB that a PAL is given, 17 pages, and the stack */
#define GWALK_LEVELS_MAX 5

struct gwalk_cache_line {
    const struct ept *ept; /* NULL: unused */
    uint64_t generation;   /* of ept */
    uint64_t page, cr3;
    uint64_t mode, mode_mask; /* all else that a walk depends on, in the bits of the mask */
    uint64_t pdpte;           /* with PAE paging */
    struct gpa gpa;           /* of page */
    struct hpa hpa;
    uint8_t *memory; /* the page itself; NULL: it is no memory */
    struct {
        const volatile uint64_t *word; /* that holds the entry */
        uint64_t value;
    } entry[GWALK_LEVELS_MAX];
};

struct gwalk_cache {
    struct gwalk_cache_line line[GWALK_CACHE_LINES];
};

/* As gwalk_read() and gwalk_write().  What lies across pages is walked anew. */
enum gwalk_status gwalk_read_cached(struct gwalk_cache *cache, const struct gwalk_paging *paging,
                                    const struct ept *ept, uint64_t linear, void *to, size_t bytes,
                                    unsigned access, struct gwalk_result *result);
enum gwalk_status gwalk_write_cached(struct gwalk_cache *cache, const struct gwalk_paging *paging,
                                     const struct ept *ept, uint64_t linear, const void *from,
                                     size_t bytes, unsigned access, struct gwalk_result *result);

/* Where a byte is, with the rights of both maps checked: for who copies by himself.  It may be no
 * memory. */
enum gwalk_status gwalk_find_cached(struct gwalk_cache *cache, const struct gwalk_paging *paging,
                                    const struct ept *ept, uint64_t linear, unsigned access,
                                    struct hpa *found, struct gwalk_result *result);

/*
 * The byte at linear as a pointer, by a kept walk that still holds and allows the access: good up
 * to the end of its page, and for who uses it at once, as any walk's result.  NULL: no such walk is
 * kept, or the page is no memory; the functions above find out what is the matter.
 */
void *gwalk_kept(const struct gwalk_cache *cache, const struct gwalk_paging *paging,
                 const struct ept *ept, uint64_t linear, unsigned access);

/* Instruction fetches: gwalk_read_cached() with GWALK_EXECUTE. */
enum gwalk_status gwalk_fetch(struct gwalk_cache *cache, const struct gwalk_paging *paging,
                              const struct ept *ept, uint64_t linear, void *to, size_t bytes,
                              struct gwalk_result *result);

#endif
