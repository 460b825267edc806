/*
 * Plans of marshalling: whatever a client registers, in whatever sections, a plan that is accepted
 * has every record, every pointer's bytes and every word of the stack inside its section, one
 * behind the other, without wrapping, and the stack aligned as the ABI wants it (REQ-PAL-8).
 * Old sizes, in words, become bytes without wrapping.
 *
 * sources: libtv/marshal_plan.c
 * options: --unwind 12
 */
#include "proof.h"

#include <tv/marshal.h>

static struct tv_signature signature;
static struct tv_marshal_room room;
static struct tv_marshal_plan plan;

static void prove_conversions(void)
{
    struct tv_pal_param old = {nondet_u32(), nondet_u32(), nondet_u64()};
    enum vcpu_width width = nondet_bool() ? VCPU_64BIT : VCPU_32BIT;
    struct tv_param param;
    if (tv_marshal_old_param(&old, width, &param) == TV_OK) {
        unsigned word = width == VCPU_64BIT ? 8 : 4;
        proof_assert(param.bytes % word == 0);
        proof_assert(param.bytes / word == (param.type == TV_PARAM_INTEGER ? 0 : old.size));
        proof_assert((param.bytes != 0) == (old.type == TV_PARAM_POINTER));
    }
    struct tv_pal_parameter new = {nondet_u32(), nondet_u32(), nondet_u64()};
    if (tv_marshal_new_param(&new, &param) == TV_OK) {
        proof_assert(param.type == new.type &&param.bytes == new.size);
        proof_assert((new.type == TV_PARAM_POINTER) == (new.size != 0));
        proof_assert(new.size == 0 ? new.direction == 0 : new.direction - 1 < 3);
    }
}

/* [start, start + bytes) lies behind at and before end; computed modulo 2^64, as distances to end.
 */
static void prove_place(uint64_t at, uint64_t start, uint64_t bytes, uint64_t end, uint64_t align)
{
    proof_assert(end - start <= end - at && bytes <= end - start);
    proof_assert(start - at < align && (start & (align - 1)) == 0);
}

static void prove_area(void)
{
    uint64_t end = room.param_start + room.param_bytes;
    uint64_t at = room.param_start + TV_PARAM_AREA_OFFSET + sizeof(uint64_t);

    proof_assert(plan.area == room.param_start + TV_PARAM_AREA_OFFSET);
    proof_assert(room.param_bytes >= TV_PARAM_AREA_OFFSET + sizeof(uint64_t));
    for (unsigned i = signature.count; i-- > 0;) {
        const struct tv_param *param = &signature.param[i];
        uint64_t record_bytes = sizeof(struct tv_passed_param);
        prove_place(at, plan.record[i], record_bytes, end, signature.padded ? 8 : 1);
        at = plan.record[i] + record_bytes;
        if (param->type != TV_PARAM_INTEGER) {
            proof_assert(param->bytes != 0);
            prove_place(at, plan.data[i], param->bytes, end, signature.padded ? 16 : 1);
            at = plan.data[i] + param->bytes;
        }
    }
}

static void prove_stack(void)
{
    unsigned word = signature.width == VCPU_64BIT ? 8 : 4, in_registers = word == 8 ? 6 : 0;
    unsigned on_stack = signature.count > in_registers ? signature.count - in_registers : 0;
    uint64_t rsp = plan.rsp - room.stack_start, words_end = rsp + word + on_stack * word;
    proof_assert((plan.rsp + word) % 16 == 0);
    proof_assert(rsp < room.stack_bytes && words_end > rsp);
    proof_assert(words_end <= room.stack_bytes && room.stack_bytes - words_end >= 0x10);
    /* No more is left free than the alignment asks for. */
    proof_assert(room.stack_bytes - words_end < 0x10 + 16);
}

static bool leaves_address_space(uint64_t start, uint64_t bytes)
{
    uint64_t last = signature.width == VCPU_64BIT ? UINT64_MAX : UINT32_MAX;
    return bytes == 0 || start > last || bytes - 1 > last - start;
}

/* Shapes of signatures are constants: they keep the solver from guessing indexes. */
static void choose(enum vcpu_width width, bool padded, unsigned count)
{
    __CPROVER_havoc_object(&signature);
    __CPROVER_havoc_object(&room);
    signature.width = width;
    signature.padded = padded;
    signature.count = count;
}

/* Nothing is known of types, sizes and sections. */
static void prove_params(enum vcpu_width width, bool padded, unsigned count)
{
    uint32_t faulty = nondet_u32();
    choose(width, padded, count);
    enum tv_error error = tv_marshal_plan(&plan, &signature, &room, &faulty);
    if (error == TV_OK) {
        proof_assert(!leaves_address_space(room.param_start, room.param_bytes));
        prove_area();
    }
    proof_assert(faulty == 0 || (error != TV_OK && faulty < count));
}

/* Nothing is known of the STACK section; the area has room enough. */
static void prove_words(enum vcpu_width width, unsigned count)
{
    uint32_t faulty;
    choose(width, true, count);
    for (unsigned i = 0; i < count; i++) {
        signature.param[i] = (struct tv_param){.type = TV_PARAM_INTEGER};
    }
    room.param_start = room.param_bytes = 4096;
    if (tv_marshal_plan(&plan, &signature, &room, &faulty) == TV_OK) {
        proof_assert(!leaves_address_space(room.stack_start, room.stack_bytes));
        prove_stack();
    }
}

int main(void)
{
    prove_conversions();
    /* A step is the same for each parameter; more of them only make the solver slow. */
    prove_params(VCPU_32BIT, false, 3);
    prove_params(VCPU_64BIT, true, 2);
    /* Every remainder of what the alignment adds, and the most. */
    prove_words(VCPU_32BIT, 0);
    prove_words(VCPU_32BIT, 1);
    prove_words(VCPU_32BIT, 3);
    prove_words(VCPU_32BIT, 10);
    prove_words(VCPU_64BIT, 6);
    prove_words(VCPU_64BIT, 7);
    prove_words(VCPU_64BIT, 10);
    proof_reached();
    return 0;
}
