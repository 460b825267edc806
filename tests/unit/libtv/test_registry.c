/* The registry: every refusal with its own error and nothing changed, and random use against a
 * model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <base/addr.h>
#include <string.h>
#include <tv/registry.h>

#define CR3 0x123456000ULL

static struct tv_registry registry, before;
static uint64_t random_state = 0x2545f4914f6cdd1dULL;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

/* Code, data, parameters, stack: four sections of two pages one after the other. */
static const struct tv_section good[4] = {{TV_SECTION_CODE, 2, 0x10000},
                                          {TV_SECTION_DATA, 2, 0x12000},
                                          {TV_SECTION_PARAM, 2, 0x14000},
                                          {TV_SECTION_STACK, 2, 0x16000}};
static const struct tv_pal_key good_key = {0x10123, CR3, VCPU_64BIT};

static int setup(void **state)
{
    (void)state;
    memset(&registry, 0xa5, sizeof registry);
    tv_registry_init(&registry);
    return 0;
}

static const struct tv_pal *must_add(const struct tv_pal_key *key,
                                     const struct tv_section *sections, unsigned count)
{
    const struct tv_pal *pal = NULL;
    assert_int_equal(tv_registry_add(&registry, key, sections, count, &pal), TV_OK);
    assert_non_null(pal);
    return pal;
}

/* REQ-PAL-3: a refusal has its own error and changes nothing. */
static void refused(enum tv_error expected, const struct tv_pal_key *key,
                    const struct tv_section *sections, unsigned count)
{
    const struct tv_pal *pal = (const struct tv_pal *)&registry;
    memcpy(&before, &registry, sizeof before);
    assert_int_equal(tv_registry_add(&registry, key, sections, count, &pal), expected);
    assert_ptr_equal(pal, &registry);
    before.faulty = registry.faulty; /* that is what a refusal tells */
    assert_memory_equal(&before, &registry, sizeof before);
}

static void refused_change(enum tv_error expected, unsigned index, struct tv_section section)
{
    struct tv_section sections[4];
    memcpy(sections, good, sizeof sections);
    sections[index] = section;
    refused(expected, &good_key, sections, 4);
}

static void test_bad_sections_are_refused(void **state)
{
    (void)state;
    refused(TV_ERROR_NO_SECTIONS, &good_key, good, 0);
    refused(TV_ERROR_SECTION_COUNT, &good_key, good, TV_PAL_SECTIONS_MAX + 1);
    refused(TV_ERROR_SECTION_COUNT, &good_key, good, ~0U);
    refused_change(TV_ERROR_SECTION_TYPE, 1, (struct tv_section){0, 2, 0x20000});
    refused_change(TV_ERROR_SECTION_TYPE, 1, (struct tv_section){6, 2, 0x20000});
    refused_change(TV_ERROR_SECTION_TYPE, 1, (struct tv_section){~0U, 2, 0x20000});
    refused_change(TV_ERROR_SECTION_ALIGN, 1, (struct tv_section){TV_SECTION_DATA, 2, 0x20001});
    refused_change(TV_ERROR_SECTION_ALIGN, 1, (struct tv_section){TV_SECTION_DATA, 2, 0x20800});
    refused_change(TV_ERROR_SECTION_EMPTY, 1, (struct tv_section){TV_SECTION_DATA, 0, 0x20000});
    refused_change(TV_ERROR_SECTION_HUGE, 1,
                   (struct tv_section){TV_SECTION_DATA, CONFIG_MAX_PAL_PAGES + 1, 0x20000});
    refused_change(TV_ERROR_SECTION_HUGE, 1, (struct tv_section){TV_SECTION_DATA, ~0U, 0x20000});
    /* Each is small enough, all together are not. */
    refused_change(TV_ERROR_SECTION_HUGE, 1,
                   (struct tv_section){TV_SECTION_DATA, CONFIG_MAX_PAL_PAGES - 1, 0x20000});
    refused_change(TV_ERROR_SECTION_RANGE, 1,
                   (struct tv_section){TV_SECTION_DATA, 2, 0xfffffffffffff000});
    refused_change(TV_ERROR_SECTION_RANGE, 1,
                   (struct tv_section){TV_SECTION_DATA, 1, 0xffff800000000000});
    refused_change(TV_ERROR_SECTION_RANGE, 1,
                   (struct tv_section){TV_SECTION_DATA, 2, (1ULL << 47) - 0x1000});
    refused_change(TV_ERROR_SECTION_RANGE, 1, (struct tv_section){TV_SECTION_DATA, 1, 1ULL << 47});
    refused_change(TV_ERROR_SECTION_OVERLAP, 1, (struct tv_section){TV_SECTION_DATA, 1, 0x11000});
    refused_change(TV_ERROR_SECTION_OVERLAP, 3, (struct tv_section){TV_SECTION_STACK, 9, 0xf000});
    refused_change(TV_ERROR_PAL_ENTRY, 0, (struct tv_section){TV_SECTION_CODE, 2, 0x20000});
    refused_change(TV_ERROR_PAL_ENTRY, 0, (struct tv_section){TV_SECTION_SHARED_CODE, 2, 0x10000});
    refused_change(TV_ERROR_NO_PARAM_SECTION, 2, (struct tv_section){TV_SECTION_DATA, 2, 0x14000});
    refused_change(TV_ERROR_NO_STACK_SECTION, 3, (struct tv_section){TV_SECTION_DATA, 2, 0x16000});
    must_add(&good_key, good, 4);
}

static void test_limits_that_are_just_met(void **state)
{
    (void)state;
    struct tv_section sections[TV_PAL_SECTIONS_MAX];
    memcpy(sections, good, sizeof good);
    sections[1] = (struct tv_section){TV_SECTION_DATA, CONFIG_MAX_PAL_PAGES - 6, 0x100000};
    must_add(&good_key, sections, 4);
    sections[1] = (struct tv_section){TV_SECTION_DATA, 1, (1ULL << 47) - 0x1000};
    struct tv_pal_key key = {0x10fff, 0x1000, VCPU_64BIT};
    must_add(&key, sections, 4);
    for (unsigned i = 4; i < TV_PAL_SECTIONS_MAX; i++) {
        sections[i] = (struct tv_section){TV_SECTION_DATA, 1, 0x20000 + i * PAGE_BYTES};
    }
    key.cr3 = 0x2000;
    const struct tv_pal *pal = must_add(&key, sections, TV_PAL_SECTIONS_MAX);
    assert_int_equal(pal->section_count, TV_PAL_SECTIONS_MAX);
    assert_memory_equal(pal->section, sections, sizeof sections);
    /* The end of a 32-bit address space, whose last page is where PALs return to. */
    assert_int_equal(tv_user_end(VCPU_64BIT), 1ULL << 47);
    assert_int_equal(tv_user_end(VCPU_32BIT), 0xfffff000);
    key.cr3 = 0x3000;
    key.width = VCPU_32BIT;
    sections[1] = (struct tv_section){TV_SECTION_DATA, 1, 0xffffe000};
    must_add(&key, sections, 4);
    key.cr3 = 0x4000;
    sections[1].pages = 2;
    refused(TV_ERROR_SECTION_RANGE, &key, sections, 4);
    sections[1] = (struct tv_section){TV_SECTION_DATA, 1, 0xfffff000};
    refused(TV_ERROR_SECTION_RANGE, &key, sections, 4);
    sections[1] = (struct tv_section){TV_SECTION_DATA, 1, 0x100000000};
    refused(TV_ERROR_SECTION_RANGE, &key, sections, 4);
}

static void test_other_pals(void **state)
{
    (void)state;
    const struct tv_pal *first = must_add(&good_key, good, 4);
    refused(TV_ERROR_PAL_DUPLICATE, &good_key, good, 4);
    struct tv_pal_key key = good_key;
    key.width = VCPU_32BIT;
    refused(TV_ERROR_PAL_OVERLAP, &key, good, 4);
    key = good_key;
    key.entry++;
    refused(TV_ERROR_PAL_OVERLAP, &key, good, 4);
    /* The same addresses in another process. */
    key.cr3 = CR3 + 0x1000;
    const struct tv_pal *second = must_add(&key, good, 4);
    assert_int_not_equal(first->id, second->id);
    assert_ptr_equal(tv_registry_find(&registry, &good_key), first);
    assert_ptr_equal(tv_registry_find(&registry, &key), second);
    assert_int_equal(tv_registry_remove(&registry, &good_key), TV_OK);
    assert_int_equal(tv_registry_remove(&registry, &good_key), TV_ERROR_NO_SUCH_PAL);
    assert_null(tv_registry_find(&registry, &good_key));
    assert_ptr_equal(tv_registry_find(&registry, &key), second);
}

static void test_width_is_part_of_the_key(void **state)
{
    (void)state;
    must_add(&good_key, good, 4);
    struct tv_pal_key key = good_key;
    key.width = VCPU_32BIT;
    assert_null(tv_registry_find(&registry, &key));
    assert_int_equal(tv_registry_remove(&registry, &key), TV_ERROR_NO_SUCH_PAL);
}

/* REQ-PAL-3: which bits of CR3 tell processes apart.  With PAE paging those of one page can differ
 * in bits 11:5 alone. */
static void test_process_tables(void **state)
{
    (void)state;
    const uint64_t pae = 1ULL << 5, lma = 1ULL << 10, all = ~0ULL;
    assert_true(tv_process_table(all, pae, lma) == 0x000ffffffffff000);
    assert_true(tv_process_table(all, pae, 0) == 0xffffffe0);
    assert_true(tv_process_table(all, 0, 0) == 0xfffff000);
}

/* Who a key belongs to: address bits of CR3, width, entry; and PALs by their number. */
static void test_keys_and_numbers(void **state)
{
    (void)state;
    const struct tv_pal *pal = must_add(&good_key, good, 4);
    struct tv_pal_key key = good_key;
    assert_true(tv_registry_is(pal, &key));
    key.entry++;
    assert_false(tv_registry_is(pal, &key));
    assert_true(tv_registry_same_process(&pal->key, &key));
    key.width = VCPU_32BIT;
    assert_false(tv_registry_same_process(&pal->key, &key));
    key.width = VCPU_64BIT;
    for (unsigned bit = 5; bit < 52; bit++) {
        key.cr3 = good_key.cr3 ^ 1ULL << bit;
        assert_false(tv_registry_same_process(&pal->key, &key));
        key.entry = good_key.entry;
        assert_false(tv_registry_is(pal, &key));
    }
    uint64_t id = pal->id;
    assert_ptr_equal(tv_registry_find_id(&registry, id), pal);
    assert_null(tv_registry_find_id(&registry, id | 1ULL << 32)); /* all bits count */
    assert_null(tv_registry_find_id(&registry, id + 1));
    assert_null(tv_registry_find_id(&registry, 0));
    assert_null(tv_registry_find_id(&registry, TV_CPUID_NO_PAL));
    assert_int_equal(tv_registry_remove(&registry, &good_key), TV_OK);
    assert_null(tv_registry_find_id(&registry, id));
}

static struct tv_pal_key nth_key(uint64_t n)
{
    return (struct tv_pal_key){0x10000, (n + 1) << 12, VCPU_64BIT};
}

/* REQ-PAL-11: as many as promised at once, then a clear error. */
static void test_full_registry(void **state)
{
    (void)state;
    assert_true(CONFIG_MAX_PALS >= 100);
    for (uint64_t n = 0; n < CONFIG_MAX_PALS; n++) {
        struct tv_pal_key key = nth_key(n);
        must_add(&key, good, 4);
    }
    struct tv_pal_key key = nth_key(CONFIG_MAX_PALS), old = nth_key(17);
    refused(TV_ERROR_TOO_MANY_PALS, &key, good, 4);
    assert_int_equal(tv_registry_remove(&registry, &old), TV_OK);
    must_add(&key, good, 4);
    refused(TV_ERROR_TOO_MANY_PALS, &old, good, 4);
}

/* The id that means "none" is passed over. */
static void test_ids_wrap(void **state)
{
    (void)state;
    registry.next_id = TV_CPUID_NO_PAL - 1;
    struct tv_pal_key a = nth_key(1), b = nth_key(2);
    assert_int_equal(must_add(&a, good, 4)->id, TV_CPUID_NO_PAL - 1);
    assert_int_equal(must_add(&b, good, 4)->id, 1);
}

/* A model that knows, for 4 processes of 64 pages, which PAL has each page: 0 = none. */
#define PROCESSES 4
#define PAGES 64

static unsigned owner[PROCESSES][PAGES];
static struct tv_pal_key keys[CONFIG_MAX_PALS + 1];

static void model_add(struct tv_section *sections)
{
    unsigned process = (unsigned)random_below(PROCESSES);
    bool own = false, other = false, taken[PAGES] = {false};
    for (unsigned i = 0; i < 3; i++) {
        for (uint64_t page = sections[i].start >> 12;
             page < (sections[i].start >> 12) + sections[i].pages; page++) {
            own = own || taken[page];
            taken[page] = true;
            other = other || owner[process][page] != 0;
        }
    }
    unsigned number = 1;
    while (number <= CONFIG_MAX_PALS && keys[number].width != 0) {
        number++;
    }
    struct tv_pal_key key = {sections[0].start, (process + 1ULL) << 12, VCPU_64BIT};
    const struct tv_pal *pal;
    enum tv_error error = tv_registry_add(&registry, &key, sections, 3, &pal);
    if (own) {
        assert_int_equal(error, TV_ERROR_SECTION_OVERLAP);
    } else if (other) {
        assert_true(error == TV_ERROR_PAL_OVERLAP || error == TV_ERROR_PAL_DUPLICATE);
    } else if (number > CONFIG_MAX_PALS) {
        assert_int_equal(error, TV_ERROR_TOO_MANY_PALS);
    } else {
        assert_int_equal(error, TV_OK);
        keys[number] = key;
        for (unsigned page = 0; page < PAGES; page++) {
            owner[process][page] = taken[page] ? number : owner[process][page];
        }
    }
}

static void model_remove(unsigned number)
{
    enum tv_error expected = keys[number].width == 0 ? TV_ERROR_NO_SUCH_PAL : TV_OK;
    assert_int_equal(tv_registry_remove(&registry, &keys[number]), expected);
    for (unsigned process = 0; process < PROCESSES; process++) {
        for (unsigned page = 0; page < PAGES; page++) {
            owner[process][page] = owner[process][page] == number ? 0 : owner[process][page];
        }
    }
    memset(&keys[number], 0, sizeof keys[number]);
}

/* The PAL of a process that a page belongs to; there is one at most. */
static const struct tv_pal *only_owner(uint64_t page, uint64_t cr3)
{
    const struct tv_pal *found = NULL;
    for (unsigned slot = 0; slot < CONFIG_MAX_PALS; slot++) {
        const struct tv_pal *pal = &registry.pal[slot];
        for (unsigned i = 0; registry.used[slot] && i < pal->section_count; i++) {
            if (pal->key.cr3 == cr3 && page - pal->section[i].start < pal->section[i].pages << 12) {
                assert_null(found);
                found = pal;
            }
        }
    }
    return found;
}

static void test_random_use(void **state)
{
    (void)state;
    memset(owner, 0, sizeof owner);
    memset(keys, 0, sizeof keys);
    for (int step = 0; step < 20000; step++) {
        struct tv_section sections[3];
        for (unsigned i = 0; i < 3; i++) {
            static const enum tv_section_type types[] = {TV_SECTION_CODE, TV_SECTION_PARAM,
                                                         TV_SECTION_STACK};
            uint32_t pages = 1 + (uint32_t)random_below(2);
            sections[i] = (struct tv_section){types[i], pages, random_below(PAGES - 1) << 12};
        }
        if (random_below(2) == 0) {
            model_add(sections);
        } else {
            model_remove(1 + (unsigned)random_below(12));
        }
        uint64_t process = random_below(PROCESSES), page = random_below(PAGES);
        const struct tv_pal *found = only_owner(page << 12, (process + 1) << 12);
        unsigned number = owner[process][page];
        assert_ptr_equal(found, number == 0 ? NULL : tv_registry_find(&registry, &keys[number]));
        assert_int_equal(found != NULL, number != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bad_sections_are_refused, setup),
        cmocka_unit_test_setup(test_limits_that_are_just_met, setup),
        cmocka_unit_test_setup(test_other_pals, setup),
        cmocka_unit_test_setup(test_width_is_part_of_the_key, setup),
        cmocka_unit_test(test_process_tables),
        cmocka_unit_test_setup(test_keys_and_numbers, setup),
        cmocka_unit_test_setup(test_full_registry, setup),
        cmocka_unit_test_setup(test_ids_wrap, setup),
        cmocka_unit_test_setup(test_random_use, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
