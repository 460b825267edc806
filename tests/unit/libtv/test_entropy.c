/* Entropy of the machine fails closed (REQ-PAL-12). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake/inject.h>
#include <fake/machine.h>
#include <fake/model.h>
#include <string.h>
#include <tv/random.h>

#define HARDWARE_WORDS 6U

static uint8_t entropy[TV_ENTROPY_BYTES];

static int setup(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    fake_cpuid_set_bits(7, 0, FAKE_EBX, 1u << 18);
    memset(entropy, 0xa5, sizeof(entropy));
    return 0;
}

static bool is_untouched(void)
{
    for (unsigned i = 0; i < sizeof(entropy); i++) {
        if (entropy[i] != 0xa5) {
            return false;
        }
    }
    return true;
}

static void test_is_different_each_time(void **state)
{
    (void)state;
    uint8_t second[TV_ENTROPY_BYTES];
    assert_int_equal(tv_entropy(entropy), TV_OK);
    assert_int_equal(tv_entropy(second), TV_OK);
    for (unsigned i = 0; i < TV_ENTROPY_BYTES; i += 8) {
        assert_memory_not_equal(entropy + i, second + i, 8);
    }
}

static void test_rdrand_alone_will_do(void **state)
{
    (void)state;
    fake_cpuid_clear_bits(7, 0, FAKE_EBX, 1u << 18);
    fake_cpuid_set_bits(1, 0, FAKE_ECX, 1u << 30);
    assert_int_equal(tv_entropy(entropy), TV_OK);
}

static void test_no_instruction(void **state)
{
    (void)state;
    fake_cpuid_clear_bits(7, 0, FAKE_EBX, 1u << 18);
    fake_cpuid_clear_bits(1, 0, FAKE_ECX, 1u << 30);
    assert_int_equal(tv_entropy(entropy), TV_ERROR_NO_ENTROPY);
    assert_true(is_untouched());
}

static void test_each_failure(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= HARDWARE_WORDS; n++) {
        fake_fail_nth(FAKE_RANDOM, n, 0);
        assert_int_equal(tv_entropy(entropy), TV_ERROR_NO_ENTROPY);
        assert_true(is_untouched());
    }
    assert_int_equal(fake_fail_hits(), HARDWARE_WORDS);
    assert_int_equal(tv_entropy(entropy), TV_OK);
}

static void test_stuck_numbers(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, UINT64_MAX, 0x123456789abcdef0};
    for (unsigned i = 0; i < 3; i++) {
        fake_random_stick(true, values[i]);
        assert_int_equal(tv_entropy(entropy), TV_ERROR_NO_ENTROPY);
        assert_true(is_untouched());
    }
    fake_random_stick(false, 1);
    assert_int_equal(tv_entropy(entropy), TV_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_is_different_each_time, setup),
        cmocka_unit_test_setup(test_rdrand_alone_will_do, setup),
        cmocka_unit_test_setup(test_no_instruction, setup),
        cmocka_unit_test_setup(test_each_failure, setup),
        cmocka_unit_test_setup(test_stuck_numbers, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
