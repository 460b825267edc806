/* Log lines: whole, prefixed, cut at LOG_LINE_BYTES, dropped above the level. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <base/log.h>
#include <fake/machine.h>
#include <string.h>

static int setup(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    log_set_level(LOG_INFO);
    return 0;
}

static void test_line_is_prefixed_and_ended(void **state)
{
    (void)state;
    log_info("CPU %u has %s, %#llx", 3U, "EPT", 0xfee00000ULL);
    assert_string_equal(fake_console_text(), "nacre: CPU 3 has EPT, 0xfee00000\n");
}

static void test_levels(void **state)
{
    (void)state;
    for (int limit = LOG_ERROR; limit < LOG_LEVEL_COUNT; limit++) {
        log_set_level((enum log_level)limit);
        assert_int_equal(log_level(), limit);
        for (int level = LOG_ERROR; level < LOG_LEVEL_COUNT; level++) {
            fake_console_clear();
            log_at((enum log_level)level, "text");
            assert_int_equal(strlen(fake_console_text()) != 0, level <= limit);
        }
    }
}

static void test_long_lines_are_cut_not_overrun(void **state)
{
    (void)state;
    char text[2 * LOG_LINE_BYTES];
    for (size_t length = LOG_LINE_BYTES - 20; length < sizeof text; length++) {
        memset(text, 'x', sizeof text);
        text[length] = 0;
        fake_console_clear();
        log_info("%s", text);
        const char *line = fake_console_text();
        size_t whole = strlen("nacre: ") + length + 1;
        assert_int_equal(strlen(line), whole < LOG_LINE_BYTES ? whole : LOG_LINE_BYTES);
        assert_int_equal(line[strlen(line) - 1], '\n');
        assert_null(memchr(line, '\n', strlen(line) - 1));
    }
}

static void test_empty_line(void **state)
{
    (void)state;
    log_error("%s", "");
    assert_string_equal(fake_console_text(), "nacre: \n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_line_is_prefixed_and_ended, setup),
        cmocka_unit_test_setup(test_levels, setup),
        cmocka_unit_test_setup(test_long_lines_are_cut_not_overrun, setup),
        cmocka_unit_test_setup(test_empty_line, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
