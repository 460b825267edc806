/* Plans: what is refused, and layouts that just fit. */
#include "marshal_call.h"

static const enum vcpu_width widths[] = {VCPU_32BIT, VCPU_64BIT};

/* REQ-PAL-10: a refusal has its own error and names the parameter. */
static void refused(enum tv_error expected, uint32_t expected_faulty)
{
    uint32_t faulty = 99;
    assert_int_equal(tv_marshal_plan(&call.plan, &call.signature, &call.room, &faulty), expected);
    assert_int_equal(faulty, expected_faulty);
}

static void test_bad_signatures_are_refused(void **state)
{
    (void)state;
    call_start(VCPU_64BIT, true, CALLER_START);
    call.signature.count = TV_PARAMS_MAX + 1;
    refused(TV_ERROR_PARAM_COUNT, 0);
    call.signature.count = UINT32_MAX;
    refused(TV_ERROR_PARAM_COUNT, 0);

    call.signature.count = 0;
    for (unsigned i = 0; i < TV_PARAMS_MAX; i++) {
        add_integer(i);
    }
    call_plan();
    const struct {
        enum tv_error error;
        struct tv_param param;
    } bad[] = {
        {TV_ERROR_PARAM_TYPE, {.type = 0}},
        {TV_ERROR_PARAM_TYPE, {3, TV_IN, 1}},
        {TV_ERROR_PARAM_TYPE, {TV_PARAM_POINTER, 0, 1}},
        {TV_ERROR_PARAM_TYPE, {TV_PARAM_POINTER, 4, 1}},
        {TV_ERROR_PARAM_SIZE, {TV_PARAM_POINTER, TV_IN, 0}},
        {TV_ERROR_PARAM_SIZE, {TV_PARAM_INTEGER, 0, 1}},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (unsigned at = 0; at < TV_PARAMS_MAX; at++) {
            const struct tv_param good = call.signature.param[at];
            call.signature.param[at] = bad[i].param;
            refused(bad[i].error, at);
            call.signature.param[at] = good;
        }
    }
}

/* Bytes of the PARAM section that a signature needs, by the words of the interface. */
static uint64_t area_end(void)
{
    uint64_t at = 0x10 + 8;
    for (unsigned i = call.signature.count; i-- > 0;) {
        const struct tv_param *param = &call.signature.param[i];
        at = call.signature.padded ? (at + 7) / 8 * 8 : at;
        at += 24;
        if (param->type == TV_PARAM_POINTER) {
            at = call.signature.padded ? (at + 15) / 16 * 16 : at;
            at += param->bytes;
        }
    }
    return at;
}

/* Up to exactly the edge of the PARAM section: by its size, and by a pointer's. */
static void test_param_section_that_just_fits(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 4000; round++) {
        unsigned count = (unsigned)random_below(TV_PARAMS_MAX + 1);
        call_start(widths[round & 1], (round & 2) != 0, CALLER_START);
        for (unsigned i = 0; i < count; i++) {
            if (random_below(2) != 0) {
                add_integer(i);
            } else {
                add_pointer(CALLER_START + 300 * i, 1 + random_below(200), TV_IN_OUT);
            }
        }
        call.room.param_bytes = area_end();
        call_succeeds();
        /* The first parameter is the last in the area; without one, the count does not fit. */
        for (unsigned less = 0; less < 24; less++) { /* the padding before its bytes included */
            call.room.param_bytes--;
            refused(TV_ERROR_PARAM_SIZE, 0);
        }
    }
}

static void test_pointers_up_to_the_edge(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t left = MODEL_PAGE - 0x10 - 8 - 24;
        call_start(widths[i & 1], (i & 2) != 0, CALLER_START);
        add_pointer(CALLER_START, left, TV_IN_OUT);
        call_succeeds();
        call.signature.param[0].bytes = left + 1;
        refused(TV_ERROR_PARAM_SIZE, 0);
        /* Sizes with which a sum would wrap, to before the area and to its beginning. */
        for (uint64_t back = 0; back < 2 * MODEL_PAGE; back++) {
            call.signature.param[0].bytes = 0 - back - 1;
            refused(TV_ERROR_PARAM_SIZE, 0);
        }
        call.signature.param[0].bytes = 0 - (PARAM_START + 0x30);
        refused(TV_ERROR_PARAM_SIZE, 0);
        /* The one that does not fit is named. */
        call.signature.param[0].bytes = 100;
        add_pointer(CALLER_START, MODEL_PAGE, TV_IN);
        add_integer(1);
        refused(TV_ERROR_PARAM_SIZE, 1);
    }
}

/* Bytes below the end of the stack that a signature needs, pushed one after the other. */
static uint64_t stack_needs(uint64_t end)
{
    unsigned word = call_word(), registers = word == 8 ? 6 : 0;
    uint64_t rsp = end - 0x10;
    unsigned pushed = call.signature.count > registers ? call.signature.count - registers : 0;
    while ((rsp - pushed * word) % 16 != 0) {
        rsp--;
    }
    return end - (rsp - pushed * word - word);
}

/* REQ-PAL-8: the stack of minimal size, one word less, and stacks that end anywhere. */
static void test_stack_section_that_just_fits(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2 * 11 * 32; round++) {
        unsigned count = round / 2 % 11, shift = round / 22;
        call_start(widths[round & 1], false, CALLER_START);
        for (unsigned i = 0; i < count; i++) {
            add_integer(random_next());
        }
        uint64_t needs = stack_needs(STACK_START + MODEL_PAGE - shift);
        call.room.stack_start = STACK_START + MODEL_PAGE - shift - needs;
        call.room.stack_bytes = needs;
        call_plan();
        assert_int_equal((call.plan.rsp + call_word()) % 16, 0);
        assert_int_equal(call.plan.rsp, call.room.stack_start);
        call.room.stack_start += call_word();
        call.room.stack_bytes -= call_word();
        refused(TV_ERROR_STACK_SIZE, 0);
        for (call.room.stack_bytes = 0; call.room.stack_bytes < needs - call_word();
             call.room.stack_bytes++) {
            call.room.stack_start = STACK_START + MODEL_PAGE - shift - call.room.stack_bytes;
            refused(TV_ERROR_STACK_SIZE, 0);
        }
    }
}

/* Sections that are too small for anything, or that wrap, whoever let them pass. */
static void test_bad_rooms_are_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t end = i == 0 ? 1ULL << 32 : 0;
        call_start(widths[i], true, CALLER_START);
        for (call.room.param_bytes = 0; call.room.param_bytes < 0x18; call.room.param_bytes++) {
            refused(TV_ERROR_PARAM_SIZE, 0);
        }
        call_plan();
        call.room.param_start = end - MODEL_PAGE;
        call.room.param_bytes = MODEL_PAGE + 1;
        refused(TV_ERROR_PARAM_SIZE, 0);
        call.room.param_bytes = UINT64_MAX;
        refused(TV_ERROR_PARAM_SIZE, 0);
        call.room.param_bytes = MODEL_PAGE;
        call_plan();
        call.room.stack_start = end - MODEL_PAGE;
        call.room.stack_bytes = MODEL_PAGE + 1;
        refused(TV_ERROR_STACK_SIZE, 0);
        call.room.stack_bytes = UINT64_MAX;
        refused(TV_ERROR_STACK_SIZE, 0);
        call.room.stack_bytes = MODEL_PAGE;
        call_plan();
        /* At the beginning of the address space, nothing may go below it. */
        call.room.stack_start = 0;
        for (call.room.stack_bytes = 0; call.room.stack_bytes < 0x20; call.room.stack_bytes++) {
            refused(TV_ERROR_STACK_SIZE, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_signatures_are_refused),
        cmocka_unit_test(test_param_section_that_just_fits),
        cmocka_unit_test(test_pointers_up_to_the_edge),
        cmocka_unit_test(test_stack_section_that_just_fits),
        cmocka_unit_test(test_bad_rooms_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
