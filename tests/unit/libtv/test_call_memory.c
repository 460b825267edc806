/*
 * Calls whose memory is not what it should be: at each page that a call touches, before it, while
 * the PAL runs, and changed by another CPU in the middle of it (REQ-PAL-3, REQ-PAL-10, REQ-EPT-2).
 */
#include "pal_test.h"

#include "context.h"

#define BASE 0x10000000ULL
#define OTHER 0x20000000ULL
#define X86_GP 13

static struct suite_process process;
static struct suite_pal pal, other;
static uint64_t result;
static const uint64_t values[2] = {77, SUITE_BUFFER + PAGE_BYTES - 24};

static int setup(void **state)
{
    (void)state;
    suite_start();
    return 0;
}

static void begin(unsigned mode, bool by_number)
{
    suite_process_make(&process, (enum suite_mode)mode);
    suite_run(0, &process);
    suite_pal_plan(&other, &process, OTHER, false);
    other.section[other.section_count++] =
        (struct tv_pal_section){TV_SECTION_SHARED_CODE, 1, OTHER + 0x10000};
    suite_pal_map(&other);
    assert_int_equal(suite_register(0, &other), TV_OK);
    suite_pal_make(&pal, &process, BASE, by_number);
    pal.param_count = 2;
    pal.param[0] = (struct tv_pal_parameter){TV_PARAM_INTEGER, 0, 0};
    pal.param[1] = (struct tv_pal_parameter){TV_PARAM_POINTER, TV_IN_OUT, 64};
    assert_int_equal(suite_register(0, &pal), TV_OK);
}

/* What a page of the caller's can become instead. */
enum {
    ABSENT,
    OF_THE_KERNEL,
    READ_ONLY,
    DEVICE,
    REGION,
    OF_THE_PAL,
    OF_ANOTHER_PAL,
    NOWHERE,
    SHARED_CODE,
    BAD
};

static void spoil(uint64_t linear, unsigned how)
{
    uint64_t frame = suite_gpa(&process, linear);
    switch (how) {
    case ABSENT:
        suite_unmap(&process, linear);
        return;
    case OF_THE_KERNEL:
        suite_map(&process, linear, frame, SUITE_WRITE);
        return;
    case READ_ONLY:
        suite_map(&process, linear, frame, SUITE_USER);
        return;
    case DEVICE:
        suite_map(&process, linear, SUITE_DEVICE, SUITE_RW);
        return;
    case REGION:
        suite_map(&process, linear, suite.map.root.v, SUITE_RW);
        return;
    case OF_THE_PAL:
        suite_map(&process, linear, suite_gpa(&process, BASE + SUITE_DATA_AT), SUITE_RW);
        return;
    case OF_ANOTHER_PAL:
        suite_map(&process, linear, suite_gpa(&process, OTHER + SUITE_DATA_AT), SUITE_RW);
        return;
    case SHARED_CODE: /* of another PAL: may be read and executed, not written */
        suite_map(&process, linear, suite_gpa(&process, OTHER + 0x10000), SUITE_RW);
        return;
    default:
        suite_map(&process, linear, process.mode == SUITE_32 ? 0xf0000000 : 1ULL << 39, SUITE_RW);
        return;
    }
}

static uint32_t state_of(const struct suite_pal *which)
{
    return suite.tv.context[suite_find(which) - suite.tv.registry.pal].state;
}

/* It can be called as if nothing had happened. */
static void check_usable(void)
{
    assert_int_equal(state_of(&pal), TV_IDLE);
    assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
    suite_pal_return(0, 5);
    assert_int_equal(suite_result(0, &pal, &result), TV_OK);
    assert_int_equal(result, 5);
}

static void call_with_bad(uint64_t linear, unsigned how, bool is_written, bool is_stack)
{
    uint64_t frame = suite_gpa(&process, linear);
    struct suite_state before = suite_state(&other);
    /* What the suite itself puts there, for the call that is tried. */
    assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
    suite_pal_return(0, 5);

    struct vcpu *vcpu = &suite.guest[0];
    struct vcpu again = *vcpu;
    if (pal.by_number) {
        again.gpr[VCPU_RAX] = TV_PAL_CALL;
    } else {
        again.rip = pal.entry - (vcpu->width == VCPU_64BIT ? 0 : vcpu->base[VCPU_CS]);
        again.gpr[VCPU_RSP] -= vcpu->width;
    }
    *vcpu = again;
    spoil(linear, how);
    if (pal.by_number) {
        tv_hypercall(&suite.tv, vcpu);
    } else {
        (void)suite_guest(0, pal.entry, SUITE_FETCH);
    }
    bool good = how == READ_ONLY && !is_written;
    assert_int_equal(suite.isolated[0].loaded, good);
    if (good) {
        suite_pal_return(0, 1);
    } else if (!pal.by_number && is_stack) {
        assert_int_equal(vcpu->injected.count, again.injected.count + 1);
        assert_int_equal(vcpu->injected.vector, X86_GP);
        assert_int_equal(vcpu->rip, again.rip);
    } else {
        assert_int_equal(vcpu->gpr[VCPU_RAX], TV_ERROR_ADDRESS);
        assert_int_equal(vcpu->rflags & 1, pal.by_number ? again.rflags & 1 : 1);
        assert_int_equal(vcpu->injected.count, again.injected.count);
    }
    suite_map(&process, linear, frame, SUITE_RW);
    suite_same(&before, &other);
    check_usable();
}

/* Each page that a call reads or writes. */
static void test_bad_memory_at_the_call(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        suite_start();
        begin(i / 2, i % 2 != 0);
        for (unsigned how = 0; how < BAD; how++) {
            call_with_bad(SUITE_BUFFER, how, true, false);
            call_with_bad(SUITE_BUFFER + PAGE_BYTES, how, true, false);
            if (pal.by_number) {
                call_with_bad(SUITE_ARGS, how, true, false);
            } else if (how != SHARED_CODE) { /* which can be read */
                call_with_bad(SUITE_STACK + 3 * PAGE_BYTES, how, false, true);
            }
        }
    }
}

/* The OS changes the page tables while the PAL runs. */
static void test_bad_memory_at_the_return(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        suite_start();
        begin(i / 2, i % 2 != 0);
        for (unsigned how = 0; how < 2 * BAD; how++) {
            uint64_t linear = SUITE_BUFFER + (how % 2) * PAGE_BYTES;
            uint64_t frame = suite_gpa(&process, linear);
            assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
            struct suite_state before = suite_state(&other);
            spoil(linear, how / 2);
            suite_pal_return(0, 5);
            suite_same(&before, &other);
            assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_ADDRESS);
            suite_map(&process, linear, frame, SUITE_RW);
            check_usable();
        }
        for (unsigned how = 0; pal.by_number && how < BAD; how++) {
            uint64_t frame = suite_gpa(&process, SUITE_ARGS);
            assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
            spoil(SUITE_ARGS, how);
            suite_pal_return(0, 5);
            assert_int_equal(suite.guest[0].gpr[VCPU_RAX], TV_ERROR_ADDRESS);
            suite_map(&process, SUITE_ARGS, frame, SUITE_RW);
            assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_ADDRESS);
            assert_int_equal(result, 0x1111); /* as the caller left it */
            check_usable();
        }
    }
}

static unsigned writes_left, swap_how, swaps;
static uint64_t swap_linear;

/* Another CPU, right after an accessed or dirty flag was set. */
static void swap(void *arg, const struct fake_write *write)
{
    (void)arg;
    (void)write;
    if (writes_left > 0 && --writes_left == 0) {
        spoil(swap_linear, swap_how);
        swaps++;
    }
}

static void clear_flags(uint64_t linear)
{
    *(uint32_t *)suite_entry(&process, linear, 1) &= ~0x60U;
}

/* Between the check of one page and its use, as flags of page-table entries are set. */
static void test_page_tables_change_under_a_call(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        suite_start();
        begin(i / 2, i % 2 != 0);
        for (unsigned n = 0; n < BAD * 2 * 6; n++) {
            swap_how = n % BAD;
            swap_linear = SUITE_BUFFER + n / BAD % 2 * PAGE_BYTES;
            uint64_t frames[] = {suite_gpa(&process, SUITE_BUFFER),
                                 suite_gpa(&process, SUITE_BUFFER + PAGE_BYTES)};
            struct suite_state before = suite_state(&other);
            clear_flags(SUITE_BUFFER);
            clear_flags(SUITE_BUFFER + PAGE_BYTES);
            writes_left = 1 + n / BAD / 2;
            fake_on_write(swap, NULL);
            if (suite_call(0, &pal, values) == SUITE_ENTERED) {
                suite_pal_return(0, 5);
            }
            fake_on_write(NULL, NULL);
            enum tv_error error = suite_result(0, &pal, &result);
            assert_true(error == TV_ERROR_ADDRESS || (error == TV_OK && result == 5));
            suite_same(&before, &other);
            suite_map(&process, SUITE_BUFFER, frames[0], SUITE_RW);
            suite_map(&process, SUITE_BUFFER + PAGE_BYTES, frames[1], SUITE_RW);
            check_usable();
        }
    }
    assert_true(swaps >= 2 * SUITE_MODES * BAD * 2 * 2);
}

static void unmap_args(void *arg)
{
    (void)arg;
    suite_unmap(&process, SUITE_ARGS);
}

/* The page of the answer disappears while an ended PAL is wiped. */
static void test_answer_disappears(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth <= 4; nth++) { /* DATA, PARAM and STACK have 4 pages */
        suite_start();
        begin(SUITE_64, true);
        uint64_t frame = suite_gpa(&process, SUITE_ARGS);
        assert_int_equal(suite_call(0, &pal, values), SUITE_ENTERED);
        suite_interfere(nth, unmap_args, NULL);
        suite_pal_stop(0, VCPU_STOP_TIMER, 0, 0);
        assert_null(suite.play);
        suite_map(&process, SUITE_ARGS, frame, SUITE_RW);
        assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_ADDRESS);
        assert_int_equal(state_of(&pal), TV_ENDED);
    }
}

/* Calls by number that name the wrong PAL, or pass too much or too little. */
static void test_wrong_numbers(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < SUITE_MODES; mode++) {
        begin(mode, true);
        uint32_t id = pal.answer.id;
        uint32_t wrong[] = {0, TV_CPUID_NO_PAL, id + 1, suite_find(&other)->id};
        for (unsigned i = 0; i < 4; i++) {
            pal.answer.id = wrong[i];
            assert_int_equal(suite_call(0, &pal, values), SUITE_RETURNED);
            assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_NO_SUCH_PAL);
        }
        pal.answer.id = id;
        static const unsigned counts[] = {0, 1, 3, TV_PARAMS_MAX};
        for (unsigned i = 0; i < 4; i++) {
            pal.param_count = counts[i];
            uint64_t many[TV_PARAMS_MAX] = {0};
            assert_int_equal(suite_call(0, &pal, many), SUITE_RETURNED);
            assert_int_equal(suite_result(0, &pal, &result), TV_ERROR_PARAM_COUNT);
        }
        pal.param_count = 2;
        check_usable();
        struct suite_process stranger;
        suite_process_make(&stranger, (enum suite_mode)mode);
        suite_run(1, &stranger);
        struct suite_pal theirs = pal;
        theirs.process = &stranger;
        assert_int_equal(suite_call(1, &theirs, values), SUITE_RETURNED);
        assert_int_equal(suite_result(1, &theirs, &result), TV_ERROR_NO_SUCH_PAL);
        fake_select_cpu(0);
    }
}

/* By its address a PAL of the new interface cannot be called, nor one elsewhere than at its entry.
 */
static void test_wrong_addresses(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * SUITE_MODES; i++) {
        begin(i / 2, i % 2 != 0);
        for (uint64_t at = BASE; at < BASE + SUITE_PAL_PAGES * PAGE_BYTES; at += 0x10) {
            if (at == pal.entry && !pal.by_number) {
                continue;
            }
            struct vcpu *vcpu = &suite.guest[0];
            vcpu->rip = at - (vcpu->width == VCPU_64BIT ? 0 : vcpu->base[VCPU_CS]);
            enum suite_outcome outcome = suite_guest(0, at, SUITE_FETCH);
            assert_true(outcome == SUITE_REFUSED ||
                        (outcome == SUITE_FAULT && at >= BASE + SUITE_DATA_AT));
        }
        check_usable();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bad_memory_at_the_call, setup),
        cmocka_unit_test_setup(test_bad_memory_at_the_return, setup),
        cmocka_unit_test_setup(test_page_tables_change_under_a_call, setup),
        cmocka_unit_test_setup(test_answer_disappears, setup),
        cmocka_unit_test_setup(test_wrong_numbers, setup),
        cmocka_unit_test_setup(test_wrong_addresses, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
