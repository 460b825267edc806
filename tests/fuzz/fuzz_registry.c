/*
 * The registry of PALs: after any sequence of registrations and removals with any sections, no two
 * PALs of one address space share a page, and each is found by its key and by its number.
 *
 * sources: libtv/registry.c
 */
#include "fuzz.h"

#include <base/addr.h>
#include <tv/registry.h>

#define SECTIONS (TV_PAL_SECTIONS_MAX + 2)

static struct tv_registry registry;

static struct tv_pal_key take_key(struct fuzz_input *input)
{
    struct tv_pal_key key;
    memset(&key, 0, sizeof(key));
    key.entry = fuzz_take(input, 2) << 4;
    key.cr3 = (fuzz_take(input, 1) & 3) << 12;
    key.width = fuzz_take(input, 1) & 1 ? VCPU_64BIT : VCPU_32BIT;
    return key;
}

/* The first three are what a PAL needs, unless the input says otherwise; mostly small and near. */
static unsigned take_sections(struct fuzz_input *input, enum vcpu_width width,
                              struct tv_section *sections)
{
    static const enum tv_section_type needed[] = {TV_SECTION_CODE, TV_SECTION_PARAM,
                                                  TV_SECTION_STACK};
    unsigned count = (unsigned)fuzz_take(input, 1) % SECTIONS;

    memset(sections, 0, SECTIONS * sizeof(sections[0]));
    for (unsigned i = 0; i < count; i++) {
        uint64_t shape = fuzz_take(input, 1);
        sections[i].type = i < 3 && (shape & 32) == 0 ? needed[i] : (shape & 7);
        sections[i].start = fuzz_take(input, (shape & 192) == 128 ? 8 : 1) << 12;
        sections[i].pages = 1 + (shape >> 3 & 3);
        if ((shape & 192) == 64) {
            sections[i].pages = (uint32_t)fuzz_take(input, 4);
        } else if ((shape & 192) == 192) { /* near the end of what a process can have */
            sections[i].start = (width == VCPU_64BIT ? 1ULL << 47 : 1ULL << 32) - sections[i].start;
        }
    }
    return count;
}

static uint64_t end_of(const struct tv_section *section)
{
    return section->start + section->pages * PAGE_BYTES;
}

static void check_registered(const struct tv_pal *pal, const struct tv_pal_key *key)
{
    FUZZ_CHECK(pal == tv_registry_find(&registry, key));
    FUZZ_CHECK(pal == tv_registry_find_id(&registry, pal->id));
    FUZZ_CHECK(tv_registry_is(pal, key) && tv_registry_same_process(&pal->key, key));
    for (unsigned i = 0; i < pal->section_count; i++) {
        const struct tv_section *section = &pal->section[i];
        uint64_t last = end_of(section) - 1;
        FUZZ_CHECK(section->pages > 0 && section->pages <= CONFIG_MAX_PAL_PAGES);
        FUZZ_CHECK(last > section->start);
        FUZZ_CHECK(key->width == VCPU_64BIT ? last >> 47 == 0 : last < 0xfffff000);
        for (unsigned other = 0; other < i; other++) {
            FUZZ_CHECK(section->start >= end_of(&pal->section[other]) ||
                       pal->section[other].start >= end_of(section));
        }
    }
}

static void add(struct fuzz_input *input)
{
    struct tv_section sections[SECTIONS];
    struct tv_pal_key key = take_key(input);
    const struct tv_pal *pal = NULL;
    unsigned count = take_sections(input, key.width, sections);

    if (count > 0 && (key.entry & 16) == 0) { /* an entry point that is one */
        key.entry = sections[0].start;
    }
    enum tv_error error = tv_registry_add(&registry, &key, sections, count, &pal);
    FUZZ_CHECK(error < TV_ERROR_COUNT);
    if (error == TV_OK) {
        check_registered(pal, &key);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    tv_registry_init(&registry);
    while (input.left > 0) {
        if (fuzz_take(&input, 1) % 4 != 0) {
            add(&input);
            continue;
        }
        struct tv_pal_key key = take_key(&input);
        unsigned before = registry.count;
        bool there = tv_registry_find(&registry, &key) != NULL;
        FUZZ_CHECK((tv_registry_remove(&registry, &key) == TV_OK) == there);
        FUZZ_CHECK(registry.count + there == before);
        FUZZ_CHECK(tv_registry_find(&registry, &key) == NULL);
    }
    FUZZ_CHECK(registry.count <= CONFIG_MAX_PALS);
    return 0;
}
