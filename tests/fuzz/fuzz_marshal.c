/*
 * Marshalling: whatever a client registers and passes, a plan that is accepted fits its sections,
 * only they are written, and of the caller's memory only what it said comes back.
 *
 * sources: libtv/marshal.c libtv/marshal_plan.c
 */
#include "marshal_memory.h"

/* A size that is small, or about as large as the section, or anything. */
static uint64_t take_size(struct fuzz_input *input)
{
    unsigned shape = (unsigned)fuzz_take(input, 1);
    return fuzz_take(input, shape < 160 ? 1 : shape < 224 ? 2 : 8);
}

/* As a client registers it, through either interface, or unchecked. */
static bool take_param(struct fuzz_input *input, const struct tv_signature *signature,
                       struct tv_param *param)
{
    unsigned shape = (unsigned)fuzz_take(input, 1);
    uint32_t type = shape % 16 == 0 ? (uint32_t)fuzz_take(input, 4) : 1 + shape % 2;
    uint64_t size = take_size(input);
    enum tv_error error = TV_OK;

    if (shape < 16) {
        *param = (struct tv_param){type, shape % 5, size};
    } else if (signature->padded) {
        struct tv_pal_parameter new = {type, type == TV_PARAM_POINTER ? shape / 16 % 5 : 0,
                                       type == TV_PARAM_POINTER || shape % 16 == 1 ? size : 0};
        error = tv_marshal_new_param(&new, param);
    } else {
        struct tv_pal_param old = {type, shape, size};
        error = tv_marshal_old_param(&old, signature->width, param);
        FUZZ_CHECK(error != TV_OK || type != TV_PARAM_POINTER ||
                   param->bytes / (signature->width == VCPU_64BIT ? 8 : 4) == size);
    }
    FUZZ_CHECK(error == TV_OK || error == TV_ERROR_PARAM_TYPE || error == TV_ERROR_PARAM_SIZE);
    return error == TV_OK;
}

static bool take_signature(struct fuzz_input *input, struct tv_signature *signature)
{
    unsigned shape = (unsigned)fuzz_take(input, 1);
    memset(signature, 0, sizeof(*signature));
    signature->width = (shape & 1) != 0 ? VCPU_64BIT : VCPU_32BIT;
    signature->padded = (shape & 2) != 0;
    signature->count = shape >> 2 == 63 ? (unsigned)fuzz_take(input, 4) : (shape >> 2) % 12;
    for (unsigned i = 0; i < signature->count && i < TV_PARAMS_MAX; i++) {
        if (!take_param(input, signature, &signature->param[i])) {
            return false;
        }
    }
    return true;
}

/* One page for parameters and one as the stack, or a part of them, or anything. */
static bool take_room(struct fuzz_input *input, struct tv_marshal_room *room)
{
    unsigned shape = (unsigned)fuzz_take(input, 1);
    *room = (struct tv_marshal_room){PAL_START, 4096, PAL_START + 4096, 4096};
    if ((shape & 3) == 1) {
        room->param_bytes = fuzz_take(input, 2) % 4097;
    } else if ((shape & 3) == 2) {
        room->stack_start += fuzz_take(input, 2) % 4097;
        room->stack_bytes = PAL_START + PAL_BYTES - room->stack_start - (shape >> 4);
        return room->stack_bytes <= PAL_BYTES;
    } else if ((shape & 15) == 15) {
        *room = (struct tv_marshal_room){fuzz_take(input, 8), fuzz_take(input, 8),
                                         fuzz_take(input, 8), fuzz_take(input, 8)};
        return false;
    }
    return true;
}

/* Everything that is planned is where it may be, one after the other, in numbers that cannot wrap.
 */
static void check_plan(const struct tv_marshal_plan *plan, const struct tv_marshal_room *room)
{
    typedef unsigned __int128 wide;
    const struct tv_signature *signature = &plan->signature;
    unsigned word = signature->width == VCPU_64BIT ? 8 : 4, registers = word == 8 ? 6 : 0;
    wide limit = word == 8 ? (wide)1 << 64 : (wide)1 << 32, at = (wide)room->param_start + 0x18;

    for (unsigned i = signature->count; i-- > 0;) {
        const struct tv_param *param = &signature->param[i];
        FUZZ_CHECK(plan->record[i] >= at && plan->record[i] - at < 8);
        at = (wide)plan->record[i] + 24;
        if (param->type == TV_PARAM_POINTER) {
            FUZZ_CHECK(plan->data[i] >= at && plan->data[i] - at < 16 && param->bytes > 0);
            FUZZ_CHECK(!signature->padded || plan->data[i] % 16 == 0);
            FUZZ_CHECK(signature->padded || plan->data[i] == at);
            at = (wide)plan->data[i] + param->bytes;
        }
    }
    FUZZ_CHECK(plan->area == room->param_start + 0x10);
    FUZZ_CHECK(at <= (wide)room->param_start + room->param_bytes && at <= limit);
    unsigned on_stack = signature->count > registers ? signature->count - registers : 0;
    wide end = (wide)plan->rsp + word + on_stack * word;
    FUZZ_CHECK(plan->rsp >= room->stack_start && (plan->rsp + word) % 16 == 0);
    FUZZ_CHECK(end + 0x10 <= (wide)room->stack_start + room->stack_bytes && end <= limit);
}

/* After the way back: bytes outside the pieces are as before. */
static void check_back(const struct tv_marshal_back *back, const uint8_t *before)
{
    static bool piece[CALLER_BYTES];
    memset(piece, false, sizeof(piece));
    for (unsigned i = 0; i < back->count; i++) {
        memset(piece + (back->piece[i].caller - memory.caller_start), true, back->piece[i].bytes);
    }
    for (unsigned i = 0; i < CALLER_BYTES; i++) {
        FUZZ_CHECK(piece[i] || (!memory.written[i] && memory.caller[i] == before[i]));
    }
}

static void run_call(struct fuzz_input *input, const struct tv_marshal_plan *plan)
{
    static uint8_t before[CALLER_BYTES];
    struct tv_marshal_registers registers = {.rsp = memory.caller_start + fuzz_take(input, 2)};
    struct tv_marshal_entry entry;
    struct tv_marshal_back back;
    uint64_t value[TV_PARAMS_MAX], return_address;

    memcpy(before, memory.caller, CALLER_BYTES);
    if (tv_marshal_fetch(&memory, plan, &registers, value, &return_address) != TV_OK) {
        memset(value, 0, sizeof(value));
    }
    for (unsigned i = 0; i < TV_PARAMS_MAX; i++) {
        value[i] = fuzz_take(input, 1) < 224 ? memory.caller_start + fuzz_take(input, 2) : value[i];
    }
    enum tv_error error = tv_marshal_in(&memory, plan, value, 0x1234, &entry, &back);
    FUZZ_CHECK(error == TV_OK || error == TV_ERROR_ADDRESS);
    FUZZ_CHECK(memcmp(before, memory.caller, CALLER_BYTES) == 0);
    if (error != TV_OK) {
        return;
    }
    FUZZ_CHECK(entry.rsp == plan->rsp && back.count <= plan->signature.count);
    memset(memory.pal, 0x5a, sizeof(memory.pal)); /* the PAL ran */
    memory.writing_back = true;
    error = tv_marshal_out(&memory, &back);
    FUZZ_CHECK(error == TV_OK || error == TV_ERROR_ADDRESS);
    check_back(&back, before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct tv_signature signature;
    struct tv_marshal_plan plan;
    uint32_t faulty = UINT32_MAX;

    memset(&memory, 0, sizeof(memory));
    memory.input = &input;
    bool has_memory = take_room(&input, &memory.room);
    if (!take_signature(&input, &signature)) {
        return 0;
    }
    enum tv_error error = tv_marshal_plan(&plan, &signature, &memory.room, &faulty);
    FUZZ_CHECK(error < TV_ERROR_COUNT && faulty < TV_PARAMS_MAX);
    if (error != TV_OK) {
        return 0;
    }
    check_plan(&plan, &memory.room);
    /* Somewhere, at the beginning, or at the end of the address space. */
    unsigned where = (unsigned)fuzz_take(&input, 1) % 4;
    uint64_t end = signature.width == VCPU_64BIT ? 0 : 1ULL << 32;
    memory.caller_last = end - 1;
    memory.caller_start = where == 0 ? 0 : where == 1 ? end - CALLER_BYTES : 0x8000000;
    if (has_memory) {
        run_call(&input, &plan);
    }
    return 0;
}
