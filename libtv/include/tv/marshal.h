/*
 * Marshalling: how the parameters of a call get into a PAL and its results back
 * (docs/pal-interface.md, "A call").  Pure functions over <tv/memory.h>: no state, no lock, nothing
 * of the machine.
 *
 * At registration tv_marshal_plan() decides where every parameter will lie; a call then runs
 * tv_marshal_fetch() (old interface only: values from the caller's registers and stack),
 * tv_marshal_in(), the PAL, tv_marshal_out().  Sizes come from the plan, never from memory that
 * somebody else can write, and what a call needs to remember is kept in struct tv_marshal_back, not
 * in the PAL's memory.
 */
#ifndef TV_MARSHAL_H
#define TV_MARSHAL_H

#include <stdbool.h>
#include <tv/memory.h>
#include <vcpu/vcpu.h>

struct tv_param {
    enum tv_param_type type;
    enum tv_direction direction; /* of a pointer */
    uint64_t bytes;              /* of a pointer; an integer has 0 */
};

struct tv_signature {
    enum vcpu_width width; /* VCPU_32BIT: cdecl; VCPU_64BIT: System V */
    bool padded;           /* new interface: a pointer's bytes start at a multiple of 16 */
    unsigned count;
    struct tv_param param[TV_PARAMS_MAX];
};

/* Sections that take parameters, linear addresses of the PAL's: [start, start + bytes). */
struct tv_marshal_room {
    uint64_t param_start, param_bytes;
    uint64_t stack_start, stack_bytes;
};

struct tv_marshal_plan {
    struct tv_signature signature;
    uint64_t area;                  /* PARAM start + TV_PARAM_AREA_OFFSET: the u64 count */
    uint64_t record[TV_PARAMS_MAX]; /* address of each parameter's struct tv_passed_param */
    uint64_t data[TV_PARAMS_MAX];   /* address of a pointer's bytes */
    unsigned pointer_count;
    uint8_t pointer[TV_PARAMS_MAX]; /* which parameters are pointers, in the order of the area */
    uint64_t rsp;                   /* at the PAL's entry: the sentinel lies there */
};

/*
 * TV_ERROR_PARAM_COUNT, _TYPE, _SIZE (sizes that wrap included), TV_ERROR_STACK_SIZE; *faulty is
 * then the parameter's index where one is to blame, else 0, and *plan is undefined.
 * RSP is such that the ABI's alignment holds at the entry: RSP + one word is a multiple of 16.
 */
enum tv_error tv_marshal_plan(struct tv_marshal_plan *plan, const struct tv_signature *signature,
                              const struct tv_marshal_room *room, uint32_t *faulty);

/* The old interface's parameters (address: size in words of the caller) as tv_param. */
enum tv_error tv_marshal_old_param(const struct tv_pal_param *old, enum vcpu_width width,
                                   struct tv_param *param);
enum tv_error tv_marshal_new_param(const struct tv_pal_parameter *new, struct tv_param *param);

/* What the caller had in its registers as it called. */
struct tv_marshal_registers {
    uint64_t rsp;                        /* linear address of the return address */
    uint64_t rdi, rsi, rdx, rcx, r8, r9; /* 64-bit callers */
};

/* Reads the caller's stack once.  TV_ERROR_ADDRESS. */
enum tv_error tv_marshal_fetch(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                               const struct tv_marshal_registers *registers,
                               uint64_t value[TV_PARAMS_MAX], uint64_t *return_address);

/* What to copy back, and to where. */
struct tv_marshal_back {
    unsigned count;
    struct {
        uint64_t caller, pal, bytes;
    } piece[TV_PARAMS_MAX];
};

/* Registers of the PAL at its entry; all others are 0. */
struct tv_marshal_entry {
    uint64_t rsp;
    uint64_t rdi, rsi, rdx, rcx, r8, r9; /* 64-bit PALs */
};

/*
 * Writes the parameter area and the PAL's stack, with sentinel as the address that the PAL returns
 * to.  Pointers that go back are checked to be writable first, so that a read-only destination is
 * an error before the PAL ran.  TV_ERROR_ADDRESS: *entry and *back are undefined.
 */
enum tv_error tv_marshal_in(struct tv_memory *memory, const struct tv_marshal_plan *plan,
                            const uint64_t value[TV_PARAMS_MAX], uint64_t sentinel,
                            struct tv_marshal_entry *entry, struct tv_marshal_back *back);

/*
 * All destinations are checked before the first byte is copied; where they overlap, the first
 * parameter's bytes stay.  TV_ERROR_ADDRESS: the caller's
 * tables changed while the PAL ran.
 */
enum tv_error tv_marshal_out(struct tv_memory *memory, const struct tv_marshal_back *back);

#endif
