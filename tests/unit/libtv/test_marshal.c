/* Calls of PALs with every mix of parameters, checked by the PAL and its caller themselves. */
#include "marshal_call.h"

#define BUFFERS_END (4 * MODEL_PAGE) /* of the caller's memory; above is its stack */

/* A pointer to a place behind all earlier ones. */
static void add_random_pointer(uint64_t *free_from)
{
    unsigned word = call_word();
    uint64_t bytes = call.signature.padded ? 1 + random_below(200) : word * (1 + random_below(20));
    enum tv_direction direction =
        call.signature.padded ? (enum tv_direction)(1 + random_below(3)) : TV_IN_OUT;
    uint64_t caller = *free_from + random_below(1000);

    *free_from = caller + bytes;
    assert_true(*free_from <= memory.caller_start + BUFFERS_END);
    add_pointer(caller, bytes, direction);
}

/* Parameter i is a pointer if bit i of the mix is set. */
static void start_mix(enum vcpu_width width, bool padded, unsigned count, unsigned mix)
{
    uint64_t free_from = CALLER_START;

    call_start(width, padded, CALLER_START);
    fill_random(memory.caller, CALLER_BYTES);
    for (unsigned i = 0; i < count; i++) {
        if ((mix >> i & 1) != 0) {
            add_random_pointer(&free_from);
        } else {
            add_integer(random_next());
        }
    }
}

/* One write for the stack, and in the area one for what lies together. */
static unsigned writes_expected(void)
{
    unsigned pointers = 0;
    for (unsigned i = 0; i < call.signature.count; i++) {
        pointers += call.signature.param[i].type == TV_PARAM_POINTER;
    }
    bool ends_in_data =
        call.signature.count > 0 && call.signature.param[0].type == TV_PARAM_POINTER;
    return pointers + !ends_in_data + 1;
}

static void try_all_mixes(enum vcpu_width width, bool padded)
{
    for (unsigned count = 0; count <= TV_PARAMS_MAX; count++) {
        for (unsigned mix = 0; mix < 1U << count; mix++) {
            start_mix(width, padded, count, mix);
            call_succeeds();
            assert_int_equal(memory.pal_writes, writes_expected());
            assert_int_equal(memory.copies_out, call.back.count);
        }
    }
}

/* REQ-PAL-2, REQ-PAL-8: 0 to 10 integers and pointers in any mix. */
static void test_all_mixes_32_bit(void **state)
{
    (void)state;
    try_all_mixes(VCPU_32BIT, false);
}

static void test_all_mixes_64_bit(void **state)
{
    (void)state;
    try_all_mixes(VCPU_64BIT, false);
}

static void test_all_mixes_32_bit_new_interface(void **state)
{
    (void)state;
    try_all_mixes(VCPU_32BIT, true);
}

static void test_all_mixes_64_bit_new_interface(void **state)
{
    (void)state;
    try_all_mixes(VCPU_64BIT, true);
}

/* Each direction by itself: in is not written back, out is not read. */
static void test_directions(void **state)
{
    (void)state;
    for (enum tv_direction direction = TV_IN; direction <= TV_IN_OUT; direction++) {
        call_start(VCPU_64BIT, true, CALLER_START);
        fill_random(memory.caller, CALLER_BYTES);
        add_pointer(CALLER_START + 3, 21, direction);
        /* In needs no right to write. */
        memory.rights[0] = direction == TV_IN ? MODEL_READ : MODEL_READ_WRITE;
        call_succeeds();
        assert_int_equal(memory.reads[3], direction == TV_OUT ? 0 : 1);
        assert_int_equal(memory.copies_out, direction == TV_IN ? 0 : 1);
    }
}

/* The new interface has its values from memory: of a 32-bit PAL the low halves count. */
static void test_high_halves_do_not_count(void **state)
{
    (void)state;
    uint64_t high = 0xdeadbeef00000000;
    call_start(VCPU_32BIT, true, CALLER_START);
    add_integer(high | 0x12345678);
    add_pointer(CALLER_START + 5, 30, TV_IN_OUT);
    call_plan();
    caller_calls();
    uint64_t value[TV_PARAMS_MAX] = {high | 0x12345678, high | (CALLER_START + 5)};
    assert_int_equal(
        tv_marshal_in(&memory, &call.plan, value, high | SENTINEL_32, &call.entry, &call.back),
        TV_OK);
    pal_runs();
    assert_int_equal(tv_marshal_out(&memory, &call.back), TV_OK);
    caller_checks_results();
}

/* Two pointers to the same bytes: the first parameter is the one that stays. */
static void test_first_of_two_equal_pointers_stays(void **state)
{
    (void)state;
    call_start(VCPU_64BIT, false, CALLER_START);
    add_pointer(CALLER_START + 8, 16, TV_IN_OUT);
    add_pointer(CALLER_START + 8, 16, TV_IN_OUT);
    call_plan();
    caller_calls();
    assert_int_equal(call_enters(), TV_OK);
    pal_runs();
    assert_int_equal(tv_marshal_out(&memory, &call.back), TV_OK);
    assert_memory_equal(memory.caller + 8, call.result[0], 16);
}

/* Registers of the PAL that carry no parameter are 0. */
static void test_unused_registers_are_zero(void **state)
{
    (void)state;
    call_start(VCPU_64BIT, false, CALLER_START);
    add_integer(7);
    memset(&call.registers.rsi, 0xff, sizeof(uint64_t));
    memset(&call.entry, 0xff, sizeof(call.entry));
    call_succeeds();
    assert_int_equal(call.entry.rdi, 7);
    assert_int_equal(call.entry.rsi | call.entry.rdx | call.entry.rcx, 0);
    assert_int_equal(call.entry.r8 | call.entry.r9, 0);

    call_start(VCPU_32BIT, false, CALLER_START);
    add_integer(7);
    memset(&call.entry, 0xff, sizeof(call.entry));
    call_succeeds();
    assert_int_equal(call.entry.rdi | call.entry.rsi | call.entry.rdx | call.entry.rcx, 0);
    assert_int_equal(call.entry.r8 | call.entry.r9, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_mixes_32_bit),
        cmocka_unit_test(test_all_mixes_64_bit),
        cmocka_unit_test(test_all_mixes_32_bit_new_interface),
        cmocka_unit_test(test_all_mixes_64_bit_new_interface),
        cmocka_unit_test(test_directions),
        cmocka_unit_test(test_high_halves_do_not_count),
        cmocka_unit_test(test_first_of_two_equal_pointers_stays),
        cmocka_unit_test(test_unused_registers_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
