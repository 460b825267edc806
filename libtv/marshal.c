#include "marshal_layout.h"

#include <base/addr.h>

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
                             unsigned count, uint64_t *value, uint64_t *return_address)
{
    unsigned on_stack = count > REGISTER_PARAMS_64 ? count - REGISTER_PARAMS_64 : 0;
    uint64_t word[STACK_WORDS_64];
    size_t bytes = (1 + on_stack) * sizeof(word[0]);

    value[0] = registers->rdi;
    value[1] = registers->rsi;
    if (count > 2) { /* few have */
        value[2] = registers->rdx;
        value[3] = registers->rcx;
        value[4] = registers->r8;
        value[5] = registers->r9;
    }
    if (!range_fits(registers->rsp, bytes, VCPU_64BIT)) {
        return TV_ERROR_ADDRESS;
    }
    enum tv_error error = tv_memory_read_caller(memory, registers->rsp, word, bytes);
    if (error != TV_OK) {
        return error;
    }
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
        return fetch64(memory, registers, signature->count, value, return_address);
    }
    return fetch32(memory, registers->rsp, signature->count, value, return_address);
}

/* What a call writes, gathered first because each write of PAL memory has its price. */
struct words {
    uint64_t count;
    struct tv_passed_param record[TV_PARAMS_MAX]; /* last parameter first */
    uint64_t argument[TV_PARAMS_MAX];             /* numbers, and addresses of bytes in the area */
};

static void gather(const struct tv_marshal_plan *plan, const uint64_t *value, struct words *words)
{
    const struct tv_signature *signature = &plan->signature;
    struct tv_passed_param *record = words->record;

    words->count = signature->count;
    /* Registers without a parameter. */
    for (unsigned i = 0; i < REGISTER_PARAMS_64; i++) {
        words->argument[i] = 0;
    }
    for (unsigned index = signature->count; index-- > 0; record++) {
        const struct tv_param *param = &signature->param[index];
        bool pointer = param->type == TV_PARAM_POINTER;
        /* Of what a 32-bit PAL gets the low half counts. */
        uint64_t own = value[index] & last_address(signature->width);
        record->type = param->type;
        record->size_bytes = pointer ? param->bytes : word_bytes(signature->width);
        record->value = own;
        words->argument[index] = pointer ? plan->data[index] : own;
    }
}

/* The record of the parameter with that index. */
static const struct tv_passed_param *record_of(const struct words *words, unsigned index)
{
    return &words->record[words->count - 1 - index];
}

/* What will be copied back; all of it can be written now. */
static enum tv_error plan_back(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                               const struct words *words, struct tv_marshal_back *back)
{
    back->count = 0;
    for (unsigned i = 0; i < plan->pointer_count; i++) {
        unsigned index = plan->pointer[i];
        const struct tv_param *param = &plan->signature.param[index];
        uint64_t caller = record_of(words, index)->value;
        if (!range_fits(caller, param->bytes, plan->signature.width)) {
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

static enum tv_error write_data(struct tv_memory *memory, const struct tv_param *param,
                                uint64_t pal, uint64_t caller)
{
    if (param->direction == TV_OUT) {
        tv_memory_zero_pal(memory, pal, param->bytes);
        return TV_OK;
    }
    return tv_memory_copy_in(memory, pal, caller, param->bytes);
}

/* The bytes of a pointer separate its record from the next one: a write ends with each pointer. */
static enum tv_error write_area(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                                const struct words *words)
{
    uint64_t start = plan->area;
    const char *from = (const char *)&words->count;
    const char *end = (const char *)&words->record[words->count];

    for (unsigned i = 0; i < plan->pointer_count; i++) {
        unsigned index = plan->pointer[i];
        const struct tv_passed_param *record = record_of(words, index);
        const char *next = (const char *)(record + 1);
        tv_memory_write_pal(memory, start, from, (size_t)(next - from));
        enum tv_error error =
            write_data(memory, &plan->signature.param[index], plan->data[index], record->value);
        if (error != TV_OK) {
            return error;
        }
        from = next;
        start = index > 0 ? plan->record[index - 1] : 0;
    }
    if (from != end) {
        tv_memory_write_pal(memory, start, from, (size_t)(end - from));
    }
    return TV_OK;
}

static void enter32(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                    const struct words *words, uint64_t sentinel)
{
    uint32_t word[STACK_WORDS_32];
    unsigned count = plan->signature.count;

    word[0] = (uint32_t)sentinel;
    for (unsigned i = 0; i < count; i++) {
        word[1 + i] = (uint32_t)words->argument[i];
    }
    tv_memory_write_pal(memory, plan->rsp, word, (1 + count) * sizeof(word[0]));
}

static void enter64(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                    struct words *words, uint64_t sentinel, struct tv_marshal_entry *entry)
{
    entry->rdi = words->argument[0];
    entry->rsi = words->argument[1];
    entry->rdx = words->argument[2];
    entry->rcx = words->argument[3];
    entry->r8 = words->argument[4];
    entry->r9 = words->argument[5];
    /* The last one that is in a register makes room for the return address below the others. */
    uint64_t *stack = &words->argument[REGISTER_PARAMS_64 - 1];
    stack[0] = sentinel;
    tv_memory_write_pal(memory, plan->rsp, stack,
                        (1 + count_on_stack(&plan->signature)) * sizeof(stack[0]));
}

enum tv_error tv_marshal_in(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                            const uint64_t value[TV_PARAMS_MAX], uint64_t sentinel,
                            struct tv_marshal_entry *entry, struct tv_marshal_back *back)
{
    struct words words;

    gather(plan, value, &words);
    enum tv_error error = plan_back(memory, plan, &words, back);
    if (error == TV_OK) {
        error = write_area(memory, plan, &words);
    }
    if (error != TV_OK) {
        return error;
    }
    entry->rsp = plan->rsp;
    if (plan->signature.width == VCPU_64BIT) {
        enter64(memory, plan, &words, sentinel, entry);
    } else {
        entry->rdi = entry->rsi = entry->rdx = entry->rcx = entry->r8 = entry->r9 = 0;
        enter32(memory, plan, &words, sentinel);
    }
    return TV_OK;
}

/* One piece that no border of pages divides is checked by its own copy. */
static bool needs_check(const struct tv_marshal_back *back)
{
    return back->count > 1 ||
           (back->count == 1 &&
            back->piece[0].bytes > PAGE_BYTES - (back->piece[0].caller & PAGE_MASK));
}

enum tv_error tv_marshal_out(struct tv_memory *memory, const struct tv_marshal_back *back)
{
    for (unsigned i = 0; i < back->count && needs_check(back); i++) {
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
