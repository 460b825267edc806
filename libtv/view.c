#include "view.h"

#include <base/check.h>
#include <hw/mem.h>

/* What the caller itself must be allowed to do with a page that its PAL gets. */
static unsigned access_for(enum tv_section_type type)
{
    return tv_is_writable(type) ? GWALK_WRITE : GWALK_EXECUTE;
}

static unsigned rights_for(enum tv_section_type type)
{
    return tv_is_writable(type) ? TV_SPACE_WRITE : TV_SPACE_EXECUTE;
}

static enum tv_error from_walk(enum gwalk_status status, const struct gwalk_result *result)
{
    switch (status) {
    case GWALK_OK:
        return TV_OK;
    case GWALK_PAGE_FAULT: /* error code bit 0: the page is there, the right is not */
        return (result->error_code & 1) != 0 ? TV_ERROR_PAGE_RIGHTS : TV_ERROR_PAGE_ABSENT;
    case GWALK_NESTED:
        return TV_ERROR_PAGE_NOT_RAM;
    default:
        return TV_ERROR_PAGE_ABSENT;
    }
}

/* FFFF:FFFF + 1.  Below, firmware serves real-mode code, and so does the hypervisor (INT 15h): by
 * physical address, whatever the guest's map says. */
#define REAL_MODE_END 0x10fff0ULL

/* RAM that the guest has all rights to; what else has another owner already. */
static enum tv_error check_page(const struct tv *tv, struct gpa page, struct hpa *memory)
{
    struct ept_translation found;
    unsigned tag;
    uint8_t probe;

    if (page.v < REAL_MODE_END) {
        return TV_ERROR_PAGE_NOT_RAM;
    }
    if (ept_lookup(tv->config.guest_map, page, &found) != STATUS_OK) {
        bool taken = ept_hidden(tv->config.guest_map, page, &tag, memory);
        return taken ? TV_ERROR_PAGE_TAKEN : TV_ERROR_PAGE_NOT_RAM;
    }
    *memory = found.hpa;
    if (found.type != EPT_WB || hw_phys_read(found.hpa, &probe, 1) != STATUS_OK) {
        return TV_ERROR_PAGE_NOT_RAM;
    }
    return found.perms == EPT_RWX ? TV_OK : TV_ERROR_PAGE_TAKEN;
}

/* Back to the guest at the address where it came from: the guest map is an identity map. */
static void release_page(struct tv *tv, bool hidden, struct gpa page)
{
    enum ept_invalidate need;
    enum ept_type memory_type;
    enum status status;

    if (hidden) {
        /* The guest may have changed its MTRRs meanwhile; they speak of whole pages at least. */
        if (!mtrr_type_of(tv->config.mtrr, page.v, page.v + PAGE_BYTES, &memory_type)) {
            memory_type = EPT_UC;
        }
        status = ept_show(tv->config.guest_map, page, PAGE_BYTES, memory_type);
    } else {
        status = ept_protect(tv->config.guest_map, page, PAGE_BYTES, EPT_RWX, &need);
    }
    CHECK(status == STATUS_OK);
}

/* A large page that was split becomes large again, if all of it is back.  The world is stopped, and
 * everybody drops what was cached before it goes on: retired tables can be released at once. */
static void merge_around(struct tv *tv, uint64_t page)
{
    enum ept_invalidate need;
    (void)ept_merge(tv->config.guest_map, gpa(addr_align_down(page, PAGE_2M_BYTES)), PAGE_2M_BYTES,
                    &need);
    ept_release(tv->config.guest_map);
}

static enum tv_error take_page(struct tv *tv, const struct tv_pal *pal, struct tv_context *context,
                               struct tv_memory *caller, unsigned index, uint64_t offset)
{
    const struct tv_section *section = &pal->section[index];
    uint64_t linear = section->start + offset;
    struct gwalk_result walk;
    struct hpa memory;
    enum ept_invalidate need;

    enum tv_error error = from_walk(gwalk_translate(&caller->paging, tv->config.guest_map, linear,
                                                    access_for(section->type), &walk),
                                    &walk);
    if (error == TV_OK) {
        error = check_page(tv, walk.gpa, &memory);
    }
    if (error != TV_OK) {
        return error;
    }
    enum status status =
        tv_is_private(section->type)
            ? ept_hide(tv->config.guest_map, walk.gpa, PAGE_BYTES, tv_slot(tv, pal), &need)
            : ept_protect(tv->config.guest_map, walk.gpa, PAGE_BYTES, EPT_READ | EPT_EXECUTE,
                          &need);
    if (status != STATUS_OK) {
        return TV_ERROR_NO_MEMORY; /* the page is there: only a split can have failed */
    }
    error = tv_space_map(&context->space, linear, gpa(context->section_gpa[index].v + offset),
                         memory, rights_for(section->type));
    if (error == TV_OK && linear == (pal->key.entry & ~PAGE_MASK)) {
        context->entry_page = walk.gpa;
    }
    if (error != TV_OK) { /* taking it may have split a large page */
        release_page(tv, tv_is_private(section->type), gpa(memory.v));
        merge_around(tv, memory.v);
    }
    return error;
}

/* Consecutive pages of the PAL's space, and how the guest's view of them was changed. */
struct run {
    struct gpa own;
    uint64_t pages;
    bool hidden;
};

static void give_back(struct tv *tv, const struct tv_context *context, struct run run)
{
    for (uint64_t page = 0; page < run.pages; page++) {
        struct hpa memory = tv_space_page(&context->space, gpa(run.own.v + page * PAGE_BYTES));
        release_page(tv, run.hidden, gpa(memory.v));
    }
}

static void merge(struct tv *tv, const struct tv_context *context, struct run run, uint64_t *merged)
{
    for (uint64_t page = 0; page < run.pages; page++) {
        struct hpa memory = tv_space_page(&context->space, gpa(run.own.v + page * PAGE_BYTES));
        uint64_t large = addr_align_down(memory.v, PAGE_2M_BYTES);
        if (large != *merged) {
            *merged = large;
            merge_around(tv, large);
        }
    }
}

static struct run section_run(const struct tv_pal *pal, const struct tv_context *context,
                              unsigned index)
{
    return (struct run){context->section_gpa[index], pal->section[index].pages,
                        tv_is_private(pal->section[index].type)};
}

/* All pages first, so that a table is looked at when all of it is back. */
static void give_back_sections(struct tv *tv, const struct tv_pal *pal,
                               const struct tv_context *context, unsigned count,
                               uint64_t pages_of_last)
{
    uint64_t merged = ~0ULL;

    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < count; i++) {
            struct run run = section_run(pal, context, i);
            run.pages = i + 1 == count ? pages_of_last : run.pages;
            if (pass == 0) {
                give_back(tv, context, run);
            } else {
                merge(tv, context, run, &merged);
            }
        }
    }
}

enum tv_error tv_view_take(struct tv *tv, const struct tv_pal *pal, struct tv_context *context,
                           struct tv_memory *caller, uint32_t *faulty)
{
    for (unsigned i = 0; i < pal->section_count; i++) {
        context->section_gpa[i] = tv_space_reserve(&context->space, pal->section[i].pages);
    }
    for (unsigned i = 0; i < pal->section_count; i++) {
        for (uint64_t page = 0; page < pal->section[i].pages; page++) {
            enum tv_error error = take_page(tv, pal, context, caller, i, page * PAGE_BYTES);
            if (error != TV_OK) {
                *faulty = i;
                give_back_sections(tv, pal, context, i + 1, page);
                return error;
            }
        }
    }
    return TV_OK;
}

/* Those from index first on. */
static void give_back_shares(struct tv *tv, struct tv_context *context, unsigned first)
{
    while (context->share_count > first) {
        const struct tv_share *share = &context->share[--context->share_count];
        struct run run = {share->gpa, share->pages, false};
        uint64_t merged = ~0ULL;
        give_back(tv, context, run);
        merge(tv, context, run, &merged);
        for (uint64_t page = 0; page < share->pages; page++) {
            tv_space_unmap(&context->space, share->start + page * PAGE_BYTES,
                           gpa(share->gpa.v + page * PAGE_BYTES));
        }
    }
}

static bool overlaps(const struct tv_pal *pal, const struct tv_context *context,
                     const struct tv_share *share)
{
    uint64_t end = share->start + share->pages * PAGE_BYTES;

    for (unsigned i = 0; i < pal->section_count; i++) {
        const struct tv_section *section = &pal->section[i];
        if (share->start < section->start + section->pages * PAGE_BYTES && section->start < end) {
            return true;
        }
    }
    for (unsigned i = 0; i < context->share_count; i++) {
        const struct tv_share *other = &context->share[i];
        if (share->start < other->start + other->pages * PAGE_BYTES && other->start < end) {
            return true;
        }
    }
    return false;
}

static enum tv_error share_page(struct tv *tv, struct tv_context *context, struct tv_memory *caller,
                                uint64_t linear, struct gpa own)
{
    struct gwalk_result walk;
    struct hpa memory;
    enum ept_invalidate need;

    enum tv_error error = from_walk(
        gwalk_translate(&caller->paging, tv->config.guest_map, linear, GWALK_WRITE, &walk), &walk);
    if (error == TV_OK) {
        error = check_page(tv, walk.gpa, &memory);
    }
    if (error == TV_OK && ept_protect(tv->config.guest_map, walk.gpa, PAGE_BYTES,
                                      EPT_READ | EPT_WRITE, &need) != STATUS_OK) {
        error = TV_ERROR_NO_MEMORY;
    }
    if (error != TV_OK) {
        return error;
    }
    error = tv_space_map(&context->space, linear, own, memory, TV_SPACE_WRITE);
    if (error != TV_OK) {
        release_page(tv, false, gpa(memory.v));
        merge_around(tv, memory.v);
    }
    return error;
}

bool tv_view_leaves_tables(const struct tv *tv)
{
    return tv->config.guest_map->pool->free_pages >= tv->config.guest_tables;
}

enum tv_error tv_view_share(struct tv *tv, const struct tv_pal *pal, struct tv_context *context,
                            struct tv_memory *caller, const struct tv_share *share, unsigned count)
{
    unsigned before = context->share_count;
    enum tv_error error = TV_OK;
    uint64_t next = TV_SPACE_LATER;

    for (unsigned i = 0; i < before; i++) {
        next += context->share[i].pages * PAGE_BYTES;
    }

    for (unsigned i = 0; i < count && error == TV_OK; i++) {
        if (overlaps(pal, context, &share[i])) {
            error = TV_ERROR_SECTION_OVERLAP;
            break;
        }
        struct tv_share *added = &context->share[context->share_count++];
        *added = (struct tv_share){.start = share[i].start, .gpa = gpa(next)};
        next += share[i].pages * PAGE_BYTES;
        while (added->pages < share[i].pages && error == TV_OK) { /* pages: those shared so far */
            uint64_t offset = added->pages * PAGE_BYTES;
            error =
                share_page(tv, context, caller, added->start + offset, gpa(added->gpa.v + offset));
            added->pages += error == TV_OK ? 1 : 0;
        }
    }
    if (error == TV_OK && !tv_view_leaves_tables(tv)) {
        error = TV_ERROR_NO_MEMORY;
    }
    if (error != TV_OK) {
        give_back_shares(tv, context, before);
    }
    return error;
}

bool tv_view_shares_hold(const struct tv *tv, const struct tv_context *context,
                         const struct tv_memory *caller)
{
    for (unsigned i = 0; i < context->share_count; i++) {
        const struct tv_share *share = &context->share[i];
        for (uint64_t page = 0; page < share->pages; page++) {
            uint64_t offset = page * PAGE_BYTES;
            struct gwalk_result walk;
            if (gwalk_translate(&caller->paging, tv->config.guest_map, share->start + offset,
                                GWALK_WRITE, &walk) != GWALK_OK ||
                walk.gpa.v != tv_space_page(&context->space, gpa(share->gpa.v + offset)).v) {
                return false;
            }
        }
    }
    return true;
}

void tv_view_give_back(struct tv *tv, const struct tv_pal *pal, struct tv_context *context)
{
    give_back_shares(tv, context, 0);
    give_back_sections(tv, pal, context, pal->section_count,
                       pal->section[pal->section_count - 1].pages);
}

bool tv_view_is_mapped(const struct tv *tv, const struct tv_context *context, uint64_t linear,
                       struct gpa page)
{
    struct gwalk_result result;
    return gwalk_translate(&context->owner, tv->config.guest_map, linear, GWALK_PEEK, &result) ==
               GWALK_OK &&
           addr_align_down(result.gpa.v, PAGE_BYTES) == page.v;
}
