/*
 * Calls that must fail, and what is left then (REQ-PAL-10): page borders, rights, the end of the
 * address space, and every access failing once.
 */
#include "marshal_call.h"

static const enum vcpu_width widths[] = {VCPU_32BIT, VCPU_64BIT};

/* The call fails, before the PAL's memory was written if its cause can be known by then. */
static void refused(bool pal_is_untouched)
{
    caller_calls();
    model_count(0);
    assert_int_equal(call_enters(), TV_ERROR_ADDRESS);
    assert_memory_equal(memory.caller, call.before, CALLER_BYTES);
    for (unsigned i = 0; pal_is_untouched && i < PAL_BYTES; i++) {
        assert_int_equal(memory.pal[i], 0xa5);
    }
}

static bool is_allowed(enum model_rights rights, enum tv_direction direction)
{
    return rights >= (direction == TV_IN ? MODEL_READ : MODEL_READ_WRITE);
}

/* A buffer at every offset across a page border, into a page with each of the rights. */
static void test_buffers_across_a_page_border(void **state)
{
    (void)state;
    const unsigned bytes = 40;
    for (unsigned round = 0; round < 2 * 3 * 3; round++) {
        enum tv_direction direction = (enum tv_direction)(1 + round % 3);
        enum model_rights rights = (enum model_rights)(round / 3 % 3);
        for (unsigned before = 0; before <= bytes; before++) {
            call_start(widths[round / 9], true, CALLER_START);
            fill_random(memory.caller, CALLER_BYTES);
            add_integer(5);
            add_pointer(CALLER_START + MODEL_PAGE - before, bytes, direction);
            memory.rights[1] = rights;
            if (before == bytes || is_allowed(rights, direction)) {
                call_succeeds();
            } else {
                call_plan();
                refused(direction != TV_IN);
            }
        }
    }
}

/* The same for the stack, with its return address and parameters. */
static void test_stack_across_a_page_border(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2 * 3; round++) {
        unsigned words = round % 2 == 0 ? 11 : 5;
        for (unsigned before = 0; before <= words * (round % 2 == 0 ? 4 : 8); before++) {
            call_start(widths[round % 2], false, CALLER_START);
            for (unsigned i = 0; i < TV_PARAMS_MAX; i++) {
                add_integer(random_next());
            }
            call.registers.rsp = CALLER_START + 6 * MODEL_PAGE - before;
            memory.rights[6] = (enum model_rights)(round / 2);
            if (before == words * call_word() || memory.rights[6] != MODEL_NONE) {
                call_succeeds();
            } else {
                call_plan();
                refused(true);
            }
        }
    }
}

/* Buffers that end with the address space, and one byte behind it. */
static void test_pointers_that_wrap(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2 * 3; round++) {
        uint64_t end = round % 2 == 0 ? 1ULL << 32 : 0;
        enum tv_direction direction = (enum tv_direction)(1 + round / 2);
        call_start(widths[round % 2], true, end - CALLER_BYTES);
        add_integer(5);
        add_pointer(end - 100, 100, direction);
        call_succeeds();
        for (unsigned over = 1; over < 200; over++) {
            call_start(widths[round % 2], true, end - CALLER_BYTES);
            add_pointer(end - 100, 100 + over, direction);
            call_plan();
            refused(true);
        }
        add_pointer(end - 1, 2, direction);
        call_plan();
        refused(true);
    }
}

/* A wrapped range is an error even if all of its pages could be read and written. */
static void test_stack_that_wraps(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        uint64_t end = round == 0 ? 1ULL << 32 : 0;
        unsigned words = round == 0 ? 11 : 5;
        for (unsigned over = 1; over < words * (round == 0 ? 4 : 8); over++) {
            call_start(widths[round], false, end - CALLER_BYTES);
            for (unsigned i = 0; i < TV_PARAMS_MAX; i++) {
                add_integer(i);
            }
            call.registers.rsp = end - words * call_word();
            call_succeeds();
            uint64_t value[TV_PARAMS_MAX], return_address;
            call.registers.rsp += over;
            model_count(0);
            assert_int_equal(
                tv_marshal_fetch(&memory, &call.plan, &call.registers, value, &return_address),
                TV_ERROR_ADDRESS);
            assert_int_equal(memory.accesses, 0);
        }
    }
}

/* Integers and pointers of each direction, the destinations in two pages. */
static void start_mixed_call(enum vcpu_width width, unsigned rotation)
{
    call_start(width, true, CALLER_START);
    fill_random(memory.caller, CALLER_BYTES);
    for (unsigned i = 0; i < 9; i++) {
        unsigned kind = (i + rotation) % 4;
        if (kind == 0) {
            add_integer(random_next());
        } else {
            add_pointer(CALLER_START + i % 2 * MODEL_PAGE + 100 * i, 1 + random_below(90),
                        (enum tv_direction)kind);
        }
    }
    call_plan();
}

/* Each access fails once: nothing of the caller's has changed, and the next call succeeds. */
static void test_every_access_fails_once(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2 * 4; round++) {
        start_mixed_call(widths[round % 2], round / 2);
        caller_calls();
        model_count(0);
        assert_int_equal(call_enters(), TV_OK);
        unsigned all = memory.accesses;
        for (unsigned failing = 1; failing <= all; failing++) {
            model_count(failing);
            assert_int_equal(call_enters(), TV_ERROR_ADDRESS);
            assert_int_equal(memory.accesses, failing);
            assert_memory_equal(memory.caller, call.before, CALLER_BYTES);
        }
        call_succeeds();
    }
}

/* The way back: checks fail before anything was copied; a copy that fails is told. */
static void test_every_access_of_the_way_back_fails_once(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2 * 4; round++) {
        start_mixed_call(widths[round % 2], round / 2);
        caller_calls();
        assert_int_equal(call_enters(), TV_OK);
        pal_runs();
        unsigned pieces = call.back.count;
        assert_true(pieces >= 4);
        for (unsigned failing = 1; failing <= 2 * pieces; failing++) {
            model_count(failing);
            assert_int_equal(tv_marshal_out(&memory, &call.back), TV_ERROR_ADDRESS);
            assert_int_equal(memory.accesses, failing);
            assert_int_equal(memory.copies_out, failing <= pieces ? 0 : failing - pieces - 1);
            if (failing <= pieces) {
                assert_memory_equal(memory.caller, call.before, CALLER_BYTES);
            }
        }
        model_count(0);
        assert_int_equal(tv_marshal_out(&memory, &call.back), TV_OK);
        caller_checks_results();
    }
}

/* The OS takes a page while the PAL runs: whichever it is, nothing is copied to the other. */
static void test_destination_lost_while_the_pal_ran(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2 * 2 * 2; round++) {
        start_mixed_call(widths[round % 2], 0);
        caller_calls();
        assert_int_equal(call_enters(), TV_OK);
        pal_runs();
        memory.rights[round / 4] = round / 2 % 2 == 0 ? MODEL_READ : MODEL_NONE;
        assert_int_equal(tv_marshal_out(&memory, &call.back), TV_ERROR_ADDRESS);
        assert_memory_equal(memory.caller, call.before, CALLER_BYTES);
    }
}

/* Null pointers are nothing special: page 0 is not mapped, or it is. */
static void test_null_pointers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        call_start(widths[i], false, CALLER_START);
        add_pointer(0, 16, TV_IN_OUT);
        call_plan();
        refused(true);
        call_start(widths[i], false, 0);
        add_pointer(0, 16, TV_IN_OUT);
        call_succeeds();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffers_across_a_page_border),
        cmocka_unit_test(test_stack_across_a_page_border),
        cmocka_unit_test(test_pointers_that_wrap),
        cmocka_unit_test(test_stack_that_wraps),
        cmocka_unit_test(test_every_access_fails_once),
        cmocka_unit_test(test_every_access_of_the_way_back_fails_once),
        cmocka_unit_test(test_destination_lost_while_the_pal_ran),
        cmocka_unit_test(test_null_pointers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
