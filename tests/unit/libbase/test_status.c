/* status_text(): a text for every code, all different, and one for anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <base/status.h>

static void test_every_code_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < STATUS_COUNT; a++) {
        assert_non_null(status_text((enum status)a));
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(status_text((enum status)a), status_text((enum status)b));
        }
    }
    assert_string_equal(status_text(STATUS_OK), "ok");
}

static void test_unknown_codes(void **state)
{
    (void)state;
    assert_string_equal(status_text(STATUS_COUNT), "unknown status");
    assert_string_equal(status_text((enum status)0x7fffffff), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_a_text_of_its_own),
        cmocka_unit_test(test_unknown_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
