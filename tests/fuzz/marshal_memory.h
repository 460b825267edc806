/*
 * Memory of a caller and of a PAL that checks each access of the marshalling under test: none
 * wraps, the PAL's is inside the two sections, and the phases of a call are kept apart.  Whether
 * the caller may access something is the input's choice.
 */
#ifndef TESTS_FUZZ_MARSHAL_MEMORY_H
#define TESTS_FUZZ_MARSHAL_MEMORY_H

#include "fuzz.h"

#include <tv/marshal.h>

#define CALLER_BYTES 4096U
#define PAL_START 0x10000000ULL
#define PAL_BYTES 8192U

struct tv_memory {
    struct fuzz_input *input;
    uint64_t caller_start, caller_last; /* last address of the caller's space */
    struct tv_marshal_room room;
    bool writing_back;
    uint8_t caller[CALLER_BYTES], pal[PAL_BYTES];
    bool written[CALLER_BYTES], pal_written[PAL_BYTES];
};

static struct tv_memory memory;

/* Mostly allowed; never outside the array. */
static inline bool may_access(uint64_t caller, uint64_t bytes)
{
    uint64_t offset = caller - memory.caller_start;
    FUZZ_CHECK(bytes > 0 && caller <= memory.caller_last &&
               bytes - 1 <= memory.caller_last - caller);
    return offset < CALLER_BYTES && bytes <= CALLER_BYTES - offset &&
           fuzz_take(memory.input, 1) != 0xff;
}

static inline uint8_t *caller_at(uint64_t caller)
{
    return memory.caller + (caller - memory.caller_start);
}

static inline bool is_inside(uint64_t at, uint64_t bytes, uint64_t start, uint64_t end)
{
    return at >= start && at <= end && bytes <= end - at;
}

/* Each byte of the two sections is written once at most, and none besides. */
static inline uint8_t *written_pal(uint64_t pal, uint64_t bytes)
{
    const struct tv_marshal_room *room = &memory.room;
    FUZZ_CHECK(!memory.writing_back && bytes > 0);
    FUZZ_CHECK(
        is_inside(pal, bytes, room->param_start + 0x10, room->param_start + room->param_bytes) ||
        is_inside(pal, bytes, room->stack_start, room->stack_start + room->stack_bytes - 0x10));
    FUZZ_CHECK(is_inside(pal, bytes, PAL_START, PAL_START + PAL_BYTES));
    for (uint64_t i = 0; i < bytes; i++) {
        FUZZ_CHECK(!memory.pal_written[pal - PAL_START + i]);
        memory.pal_written[pal - PAL_START + i] = true;
    }
    return memory.pal + (pal - PAL_START);
}

enum tv_error tv_memory_read_caller(struct tv_memory *m, uint64_t caller, void *to, size_t bytes)
{
    FUZZ_CHECK(m == &memory && !memory.writing_back);
    if (!may_access(caller, bytes)) {
        return TV_ERROR_ADDRESS;
    }
    memcpy(to, caller_at(caller), bytes);
    return TV_OK;
}

enum tv_error tv_memory_check_writable(struct tv_memory *m, uint64_t caller, uint64_t bytes)
{
    FUZZ_CHECK(m == &memory);
    return may_access(caller, bytes) ? TV_OK : TV_ERROR_ADDRESS;
}

void tv_memory_write_pal(struct tv_memory *m, uint64_t pal, const void *from, size_t bytes)
{
    FUZZ_CHECK(m == &memory);
    memcpy(written_pal(pal, bytes), from, bytes);
}

void tv_memory_zero_pal(struct tv_memory *m, uint64_t pal, uint64_t bytes)
{
    FUZZ_CHECK(m == &memory);
    memset(written_pal(pal, bytes), 0, bytes);
}

enum tv_error tv_memory_copy_in(struct tv_memory *m, uint64_t pal, uint64_t caller, uint64_t bytes)
{
    return tv_memory_read_caller(m, caller, written_pal(pal, bytes), bytes);
}

enum tv_error tv_memory_copy_out(struct tv_memory *m, uint64_t caller, uint64_t pal, uint64_t bytes)
{
    FUZZ_CHECK(m == &memory && memory.writing_back);
    FUZZ_CHECK(is_inside(pal, bytes, memory.room.param_start + 0x10,
                         memory.room.param_start + memory.room.param_bytes));
    if (!may_access(caller, bytes)) {
        return TV_ERROR_ADDRESS;
    }
    memcpy(caller_at(caller), memory.pal + (pal - PAL_START), bytes);
    memset(memory.written + (caller - memory.caller_start), true, bytes);
    return TV_OK;
}

#endif
