/* What the plan and the calls must agree on. */
#ifndef LIBTV_MARSHAL_LAYOUT_H
#define LIBTV_MARSHAL_LAYOUT_H

#include <tv/marshal.h>

/* System V: RDI, RSI, RDX, RCX, R8, R9; cdecl has none. */
#define REGISTER_PARAMS_64 6U

static inline unsigned word_bytes(enum vcpu_width width)
{
    return width == VCPU_64BIT ? 8 : 4;
}

/* Index of the first parameter that is on the stack, if there are so many. */
static inline unsigned first_on_stack(const struct tv_signature *signature)
{
    return signature->width == VCPU_64BIT ? REGISTER_PARAMS_64 : 0;
}

static inline unsigned count_on_stack(const struct tv_signature *signature)
{
    unsigned first = first_on_stack(signature);
    return signature->count > first ? signature->count - first : 0;
}

/* Last address of an address space. */
static inline uint64_t last_address(enum vcpu_width width)
{
    return width == VCPU_64BIT ? UINT64_MAX : UINT32_MAX;
}

/* Does [start, start + bytes) not leave the address space?  Not with 0 bytes. */
static inline bool range_fits(uint64_t start, uint64_t bytes, enum vcpu_width width)
{
    uint64_t last = last_address(width);
    return start <= last && bytes - 1 <= last - start;
}

#endif
