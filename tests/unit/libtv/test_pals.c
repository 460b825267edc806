/*
 * Many PALs, dead ones that are in the way, wiping (REQ-PAL-7), other CPUs that act in the middle
 * of everything, and nothing that is lost over time (REQ-PAL-11).
 */
#include "pal_test.h"

#include "context.h"

#define BASE 0x10000000ULL
#define DISTANCE 0x100000ULL
#define ELSEWHERE 0x60000000ULL
#define CYCLES 1500U

static struct suite_process process, other;
static struct suite_pal pal, second, many[CONFIG_MAX_PALS + 1];
static uint64_t none, result;

static int setup(void **state)
{
    (void)state;
    suite_start();
    suite_process_make(&process, SUITE_64);
    suite_process_make(&other, SUITE_PAE);
    suite_run(0, &process);
    return 0;
}

static struct tv_context *context_of(const struct suite_pal *which)
{
    return &suite.tv.context[suite_find(which) - suite.tv.registry.pal];
}

static bool is_zero(const struct suite_pal *which, uint64_t offset)
{
    uint64_t gpa = suite_gpa(which->process, which->section[0].start_addr + offset);
    const uint64_t *words = fake_ram(gpa, PAGE_BYTES);
    for (unsigned i = 0; i < PAGE_BYTES / 8; i++) {
        if (words[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool is_wiped(const struct suite_pal *which)
{
    for (uint64_t page = SUITE_CODE_PAGES; page < SUITE_PAL_PAGES; page++) {
        if (!is_zero(which, page * PAGE_BYTES)) {
            return false;
        }
    }
    return !is_zero(which, 0) && !is_zero(which, PAGE_BYTES);
}

static void fill_registry(void)
{
    for (unsigned i = 0; i <= CONFIG_MAX_PALS; i++) {
        const struct suite_process *owner = i < CONFIG_MAX_PALS ? &process : &other;
        suite_pal_make(&many[i], owner, BASE + i * DISTANCE, i % 2 != 0);
        suite_run(0, owner);
        if (i < CONFIG_MAX_PALS) {
            assert_int_equal(suite_register(0, &many[i]), TV_OK);
        }
    }
}

/* REQ-PAL-11: as many as there can be, on all CPUs at the same time. */
static void test_many_at_once(void **state)
{
    (void)state;
    struct suite_state before = suite_state(NULL);
    fill_registry();
    suite_check();
    assert_int_equal(suite_register(0, &many[CONFIG_MAX_PALS]), TV_ERROR_TOO_MANY_PALS);
    suite_check();
    for (unsigned i = 0; i + SUITE_CPUS <= CONFIG_MAX_PALS; i += SUITE_CPUS) {
        for (unsigned cpu = 0; cpu < SUITE_CPUS; cpu++) {
            suite_run(cpu, &process);
            assert_int_equal(suite_call(cpu, &many[i + cpu], &none), SUITE_ENTERED);
            struct tv_cpuid_result answer;
            assert_true(tv_cpuid(&suite.tv, &suite.isolated[cpu], 0, &answer));
            assert_int_equal(answer.ebx, suite_find(&many[i + cpu])->id);
        }
        for (unsigned cpu = SUITE_CPUS; cpu-- > 0;) {
            suite_pal_return(cpu, i * 8 + cpu);
            assert_int_equal(suite_result(cpu, &many[i + cpu], &result), TV_OK);
            assert_int_equal(result, i * 8 + cpu);
        }
    }
    for (unsigned i = 0; i < CONFIG_MAX_PALS; i++) {
        fake_select_cpu(0);
        assert_int_equal(suite_unregister(0, &many[(i * 37) % CONFIG_MAX_PALS]), TV_OK);
    }
    suite_same(&before, NULL);
}

/* The process of all PALs ended without a word: the next one that needs room gets it. */
static void test_dead_pals_make_room(void **state)
{
    (void)state;
    fill_registry();
    for (unsigned i = 0; i < CONFIG_MAX_PALS - 1; i++) {
        suite_unmap(&process, many[i].section[0].start_addr);
    }
    assert_int_equal(suite_register(0, &many[CONFIG_MAX_PALS]), TV_OK);
    assert_int_equal(suite.tv.registry.count, 2); /* that one, and the only one alive */
    assert_non_null(suite_find(&many[CONFIG_MAX_PALS - 1]));
    for (unsigned i = 0; i < CONFIG_MAX_PALS - 1; i++) {
        assert_true(is_zero(&many[i], SUITE_DATA_AT) && is_zero(&many[i], SUITE_PARAM_AT));
    }
    suite_check();
}

/* A new process with the same page tables' address, PAL and all. */
static void test_dead_pal_at_the_same_place(void **state)
{
    (void)state;
    for (unsigned by_number = 0; by_number < 2; by_number++) {
        for (unsigned shift = 0; shift < 2; shift++) {
            suite_pal_make(&pal, &process, BASE, by_number != 0);
            assert_int_equal(suite_register(0, &pal), TV_OK);
            suite_unmap(&process, BASE);
            /* PAL_DUPLICATE, or PAL_OVERLAP */
            suite_pal_make(&second, &process, BASE + shift * PAGE_BYTES, by_number != 0);
            assert_int_equal(suite_register(0, &second), TV_OK);
            assert_int_equal(suite.tv.registry.count, 1);
            suite_check();
            assert_int_equal(suite_unregister(0, &second), TV_OK);
        }
    }
}

/* Out of table pages, of which dead PALs have some. */
static void test_dead_pals_give_tables(void **state)
{
    (void)state;
    suite_pal_make(&pal, &process, BASE, true);
    assert_int_equal(suite_register(0, &pal), TV_OK);
    suite_pal_make(&second, &other, BASE, true);
    suite_keep_free(2);
    suite_run(0, &other);
    assert_int_equal(suite_register(0, &second), TV_ERROR_NO_MEMORY);
    assert_int_equal(suite.pool.free_pages, 2);
    assert_non_null(suite_find(&pal)); /* the living are left alone */
    suite_unmap(&process, BASE);
    assert_int_equal(suite_register(0, &second), TV_OK);
    assert_null(suite_find(&pal));
    suite_check();
}

/* The OS gave a dead process's page to another one without touching it. */
static void test_page_of_a_dead_pal(void **state)
{
    (void)state;
    suite_pal_make(&pal, &process, BASE, false);
    assert_int_equal(suite_register(0, &pal), TV_OK);
    uint64_t frame = suite_gpa(&process, BASE + SUITE_DATA_AT);
    suite_pal_make(&second, &other, BASE, true);
    suite_map(&other, BASE + SUITE_DATA_AT, frame, SUITE_RW);
    suite_run(0, &other);
    assert_int_equal(suite_register(0, &second), TV_ERROR_PAGE_TAKEN);
    suite_unmap(&process, BASE);
    assert_int_equal(suite_register(0, &second), TV_OK);
    assert_null(suite_find(&pal));
    assert_int_equal(suite_call(0, &second, &none), SUITE_ENTERED);
    uint64_t word;
    assert_true(suite_pal(0, BASE + SUITE_DATA_AT, SUITE_LOAD, &word, 8));
    assert_int_equal(word, 0);
}

/* What another CPU does at one moment of a call on CPU 0. */
enum {
    REGISTERS_THE_SAME,
    REMOVES,
    CALLS,
    OS_TAKES,
    OS_TAKES_SECOND,
    WIPES_ALL,
    PROTECTS,
    ACTIONS
};
static unsigned action, acted;
static struct suite_pal twin;
static struct suite_state empty;

static void act(void *arg)
{
    (void)arg;
    fake_select_cpu(1);
    acted++;
    struct suite_pal *which = action == OS_TAKES_SECOND ? &second : &pal;
    switch (action) {
    case REGISTERS_THE_SAME:
        (void)suite_register(1, &twin);
        return;
    case REMOVES:
        (void)suite_unregister(1, &pal);
        return;
    case CALLS:
        if (suite_call(1, &pal, &none) == SUITE_ENTERED) {
            suite_pal_return(1, 0);
        }
        return;
    case WIPES_ALL: /* one that runs would have to go on meanwhile */
        if (suite_find(&pal) == NULL || context_of(&pal)->state != TV_RUNNING) {
            tv_wipe_all(&suite.tv, 1);
        }
        return;
    case PROTECTS: /* the page of the answer */
        suite_map(&process, SUITE_ARGS, suite_gpa(&process, SUITE_ARGS), SUITE_WRITE);
        return;
    default:
        suite_map(&other, ELSEWHERE, suite_gpa(which->process, BASE + SUITE_DATA_AT), SUITE_RW);
        suite_run(1, &other);
        suite.guest[1].paging.cpl = 0;
        (void)suite_guest(1, ELSEWHERE, SUITE_STORE);
        suite_run(1, &process);
    }
}

enum { REGISTER, REGISTER_BY_NUMBER, UNREGISTER, END, SHARE_A_PAGE, VIOLATE, WORKS };

static void prepare(unsigned work)
{
    suite_start();
    suite_process_make(&process, SUITE_64);
    suite_process_make(&other, SUITE_64);
    empty = suite_state(NULL);
    suite_pal_make(&second, &other, BASE, false);
    suite_run(0, &other);
    assert_int_equal(suite_register(0, &second), TV_OK);
    suite_run(1, &process);
    suite_run(0, &process);
    suite_pal_make(&pal, &process, BASE, work == REGISTER_BY_NUMBER);
    twin = pal;
    if (work != REGISTER && work != REGISTER_BY_NUMBER) {
        assert_int_equal(suite_register(0, &pal), TV_OK);
    }
    if (work == END) {
        assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
    }
}

static void do_work(unsigned work)
{
    switch (work) {
    case REGISTER:
    case REGISTER_BY_NUMBER:
        (void)suite_register(0, &pal);
        return;
    case UNREGISTER:
        (void)suite_unregister(0, &pal);
        return;
    case END:
        suite_pal_stop(0, VCPU_STOP_TIMER, 0, 0);
        return;
    case SHARE_A_PAGE: {
        uint64_t share[2] = {SUITE_BUFFER, PAGE_BYTES};
        suite_put(&process, SUITE_STACK, share, 16);
        (void)suite_hypercall(0, TV_SHARE, pal.entry, SUITE_STACK, SUITE_STACK + 8, 1);
        return;
    }
    default:
        suite_map(&other, ELSEWHERE + PAGE_BYTES, suite_gpa(&process, BASE), SUITE_RW);
        suite_run(0, &other);
        suite.guest[0].paging.cpl = 0;
        (void)suite_guest(0, ELSEWHERE + PAGE_BYTES, SUITE_LOAD);
    }
}

/* Whatever is left can be got rid of, and nothing is missing then. */
static void clean_up(void)
{
    suite_run(0, &process);
    suite_map(&process, SUITE_ARGS, suite_gpa(&process, SUITE_ARGS), SUITE_RW);
    if (suite_find(&pal) != NULL) { /* dead, and in the way of another one */
        suite_unmap(&process, BASE);
        suite_pal_make(&twin, &process, BASE, true);
        assert_int_equal(suite_register(0, &twin), TV_OK);
        assert_int_equal(suite_unregister(0, &twin), TV_OK);
    }
    suite_run(0, &other);
    if (suite_find(&second) != NULL) {
        assert_int_equal(suite_unregister(0, &second), TV_OK);
    }
    suite_same(&empty, NULL);
}

/* Everything that one CPU can do at every moment at which another one can be stopped. */
static void test_other_cpus_act_in_between(void **state)
{
    (void)state;
    for (unsigned work = 0; work < WORKS; work++) {
        for (action = 0; action < ACTIONS; action++) {
            unsigned events = 1;
            for (unsigned nth = 1; nth <= events && nth < 12; nth++) {
                prepare(work);
                suite_interfere(nth, act, NULL);
                do_work(work);
                events = suite.events;
                suite.play = NULL;
                suite_check();
                clean_up();
            }
        }
    }
    assert_true(acted > 100);
}

static void kick(void *arg)
{
    (void)arg;
    suite_pal_stop(1, VCPU_STOP_KICK, 0, 0);
}

/* REQ-PAL-7: before a reset or power-off, whatever state the PALs are in. */
static void test_wipe_all(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        suite_pal_make(&many[i], &process, BASE + i * DISTANCE, i == 1);
        assert_int_equal(suite_register(0, &many[i]), TV_OK);
    }
    suite_run(1, &process);
    assert_int_equal(suite_call(1, &many[0], &none), SUITE_ENTERED);
    fake_select_cpu(0);
    suite_interfere(2, kick, NULL); /* after the stop */
    tv_wipe_all(&suite.tv, 0);
    assert_null(suite.play);
    assert_int_equal(suite_result(1, &many[0], &result), TV_ERROR_PAL_LOST);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(is_wiped(&many[i]));
    }
    assert_int_equal(context_of(&many[0])->state, TV_ENDED);
    fake_select_cpu(0);
    assert_int_equal(suite_call(0, &many[1], &none), SUITE_RETURNED);
    assert_int_equal(suite_result(0, &many[1], &result), TV_ERROR_PAL_LOST);
    suite_check();
}

/* REQ-PAL-7: what a PAL wrote is gone when its page comes back. */
static void test_unregister_wipes(void **state)
{
    (void)state;
    for (unsigned by_number = 0; by_number < 2; by_number++) {
        suite_pal_make(&pal, &process, BASE, by_number != 0);
        assert_int_equal(suite_register(0, &pal), TV_OK);
        assert_false(is_wiped(&pal));
        assert_int_equal(suite_unregister(0, &pal), TV_OK);
        assert_true(is_wiped(&pal));
    }
}

/* REQ-PAL-11: a million were tried by hand; a leak of one page shows in far fewer. */
static void test_cycles(void **state)
{
    (void)state;
    uint64_t map = suite_map_digest(), free_pages = suite.pool.free_pages;
    suite_pal_plan(&pal, &process, BASE, true);
    pal.section_count = 3;
    pal.section[0].page_num = 1;
    pal.section[1] = pal.section[2];
    pal.section[2] = (struct tv_pal_section){TV_SECTION_STACK, 1, BASE + SUITE_STACK_AT};
    suite_pal_map(&pal);
    for (unsigned i = 0; i < CYCLES; i++) {
        pal.by_number = i % 3 != 0;
        assert_int_equal(suite_register(0, &pal), TV_OK);
        assert_int_equal(suite_unregister(0, &pal), TV_OK);
        assert_int_equal(suite.pool.free_pages, free_pages);
    }
    assert_int_equal(suite_map_digest(), map);
    assert_int_equal(suite.tv.registrations, CYCLES);
    assert_int_equal(suite.tv.registry.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_many_at_once, setup),
        cmocka_unit_test_setup(test_dead_pals_make_room, setup),
        cmocka_unit_test_setup(test_dead_pal_at_the_same_place, setup),
        cmocka_unit_test_setup(test_dead_pals_give_tables, setup),
        cmocka_unit_test_setup(test_page_of_a_dead_pal, setup),
        cmocka_unit_test_setup(test_other_cpus_act_in_between, setup),
        cmocka_unit_test_setup(test_wipe_all, setup),
        cmocka_unit_test_setup(test_unregister_wipes, setup),
        cmocka_unit_test_setup(test_cycles, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
