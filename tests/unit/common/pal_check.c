/* What holds at any time, found by looking at every table entry there is. */
#include "pal_suite.h"

#include <base/bits.h>

#define FRAMES (SUITE_RAM_END / PAGE_BYTES)
#define ADDRESS bits_mask(PAGE_SHIFT, 52)
#define LARGE 0x80U
#define ACCESSED_DIRTY 0x300U

static uint16_t owner[FRAMES];     /* slot + 1 of the PAL that has it */
static uint8_t pal_rights[FRAMES]; /* of that PAL */
static uint32_t owned[CONFIG_MAX_PALS * 64U];
static unsigned owned_count;

typedef void visit_fn(void *arg, uint64_t at, unsigned level, uint64_t entry);

/* Every leaf and everything that is not present but not 0. */
static void for_each(uint64_t table, unsigned level, uint64_t from, visit_fn *visitor, void *arg)
{
    const uint64_t *entries = fake_ram(table, PAGE_BYTES);
    SUITE_CHECK(entries != NULL);
    for (uint64_t i = 0; i < 512; i++) {
        uint64_t entry = entries[i], at = from | i << (PAGE_SHIFT + 9 * (level - 1));
        if (entry == 0) {
            continue;
        }
        if ((entry & EPT_RWX) != 0 && level > 1 && (entry & LARGE) == 0) {
            SUITE_CHECK((entry & EPT_RWX) == EPT_RWX);
            for_each(entry & ADDRESS, level - 1, at, visitor, arg);
        } else {
            visitor(arg, at, level, entry);
        }
    }
}

static void add_to_digest(void *arg, uint64_t at, unsigned level, uint64_t entry)
{
    uint64_t *digest = arg, words[] = {at, level, entry & ~(uint64_t)ACCESSED_DIRTY};
    for (unsigned i = 0; i < 3; i++) {
        *digest = (*digest ^ words[i]) * 0x100000001b3ULL;
        *digest ^= *digest >> 29;
    }
}

uint64_t suite_map_digest(void)
{
    uint64_t digest = 0xcbf29ce484222325ULL;
    for_each(suite.map.root.v, 4, 0, add_to_digest, &digest);
    return digest;
}

static bool in_region(uint64_t start, uint64_t bytes)
{
    const struct hw_boot_info *boot = fake_boot_info();
    return start < boot->region.v + boot->region_bytes && boot->region.v < start + bytes;
}

struct space_visit {
    unsigned slot;
    uint64_t tables, pages;
};

/* A page of a PAL's nested tables. */
static void visit_space(void *arg, uint64_t at, unsigned level, uint64_t entry)
{
    struct space_visit *visit = arg;
    uint64_t hpa = entry & ADDRESS, frame = hpa / PAGE_BYTES;
    (void)at;
    SUITE_CHECK(level == 1 && (entry & EPT_READ) != 0);
    if (in_region(hpa, PAGE_BYTES)) {
        SUITE_CHECK((entry & EPT_RWX) == EPT_READ);
        visit->tables++;
        return;
    }
    SUITE_CHECK(frame < FRAMES && owner[frame] == 0);
    SUITE_CHECK((entry & (EPT_WRITE | EPT_EXECUTE)) != (EPT_WRITE | EPT_EXECUTE));
    owner[frame] = (uint16_t)(visit->slot + 1);
    pal_rights[frame] = entry & EPT_RWX;
    owned[owned_count++] = (uint32_t)frame;
    visit->pages++;
}

/* Pages and tables of a PAL's page tables; each page belongs to a section or is shared. */
struct linear_visit {
    const struct tv_pal *pal;
    const struct tv_context *context;
    uint64_t tables, pages;
};

static bool is_planned(const struct linear_visit *visit, uint64_t linear)
{
    for (unsigned i = 0; i < visit->pal->section_count; i++) {
        if (linear - visit->pal->section[i].start < visit->pal->section[i].pages * PAGE_BYTES) {
            return true;
        }
    }
    for (unsigned i = 0; i < visit->context->share_count; i++) {
        if (linear - visit->context->share[i].start < visit->context->share[i].pages * PAGE_BYTES) {
            return true;
        }
    }
    return false;
}

static void for_each_linear(struct linear_visit *visit, uint64_t table, unsigned level,
                            uint64_t from)
{
    struct fake_walk walk = fake_ept_walk(visit->context->space.ept.root.v | 0x1e, table);
    SUITE_CHECK(walk.result == FAKE_WALK_OK && in_region(walk.hpa, PAGE_BYTES));
    const uint64_t *entries = fake_ram(walk.hpa, PAGE_BYTES);
    visit->tables++;
    for (uint64_t i = 0; i < 512; i++) {
        uint64_t at = from | i << (PAGE_SHIFT + 9 * (level - 1));
        if (entries[i] == 0) {
            continue;
        }
        SUITE_CHECK((entries[i] & 5) == 5 && (level == 1 || (entries[i] & 0x80) == 0));
        if (level > 1) {
            for_each_linear(visit, entries[i] & ADDRESS, level - 1, at);
        } else {
            SUITE_CHECK(is_planned(visit, at));
            visit->pages++;
        }
    }
}

static void check_pal(unsigned slot)
{
    const struct tv_context *context = &suite.tv.context[slot];
    const struct tv_pal *pal = &suite.tv.registry.pal[slot];
    struct space_visit space = {.slot = slot};
    struct linear_visit linear = {pal, context, 0, 0};
    uint64_t pages = 0;

    for (unsigned i = 0; i < pal->section_count; i++) {
        pages += pal->section[i].pages;
    }
    for (unsigned i = 0; i < context->share_count; i++) {
        pages += context->share[i].pages;
    }
    for_each(context->space.ept.root.v, 4, 0, visit_space, &space);
    for_each_linear(&linear, context->space.root.v, 4, 0);
    SUITE_CHECK(space.pages == pages && linear.pages == pages);
    SUITE_CHECK(space.tables == linear.tables);
}

/* A piece of the guest's map: an identity map, whatever is missing is a PAL's. */
static void visit_map(void *arg, uint64_t at, unsigned level, uint64_t entry)
{
    uint64_t *kept_away = arg, bytes = 1ULL << (PAGE_SHIFT + 9 * (level - 1));
    unsigned tag, rights = entry & EPT_RWX;

    if (rights == EPT_RWX) {
        SUITE_CHECK((entry & ADDRESS) == at && !in_region(at, bytes));
        return;
    }
    uint64_t frame = at / PAGE_BYTES;
    SUITE_CHECK(level == 1 && frame < FRAMES && owner[frame] != 0);
    (*kept_away)++;
    if (rights == 0) {
        SUITE_CHECK(ept_hidden(&suite.map, gpa(at), &tag, NULL) && tag + 1 == owner[frame]);
        return;
    }
    SUITE_CHECK((entry & ADDRESS) == at && !in_region(at, bytes));
    SUITE_CHECK(rights == pal_rights[frame]); /* shared code: R-X, shared data: RW- */
}

void suite_check(void)
{
    uint64_t kept_away = 0;

    owned_count = 0;
    for (unsigned slot = 0; slot < CONFIG_MAX_PALS; slot++) {
        SUITE_CHECK(suite.tv.registry.used[slot] == (suite.tv.context[slot].state != 0));
        if (suite.tv.registry.used[slot]) {
            check_pal(slot);
        }
    }
    SUITE_CHECK(suite.guarded == (suite.tv.registry.count > 0));
    for_each(suite.map.root.v, 4, 0, visit_map, &kept_away);
    SUITE_CHECK(kept_away == owned_count);
    while (owned_count > 0) {
        owner[owned[--owned_count]] = 0;
    }
}

static uint64_t content_of(const struct suite_pal *pal)
{
    uint64_t digest = 0xcbf29ce484222325ULL;
    for (unsigned i = 0; i < pal->section_count; i++) {
        for (uint64_t page = 0; page < pal->section[i].page_num && page < 64; page++) {
            uint64_t linear = pal->section[i].start_addr + page * PAGE_BYTES;
            uint64_t gpa = linear >> 47 == 0 ? suite_gpa(pal->process, linear) : ~0ULL;
            const uint64_t *words = gpa == ~0ULL ? NULL : fake_ram(gpa & ~PAGE_MASK, PAGE_BYTES);
            for (unsigned word = 0; words != NULL && word < PAGE_BYTES / 8; word++) {
                digest = (digest ^ words[word]) * 0x100000001b3ULL;
                digest ^= digest >> 31;
            }
        }
    }
    return digest;
}

struct suite_state suite_state(const struct suite_pal *pal)
{
    return (struct suite_state){.map = suite_map_digest(),
                                .free_pages = suite.pool.free_pages,
                                .content = pal == NULL ? 0 : content_of(pal),
                                .pals = suite.tv.registry.count};
}

void suite_same(const struct suite_state *state, const struct suite_pal *pal)
{
    struct suite_state now = suite_state(pal);
    suite_check();
    SUITE_CHECK(now.map == state->map);
    SUITE_CHECK(now.free_pages == state->free_pages);
    SUITE_CHECK(now.content == state->content);
    SUITE_CHECK(now.pals == state->pals);
}
