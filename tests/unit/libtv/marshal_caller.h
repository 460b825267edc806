/*
 * The caller's end of a call: it puts parameters where its C ABI wants them, and knows what must be
 * in its memory after it.
 */
#ifndef TESTS_MARSHAL_CALLER_H
#define TESTS_MARSHAL_CALLER_H

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

/* A parameter as code of that width has it. */
static inline uint64_t call_value(unsigned index)
{
    uint64_t value = call.value[index];
    return call.signature.width == VCPU_64BIT ? value : (uint32_t)value;
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

/* The caller's memory is as at the call but for what it asked to be written. */
static inline void caller_checks_results(void)
{
    for (unsigned i = call.signature.count; i-- > 0;) {
        const struct tv_param *param = &call.signature.param[i];
        if (param->type == TV_PARAM_POINTER && param->direction != TV_IN) {
            memcpy(call.before + (call_value(i) - memory.caller_start), call.result[i],
                   param->bytes);
        }
    }
    assert_memory_equal(memory.caller, call.before, CALLER_BYTES);
}

#endif
