#include "marshal_layout.h"

#include <base/addr.h>

/* The end of the PAL's stack that stays free, as clients of TrustVisor know it. */
#define STACK_FREE_BYTES 0x10
#define STACK_ALIGNMENT 16 /* of both ABIs, as a function sees it that was just called */
#define DATA_ALIGNMENT 16  /* new interface */
#define RECORD_ALIGNMENT 8

enum tv_error tv_marshal_old_param(const struct tv_pal_param *old, enum vcpu_width width,
                                   struct tv_param *param)
{
    if (old->type == TV_PARAM_INTEGER) {
        *param = (struct tv_param){.type = TV_PARAM_INTEGER};
        return TV_OK;
    }
    if (old->type != TV_PARAM_POINTER) {
        return TV_ERROR_PARAM_TYPE;
    }
    unsigned shift = width == VCPU_64BIT ? 3 : 2;
    if (old->size == 0 || old->size > UINT64_MAX >> shift) {
        return TV_ERROR_PARAM_SIZE;
    }
    *param = (struct tv_param){TV_PARAM_POINTER, TV_IN_OUT, old->size << shift};
    return TV_OK;
}

enum tv_error tv_marshal_new_param(const struct tv_pal_parameter *new, struct tv_param *param)
{
    bool pointer = new->type == TV_PARAM_POINTER;
    if (!pointer && new->type != TV_PARAM_INTEGER) {
        return TV_ERROR_PARAM_TYPE;
    }
    if (pointer ? new->direction < TV_IN || new->direction > TV_IN_OUT : new->direction != 0) {
        return TV_ERROR_PARAM_TYPE;
    }
    if (pointer != (new->size != 0)) {
        return TV_ERROR_PARAM_SIZE;
    }
    *param = (struct tv_param){(enum tv_param_type) new->type, (enum tv_direction) new->direction,
                               new->size};
    return TV_OK;
}

static enum tv_error check_param(const struct tv_param *param)
{
    if (param->type == TV_PARAM_INTEGER) {
        return param->bytes == 0 ? TV_OK : TV_ERROR_PARAM_SIZE;
    }
    if (param->type != TV_PARAM_POINTER || param->direction < TV_IN ||
        param->direction > TV_IN_OUT) {
        return TV_ERROR_PARAM_TYPE;
    }
    return param->bytes != 0 ? TV_OK : TV_ERROR_PARAM_SIZE;
}

/* What is left of the PARAM section; at <= end. */
struct area {
    uint64_t at, end;
};

/* Takes bytes at the next multiple of alignment; false if they do not fit. */
static bool take(struct area *area, uint64_t bytes, uint64_t alignment, uint64_t *start)
{
    uint64_t padding = -area->at & (alignment - 1);
    if (padding > area->end - area->at) {
        return false;
    }
    *start = area->at + padding;
    if (bytes > area->end - *start) {
        return false;
    }
    area->at = *start + bytes;
    return true;
}

/* The record and the bytes of one parameter. */
static bool take_param(struct tv_marshal_plan *plan, unsigned index, struct area *area)
{
    const struct tv_param *param = &plan->signature.param[index];
    bool padded = plan->signature.padded;

    plan->data[index] = 0;
    if (param->type == TV_PARAM_POINTER) {
        plan->pointer[plan->pointer_count++] = (uint8_t)index;
    }
    return take(area, sizeof(struct tv_passed_param), padded ? RECORD_ALIGNMENT : 1,
                &plan->record[index]) &&
           (param->type == TV_PARAM_INTEGER ||
            take(area, param->bytes, padded ? DATA_ALIGNMENT : 1, &plan->data[index]));
}

static enum tv_error plan_area(struct tv_marshal_plan *plan, const struct tv_marshal_room *room,
                               uint32_t *faulty)
{
    uint64_t count_bytes = sizeof(uint64_t);
    if (room->param_bytes < TV_PARAM_AREA_OFFSET + count_bytes ||
        !range_fits(room->param_start, room->param_bytes, plan->signature.width)) {
        return TV_ERROR_PARAM_SIZE;
    }
    plan->area = room->param_start + TV_PARAM_AREA_OFFSET;
    struct area area = {plan->area + count_bytes, room->param_start + room->param_bytes};
    plan->pointer_count = 0;
    for (unsigned index = plan->signature.count; index-- > 0;) {
        if (!take_param(plan, index, &area)) {
            *faulty = index;
            return TV_ERROR_PARAM_SIZE;
        }
    }
    return TV_OK;
}

static enum tv_error plan_stack(struct tv_marshal_plan *plan, const struct tv_marshal_room *room)
{
    uint64_t word = word_bytes(plan->signature.width);
    uint64_t needed = STACK_FREE_BYTES + count_on_stack(&plan->signature) * word;
    if (room->stack_bytes < needed ||
        !range_fits(room->stack_start, room->stack_bytes, plan->signature.width)) {
        return TV_ERROR_STACK_SIZE;
    }
    uint64_t first_param =
        addr_align_down(room->stack_start + (room->stack_bytes - needed), STACK_ALIGNMENT);
    if (first_param < room->stack_start || first_param - room->stack_start < word) {
        return TV_ERROR_STACK_SIZE;
    }
    plan->rsp = first_param - word;
    return TV_OK;
}

enum tv_error tv_marshal_plan(struct tv_marshal_plan *plan, const struct tv_signature *signature,
                              const struct tv_marshal_room *room, uint32_t *faulty)
{
    *faulty = 0;
    if (signature->count > TV_PARAMS_MAX) {
        return TV_ERROR_PARAM_COUNT;
    }
    for (unsigned i = 0; i < signature->count; i++) {
        enum tv_error error = check_param(&signature->param[i]);
        if (error != TV_OK) {
            *faulty = i;
            return error;
        }
    }
    plan->signature = *signature;
    enum tv_error error = plan_area(plan, room, faulty);
    return error == TV_OK ? plan_stack(plan, room) : error;
}
