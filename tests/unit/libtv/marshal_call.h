/*
 * Both ends of a call, written the way compilers and PALs see it: the caller that puts parameters
 * where its C ABI wants them, and the PAL that takes them from there and reads the area from its
 * beginning on.  What is checked is found without a look at the plan.
 */
#ifndef TESTS_MARSHAL_CALL_H
#define TESTS_MARSHAL_CALL_H

#include "marshal_model.h"

#define SENTINEL_32 0xdeadf00dULL
#define SENTINEL_64 0x7ffffeeddeadf00dULL
#define RETURN_ADDRESS 0x8049abcULL

struct call {
    struct tv_signature signature;
    struct tv_marshal_room room;
    uint64_t value[TV_PARAMS_MAX]; /* what the caller passes */
    struct tv_marshal_registers registers;
    struct tv_marshal_plan plan;
    struct tv_marshal_entry entry;
    struct tv_marshal_back back;
    uint8_t before[CALLER_BYTES];                  /* the caller's memory at the call */
    uint8_t result[TV_PARAMS_MAX][2 * MODEL_PAGE]; /* what the PAL left for each pointer */
};

static struct call call;

static inline unsigned call_word(void)
{
    return call.signature.width == VCPU_64BIT ? 8 : 4;
}

static inline uint64_t call_sentinel(void)
{
    return call.signature.width == VCPU_64BIT ? SENTINEL_64 : SENTINEL_32;
}

static inline void call_start(enum vcpu_width width, bool padded, uint64_t caller_start)
{
    memset(&call, 0, sizeof(call));
    model_start(caller_start);
    call.signature.width = width;
    call.signature.padded = padded;
    call.room = (struct tv_marshal_room){PARAM_START, MODEL_PAGE, STACK_START, MODEL_PAGE};
    call.registers.rsp = caller_start + 5 * MODEL_PAGE + 12;
}

static inline void add_integer(uint64_t value)
{
    call.value[call.signature.count] = value;
    call.signature.param[call.signature.count++] = (struct tv_param){.type = TV_PARAM_INTEGER};
}

static inline void add_pointer(uint64_t caller, uint64_t bytes, enum tv_direction direction)
{
    call.value[call.signature.count] = caller;
    call.signature.param[call.signature.count++] =
        (struct tv_param){TV_PARAM_POINTER, direction, bytes};
}

/* The word of that number from RSP on in the caller's stack. */
static inline void push_at(unsigned number, uint64_t value)
{
    memcpy(caller_at(call.registers.rsp + number * call_word()), &value, call_word());
}

/* Does what a compiler does for a call of the entry point. */
static inline void caller_calls(void)
{
    uint64_t *registers[] = {&call.registers.rdi, &call.registers.rsi, &call.registers.rdx,
                             &call.registers.rcx, &call.registers.r8,  &call.registers.r9};
    unsigned number = 0;

    push_at(number++, RETURN_ADDRESS);
    for (unsigned i = 0; i < call.signature.count; i++) {
        if (call.signature.width == VCPU_64BIT && i < 6) {
            *registers[i] = call.value[i];
        } else {
            push_at(number++, call.value[i]);
        }
    }
    memcpy(call.before, memory.caller, CALLER_BYTES);
}

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
    uint64_t caller =
        call.signature.width == VCPU_32BIT ? (uint32_t)call.value[index] : call.value[index];

    if (param->direction == TV_OUT) {
        for (uint64_t i = 0; i < bytes; i++) {
            assert_int_equal(own[i], 0);
        }
    } else {
        assert_memory_equal(own, call.before + (caller - memory.caller_start), bytes);
    }
    fill_random(own, bytes);
    memcpy(call.result[index], own, bytes);
}

/* One record of the area, and its bytes; returns where it ends. */
static inline uint64_t pal_checks_param(unsigned index, uint64_t at)
{
    const struct tv_param *param = &call.signature.param[index];
    bool pointer = param->type == TV_PARAM_POINTER;
    uint64_t value =
        call.signature.width == VCPU_32BIT ? (uint32_t)call.value[index] : call.value[index];

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

/* The caller's memory is as at the call but for what it asked to be written. */
static inline void caller_checks_results(void)
{
    for (unsigned i = call.signature.count; i-- > 0;) {
        const struct tv_param *param = &call.signature.param[i];
        if (param->type == TV_PARAM_POINTER && param->direction != TV_IN) {
            memcpy(call.before + (call.value[i] - memory.caller_start), call.result[i],
                   param->bytes);
        }
    }
    assert_memory_equal(memory.caller, call.before, CALLER_BYTES);
}

/* Each byte of the caller's was read, and each of the PAL's written, at most once. */
static inline void each_byte_once(void)
{
    for (unsigned i = 0; i < CALLER_BYTES; i++) {
        assert_true(memory.reads[i] <= 1);
    }
    for (unsigned i = 0; i < PAL_BYTES; i++) {
        assert_true(memory.writes[i] <= 1);
        uint64_t at = PAL_START + i;
        bool param = at >= PARAM_START + 0x10 && at < PARAM_START + call.room.param_bytes;
        bool stack = at >= STACK_START && at < STACK_START + call.room.stack_bytes - 0x10;
        assert_true(memory.writes[i] == 0 || param || stack);
    }
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
