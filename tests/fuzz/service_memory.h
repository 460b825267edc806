/*
 * The memory of a PAL that asks for services, as an array: CODE, which it may read, then DATA.
 * Every write is kept, for fuzz_service.c to judge.
 */
#ifndef TESTS_SERVICE_MEMORY_H
#define TESTS_SERVICE_MEMORY_H

#include "fuzz.h"

#include <tv/memory.h>
#include <tv/random.h>
#include <world/world.h>

#define CODE_AT 0x10000000ULL
#define CODE_BYTES 0x1000U
#define DATA_AT (CODE_AT + CODE_BYTES)
#define MEMORY_BYTES 0x4000U
#define MEMORY_END (CODE_AT + MEMORY_BYTES)
#define WRITES_MAX 4U /* of one call */

struct write {
    uint64_t at;
    size_t bytes;
    uint8_t content[TV_RANDOM_MAX];
};

struct tv_memory {
    uint8_t byte[MEMORY_BYTES];
    bool changes; /* somebody else writes to it after each read */
    unsigned writes;
    struct write write[WRITES_MAX];
};

static bool no_entropy;
static uint8_t entropy_count;

static inline bool is_memory(uint64_t at, uint64_t bytes, uint64_t start)
{
    return at >= start && at <= MEMORY_END && bytes <= MEMORY_END - at;
}

enum tv_error tv_memory_read_of_pal(struct tv_memory *memory, uint64_t pal, void *to, size_t bytes)
{
    if (!is_memory(pal, bytes, CODE_AT)) {
        return TV_ERROR_ADDRESS;
    }
    memcpy(to, memory->byte + (pal - CODE_AT), bytes);
    for (size_t i = 0; memory->changes && i < bytes; i++) {
        memory->byte[pal - CODE_AT + i] ^= 0xff;
    }
    return TV_OK;
}

enum tv_error tv_memory_write_of_pal(struct tv_memory *memory, uint64_t pal, const void *from,
                                     size_t bytes)
{
    if (!is_memory(pal, bytes, DATA_AT)) {
        return TV_ERROR_ADDRESS;
    }
    FUZZ_CHECK(memory->writes < WRITES_MAX && bytes <= TV_RANDOM_MAX);
    struct write *write = &memory->write[memory->writes++];
    write->at = pal;
    write->bytes = bytes;
    memcpy(write->content, from, bytes);
    memcpy(memory->byte + (pal - CODE_AT), from, bytes);
    return TV_OK;
}

enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES])
{
    memset(entropy, ++entropy_count, TV_ENTROPY_BYTES);
    return no_entropy ? TV_ERROR_NO_ENTROPY : TV_OK;
}

void world_poll(unsigned cpu)
{
    (void)cpu;
}

void hw_pause(void)
{
}

/* What is at an address, or zeros; false: the PAL may not read all of it. */
static inline bool peek(const struct tv_memory *memory, uint64_t at, void *to, size_t bytes)
{
    bool is_there = is_memory(at, bytes, CODE_AT);
    memset(to, 0, bytes);
    if (is_there) {
        memcpy(to, memory->byte + (at - CODE_AT), bytes);
    }
    return is_there;
}

static inline void poke(struct tv_memory *memory, uint64_t at, const void *from, size_t bytes)
{
    if (is_memory(at, bytes, CODE_AT)) {
        memcpy(memory->byte + (at - CODE_AT), from, bytes);
    }
}

#endif
