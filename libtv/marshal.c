#include "marshal_layout.h"

#include <string.h>

/* Words of the stack: the return address, then the parameters that are not in registers. */
#define STACK_WORDS_32 (1 + TV_PARAMS_MAX)
#define STACK_WORDS_64 (1 + TV_PARAMS_MAX - REGISTER_PARAMS_64)

static enum tv_error fetch32(struct tv_memory *memory, uint64_t rsp, unsigned count,
                             uint64_t *value, uint64_t *return_address)
{
    uint32_t word[STACK_WORDS_32];
    size_t bytes = (1 + count) * sizeof(word[0]);

    if (!range_fits(rsp, bytes, VCPU_32BIT)) {
        return TV_ERROR_ADDRESS;
    }
    enum tv_error error = tv_memory_read_caller(memory, rsp, word, bytes);
    if (error != TV_OK) {
        return error;
    }
    for (unsigned i = 0; i < count; i++) {
        value[i] = word[1 + i];
    }
    *return_address = word[0];
    return TV_OK;
}

static enum tv_error fetch64(struct tv_memory *memory, const struct tv_marshal_registers *registers,
                             unsigned on_stack, uint64_t *value, uint64_t *return_address)
{
    uint64_t word[STACK_WORDS_64];
    size_t bytes = (1 + on_stack) * sizeof(word[0]);

    if (!range_fits(registers->rsp, bytes, VCPU_64BIT)) {
        return TV_ERROR_ADDRESS;
    }
    enum tv_error error = tv_memory_read_caller(memory, registers->rsp, word, bytes);
    if (error != TV_OK) {
        return error;
    }
    value[0] = registers->rdi;
    value[1] = registers->rsi;
    value[2] = registers->rdx;
    value[3] = registers->rcx;
    value[4] = registers->r8;
    value[5] = registers->r9;
    for (unsigned i = 0; i < on_stack; i++) {
        value[REGISTER_PARAMS_64 + i] = word[1 + i];
    }
    *return_address = word[0];
    return TV_OK;
}

enum tv_error tv_marshal_fetch(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                               const struct tv_marshal_registers *registers,
                               uint64_t value[TV_PARAMS_MAX], uint64_t *return_address)
{
    const struct tv_signature *signature = &plan->signature;
    if (signature->width == VCPU_64BIT) {
        return fetch64(memory, registers, count_on_stack(signature), value, return_address);
    }
    return fetch32(memory, registers->rsp, signature->count, value, return_address);
}

/* A value as code of that width has it: of a 32-bit PAL's the low half counts. */
static uint64_t narrow(const struct tv_signature *signature, uint64_t value)
{
    return value & last_address(signature->width);
}

/* What will be copied back, in the order of the area; all of it can be written now. */
static enum tv_error plan_back(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                               const uint64_t *value, struct tv_marshal_back *back)
{
    const struct tv_signature *signature = &plan->signature;

    back->count = 0;
    for (unsigned index = signature->count; index-- > 0;) {
        const struct tv_param *param = &signature->param[index];
        if (param->type == TV_PARAM_INTEGER) {
            continue;
        }
        uint64_t caller = narrow(signature, value[index]);
        if (!range_fits(caller, param->bytes, signature->width)) {
            return TV_ERROR_ADDRESS;
        }
        if (param->direction == TV_IN) {
            continue;
        }
        enum tv_error error = tv_memory_check_writable(memory, caller, param->bytes);
        if (error != TV_OK) {
            return error;
        }
        back->piece[back->count].caller = caller;
        back->piece[back->count].pal = plan->data[index];
        back->piece[back->count].bytes = param->bytes;
        back->count++;
    }
    return TV_OK;
}

/* A part of the area without gaps, gathered because each write of PAL memory has its price. */
struct piece {
    uint64_t start;
    unsigned words;
    uint64_t word[1 + TV_PARAMS_MAX * sizeof(struct tv_passed_param) / sizeof(uint64_t)];
};

static void write_piece(struct tv_memory *memory, struct piece *piece)
{
    if (piece->words > 0) {
        tv_memory_write_pal(memory, piece->start, piece->word, piece->words * sizeof(uint64_t));
    }
    piece->words = 0;
}

static enum tv_error write_data(struct tv_memory *memory, const struct tv_param *param,
                                uint64_t pal, uint64_t caller)
{
    if (param->direction == TV_OUT) {
        tv_memory_zero_pal(memory, pal, param->bytes);
        return TV_OK;
    }
    return tv_memory_copy_in(memory, pal, caller, param->bytes);
}

static enum tv_error write_area(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                                const uint64_t *value)
{
    const struct tv_signature *signature = &plan->signature;
    struct piece piece;

    piece.start = plan->area;
    piece.word[0] = signature->count;
    piece.words = 1;
    for (unsigned index = signature->count; index-- > 0;) {
        const struct tv_param *param = &signature->param[index];
        bool pointer = param->type == TV_PARAM_POINTER;
        uint64_t own = narrow(signature, value[index]);
        if (piece.words == 0) {
            piece.start = plan->record[index];
        }
        piece.word[piece.words] = param->type;
        piece.word[piece.words + 1] = pointer ? param->bytes : word_bytes(signature->width);
        piece.word[piece.words + 2] = own;
        piece.words += 3;
        if (pointer) {
            write_piece(memory, &piece);
            enum tv_error error = write_data(memory, param, plan->data[index], own);
            if (error != TV_OK) {
                return error;
            }
        }
    }
    write_piece(memory, &piece);
    return TV_OK;
}

/* What the PAL gets as that parameter: a number, or an address in the area. */
static uint64_t argument(const struct tv_marshal_plan *plan, const uint64_t *value, unsigned index)
{
    const struct tv_signature *signature = &plan->signature;
    if (index >= signature->count) {
        return 0;
    }
    return signature->param[index].type == TV_PARAM_POINTER ? plan->data[index]
                                                            : narrow(signature, value[index]);
}

static void enter32(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                    const uint64_t *value, uint64_t sentinel)
{
    uint32_t word[STACK_WORDS_32];
    unsigned count = plan->signature.count;

    word[0] = (uint32_t)sentinel;
    for (unsigned i = 0; i < count; i++) {
        word[1 + i] = (uint32_t)argument(plan, value, i);
    }
    tv_memory_write_pal(memory, plan->rsp, word, (1 + count) * sizeof(word[0]));
}

static void enter64(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                    const uint64_t *value, uint64_t sentinel, struct tv_marshal_entry *entry)
{
    uint64_t word[STACK_WORDS_64];
    unsigned on_stack = count_on_stack(&plan->signature);

    word[0] = sentinel;
    for (unsigned i = 0; i < on_stack; i++) {
        word[1 + i] = argument(plan, value, REGISTER_PARAMS_64 + i);
    }
    tv_memory_write_pal(memory, plan->rsp, word, (1 + on_stack) * sizeof(word[0]));
    entry->rdi = argument(plan, value, 0);
    entry->rsi = argument(plan, value, 1);
    entry->rdx = argument(plan, value, 2);
    entry->rcx = argument(plan, value, 3);
    entry->r8 = argument(plan, value, 4);
    entry->r9 = argument(plan, value, 5);
}

enum tv_error tv_marshal_in(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                            const uint64_t value[TV_PARAMS_MAX], uint64_t sentinel,
                            struct tv_marshal_entry *entry, struct tv_marshal_back *back)
{
    enum tv_error error = plan_back(memory, plan, value, back);
    if (error == TV_OK) {
        error = write_area(memory, plan, value);
    }
    if (error != TV_OK) {
        return error;
    }
    *entry = (struct tv_marshal_entry){.rsp = plan->rsp};
    if (plan->signature.width == VCPU_64BIT) {
        enter64(memory, plan, value, sentinel, entry);
    } else {
        enter32(memory, plan, value, sentinel);
    }
    return TV_OK;
}

enum tv_error tv_marshal_out(struct tv_memory *memory, const struct tv_marshal_back *back)
{
    for (unsigned i = 0; i < back->count; i++) {
        enum tv_error error =
            tv_memory_check_writable(memory, back->piece[i].caller, back->piece[i].bytes);
        if (error != TV_OK) {
            return error;
        }
    }
    for (unsigned i = 0; i < back->count; i++) {
        enum tv_error error = tv_memory_copy_out(memory, back->piece[i].caller, back->piece[i].pal,
                                                 back->piece[i].bytes);
        if (error != TV_OK) {
            return error;
        }
    }
    return TV_OK;
}
