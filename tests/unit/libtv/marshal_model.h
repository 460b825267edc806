/*
 * Memory of a caller and of a PAL, as arrays.  The caller's pages have rights; what is read of it
 * and written of the PAL's is counted byte by byte; the n-th access that can fail fails on demand.
 */
#ifndef TESTS_MARSHAL_MODEL_H
#define TESTS_MARSHAL_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <tv/marshal.h>

#define MODEL_PAGE 4096U
#define CALLER_PAGES 8U
#define CALLER_BYTES (CALLER_PAGES * MODEL_PAGE)
#define CALLER_START 0x7ff68000ULL /* unless a test moves it */
#define PAL_START 0x10000000ULL
#define PAL_BYTES (4 * MODEL_PAGE)
#define PARAM_START (PAL_START + MODEL_PAGE) /* with something below that must stay untouched */
#define STACK_START (PAL_START + 3 * MODEL_PAGE)

enum model_rights { MODEL_NONE, MODEL_READ, MODEL_READ_WRITE };

struct tv_memory {
    uint64_t caller_start;
    enum model_rights rights[CALLER_PAGES];
    unsigned accesses; /* that can fail */
    unsigned failing;  /* number of the one that does, from 1 on; 0: none */
    unsigned pal_writes, copies_out;
    uint8_t caller[CALLER_BYTES], pal[PAL_BYTES];
    uint8_t reads[CALLER_BYTES], writes[PAL_BYTES];
};

static struct tv_memory memory;
static uint64_t random_state = 0x2545f4914f6cdd1dULL;

static inline uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static inline uint64_t random_below(uint64_t limit)
{
    return random_next() % limit;
}

static inline void fill_random(uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i += sizeof(uint64_t)) {
        uint64_t word = random_next();
        memcpy(bytes + i, &word, count - i < sizeof(word) ? count - i : sizeof(word));
    }
}

/* Everything may be read and written; nothing was. */
static inline void model_start(uint64_t caller_start)
{
    memset(&memory, 0, sizeof(memory));
    memory.caller_start = caller_start;
    for (unsigned page = 0; page < CALLER_PAGES; page++) {
        memory.rights[page] = MODEL_READ_WRITE;
    }
    memset(memory.pal, 0xa5, sizeof(memory.pal));
}

/* Counts from here on again; a failing of 0 is none. */
static inline void model_count(unsigned failing)
{
    memory.accesses = memory.pal_writes = memory.copies_out = 0;
    memory.failing = failing;
    memset(memory.reads, 0, sizeof(memory.reads));
    memset(memory.writes, 0, sizeof(memory.writes));
}

/* The access is wholly inside the caller's pages, and all of them have the right. */
static inline bool model_may(uint64_t caller, uint64_t bytes, enum model_rights right)
{
    uint64_t offset = caller - memory.caller_start;
    if (offset >= CALLER_BYTES || bytes > CALLER_BYTES - offset) {
        return false;
    }
    for (uint64_t page = offset / MODEL_PAGE; page * MODEL_PAGE < offset + bytes; page++) {
        if (memory.rights[page] < right) {
            return false;
        }
    }
    return true;
}

static inline enum tv_error model_access(uint64_t caller, uint64_t bytes, enum model_rights right)
{
    assert_true(bytes > 0);
    memory.accesses++;
    return memory.accesses != memory.failing && model_may(caller, bytes, right) ? TV_OK
                                                                                : TV_ERROR_ADDRESS;
}

static inline uint8_t *caller_at(uint64_t address)
{
    assert_true(address - memory.caller_start < CALLER_BYTES);
    return memory.caller + (address - memory.caller_start);
}

/* A write of the hypervisor into the PAL's memory: there must be such memory. */
static inline uint8_t *pal_at(uint64_t pal, uint64_t bytes)
{
    uint64_t offset = pal - PAL_START;
    assert_true(offset < PAL_BYTES && bytes <= PAL_BYTES - offset);
    return memory.pal + offset;
}

static inline void model_wrote(uint64_t pal, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++) {
        memory.writes[pal - PAL_START + i]++;
    }
}

enum tv_error tv_memory_read_caller(struct tv_memory *m, uint64_t caller, void *to, size_t bytes)
{
    assert_ptr_equal(m, &memory);
    if (model_access(caller, bytes, MODEL_READ) != TV_OK) {
        return TV_ERROR_ADDRESS;
    }
    memcpy(to, caller_at(caller), bytes);
    for (size_t i = 0; i < bytes; i++) {
        memory.reads[caller - memory.caller_start + i]++;
    }
    return TV_OK;
}

enum tv_error tv_memory_check_writable(struct tv_memory *m, uint64_t caller, uint64_t bytes)
{
    assert_ptr_equal(m, &memory);
    return model_access(caller, bytes, MODEL_READ_WRITE);
}

void tv_memory_write_pal(struct tv_memory *m, uint64_t pal, const void *from, size_t bytes)
{
    assert_ptr_equal(m, &memory);
    assert_true(bytes > 0);
    memcpy(pal_at(pal, bytes), from, bytes);
    model_wrote(pal, bytes);
    memory.pal_writes++;
}

void tv_memory_zero_pal(struct tv_memory *m, uint64_t pal, uint64_t bytes)
{
    assert_ptr_equal(m, &memory);
    memset(pal_at(pal, bytes), 0, bytes);
    model_wrote(pal, bytes);
}

enum tv_error tv_memory_copy_in(struct tv_memory *m, uint64_t pal, uint64_t caller, uint64_t bytes)
{
    enum tv_error error = tv_memory_read_caller(m, caller, pal_at(pal, bytes), bytes);
    model_wrote(pal, bytes);
    return error;
}

enum tv_error tv_memory_copy_out(struct tv_memory *m, uint64_t caller, uint64_t pal, uint64_t bytes)
{
    assert_ptr_equal(m, &memory);
    if (model_access(caller, bytes, MODEL_READ_WRITE) != TV_OK) {
        return TV_ERROR_ADDRESS;
    }
    memcpy(caller_at(caller), pal_at(pal, bytes), bytes);
    memory.copies_out++;
    return TV_OK;
}

#endif
