/*
 * What the tests of libept share: a machine with a pool, and the model of a map: an array of pages.
 * The map is compared with it through the fake machine's walker, which knows nothing of libept.
 */
#ifndef TESTS_EPT_MODEL_H
#define TESTS_EPT_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ept/ept.h>
#include <fake/machine.h>
#include <string.h>

#define MAXPHYADDR 46U
#define WINDOW_BYTES (3 * PAGE_1G_BYTES)
#define WINDOW_PAGES (WINDOW_BYTES / PAGE_BYTES)
#define POOL_PAGES 4096U
#define CAP_ALL 0x0f0106334141ULL /* IA32_VMX_EPT_VPID_CAP of a Skylake server */

struct model_page {
    uint64_t hpa;
    uint8_t perms, type; /* perms 0: not mapped */
};

static struct model_page model[WINDOW_PAGES];
static struct ept ept;
static struct pool pool;
static uint64_t pool_bitmap[POOL_PAGES / 64];
static uint64_t random_state;

static inline uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

/* A new machine, an empty map, an empty model; tables come from a pool of `pages` pages. */
static inline void start(uint64_t capabilities, uint64_t pages)
{
    fake_machine_reset(NULL);
    fake_maxphyaddr_set(MAXPHYADDR);
    fake_vmx_ept_vpid_clear(~capabilities);
    assert_true(fake_boot_info()->pool_bytes >= POOL_PAGES * PAGE_BYTES && pages <= POOL_PAGES);
    pool_init(&pool, fake_boot_info()->pool, pages, pool_bitmap);
    struct ept_features features = ept_features_from(capabilities);
    assert_int_equal(ept_init(&ept, &pool, &features, MAXPHYADDR), STATUS_OK);
    memset(model, 0, sizeof model);
    random_state = 0x9e3779b97f4a7c15ULL;
}

/* These two run for each page after each step and touch nothing but the model: most of the tests'
 * time, of which sanitizers would be half. */
#define UNSANITIZED __attribute__((no_sanitize("address", "undefined")))

UNSANITIZED static inline bool walk_matches(const struct fake_walk *walk, uint64_t gpa,
                                            const struct model_page *page)
{
    if (walk->result != FAKE_WALK_OK) {
        return walk->result == FAKE_WALK_VIOLATION && page->perms == 0;
    }
    return page->perms == walk->rights && page->type == walk->memory_type && !walk->ignore_pat &&
           page->hpa == (walk->hpa & ~PAGE_MASK) && gpa % PAGE_BYTES == 0;
}

/* How many of the pages are as the walk to the first one says, from that one on. */
UNSANITIZED static inline uint64_t matching_pages(struct fake_walk walk, uint64_t gpa,
                                                  uint64_t pages)
{
    uint64_t count = 0;
    while (count < pages && walk_matches(&walk, gpa, &model[gpa / PAGE_BYTES])) {
        walk.hpa += PAGE_BYTES;
        gpa += PAGE_BYTES;
        count++;
    }
    return count;
}

/* Every page of the window is as the model says. */
static inline void check_map(void)
{
    for (uint64_t gpa = 0; gpa < WINDOW_BYTES;) {
        struct fake_walk walk = fake_ept_walk(ept_pointer(&ept), gpa);
        uint64_t left = WINDOW_BYTES - gpa;
        uint64_t pages = (walk.page_bytes < left ? walk.page_bytes : left) / PAGE_BYTES;
        uint64_t matching = matching_pages(walk, gpa, pages);
        if (matching < pages) {
            fail_msg("gpa %#llx: walk of %#llx %d -> %#llx rights %u type %u",
                     (unsigned long long)(gpa + matching * PAGE_BYTES), (unsigned long long)gpa,
                     (int)walk.result, (unsigned long long)walk.hpa, walk.rights, walk.memory_type);
        }
        gpa += pages * PAGE_BYTES;
    }
}

static inline uint64_t page_bytes_at(uint64_t gpa)
{
    return fake_ept_walk(ept_pointer(&ept), gpa).page_bytes;
}

static inline void model_map(uint64_t gpa, uint64_t hpa, uint64_t bytes, unsigned perms,
                             enum ept_type type)
{
    for (uint64_t offset = 0; offset < bytes; offset += PAGE_BYTES) {
        model[(gpa + offset) / PAGE_BYTES] =
            (struct model_page){hpa + offset, (uint8_t)perms, (uint8_t)type};
    }
}

/* Maps and enters it into the model. */
static inline void must_map(uint64_t gpa_value, uint64_t hpa_value, uint64_t bytes, unsigned perms,
                            enum ept_type type)
{
    assert_int_equal(ept_map(&ept, gpa(gpa_value), hpa(hpa_value), bytes, perms, type), STATUS_OK);
    model_map(gpa_value, hpa_value, bytes, perms, type);
}

#endif
