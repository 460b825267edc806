/* The shared header: layouts byte by byte, numbers, and a text for every error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <tv/abi.h>

static void test_layouts(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct tv_pal_section, page_num), 4);
    assert_int_equal(offsetof(struct tv_pal_section, start_addr), 8);
    assert_int_equal(offsetof(struct tv_pal_sections, sections), 8);
    assert_int_equal(offsetof(struct tv_pal_param, size), 8);
    assert_int_equal(offsetof(struct tv_pal_params, params), 8);
    static const uint8_t bytes[16] = {4, 0, 0, 0, 2, 1, 0, 0, 0, 0x10, 0, 0x80, 0x7f, 0, 0, 0};
    struct tv_pal_section section;
    memcpy(&section, bytes, sizeof section);
    assert_int_equal(section.type, TV_SECTION_STACK);
    assert_int_equal(section.page_num, 0x102);
    assert_int_equal(section.start_addr, 0x7f80001000);
}

static void test_numbers_are_the_predecessors(void **state)
{
    (void)state;
    assert_int_equal(TV_REG, 1);
    assert_int_equal(TV_SHARE, 6);
    assert_int_equal(TV_SEAL, 10);
    assert_int_equal(TV_ID_GETPUB, 13);
    assert_int_equal(TV_NV_WRITEALL, 23);
    assert_int_equal(TV_TEST, 255);
    assert_int_equal(TV_OK, 0);
}

static void test_every_error_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < TV_ERROR_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(tv_error_text((enum tv_error)a),
                                    tv_error_text((enum tv_error)b));
        }
    }
    assert_string_equal(tv_error_text(TV_OK), "success");
    assert_string_equal(tv_error_text(TV_ERROR_NO_SUCH_PAL), "no such PAL");
    assert_string_equal(tv_error_text(TV_ERROR_COUNT), "unknown error");
    assert_string_equal(tv_error_text((enum tv_error) - 1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_numbers_are_the_predecessors),
        cmocka_unit_test(test_every_error_has_a_text_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
