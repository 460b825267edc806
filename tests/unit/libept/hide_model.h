/* Hidden pages in the model: beside each page what ept_show() would put back. */
#ifndef TESTS_HIDE_MODEL_H
#define TESTS_HIDE_MODEL_H

#include "ept_model.h"

struct model_hidden {
    bool hidden;
    uint16_t tag;
    uint64_t hpa;
};

static struct model_hidden hidden[WINDOW_PAGES];

/* What is being done to [step.at, step.end) when a store is checked. */
static struct {
    uint64_t at, end;
    bool is_show;
    enum ept_type type;
} step;

static inline void start_hide(uint64_t capabilities, uint64_t pages)
{
    start(capabilities, pages);
    memset(hidden, 0, sizeof hidden);
}

static inline void hide_step(uint64_t at, uint64_t bytes)
{
    step.at = at;
    step.end = at + bytes;
    step.is_show = false;
}

static inline void show_step(uint64_t at, uint64_t bytes, enum ept_type type)
{
    hide_step(at, bytes);
    step.is_show = true;
    step.type = type;
}

static inline struct model_page after_step(uint64_t page)
{
    return step.is_show ? (struct model_page){hidden[page].hpa, EPT_RWX, (uint8_t)step.type}
                        : (struct model_page){0};
}

/* REQ-EPT-4: outside of the range nothing differs, inside a page is as before or as wanted. */
static inline void check_hide_store(void *arg, const struct fake_write *write)
{
    (void)arg;
    (void)write;
    uint64_t first = step.at / PAGE_BYTES, end = step.end / PAGE_BYTES;
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
        bool inside = pages[i] >= first && pages[i] < end;
        struct model_page after = inside ? after_step(pages[i]) : model[pages[i]];
        assert_true(walk_matches(&walk, at, &model[pages[i]]) || walk_matches(&walk, at, &after));
    }
}

static inline void model_hide(uint64_t at, uint64_t bytes, unsigned tag)
{
    for (uint64_t page = at / PAGE_BYTES; page < (at + bytes) / PAGE_BYTES; page++) {
        hidden[page] = (struct model_hidden){true, (uint16_t)tag, model[page].hpa};
        model[page] = (struct model_page){0};
    }
}

static inline void model_show(uint64_t at, uint64_t bytes, enum ept_type type)
{
    for (uint64_t page = at / PAGE_BYTES; page < (at + bytes) / PAGE_BYTES; page++) {
        model[page] = (struct model_page){hidden[page].hpa, EPT_RWX, (uint8_t)type};
        hidden[page] = (struct model_hidden){0};
    }
}

/* Every page of the window is hidden or not as the model says, and their number is kept. */
static inline void check_hidden(void)
{
    uint64_t count = 0;
    check_map();
    for (uint64_t at = 0; at < WINDOW_BYTES;) {
        const struct model_hidden *expected = &hidden[at / PAGE_BYTES];
        unsigned tag = 0;
        struct hpa found = hpa(0);
        bool is_hidden = ept_hidden(&ept, gpa(at), &tag, &found);
        assert_true(is_hidden == expected->hidden && tag == expected->tag);
        assert_true(found.v == expected->hpa);
        count += is_hidden;
        at += page_bytes_at(at); /* a large page is not hidden in part: check_map() has seen it */
    }
    assert_int_equal(ept.hidden_pages, count);
}

#endif
