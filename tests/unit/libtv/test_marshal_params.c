/* Parameters of both interfaces, as clients register them (REQ-PAL-10: each refusal its error). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <tv/marshal.h>

static void old_becomes(uint32_t type, uint64_t size, enum vcpu_width width, enum tv_error expected,
                        uint64_t bytes)
{
    const struct tv_pal_param old = {type, 0xffffffff, size};
    struct tv_param param;
    memset(&param, 0xa5, sizeof(param));
    assert_int_equal(tv_marshal_old_param(&old, width, &param), expected);
    if (expected == TV_OK) {
        assert_int_equal(param.type, type);
        assert_int_equal(param.bytes, bytes);
        assert_int_equal(param.direction, type == TV_PARAM_POINTER ? TV_IN_OUT : 0);
    }
}

static void test_old_params(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        enum vcpu_width width = i == 0 ? VCPU_32BIT : VCPU_64BIT;
        uint64_t word = i == 0 ? 4 : 8, most = UINT64_MAX / word;
        old_becomes(TV_PARAM_INTEGER, 0, width, TV_OK, 0);
        old_becomes(TV_PARAM_INTEGER, UINT64_MAX, width, TV_OK, 0);
        old_becomes(TV_PARAM_POINTER, 1, width, TV_OK, word);
        old_becomes(TV_PARAM_POINTER, most, width, TV_OK, most * word);
        old_becomes(TV_PARAM_POINTER, most + 1, width, TV_ERROR_PARAM_SIZE, 0);
        old_becomes(TV_PARAM_POINTER, UINT64_MAX, width, TV_ERROR_PARAM_SIZE, 0);
        old_becomes(TV_PARAM_POINTER, 0, width, TV_ERROR_PARAM_SIZE, 0);
        old_becomes(0, 1, width, TV_ERROR_PARAM_TYPE, 0);
        old_becomes(3, 1, width, TV_ERROR_PARAM_TYPE, 0);
        old_becomes(UINT32_MAX, 1, width, TV_ERROR_PARAM_TYPE, 0);
    }
}

static void new_becomes(uint32_t type, uint32_t direction, uint64_t size, enum tv_error expected)
{
    const struct tv_pal_parameter new = {type, direction, size};
    struct tv_param param;
    memset(&param, 0xa5, sizeof(param));
    assert_int_equal(tv_marshal_new_param(&new, &param), expected);
    if (expected == TV_OK) {
        assert_int_equal(param.type, type);
        assert_int_equal(param.direction, direction);
        assert_int_equal(param.bytes, size);
    }
}

static void test_new_params(void **state)
{
    (void)state;
    new_becomes(TV_PARAM_INTEGER, 0, 0, TV_OK);
    new_becomes(TV_PARAM_INTEGER, TV_IN, 0, TV_ERROR_PARAM_TYPE);
    new_becomes(TV_PARAM_INTEGER, UINT32_MAX, 0, TV_ERROR_PARAM_TYPE);
    new_becomes(TV_PARAM_INTEGER, 0, 1, TV_ERROR_PARAM_SIZE);
    for (uint32_t direction = TV_IN; direction <= TV_IN_OUT; direction++) {
        new_becomes(TV_PARAM_POINTER, direction, 1, TV_OK);
        new_becomes(TV_PARAM_POINTER, direction, UINT64_MAX, TV_OK);
        new_becomes(TV_PARAM_POINTER, direction, 0, TV_ERROR_PARAM_SIZE);
    }
    new_becomes(TV_PARAM_POINTER, 0, 1, TV_ERROR_PARAM_TYPE);
    new_becomes(TV_PARAM_POINTER, 4, 1, TV_ERROR_PARAM_TYPE);
    new_becomes(TV_PARAM_POINTER, 0x80000001, 1, TV_ERROR_PARAM_TYPE);
    new_becomes(0, TV_IN, 1, TV_ERROR_PARAM_TYPE);
    new_becomes(3, 0, 0, TV_ERROR_PARAM_TYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_params),
        cmocka_unit_test(test_new_params),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
