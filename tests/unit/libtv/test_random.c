/* Random numbers, against an HMAC-DRBG in Python, with entropy that fails when it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <tv/random.h>

static const uint8_t first[] = {0xac, 0xb4, 0xc0, 0x52, 0x73, 0x46, 0x34, 0x3f, 0x45, 0x26,
                                0x6a, 0x99, 0xa5, 0xea, 0x86, 0xe9, 0x49, 0x3b, 0x69, 0x63,
                                0x5f, 0x50, 0x9e, 0xd6, 0x87, 0x1d, 0x4c, 0x87, 0x1f, 0x93,
                                0x61, 0x3b, 0x70, 0xaf, 0x78, 0x04, 0x5a, 0x86, 0x18, 0x9e};
static const uint8_t second[] = {0x39, 0x9f, 0x59, 0xe3, 0x72, 0xba, 0xe0, 0x4a,
                                 0x2e, 0x81, 0x79, 0x5c, 0x1a, 0x9e, 0x4a, 0x0a};

static struct tv_random generator;
static unsigned asked;
static enum tv_error entropy_error;
static uint8_t numbers[TV_RANDOM_MAX + 1];

/* The n-th answer is counted on from the one before; a failed one has a part of it, too. */
enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES])
{
    for (unsigned i = 0; i < TV_ENTROPY_BYTES; i++) {
        entropy[i] = (uint8_t)(asked * TV_ENTROPY_BYTES + i);
    }
    asked += entropy_error == TV_OK;
    return entropy_error;
}

static int setup(void **state)
{
    (void)state;
    memset(&generator, 0, sizeof generator);
    memset(numbers, 0xa5, sizeof numbers);
    asked = 0;
    entropy_error = TV_OK;
    return 0;
}

static void must_be_zero(size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        assert_int_equal(numbers[i], 0);
    }
    assert_int_equal(numbers[bytes], 0xa5);
}

static void test_known(void **state)
{
    (void)state;
    assert_int_equal(tv_random_get(&generator, numbers, sizeof first), TV_OK);
    assert_memory_equal(numbers, first, sizeof first);
    assert_int_equal(numbers[sizeof first], 0xa5);
    assert_int_equal(tv_random_get(&generator, numbers, sizeof second), TV_OK);
    assert_memory_equal(numbers, second, sizeof second);
    assert_int_equal(asked, 2);
}

static void test_no_entropy_at_first(void **state)
{
    (void)state;
    entropy_error = TV_ERROR_NO_ENTROPY;
    assert_int_equal(tv_random_get(&generator, numbers, 40), TV_ERROR_NO_ENTROPY);
    must_be_zero(40);
    assert_false(generator.seeded);
    entropy_error = TV_OK; /* as if nothing had been asked before */
    assert_int_equal(tv_random_get(&generator, numbers, sizeof first), TV_OK);
    assert_memory_equal(numbers, first, sizeof first);
}

static void test_no_entropy_later(void **state)
{
    (void)state;
    assert_int_equal(tv_random_get(&generator, numbers, sizeof first), TV_OK);
    memset(numbers, 0xa5, sizeof numbers);
    entropy_error = TV_ERROR_NO_ENTROPY;
    assert_int_equal(tv_random_get(&generator, numbers, 16), TV_ERROR_NO_ENTROPY);
    must_be_zero(16);
    entropy_error = TV_OK;
    assert_int_equal(tv_random_get(&generator, numbers, sizeof second), TV_OK);
    assert_memory_equal(numbers, second, sizeof second);
}

static void test_longest_and_none(void **state)
{
    static const uint8_t zero[16];
    (void)state;
    assert_int_equal(tv_random_get(&generator, numbers, 0), TV_OK);
    assert_int_equal(numbers[0], 0xa5);
    assert_int_equal(tv_random_get(&generator, numbers, TV_RANDOM_MAX), TV_OK);
    assert_memory_not_equal(numbers + TV_RANDOM_MAX - sizeof zero, zero, sizeof zero);
    assert_int_equal(numbers[TV_RANDOM_MAX], 0xa5);
}

static void test_wipe(void **state)
{
    (void)state;
    tv_wipe(numbers, 100);
    must_be_zero(100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_known, setup),
        cmocka_unit_test_setup(test_no_entropy_at_first, setup),
        cmocka_unit_test_setup(test_no_entropy_later, setup),
        cmocka_unit_test_setup(test_longest_and_none, setup),
        cmocka_unit_test_setup(test_wipe, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
