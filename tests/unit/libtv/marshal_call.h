/*
 * The PAL's end of a call, and whole calls.  The PAL takes its parameters from where its C ABI has
 * them and reads the area from its beginning on; what it checks is found without a look at the
 * plan.
 */
#ifndef TESTS_MARSHAL_CALL_H
#define TESTS_MARSHAL_CALL_H

#include "marshal_caller.h"

static inline uint64_t pal_load(uint64_t address, unsigned bytes)
{
    uint64_t value = 0;
    memcpy(&value, pal_at(address, bytes), bytes);
    return value;
}

/* The PAL's parameter of that index, as its C code would find it. */
static inline uint64_t pal_argument(unsigned index)
{
    const uint64_t registers[] = {call.entry.rdi, call.entry.rsi, call.entry.rdx,
                                  call.entry.rcx, call.entry.r8,  call.entry.r9};
    unsigned word = call_word(), slot = index;

    if (word == 8) {
        if (index < 6) {
            return registers[index];
        }
        slot -= 6;
    }
    uint64_t address = call.entry.rsp + word + slot * word;
    assert_true(address + word <= STACK_START + call.room.stack_bytes - 0x10);
    return pal_load(address, word);
}

/* REQ-PAL-8: the ABI's alignment, and the return address. */
static inline void pal_checks_stack(void)
{
    unsigned word = call_word();
    assert_int_equal((call.entry.rsp + word) % 16, 0);
    assert_true(call.entry.rsp >= STACK_START);
    assert_true(call.entry.rsp + word <= STACK_START + call.room.stack_bytes - 0x10);
    assert_int_equal(pal_load(call.entry.rsp, word), call_sentinel());
}

/* The bytes of a pointer, then the PAL overwrites them, whatever the direction is. */
static inline void pal_uses_bytes(unsigned index, uint64_t at)
{
    const struct tv_param *param = &call.signature.param[index];
    uint64_t bytes = param->bytes;
    uint8_t *own = pal_at(at, bytes);

    if (param->direction == TV_OUT) {
        for (uint64_t i = 0; i < bytes; i++) {
            assert_int_equal(own[i], 0);
        }
    } else {
        assert_memory_equal(own, call.before + (call_value(index) - memory.caller_start), bytes);
    }
    fill_random(own, bytes);
    memcpy(call.result[index], own, bytes);
}

/* One record of the area, and its bytes; returns where it ends. */
static inline uint64_t pal_checks_param(unsigned index, uint64_t at)
{
    const struct tv_param *param = &call.signature.param[index];
    bool pointer = param->type == TV_PARAM_POINTER;
    uint64_t value = call_value(index);

    while (call.signature.padded && at % 8 != 0) {
        at++;
    }
    assert_int_equal(pal_load(at, 8), param->type);
    assert_int_equal(pal_load(at + 8, 8), pointer ? param->bytes : call_word());
    assert_int_equal(pal_load(at + 16, 8), value);
    at += 24;
    if (!pointer) {
        assert_int_equal(pal_argument(index), value);
        return at;
    }
    while (call.signature.padded && at % 16 != 0) {
        at++;
    }
    assert_int_equal(pal_argument(index), at);
    pal_uses_bytes(index, at);
    return at + param->bytes;
}

/* The PAL runs: checks what it was given, computes, and leaves its sections in ruins. */
static inline void pal_runs(void)
{
    uint64_t at = PARAM_START + 0x10;

    pal_checks_stack();
    assert_int_equal(pal_load(at, 8), call.signature.count);
    at += 8;
    for (unsigned i = call.signature.count; i-- > 0;) {
        at = pal_checks_param(i, at);
    }
    assert_true(at <= PARAM_START + call.room.param_bytes);
}

/* What the hypervisor must not rely on: everything but the bytes of the pointers. */
static inline void pal_ruins_records(void)
{
    uint64_t at = PARAM_START;
    for (unsigned i = call.signature.count; i-- > 0;) {
        if (call.signature.param[i].type == TV_PARAM_POINTER) {
            memset(pal_at(at, call.plan.data[i] - at), 0xff, call.plan.data[i] - at);
            at = call.plan.data[i] + call.signature.param[i].bytes;
        }
    }
    memset(pal_at(at, STACK_START + MODEL_PAGE - at), 0xff, STACK_START + MODEL_PAGE - at);
}

/* No assertion for each byte: that takes longer than all else. */
static inline bool is_any_above(const uint8_t *counts, uint64_t bytes, uint8_t limit)
{
    uint8_t most = 0;
    for (uint64_t i = 0; i < bytes; i++) {
        most = counts[i] > most ? counts[i] : most;
    }
    return most > limit;
}

static inline bool is_written(uint64_t start, uint64_t end)
{
    return is_any_above(memory.writes + (start - PAL_START), end - start, 0);
}

/* Each byte of the caller's was read, and each of the PAL's written, at most once. */
static inline void each_byte_once(void)
{
    assert_false(is_any_above(memory.reads, CALLER_BYTES, 1));
    assert_false(is_any_above(memory.writes, PAL_BYTES, 1));
    /* Nothing outside of the room for parameters and stack. */
    assert_false(is_written(PAL_START, PARAM_START + 0x10));
    assert_false(is_written(PARAM_START + call.room.param_bytes, STACK_START));
    assert_false(is_written(STACK_START + call.room.stack_bytes - 0x10, PAL_START + PAL_BYTES));
}

static inline void call_plan(void)
{
    uint32_t faulty = 99;
    assert_int_equal(tv_marshal_plan(&call.plan, &call.signature, &call.room, &faulty), TV_OK);
    assert_int_equal(faulty, 0);
}

/* From the caller's registers and stack to the PAL's entry. */
static inline enum tv_error call_enters(void)
{
    uint64_t fetched[TV_PARAMS_MAX], return_address = 0;
    enum tv_error error =
        tv_marshal_fetch(&memory, &call.plan, &call.registers, fetched, &return_address);
    if (error != TV_OK) {
        return error;
    }
    assert_int_equal(return_address, RETURN_ADDRESS);
    return tv_marshal_in(&memory, &call.plan, fetched, call_sentinel(), &call.entry, &call.back);
}

/* REQ-PAL-2: a whole call that must succeed. */
static inline void call_succeeds(void)
{
    call_plan();
    caller_calls();
    model_count(0);
    assert_int_equal(call_enters(), TV_OK);
    each_byte_once();
    assert_memory_equal(memory.caller, call.before, CALLER_BYTES);
    pal_runs();
    pal_ruins_records();
    assert_int_equal(tv_marshal_out(&memory, &call.back), TV_OK);
    caller_checks_results();
}

#endif
