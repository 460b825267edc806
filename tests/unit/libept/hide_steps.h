/* Each call that changes a map, made once on any range of the model, hidden pages in it or not. */
#ifndef TESTS_HIDE_STEPS_H
#define TESTS_HIDE_STEPS_H

#include "change_model.h"
#include "hide_model.h"

/* What the model says about a range. */
struct range_facts {
    bool any_mapped, any_absent, any_hidden, all_hidden, all_rwx;
};

static inline struct range_facts range_facts(uint64_t at, uint64_t bytes)
{
    struct range_facts facts = {.all_hidden = true, .all_rwx = true};
    for (uint64_t page = at / PAGE_BYTES; page < (at + bytes) / PAGE_BYTES; page++) {
        facts.any_mapped |= model[page].perms != 0;
        facts.any_absent |= model[page].perms == 0;
        facts.any_hidden |= hidden[page].hidden;
        facts.all_hidden &= hidden[page].hidden;
        facts.all_rwx &= model[page].perms == EPT_RWX;
    }
    return facts;
}

/* The status of a refusal depends on which page comes first. */
static inline enum status hide_status(uint64_t at, uint64_t bytes)
{
    for (uint64_t page = at / PAGE_BYTES; page < (at + bytes) / PAGE_BYTES; page++) {
        if (model[page].perms != EPT_RWX) {
            return hidden[page].hidden ? STATUS_OVERLAP : STATUS_FAULT;
        }
    }
    return STATUS_OK;
}

static inline enum ept_type any_type(void)
{
    static const enum ept_type types[] = {EPT_UC, EPT_WC, EPT_WT, EPT_WP, EPT_WB};
    return types[random_below(5)];
}

static inline unsigned any_perms(void)
{
    static const unsigned perms[] = {EPT_READ, EPT_READ | EPT_EXECUTE, EPT_RWX, EPT_RWX, EPT_RWX};
    return perms[random_below(5)];
}

static inline void one_hide(uint64_t at, uint64_t bytes)
{
    enum ept_invalidate need = (enum ept_invalidate)77;
    unsigned tag = (unsigned)random_below(EPT_TAG_MAX + 1);
    enum status expected = hide_status(at, bytes);
    hide_step(at, bytes);
    fake_on_write(check_hide_store, NULL);
    assert_int_equal(ept_hide(&ept, gpa(at), bytes, tag, &need), expected);
    assert_int_equal(need, expected == STATUS_OK ? (int)EPT_INVALIDATE_SINGLE_CONTEXT : 77);
    if (expected == STATUS_OK) {
        model_hide(at, bytes, tag);
    }
}

static inline void one_show(uint64_t at, uint64_t bytes)
{
    enum ept_type type = any_type();
    enum status expected = range_facts(at, bytes).all_hidden ? STATUS_OK : STATUS_NOT_FOUND;
    uint64_t free_pages = pool.free_pages;
    show_step(at, bytes, type);
    fake_on_write(check_hide_store, NULL);
    assert_int_equal(ept_show(&ept, gpa(at), bytes, type), expected);
    assert_int_equal(pool.free_pages, free_pages);
    if (expected == STATUS_OK) {
        model_show(at, bytes, type);
    }
}

static inline void one_map(uint64_t at, uint64_t bytes)
{
    struct range_facts facts = range_facts(at, bytes);
    unsigned perms = any_perms();
    enum ept_type type = any_type();
    bool collides = facts.any_mapped || facts.any_hidden;
    fake_writes_clear();
    assert_int_equal(ept_map(&ept, gpa(at), hpa(at), bytes, perms, type),
                     collides ? STATUS_OVERLAP : STATUS_OK);
    if (collides) {
        assert_int_equal(fake_write_count(), 0);
    } else {
        model_map(at, at, bytes, perms, type);
    }
}

static inline void one_change(enum change_kind kind, uint64_t at, uint64_t bytes)
{
    enum ept_invalidate need;
    current = (struct change_case){kind, at, bytes, any_perms(), any_type()};
    bool refuses = kind == PROTECT && range_facts(at, bytes).any_absent;
    fake_on_write(check_change_store, NULL);
    assert_int_equal(apply(&need), refuses ? STATUS_NOT_FOUND : STATUS_OK);
    if (!refuses) {
        model_change();
    }
}

static inline void one_merge(uint64_t at, uint64_t bytes)
{
    enum ept_invalidate need;
    hide_step(at, 0); /* nothing may differ at any store */
    fake_on_write(check_hide_store, NULL);
    assert_int_equal(ept_merge(&ept, gpa(at), bytes, &need), STATUS_OK);
    ept_release(&ept);
}

/* Only whole pages as they are mapped, so that no large page reaches out of the range. */
static inline void one_drop(uint64_t at, uint64_t bytes)
{
    if (page_bytes_at(at) > PAGE_BYTES || page_bytes_at(at + bytes - PAGE_BYTES) > PAGE_BYTES) {
        return;
    }
    bool refuses = range_facts(at, bytes).any_hidden;
    fake_writes_clear();
    assert_int_equal(ept_drop(&ept, gpa(at), bytes), refuses ? STATUS_OVERLAP : STATUS_OK);
    if (refuses) {
        assert_int_equal(fake_write_count(), 0);
    } else {
        memset(&model[at / PAGE_BYTES], 0, bytes / PAGE_BYTES * sizeof model[0]);
    }
}

#endif
