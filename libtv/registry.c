#include <tv/registry.h>

#include <base/addr.h>
#include <base/bits.h>
#include <stddef.h>

/* A PAL's own page tables have 4 levels; its last page below 4 GiB is where 32-bit PALs return to.
 */
#define USER_END_32 ((1ULL << 32) - PAGE_BYTES)
#define USER_END_64 (1ULL << 47)

uint64_t tv_user_end(enum vcpu_width width)
{
    return width == VCPU_64BIT ? USER_END_64 : USER_END_32;
}

static uint64_t section_end(const struct tv_section *section)
{
    return section->start + section->pages * PAGE_BYTES;
}

static bool sections_overlap(const struct tv_section *a, const struct tv_section *b)
{
    return a->start < section_end(b) && b->start < section_end(a);
}

static bool section_contains(const struct tv_section *section, uint64_t address)
{
    return address >= section->start && address < section_end(section);
}

static enum tv_error check_section(const struct tv_section *section, uint64_t user_end)
{
    if (section->type < TV_SECTION_CODE || section->type > TV_SECTION_SHARED_CODE) {
        return TV_ERROR_SECTION_TYPE;
    }
    if (!addr_is_aligned(section->start, PAGE_BYTES)) {
        return TV_ERROR_SECTION_ALIGN;
    }
    if (section->pages == 0) {
        return TV_ERROR_SECTION_EMPTY;
    }
    if (section->pages > CONFIG_MAX_PAL_PAGES) {
        return TV_ERROR_SECTION_HUGE;
    }
    if (section->start >= user_end || section->pages * PAGE_BYTES > user_end - section->start) {
        return TV_ERROR_SECTION_RANGE;
    }
    return TV_OK;
}

/* Each section by itself, and together. */
static enum tv_error check_sections(const struct tv_section *sections, unsigned count,
                                    uint64_t user_end, uint32_t *faulty)
{
    uint64_t pages = 0;
    for (unsigned i = 0; i < count; i++) {
        enum tv_error error = check_section(&sections[i], user_end);
        *faulty = i;
        if (error != TV_OK) {
            return error;
        }
        pages += sections[i].pages;
        if (pages > CONFIG_MAX_PAL_PAGES) {
            return TV_ERROR_SECTION_HUGE;
        }
        for (unsigned earlier = 0; earlier < i; earlier++) {
            if (sections_overlap(&sections[i], &sections[earlier])) {
                return TV_ERROR_SECTION_OVERLAP;
            }
        }
    }
    return TV_OK;
}

/* What a call of the PAL will need. */
static enum tv_error check_needs(const struct tv_section *sections, unsigned count, uint64_t entry)
{
    bool entry_is_code = false, has_param = false, has_stack = false;
    for (unsigned i = 0; i < count; i++) {
        entry_is_code = entry_is_code || (sections[i].type == TV_SECTION_CODE &&
                                          section_contains(&sections[i], entry));
        has_param = has_param || sections[i].type == TV_SECTION_PARAM;
        has_stack = has_stack || sections[i].type == TV_SECTION_STACK;
    }
    if (!entry_is_code) {
        return TV_ERROR_PAL_ENTRY;
    }
    if (!has_param) {
        return TV_ERROR_NO_PARAM_SECTION;
    }
    return has_stack ? TV_OK : TV_ERROR_NO_STACK_SECTION;
}

static enum tv_error check_others(struct tv_registry *registry, const struct tv_section *sections,
                                  unsigned count, uint64_t cr3)
{
    for (unsigned i = 0; i < registry->end; i++) {
        const struct tv_pal *pal = &registry->pal[i];
        if (!registry->used[i] || pal->key.cr3 != cr3) {
            continue;
        }
        for (unsigned a = 0; a < count; a++) {
            for (unsigned b = 0; b < pal->section_count; b++) {
                if (sections_overlap(&sections[a], &pal->section[b])) {
                    registry->faulty = a;
                    return TV_ERROR_PAL_OVERLAP;
                }
            }
        }
    }
    return TV_OK;
}

void tv_registry_init(struct tv_registry *registry)
{
    registry->next_id = 1;
    registry->count = 0;
    registry->end = 0;
    for (unsigned i = 0; i < CONFIG_MAX_PALS; i++) {
        registry->used[i] = false;
    }
}

const struct tv_pal *tv_registry_find_id(const struct tv_registry *registry, uint64_t id)
{
    for (unsigned i = 0; i < registry->end; i++) {
        if (registry->used[i] && registry->pal[i].id == id) {
            return &registry->pal[i];
        }
    }
    return NULL;
}

/* Index of the PAL, CONFIG_MAX_PALS if there is none. */
static unsigned find_index(const struct tv_registry *registry, const struct tv_pal_key *key)
{
    for (unsigned i = 0; i < registry->end; i++) {
        if (registry->used[i] && tv_registry_is(&registry->pal[i], key)) {
            return i;
        }
    }
    return CONFIG_MAX_PALS;
}

static uint32_t new_id(struct tv_registry *registry)
{
    uint32_t id = registry->next_id++;
    if (registry->next_id == TV_CPUID_NO_PAL) {
        registry->next_id = 1;
    }
    return id;
}

static const struct tv_pal *store(struct tv_registry *registry, const struct tv_pal_key *key,
                                  const struct tv_section *sections, unsigned section_count)
{
    unsigned index = 0;
    while (registry->used[index]) {
        index++;
    }
    struct tv_pal *pal = &registry->pal[index];
    pal->id = new_id(registry);
    pal->key = *key;
    pal->section_count = section_count;
    for (unsigned i = 0; i < section_count; i++) {
        pal->section[i] = sections[i];
    }
    registry->used[index] = true;
    registry->end = index < registry->end ? registry->end : index + 1;
    registry->count++;
    return pal;
}

enum tv_error tv_registry_add(struct tv_registry *registry, const struct tv_pal_key *key,
                              const struct tv_section *sections, unsigned section_count,
                              const struct tv_pal **pal)
{
    registry->faulty = 0;
    if (section_count == 0) {
        return TV_ERROR_NO_SECTIONS;
    }
    if (section_count > TV_PAL_SECTIONS_MAX) {
        return TV_ERROR_SECTION_COUNT;
    }
    enum tv_error error =
        check_sections(sections, section_count, tv_user_end(key->width), &registry->faulty);
    if (error == TV_OK) {
        registry->faulty = 0;
        error = check_needs(sections, section_count, key->entry);
    }
    if (error == TV_OK && find_index(registry, key) != CONFIG_MAX_PALS) {
        error = TV_ERROR_PAL_DUPLICATE;
    }
    if (error == TV_OK) {
        error = check_others(registry, sections, section_count, key->cr3);
    }
    if (error == TV_OK && registry->count == CONFIG_MAX_PALS) {
        error = TV_ERROR_TOO_MANY_PALS;
    }
    if (error == TV_OK) {
        *pal = store(registry, key, sections, section_count);
    }
    return error;
}

enum tv_error tv_registry_remove(struct tv_registry *registry, const struct tv_pal_key *key)
{
    unsigned index = find_index(registry, key);
    if (index == CONFIG_MAX_PALS) {
        return TV_ERROR_NO_SUCH_PAL;
    }
    registry->used[index] = false;
    while (registry->end > 0 && !registry->used[registry->end - 1]) {
        registry->end--;
    }
    registry->count--;
    return TV_OK;
}

const struct tv_pal *tv_registry_find(const struct tv_registry *registry,
                                      const struct tv_pal_key *key)
{
    unsigned index = find_index(registry, key);
    return index == CONFIG_MAX_PALS ? NULL : &registry->pal[index];
}
