/* Calls of PALs by address and by number, and all the ways in which they end (REQ-PAL-2, 8, 9). */
#include "pal_test.h"

#include <stdlib.h>
#include <tv/space.h>

#include "context.h"

#define BASE 0x10000000ULL
#define X86_GP 13

static struct suite_process process;
static struct suite_pal pal;
static uint64_t result;

static int setup(void **state)
{
    (void)state;
    suite_start();
    return 0;
}

/* An integer, a pointer in and out that crosses pages, and integers up to count. */
static void begin(unsigned mode, bool by_number, unsigned count)
{
    suite_process_make(&process, (enum suite_mode)mode);
    suite_run(0, &process);
    suite_run(1, &process);
    fake_select_cpu(0);
    suite_pal_make(&pal, &process, BASE, by_number);
    pal.param_count = count;
    for (unsigned i = 0; i < count; i++) {
        pal.param[i] = (struct tv_pal_parameter){TV_PARAM_INTEGER, 0, 0};
    }
    if (count > 1) {
        pal.param[1] = (struct tv_pal_parameter){TV_PARAM_POINTER, TV_IN_OUT, 64};
    }
    assert_int_equal(suite_register(0, &pal), TV_OK);
}

static const uint64_t values[TV_PARAMS_MAX] = {
    0x1020304050607080, SUITE_BUFFER + PAGE_BYTES - 24, 3, 4, 5, 6, 7, 8, 9, 0xfedcba9876543210};

static uint32_t state_of(const struct suite_pal *which)
{
    return suite.tv.context[suite_find(which) - suite.tv.registry.pal].state;
}

/* The parameter of that number as the PAL's code finds it. */
static uint64_t argument(unsigned index)
{
    static const enum vcpu_gpr registers[] = {VCPU_RDI, VCPU_RSI, VCPU_RDX,
                                              VCPU_RCX, VCPU_R8,  VCPU_R9};
    struct vcpu *isolated = &suite.isolated[0];
    bool is_64 = isolated->width == VCPU_64BIT;
    uint64_t value = 0;
    if (is_64 && index < 6) {
        return isolated->gpr[registers[index]];
    }
    uint64_t at = isolated->gpr[VCPU_RSP] + isolated->width * (1 + index - (is_64 ? 6 : 0));
    assert_true(suite_pal(0, at, SUITE_LOAD, &value, isolated->width));
    return value;
}

/* The state of a CPU that has just entered the PAL. */
static void check_entered(void)
{
    const struct vcpu *isolated = &suite.isolated[0];
    const struct tv_pal *record = suite_find(&pal);
    struct tv_cpuid_result answer;
    unsigned in_registers = isolated->width == VCPU_64BIT ? 6 : 0;

    assert_true(isolated->loaded && isolated->rip == pal.entry);
    assert_int_equal(isolated->width, suite_width(&process));
    assert_int_equal((isolated->gpr[VCPU_RSP] + isolated->width) % 16, 0);
    assert_true(suite_pal(0, isolated->rip, SUITE_FETCH, NULL, 1));
    assert_true(tv_cpuid(&suite.tv, isolated, 0, &answer));
    assert_int_equal(answer.ebx, record->id);
    assert_int_equal(state_of(&pal), TV_RUNNING);
    static const enum vcpu_gpr zero[] = {VCPU_RAX, VCPU_RBX, VCPU_RBP, VCPU_R10, VCPU_R11,
                                         VCPU_R12, VCPU_R13, VCPU_R14, VCPU_R15};
    for (size_t i = 0; i < sizeof zero / sizeof zero[0]; i++) { /* REQ-PAL-4 */
        assert_int_equal(isolated->gpr[zero[i]], 0);
    }
    for (unsigned i = 0; i < pal.param_count; i++) {
        uint64_t value = isolated->width == VCPU_64BIT ? values[i] : (uint32_t)values[i];
        assert_true(i == 1 || argument(i) == value);
    }
    assert_true(in_registers == 0 || pal.param_count > 3 || isolated->gpr[VCPU_RCX] == 0);
}

/* REQ-PAL-2: arguments go in, what the PAL writes comes back, by both interfaces and widths. */
static void test_round_trip(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        for (unsigned count = 0; count <= TV_PARAMS_MAX; count += i == 0 ? 1 : 5) {
            suite_start();
            begin(i / 2, i % 2 != 0, count);
            uint8_t bytes[64], back[64];
            for (unsigned n = 0; n < 64; n++) {
                bytes[n] = (uint8_t)suite_random(256);
            }
            suite_put(&process, values[1], bytes, 64);
            for (unsigned again = 0; again < 3; again++) {
                assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
                check_entered();
                suite_check();
                if (count > 1) {
                    assert_true(suite_pal(0, argument(1), SUITE_LOAD, back, 64));
                    assert_memory_equal(back, bytes, 64);
                    bytes[again]++;
                    bytes[63]--;
                    assert_true(suite_pal(0, argument(1), SUITE_STORE, bytes, 64));
                }
                suite_pal_return(0, 0xa1b2c3d4e5f60718);
                assert_int_equal(suite_result(0, &pal, &result), TV_OK);
                assert_int_equal(result, suite_width(&process) == VCPU_64BIT ? 0xa1b2c3d4e5f60718
                                                                             : 0xe5f60718);
                suite_get(&process, values[1], back, 64);
                assert_true(count <= 1 || memcmp(back, bytes, 64) == 0);
                assert_int_equal(state_of(&pal), TV_IDLE);
                assert_int_equal(suite.tv.cpu[0].id, TV_CPUID_NO_PAL);
            }
            assert_int_equal(suite.isolated[0].starts, 3);
            assert_int_equal(suite.isolated[0].ends, 3);
        }
    }
}

/* What a PAL can reach: its own pages with their rights, nothing of the caller's. */
static void test_rights_of_the_pal(void **state)
{
    (void)state;
    static const uint8_t rights[SUITE_PAL_PAGES] = {5, 5, 3, 3, 3, 3};
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        begin(i / 2, i % 2 != 0, 2);
        assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
        for (unsigned page = 0; page < SUITE_PAL_PAGES; page++) {
            uint64_t at = BASE + page * PAGE_BYTES + 8, word = 0;
            assert_true(suite_pal(0, at, SUITE_LOAD, &word, 8));
            assert_int_equal(suite_pal(0, at, SUITE_STORE, &word, 8), rights[page] >> 1 & 1);
            assert_int_equal(suite_pal(0, at, SUITE_FETCH, NULL, 1), rights[page] >> 2 & 1);
            assert_false(suite_guest_may(1, at, SUITE_LOAD)); /* on another CPU */
        }
        uint64_t others[] = {0,          BASE - 1,    BASE + SUITE_PAL_PAGES * PAGE_BYTES,
                             SUITE_ARGS, SUITE_STACK, SUITE_BUFFER,
                             0xffffff00, ~0ULL << 8,  1ULL << 47};
        for (unsigned n = 0; n < sizeof others / sizeof others[0]; n++) {
            uint8_t byte;
            assert_false(suite_pal(0, others[n], SUITE_LOAD, &byte, 1));
            assert_false(suite_pal(0, others[n], SUITE_FETCH, NULL, 1));
        }
        suite_pal_return(0, 0);
    }
}

/* Sections that the PAL could write are zero, and nothing else was touched. */
static void check_wiped(bool wiped)
{
    for (unsigned page = 0; page < SUITE_PAL_PAGES; page++) {
        const uint64_t *words = fake_ram(suite_gpa(&process, BASE + page * PAGE_BYTES), PAGE_BYTES);
        unsigned others = 0;
        for (unsigned word = 0; word < PAGE_BYTES / 8; word++) {
            others += words[word] != 0;
        }
        assert_true(page < SUITE_CODE_PAGES || !wiped ? others > 0 : others == 0);
    }
}

struct ending {
    enum vcpu_stop_reason reason;
    unsigned vector;
    uint64_t address;
    enum tv_error error;
    unsigned reported;
};

/* REQ-PAL-9, REQ-PAL-7: every stop that is none of a good PAL ends it: wiped, the caller goes on.
 */
static void test_endings(void **state)
{
    (void)state;
    static const struct ending endings[] = {
        {VCPU_STOP_EXCEPTION, 14, 0x1000, TV_ERROR_PAL_FAULT, 14},
        {VCPU_STOP_EXCEPTION, 14, SUITE_RETURN_TO, TV_ERROR_PAL_FAULT, 14},
        {VCPU_STOP_EXCEPTION, 13, 0xffffff00, TV_ERROR_PAL_FAULT, 13},
        {VCPU_STOP_EXCEPTION, 0, 0, TV_ERROR_PAL_FAULT, 0},
        {VCPU_STOP_EXCEPTION, 6, 0, TV_ERROR_PAL_FAULT, 6},
        {VCPU_STOP_TIMER, 0, 0, TV_ERROR_PAL_TIMEOUT, 0},
        {VCPU_STOP_OTHER, 0, 0, TV_ERROR_PAL_FAULT, 14},
    };
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        for (unsigned n = 0; n < sizeof endings / sizeof endings[0]; n++) {
            const struct ending *end = &endings[n];
            suite_start();
            begin(i / 2, i % 2 != 0, 2);
            assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
            check_wiped(false);
            suite_pal_stop(0, end->reason, end->vector, end->address);
            assert_int_equal(suite_result(0, &pal, &result), end->error);
            assert_true(!pal.by_number || end->error != TV_ERROR_PAL_FAULT ||
                        result == end->reported);
            check_wiped(true);
            suite_check();
            assert_int_equal(suite.tv.calls_ended, 1);
            /* It stays ended until it is removed. */
            assert_int_equal(suite_call(0, &pal, values), SUITE_RETURNED);
            assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_PAL_ENDED);
            assert_int_equal(suite_unregister(0, &pal), TV_OK);
            assert_int_equal(suite_register(0, &pal), TV_OK);
            assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
        }
    }
}

/* A page fault at the address that PALs return to is a return only if it is a fetch. */
static void test_only_a_fetch_returns(void **state)
{
    (void)state;
    begin(SUITE_64, true, 2);
    assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
    struct vcpu_stop stop = {VCPU_STOP_EXCEPTION, 14, 4, 0xffffffffffffff00};
    tv_isolated_stop(&suite.tv, &suite.isolated[0], &stop);
    assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_PAL_FAULT);
}

/* A kick is somebody else's matter unless the PAL is doomed. */
static void test_kick(void **state)
{
    (void)state;
    begin(SUITE_32, false, 2);
    assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
    suite_pal_stop(0, VCPU_STOP_KICK, 0, 0);
    assert_true(suite.isolated[0].loaded);
    suite.tv.cpu[0].running->doomed = true;
    suite_pal_stop(0, VCPU_STOP_KICK, 0, 0);
    assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_PAL_LOST);
    check_wiped(true);
}

/* REQ-PAL-9: a PAL that stops all the time does not keep its CPU either: the timer does not see it.
 */
static void test_endless_questions(void **state)
{
    (void)state;
    static const enum vcpu_stop_reason reasons[] = {VCPU_STOP_CALL, VCPU_STOP_CPUID,
                                                    VCPU_STOP_KICK};
    for (unsigned i = 0; i < 3; i++) {
        begin(SUITE_64, true, 2);
        suite.tv.config.budget_ticks = 1000000;
        fake_tsc_advance(10000000); /* what was before does not count */
        assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
        for (unsigned round = 0; round < 5; round++) {
            suite_pal_stop(0, reasons[i], 0, 0);
            assert_true(suite.isolated[0].loaded);
            fake_tsc_advance(150000);
        }
        fake_tsc_advance(300000);
        suite_pal_stop(0, reasons[i], 0, 0);
        assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_PAL_TIMEOUT);
        check_wiped(true);
        suite.tv.config.budget_ticks = 0; /* no limit */
        assert_int_equal(suite_unregister(0, &pal), TV_OK);
        assert_int_equal(suite_register(0, &pal), TV_OK);
        assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
        for (unsigned round = 0; round < 9; round++) {
            suite_pal_stop(0, reasons[i], 0, 0);
            fake_tsc_advance(1000000);
        }
        assert_true(suite.isolated[0].loaded);
        suite_pal_return(0, 5);
    }
}

/* Another CPU calls, changes and removes a PAL that runs. */
static void test_busy(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        begin(i / 2, i % 2 != 0, 2);
        assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
        if (pal.by_number) {
            assert_int_equal(suite_call(1, &pal, values), SUITE_RETURNED);
            assert_int_equal(suite_result(1, &pal, &result), TV_ERROR_PAL_BUSY);
        } else {
            struct vcpu before = suite.guest[1];
            assert_int_equal(suite_call(1, &pal, values), SUITE_WAITS);
            assert_true(suite.guest[1].injected.count == before.injected.count);
        }
        assert_int_equal(suite_unregister(1, &pal), TV_ERROR_PAL_BUSY);
        fake_select_cpu(0);
        suite_pal_return(0, 5);
        assert_int_equal(suite_call(1, &pal, values), SUITE_ENTERED);
        suite_pal_return(1, 6);
        assert_int_equal(suite_result(1, &pal, &result), TV_OK);
        assert_int_equal(result, 6);
        assert_int_equal(suite_unregister(1, &pal), TV_OK);
    }
}

/* REQ-EPT-1: a CPU that ran a PAL keeps nothing of it when another PAL's tables lie in the same
 * pages; and drops nothing without need. */
static void test_stale_translations(void **state)
{
    (void)state;
    uint64_t roots[64];
    unsigned root_count = 0, reused = 0, invalidations = 0;
    suite_process_make(&process, SUITE_64);
    for (unsigned cpu = 0; cpu < SUITE_CPUS; cpu++) {
        suite_run(cpu, &process);
    }
    suite_limit_pool(16);
    fake_select_cpu(0);
    for (unsigned round = 0; round < 64; round++) {
        suite_pal_make(&pal, &process, BASE, true);
        assert_int_equal(suite_register(0, &pal), TV_OK);
        for (unsigned i = 0; i < 2 * SUITE_CPUS; i++) {
            unsigned cpu = i % SUITE_CPUS;
            assert_int_equal(suite_call(cpu, &pal, values), SUITE_ENTERED);
            assert_int_equal(suite.isolated[cpu].start.invalidate, i < SUITE_CPUS);
            invalidations += suite.isolated[cpu].start.invalidate;
            for (uint64_t page = 0; page < SUITE_PAL_PAGES; page++) {
                uint64_t word;
                assert_true(suite_pal(cpu, BASE + page * PAGE_BYTES, SUITE_LOAD, &word, 8));
            }
            suite_pal_return(cpu, 0);
        }
        uint64_t root = suite.isolated[0].start.nested_root;
        for (unsigned i = 0; i < root_count; i++) {
            reused += roots[i] == root;
        }
        roots[root_count++] = root;
        fake_select_cpu(0);
        assert_int_equal(suite_unregister(0, &pal), TV_OK);
    }
    assert_true(reused > 5 && invalidations == 64 * SUITE_CPUS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_round_trip, setup),
        cmocka_unit_test_setup(test_rights_of_the_pal, setup),
        cmocka_unit_test_setup(test_endings, setup),
        cmocka_unit_test_setup(test_only_a_fetch_returns, setup),
        cmocka_unit_test_setup(test_kick, setup),
        cmocka_unit_test_setup(test_endless_questions, setup),
        cmocka_unit_test_setup(test_busy, setup),
        cmocka_unit_test_setup(test_stale_translations, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
