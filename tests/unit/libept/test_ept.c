/* Features, the EPT pointer, look-up, and giving all tables back. */
#include "ept_model.h"

static void test_features_follow_the_capability_msr(void **state)
{
    (void)state;
    struct ept_features all = ept_features_from(CAP_ALL);
    assert_true(all.usable && all.pages_2m && all.pages_1g && all.execute_only &&
                all.accessed_dirty);
    struct ept_features none = ept_features_from(0);
    assert_false(none.usable || none.pages_2m || none.pages_1g || none.execute_only ||
                 none.accessed_dirty);
    assert_false(ept_features_from(CAP_ALL & ~(1ULL << 0)).execute_only);
    assert_false(ept_features_from(CAP_ALL & ~(1ULL << 17)).pages_1g);
    assert_true(ept_features_from(CAP_ALL & ~(1ULL << 17)).pages_2m);
    assert_false(ept_features_from(CAP_ALL & ~(1ULL << 21)).accessed_dirty);
    /* 1-GiB pages split into 2-MiB pages, so the one needs the other. */
    assert_false(ept_features_from(CAP_ALL & ~(1ULL << 16)).pages_1g);
    static const unsigned needed[] = {6, 14, 20, 25};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        assert_false(ept_features_from(CAP_ALL & ~(1ULL << needed[i])).usable);
    }
}

static void test_init_refuses(void **state)
{
    (void)state;
    start(CAP_ALL, 1);
    struct ept other;
    struct ept_features features = ept_features_from(CAP_ALL);
    assert_int_equal(ept_init(&other, &pool, &features, MAXPHYADDR), STATUS_NO_MEMORY);
    assert_int_equal(ept_init(&other, &pool, &features, 53), STATUS_UNSUPPORTED);
    assert_int_equal(ept_init(&other, &pool, &features, 12), STATUS_UNSUPPORTED);
    features.usable = false;
    assert_int_equal(ept_init(&other, &pool, &features, MAXPHYADDR), STATUS_UNSUPPORTED);
}

static void test_pointer(void **state)
{
    (void)state;
    start(CAP_ALL, 10);
    /* SDM table "Format of Extended-Page-Table Pointer": WB, walk length 4 - 1, no A/D flags. */
    assert_int_equal(ept_pointer(&ept), ept.root.v | 6 | 3 << 3);
    ept.accessed_dirty = true;
    assert_int_equal(ept_pointer(&ept), ept.root.v | 6 | 3 << 3 | 1 << 6);
    check_map(); /* the new root is empty whatever the page held */
}

static void test_lookup_at_every_page_size(void **state)
{
    (void)state;
    start(CAP_ALL, 10);
    must_map(0x40000000, 0x80000000, PAGE_1G_BYTES, EPT_RWX, EPT_WB);
    must_map(0x200000, 0x30000000, PAGE_2M_BYTES, EPT_READ, EPT_UC);
    must_map(0x1000, 0x12345000, PAGE_BYTES, EPT_READ | EPT_EXECUTE, EPT_WC);
    struct ept_translation found;
    assert_int_equal(ept_lookup(&ept, gpa(0x40000000 + 0x12345678), &found), STATUS_OK);
    assert_int_equal(found.hpa.v, 0x80000000 + 0x12345678);
    assert_int_equal(found.page_bytes, PAGE_1G_BYTES);
    assert_int_equal(found.perms, EPT_RWX);
    assert_int_equal(found.type, EPT_WB);
    assert_int_equal(ept_lookup(&ept, gpa(0x3fffff), &found), STATUS_OK);
    assert_int_equal(found.hpa.v, 0x301fffff);
    assert_int_equal(found.page_bytes, PAGE_2M_BYTES);
    assert_int_equal(found.perms, EPT_READ);
    assert_int_equal(found.type, EPT_UC);
    assert_int_equal(ept_lookup(&ept, gpa(0x1abc), &found), STATUS_OK);
    assert_int_equal(found.hpa.v, 0x12345abc);
    assert_int_equal(found.page_bytes, PAGE_BYTES);
    assert_int_equal(found.perms, EPT_READ | EPT_EXECUTE);
    assert_int_equal(found.type, EPT_WC);
    static const uint64_t absent[] = {0,
                                      0xfff,
                                      0x2000,
                                      0x1fffff,
                                      0x400000,
                                      0x3fffffff,
                                      0x80000000,
                                      1ULL << 39,
                                      1ULL << 47,
                                      1ULL << 48,
                                      (1ULL << 48) | 0x1000,
                                      ~0ULL};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        assert_int_equal(ept_lookup(&ept, gpa(absent[i]), &found), STATUS_NOT_FOUND);
    }
}

static void test_clear_and_destroy_give_every_page_back(void **state)
{
    (void)state;
    start(CAP_ALL, POOL_PAGES);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 20; i++) {
            uint64_t at = random_below(1ULL << (MAXPHYADDR - PAGE_SHIFT)) << PAGE_SHIFT;
            assert_int_equal(ept_map(&ept, gpa(at), hpa(0), PAGE_BYTES, EPT_RWX, EPT_WB),
                             STATUS_OK);
        }
        /* Both ends of the tables. */
        assert_int_equal(ept_map(&ept, gpa(0), hpa(0), PAGE_BYTES, EPT_RWX, EPT_WB), STATUS_OK);
        assert_int_equal(ept_map(&ept, gpa((1ULL << MAXPHYADDR) - PAGE_BYTES), hpa(0), PAGE_BYTES,
                                 EPT_RWX, EPT_WB),
                         STATUS_OK);
        assert_true(pool.free_pages < POOL_PAGES - 20);
        ept_clear(&ept);
        assert_int_equal(pool.free_pages, POOL_PAGES - 1);
        check_map();
    }
    must_map(0x1000, 0x1000, 0x5000000, EPT_RWX, EPT_WB);
    enum ept_invalidate need;
    assert_int_equal(ept_unmap(&ept, gpa(0x1000), PAGE_2M_BYTES, &need), STATUS_OK);
    assert_int_equal(ept_merge(&ept, gpa(0), PAGE_2M_BYTES, &need), STATUS_OK);
    assert_int_not_equal(ept.retired_count, 0); /* these come back as well */
    ept_destroy(&ept);
    assert_int_equal(pool.free_pages, POOL_PAGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_features_follow_the_capability_msr),
        cmocka_unit_test(test_init_refuses),
        cmocka_unit_test(test_pointer),
        cmocka_unit_test(test_lookup_at_every_page_size),
        cmocka_unit_test(test_clear_and_destroy_give_every_page_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
