/*
 * What the tests of the services share: a platform, and a PAL of either width whose memory is an
 * array.  The memory functions here take the place of those of the image.
 */
#ifndef TESTS_SERVICE_TEST_H
#define TESTS_SERVICE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <tv/service.h>
#include <world/world.h>

#define RAM 0x10000000ULL /* where the PAL has it; the first page cannot be written */
#define RAM_BYTES 0x8000U
#define READ_ONLY_BYTES 0x1000U
#define DATA (RAM + 0x1000)
#define BLOB (RAM + 0x3000)
#define BACK (RAM + 0x4000)
#define ARGS (RAM + 0x5000) /* 0x100 bytes for each argument */
#define LENGTH (RAM + 0x6000)
#define NOWHERE (RAM + RAM_BYTES)
#define NOTHING 0xa5

struct tv_memory {
    uint8_t byte[RAM_BYTES];
};

static struct tv_memory ram;
static struct tv_platform platform;
static struct tv_random generator;
static struct tv_pcrs pcrs;
static uint8_t buffer[TV_SERVICE_BUFFER_BYTES];
static unsigned word;
static bool no_entropy;

enum tv_error tv_memory_read_of_pal(struct tv_memory *memory, uint64_t pal, void *to, size_t bytes)
{
    if (pal < RAM || pal - RAM > RAM_BYTES || bytes > RAM_BYTES - (pal - RAM)) {
        return TV_ERROR_ADDRESS;
    }
    memcpy(to, memory->byte + (pal - RAM), bytes);
    return TV_OK;
}

enum tv_error tv_memory_write_of_pal(struct tv_memory *memory, uint64_t pal, const void *from,
                                     size_t bytes)
{
    if (pal < RAM + READ_ONLY_BYTES || pal - RAM > RAM_BYTES || bytes > RAM_BYTES - (pal - RAM)) {
        return TV_ERROR_ADDRESS;
    }
    memcpy(memory->byte + (pal - RAM), from, bytes);
    return TV_OK;
}

enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES])
{
    static uint8_t count;
    memset(entropy, ++count, TV_ENTROPY_BYTES);
    return no_entropy ? TV_ERROR_NO_ENTROPY : TV_OK;
}

void world_poll(unsigned cpu)
{
    assert_int_equal(cpu, 3);
}

static inline uint8_t *at(uint64_t linear)
{
    return ram.byte + (linear - RAM);
}

static inline uint32_t word_at(uint64_t linear)
{
    uint32_t value;
    memcpy(&value, at(linear), sizeof(value));
    return value;
}

/* An argument of {address, length}. */
static inline uint64_t pair(unsigned index, uint64_t address, uint64_t length)
{
    uint64_t to = ARGS + index * 0x100;
    memcpy(at(to), &address, word);
    memcpy(at(to + word), &length, word);
    return to;
}

static inline uint64_t put(unsigned index, const void *from, size_t bytes)
{
    uint64_t to = ARGS + index * 0x100;
    memcpy(at(to), from, bytes);
    return to;
}

static inline enum tv_error call(uint32_t number, uint64_t cx, uint64_t dx, uint64_t si,
                                 uint64_t di)
{
    /* What 32-bit code has in the upper halves must not matter. */
    uint64_t high = word == 4 ? 0xdead000000000000ULL : 0;
    const struct tv_service service = {.platform = &platform,
                                       .memory = &ram,
                                       .random = &generator,
                                       .pcrs = &pcrs,
                                       .buffer = buffer,
                                       .cpu = 3,
                                       .word_bytes = word,
                                       .number = number,
                                       .cx = high | cx,
                                       .dx = high | dx,
                                       .si = high | si,
                                       .di = high | di};
    assert_true(tv_is_service(number));
    enum tv_error error = tv_service(&service);
    for (size_t i = 0; i < sizeof(buffer); i++) {
        assert_int_equal(buffer[i], 0);
    }
    return error;
}

static inline void become(uint8_t name)
{
    struct tv_measurement identity;
    memset(&identity, name, sizeof(identity));
    tv_pcrs_begin(&pcrs, &identity);
}

/* The key lasts: making it takes seconds. */
static inline int begin(unsigned bytes)
{
    word = bytes;
    no_entropy = false;
    memset(&ram, NOTHING, sizeof(ram));
    memset(buffer, 0, sizeof(buffer));
    platform.root.source = TV_ROOT_SIMULATED;
    become(1);
    return 0;
}

static inline int begin_32(void **state)
{
    (void)state;
    return begin(4);
}

static inline int begin_64(void **state)
{
    (void)state;
    return begin(8);
}

static inline int make_root(void **state)
{
    (void)state;
    static const uint8_t secret[TV_ROOT_BYTES] = {1, 2, 3};
    tv_root_init(&platform.root, TV_ROOT_SIMULATED, true, secret);
    return 0;
}

/* Each test for both widths. */
#define BOTH(test) cmocka_unit_test_setup(test, begin_32), cmocka_unit_test_setup(test, begin_64)

#endif
