/* A change applied to the model, and the check of every store that the map makes for it. */
#ifndef TESTS_CHANGE_MODEL_H
#define TESTS_CHANGE_MODEL_H

#include "ept_model.h"

enum change_kind { UNMAP, PROTECT, SET_TYPE, CHANGE_KINDS };

struct change_case {
    enum change_kind kind;
    uint64_t at, bytes;
    unsigned perms;
    enum ept_type type;
};

static struct change_case current;

static inline struct model_page changed(struct model_page page)
{
    if (page.perms == 0) {
        return page;
    }
    switch (current.kind) {
    case UNMAP:
        return (struct model_page){0};
    case PROTECT:
        page.perms = (uint8_t)current.perms;
        return page;
    default:
        page.type = (uint8_t)current.type;
        return page;
    }
}

/* REQ-EPT-4: outside of the range nothing differs, inside a page has the old or the new
 * translation. */
static inline void check_change_store(void *arg, const struct fake_write *write)
{
    (void)arg;
    (void)write;
    uint64_t first = current.at / PAGE_BYTES, end = (current.at + current.bytes) / PAGE_BYTES;
    uint64_t pages[] = {first - 1,
                        first,
                        end - 1,
                        end,
                        first & ~511ULL,
                        end | 511,
                        first & ~262143ULL,
                        end | 262143,
                        random_below(WINDOW_PAGES),
                        (first & ~511ULL) + random_below(512),
                        (end & ~511ULL) + random_below(512)};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (pages[i] >= WINDOW_PAGES) {
            continue;
        }
        uint64_t at = pages[i] * PAGE_BYTES;
        struct fake_walk walk = fake_ept_walk(ept_pointer(&ept), at);
        struct model_page after = changed(model[pages[i]]);
        bool inside = pages[i] >= first && pages[i] < end;
        assert_true(walk_matches(&walk, at, &model[pages[i]]) ||
                    (inside && walk_matches(&walk, at, &after)));
    }
}

static inline enum status apply(enum ept_invalidate *need)
{
    switch (current.kind) {
    case UNMAP:
        return ept_unmap(&ept, gpa(current.at), current.bytes, need);
    case PROTECT:
        return ept_protect(&ept, gpa(current.at), current.bytes, current.perms, need);
    default:
        return ept_set_type(&ept, gpa(current.at), current.bytes, current.type, need);
    }
}

static inline void model_change(void)
{
    for (uint64_t at = current.at; at < current.at + current.bytes; at += PAGE_BYTES) {
        model[at / PAGE_BYTES] = changed(model[at / PAGE_BYTES]);
    }
}

/* What the model says about the range before the change. */
struct change_facts {
    bool any_absent; /* a page is not mapped */
    bool any_change; /* a page becomes different */
    bool any_loss;   /* a page loses a right or changes its type */
};

static inline struct change_facts facts(void)
{
    struct change_facts facts = {false, false, false};
    for (uint64_t at = current.at; at < current.at + current.bytes; at += PAGE_BYTES) {
        struct model_page old = model[at / PAGE_BYTES], new = changed(old);
        facts.any_absent |= old.perms == 0;
        facts.any_change |= old.perms != new.perms || old.type != new.type;
        facts.any_loss |= (old.perms & ~new.perms) != 0 || old.type != new.type;
    }
    return facts;
}

#endif
