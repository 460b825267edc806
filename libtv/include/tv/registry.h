/*
 * The registered PALs: who they are and which linear ranges of their process they consist of.
 *
 * The caller owns the registry (all-zero is not valid: tv_registry_init) and serialises all calls.
 * Everything that is passed in comes from a guest: it is checked here, and a refusal changes
 * nothing. Whether the pages may be taken is a question to the guest's and our page tables, not
 * answered here.
 */
#ifndef TV_REGISTRY_H
#define TV_REGISTRY_H

#include <base/addr.h>
#include <base/bits.h>
#include <config/config.h>
#include <stdbool.h>
#include <stdint.h>
#include <tv/abi.h>
#include <vcpu/vcpu.h>

struct tv_section { /* [start, start + pages * 4096) */
    enum tv_section_type type;
    uint32_t pages;
    uint64_t start; /* linear, page-aligned */
};

/* What identifies a PAL to its caller. */
struct tv_pal_key {
    uint64_t entry;        /* linear address that is called */
    uint64_t cr3;          /* of the process: tv_process_table() */
    enum vcpu_width width; /* of the caller: VCPU_32BIT or VCPU_64BIT */
};

struct tv_pal {
    uint32_t id; /* never used again soon, never TV_CPUID_NO_PAL */
    struct tv_pal_key key;
    unsigned section_count;
    struct tv_section section[TV_PAL_SECTIONS_MAX];
};

struct tv_registry {
    uint32_t next_id;
    unsigned count;
    unsigned end;    /* slots from here on are not used */
    uint32_t faulty; /* after a refusal: the section that it is about, else 0 */
    bool used[CONFIG_MAX_PALS];
    struct tv_pal pal[CONFIG_MAX_PALS];
};

void tv_registry_init(struct tv_registry *registry);

/*
 * Checks in this order: sections one by one as they come (type, alignment, size, range, overlap
 * with earlier ones), what a PAL needs, then the other PALs.  *pal stays valid until it is removed.
 */
enum tv_error tv_registry_add(struct tv_registry *registry, const struct tv_pal_key *key,
                              const struct tv_section *sections, unsigned section_count,
                              const struct tv_pal **pal);

/* TV_ERROR_NO_SUCH_PAL */
enum tv_error tv_registry_remove(struct tv_registry *registry, const struct tv_pal_key *key);

/* The PAL with exactly this key; NULL if there is none. */
const struct tv_pal *tv_registry_find(const struct tv_registry *registry,
                                      const struct tv_pal_key *key);

/* The PAL with this number; NULL if there is none. */
const struct tv_pal *tv_registry_find_id(const struct tv_registry *registry, uint64_t id);

/* Whether two keys are of callers in one address space, of one width. */
static inline bool tv_registry_same_process(const struct tv_pal_key *a, const struct tv_pal_key *b)
{
    return a->cr3 == b->cr3 && a->width == b->width;
}

/* Whether a caller's key is that of a PAL. */
static inline bool tv_registry_is(const struct tv_pal *pal, const struct tv_pal_key *key)
{
    return pal->key.entry == key->entry && tv_registry_same_process(&pal->key, key);
}

/*
 * The bits of CR3 that are the address of a process's top table (SDM vol. 3, tables "Use of CR3
 * with ..."): no PCID, no caching bits.  Which ones those are depends on the kind of paging.
 */
static inline uint64_t tv_process_table(uint64_t cr3, uint64_t cr4, uint64_t efer)
{
    const uint64_t cr4_pae = BIT(5), efer_lma = BIT(10);
    if ((efer & efer_lma) != 0) {
        return cr3 & bits_mask(PAGE_SHIFT, 52);
    }
    /* With PAE paging four tables of 32 bytes can lie in one page. */
    return cr3 & bits_mask((cr4 & cr4_pae) != 0 ? 5 : PAGE_SHIFT, 32);
}

/* End of the addresses that a section may have. */
uint64_t tv_user_end(enum vcpu_width width);

#endif
