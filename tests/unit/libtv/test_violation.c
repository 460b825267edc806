/*
 * Accesses of the guest to PAL memory: by code of a process or of the OS, at the PAL's own address
 * or another one, as data or as a page table, while the process is alive or dead (REQ-PAL-5,
 * REQ-PAL-7).
 */
#include "pal_test.h"

#include "context.h"

#define BASE 0x10000000ULL
#define ELSEWHERE 0x30000000ULL
#define SHARED_CODE_AT 0x10000U
#define SHARED_DATA 0x40000000ULL
#define X86_GP 13

static struct suite_process process, other;
static struct suite_pal pal;
static struct suite_state before;
static uint64_t none, result;

static int setup(void **state)
{
    (void)state;
    suite_start();
    return 0;
}

static void share(uint64_t linear)
{
    uint64_t arguments[2] = {linear, PAGE_BYTES};
    unsigned word = suite_width(&process);
    struct vcpu *vcpu = &suite.guest[0];
    uint64_t ds = word == 8 ? 0 : vcpu->base[VCPU_DS], cs = word == 8 ? 0 : vcpu->base[VCPU_CS];
    suite_put(&process, SUITE_ARGS, &arguments[0], word);
    suite_put(&process, SUITE_ARGS + 8, &arguments[1], word);
    assert_int_equal(
        suite_hypercall(0, TV_SHARE, pal.entry - cs, SUITE_ARGS - ds, SUITE_ARGS + 8 - ds, 1),
        TV_OK);
}

/* A PAL with all kinds of pages; another process maps one of its pages, and so does its own. */
static void begin(unsigned mode, bool by_number)
{
    suite_process_make(&other, (enum suite_mode)mode);
    suite_process_make(&process, (enum suite_mode)mode);
    suite_run(0, &process);
    suite_pal_plan(&pal, &process, BASE, by_number);
    pal.section[4] = (struct tv_pal_section){TV_SECTION_SHARED_CODE, 2, BASE + SHARED_CODE_AT};
    pal.section_count = 5;
    suite_pal_map(&pal);
    suite_map(&process, SHARED_DATA, suite_frames(1), SUITE_RW | SUITE_EXECUTE);
    before = suite_state(&pal);
    assert_int_equal(suite_register(0, &pal), TV_OK);
    suite_check();
}

static uint8_t *byte_at(uint64_t linear)
{
    return fake_ram(suite_gpa(&process, linear), 1);
}

static bool is_zero(uint64_t linear)
{
    const uint8_t *bytes = fake_ram(suite_gpa(&process, linear & ~PAGE_MASK), PAGE_BYTES);
    for (unsigned i = 0; i < PAGE_BYTES; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* The PAL is gone, what it could write is wiped, the rest as it was. */
static void check_removed(uint64_t data, uint64_t code)
{
    assert_null(suite_find(&pal));
    assert_true(data == 0 || is_zero(data));
    assert_false(is_zero(code));
    before.content = suite_state(&pal).content;
    suite_same(&before, &pal);
}

struct attempt {
    bool user, own, dead; /* own: at the PAL's own address, in its process */
    enum suite_access access;
    bool data; /* to the DATA section, else CODE */
};

/* REQ-PAL-5: a process, and the OS at the process's own address, get #GP while the process lives;
 * the OS elsewhere, or when the process is dead, gets the page, wiped. */
static void try(const struct attempt *attempt)
{
    uint64_t linear = BASE + (attempt->data ? SUITE_DATA_AT : PAGE_BYTES) + 8;
    uint64_t frame = suite_gpa(&process, linear) & ~PAGE_MASK;
    struct suite_process *who = attempt->own ? &process : &other;
    struct vcpu *vcpu = &suite.guest[1];

    if (!attempt->own) {
        suite_map(&other, ELSEWHERE, frame, SUITE_RW | SUITE_EXECUTE);
        linear = ELSEWHERE | (linear & PAGE_MASK);
    } else { /* rights in its own tables, so that the access gets to the PAL's page */
        suite_map(&process, linear, frame, SUITE_RW | SUITE_EXECUTE);
    }
    if (attempt->dead) {
        suite_unmap(&process, BASE);
    }
    suite_run(1, who);
    vcpu->paging.cpl = attempt->user ? 3 : 0;
    vcpu->rip = 0x1234;
    bool refused = !attempt->dead && (attempt->user || attempt->own);
    enum suite_outcome outcome = suite_guest(1, linear, attempt->access);
    if (refused) {
        assert_int_equal(outcome, SUITE_REFUSED);
        assert_int_equal(vcpu->injected.vector, X86_GP);
        assert_true(vcpu->injected.has_error_code && vcpu->injected.error_code == 0);
        assert_non_null(suite_find(&pal));
        assert_int_equal(suite.tv.refusals, 1);
        assert_false(is_zero(BASE + SUITE_DATA_AT));
        suite_check();
        assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
        return;
    }
    assert_int_equal(outcome, SUITE_DONE);
    assert_int_equal(suite.tv.taken, 1);
    assert_int_equal(vcpu->injected.count, 0);
    check_removed(BASE + SUITE_DATA_AT, BASE + PAGE_BYTES);
}

static void test_policy(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 48; i++) {
        struct attempt attempt = {.user = i & 1,
                                  .own = i >> 1 & 1,
                                  .dead = i >> 2 & 1,
                                  .data = i >> 3 & 1,
                                  .access = (enum suite_access)(i / 16)};
        for (unsigned mode = 0; mode < SUITE_MODES; mode++) {
            suite_start();
            begin(mode, (i & 1) != 0);
            try(&attempt);
        }
    }
}

/* The OS made a page table of a PAL's page: whoever walks it, it is the OS that uses it. */
static void test_pages_as_page_tables(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        suite_start();
        begin(i / 2, false);
        uint64_t linear = 0x50000000;
        suite_map(&other, linear, suite_frames(1), SUITE_RW);
        uint64_t entry = (suite_gpa(&process, BASE + SUITE_DATA_AT) & ~PAGE_MASK) | 0x67;
        memcpy(suite_entry(&other, linear, 2), &entry, other.mode == SUITE_32 ? 4 : 8);
        suite_run(1, &other);
        suite.guest[1].paging.cpl = i % 2 * 3;
        assert_int_equal(suite_guest(1, linear, SUITE_LOAD), SUITE_FAULT); /* of zeros */
        check_removed(BASE + SUITE_DATA_AT, BASE + PAGE_BYTES);
    }
}

/* Both may read and execute shared code; nobody may write it while the PAL is there. */
static void test_shared_code(void **state)
{
    (void)state;
    uint64_t at = BASE + SHARED_CODE_AT + PAGE_BYTES;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        suite_start();
        begin(i / 2, i % 2 != 0);
        suite_run(1, &process);
        uint8_t first = *byte_at(at);
        assert_int_equal(suite_guest(1, at, SUITE_LOAD), SUITE_DONE);
        assert_int_equal(suite_guest(1, at, SUITE_FETCH), SUITE_DONE);
        suite_map(&process, at, suite_gpa(&process, at), SUITE_RW | SUITE_EXECUTE);
        assert_int_equal(suite_guest(1, at, SUITE_STORE), SUITE_REFUSED);
        suite.guest[1].paging.cpl = 0; /* at the address of the process */
        assert_int_equal(suite_guest(1, at, SUITE_STORE), SUITE_REFUSED);
        assert_non_null(suite_find(&pal));
        suite_map(&other, ELSEWHERE, suite_gpa(&process, at), SUITE_RW);
        suite_run(1, &other);
        assert_int_equal(suite_guest(1, ELSEWHERE, SUITE_STORE), SUITE_REFUSED);
        suite.guest[1].paging.cpl = 0;
        assert_int_equal(suite_guest(1, ELSEWHERE, SUITE_STORE), SUITE_DONE);
        assert_int_equal(*byte_at(at), first); /* not wiped: the PAL could not write it */
        check_removed(BASE + SUITE_DATA_AT, BASE + PAGE_BYTES);
    }
}

/* Shared data is the guest's to read and write; executing it is what tells that it is shared. */
static void test_shared_data(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < SUITE_MODES; mode++) {
        suite_start();
        begin(mode, false);
        share(SHARED_DATA);
        suite_check();
        suite_run(1, &process);
        assert_int_equal(suite_guest(1, SHARED_DATA, SUITE_LOAD), SUITE_DONE);
        assert_int_equal(suite_guest(1, SHARED_DATA, SUITE_STORE), SUITE_DONE);
        assert_int_equal(suite_guest(1, SHARED_DATA, SUITE_FETCH), SUITE_REFUSED);
        suite.guest[1].paging.cpl = 0;
        assert_int_equal(suite_guest(1, SHARED_DATA, SUITE_STORE), SUITE_DONE);
        assert_non_null(suite_find(&pal));
        assert_int_equal(suite_guest(1, SHARED_DATA, SUITE_FETCH), SUITE_DONE);
        check_removed(BASE + SUITE_DATA_AT, BASE + PAGE_BYTES);
    }
}

/* A PAL that runs on another CPU is told to end; meanwhile the access waits. */
static void test_running_elsewhere(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        suite_start();
        begin(i / 2, i % 2 != 0);
        uint64_t secret = 0x5ec2e7, at = BASE + SUITE_DATA_AT;
        assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
        assert_true(suite_pal(0, at, SUITE_STORE, &secret, 8));
        suite_map(&other, ELSEWHERE, suite_gpa(&process, at), SUITE_RW);
        suite_run(1, &other);
        suite.guest[1].paging.cpl = 0;
        assert_int_equal(suite_guest(1, ELSEWHERE, SUITE_LOAD), SUITE_WAITS);
        assert_true(suite.tv.cpu[0].running->doomed);
        assert_true(suite_pal(0, at, SUITE_LOAD, &secret, 8));
        assert_int_equal(secret, 0x5ec2e7);
        suite_pal_stop(0, VCPU_STOP_KICK, 0, 0);
        assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_PAL_LOST);
        assert_true(is_zero(at));
        assert_int_equal(suite_guest(1, ELSEWHERE, SUITE_LOAD), SUITE_DONE);
        check_removed(at, BASE + PAGE_BYTES);
    }
}

/* It came back just before it was told: then it goes when the access comes again. */
static void test_returns_although_doomed(void **state)
{
    (void)state;
    begin(SUITE_64, true);
    assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
    suite_map(&other, ELSEWHERE, suite_gpa(&process, BASE + SUITE_DATA_AT), SUITE_RW);
    suite_run(1, &other);
    suite.guest[1].paging.cpl = 0;
    assert_int_equal(suite_guest(1, ELSEWHERE, SUITE_STORE), SUITE_WAITS);
    fake_select_cpu(0);
    suite_pal_return(0, 8);
    assert_int_equal(suite_result(0, &pal, &result), TV_OK);
    assert_int_equal(suite_call(0, &pal, &none), SUITE_RETURNED);
    assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_PAL_LOST);
    assert_int_equal(suite_guest(1, ELSEWHERE, SUITE_STORE), SUITE_DONE);
    check_removed(BASE + SUITE_DATA_AT, BASE + PAGE_BYTES);
}

/* What has nothing to do with PALs is left to the hypapp. */
static void test_other_violations(void **state)
{
    (void)state;
    begin(SUITE_64, false);
    uint64_t nowhere[] = {
        fake_boot_info()->region.v, SUITE_RAM_END, 1ULL << 47, ~0ULL, SUITE_DEVICE, SUITE_FRAMES};
    for (unsigned i = 0; i < 6 * 8; i++) {
        struct tv_access access = {.gpa = gpa(nowhere[i / 8]),
                                   .linear = BASE,
                                   .has_linear = i & 1,
                                   .write = i >> 1 & 1,
                                   .execute = (i & 6) == 4};
        assert_false(tv_violation(&suite.tv, &suite.guest[0], &access));
    }
    /* Without a linear address it cannot be the process's own. */
    struct tv_access access = {.gpa = gpa(suite_gpa(&process, BASE + SUITE_DATA_AT))};
    suite.guest[0].paging.cpl = 0;
    assert_true(tv_violation(&suite.tv, &suite.guest[0], &access));
    check_removed(BASE + SUITE_DATA_AT, BASE + PAGE_BYTES);
}

/* A guest cannot fill the console. */
static void test_log_is_bounded(void **state)
{
    (void)state;
    begin(SUITE_64, true);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(suite_guest(0, BASE + SUITE_DATA_AT, SUITE_LOAD), SUITE_REFUSED);
    }
    unsigned lines = 0;
    for (const char *at = fake_console_text(); (at = strstr(at, "refused")) != NULL; at++) {
        lines++;
    }
    assert_true(lines > 0 && lines <= 16);
    assert_int_equal(suite.tv.refusals, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_policy, setup),
        cmocka_unit_test_setup(test_pages_as_page_tables, setup),
        cmocka_unit_test_setup(test_shared_code, setup),
        cmocka_unit_test_setup(test_shared_data, setup),
        cmocka_unit_test_setup(test_running_elsewhere, setup),
        cmocka_unit_test_setup(test_returns_although_doomed, setup),
        cmocka_unit_test_setup(test_other_violations, setup),
        cmocka_unit_test_setup(test_log_is_bounded, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
