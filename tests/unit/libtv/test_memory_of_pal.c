/* Memory at addresses that a PAL chose: just what it could read and write itself (REQ-PAL-3). */
#include "pal_test.h"

#include "context.h"

#define BASE 0x10000000ULL
#define SHARED_CODE (BASE + 0x8000)
#define SHARE (BASE + SUITE_PAL_PAGES * PAGE_BYTES) /* right behind the stack */
#define END (BASE + 0xa000)
#define MOST (3 * PAGE_BYTES)

static struct suite_process process;
static struct suite_pal pal;
static struct tv_memory memory;
static uint8_t bytes[MOST], found[MOST];
static const uint64_t none;

static void begin(unsigned mode)
{
    suite_start();
    suite_process_make(&process, (enum suite_mode)mode);
    suite_run(0, &process);
    suite_pal_plan(&pal, &process, BASE, false);
    pal.section[pal.section_count++] =
        (struct tv_pal_section){TV_SECTION_SHARED_CODE, 1, SHARED_CODE};
    suite_pal_map(&pal);
    assert_int_equal(suite_register(0, &pal), TV_OK);
    suite_map(&process, SHARE, suite_frames(1), SUITE_RW);

    const struct vcpu *vcpu = &suite.guest[0];
    bool is_64 = vcpu->width == VCPU_64BIT;
    uint64_t ds = is_64 ? 0 : vcpu->base[VCPU_DS], cs = is_64 ? 0 : vcpu->base[VCPU_CS];
    uint64_t start = SHARE, length = PAGE_BYTES;
    suite_put(&process, SUITE_ARGS, &start, suite_width(&process));
    suite_put(&process, SUITE_BUFFER, &length, suite_width(&process));
    assert_int_equal(
        suite_hypercall(0, TV_SHARE, pal.entry - cs, SUITE_ARGS - ds, SUITE_BUFFER - ds, 1), TV_OK);
    assert_int_equal(suite_call(0, &pal, &none), SUITE_ENTERED);
    memory.pal = suite_find(&pal);
    memory.context = tv_context_of(&suite.tv, memory.pal);
}

/* Byte by byte at the page borders: could the PAL do it? */
static bool may(uint64_t start, uint64_t length, enum suite_access access)
{
    for (uint64_t at = start; at < start + length; at = (at | PAGE_MASK) + 1) {
        uint8_t byte;
        if (!suite_pal(0, at, SUITE_LOAD, &byte, 1) ||
            (access == SUITE_STORE && !suite_pal(0, at, SUITE_STORE, &byte, 1))) {
            return false;
        }
    }
    return true;
}

static void check(uint64_t start, uint64_t length)
{
    bool readable = may(start, length, SUITE_LOAD), writable = may(start, length, SUITE_STORE);
    uint8_t now[PAGE_BYTES];

    for (uint64_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)suite_random(256);
    }
    assert_int_equal(tv_memory_read_of_pal(&memory, start, found, length),
                     readable ? TV_OK : TV_ERROR_ADDRESS);
    assert_int_equal(tv_memory_write_of_pal(&memory, start, bytes, length),
                     writable ? TV_OK : TV_ERROR_ADDRESS);
    for (uint64_t i = 0, part; i < length && (writable || readable); i += part) {
        part = PAGE_BYTES - ((start + i) & PAGE_MASK);
        part = part < length - i ? part : length - i;
        assert_true(suite_pal(0, start + i, SUITE_LOAD, now, (unsigned)part));
        assert_memory_equal(now, (writable ? bytes : found) + i, part);
    }
}

static void test_all_borders(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0, 1, 8, PAGE_BYTES, 2 * PAGE_BYTES + 3};
    for (unsigned mode = 0; mode < SUITE_MODES; mode++) {
        begin(mode);
        for (uint64_t page = BASE - PAGE_BYTES; page <= END; page += PAGE_BYTES) {
            for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
                check(page, lengths[i]);
                check(page - 5, lengths[i]);
                check(page + 5, lengths[i]);
            }
        }
        suite_pal_return(0, 0);
        suite_check();
    }
}

static void test_refused_write_does_nothing(void **state)
{
    (void)state;
    uint64_t before = 0x1122334455667788ULL, after = 0, end = SHARE + PAGE_BYTES;
    begin(SUITE_64);
    assert_true(suite_pal(0, end - 8, SUITE_STORE, &before, 8));
    assert_int_equal(tv_memory_write_of_pal(&memory, end - 8, bytes, 9), TV_ERROR_ADDRESS);
    assert_true(suite_pal(0, end - 8, SUITE_LOAD, &after, 8));
    assert_int_equal(after, before);
    suite_pal_return(0, 0);
}

static void test_wrapping(void **state)
{
    (void)state;
    begin(SUITE_64);
    assert_int_equal(tv_memory_read_of_pal(&memory, ~0ULL, found, 2), TV_ERROR_ADDRESS);
    assert_int_equal(tv_memory_write_of_pal(&memory, ~0ULL - 7, bytes, 8), TV_ERROR_ADDRESS);
    assert_int_equal(tv_memory_read_of_pal(&memory, BASE, found, (size_t)-1), TV_ERROR_ADDRESS);
    assert_int_equal(tv_memory_read_of_pal(&memory, BASE, found, (size_t)(0 - BASE)),
                     TV_ERROR_ADDRESS);
    suite_pal_return(0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_borders),
        cmocka_unit_test(test_refused_write_does_nothing),
        cmocka_unit_test(test_wrapping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
