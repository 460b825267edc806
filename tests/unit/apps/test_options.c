/* The command line: every option, every kind of mistake, and random words. */
#include "cmocka_all.h"

#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct app_options options;
static char message[OPTIONS_MESSAGE_BYTES];

static void accepts(const char *cmdline)
{
    assert_int_equal(options_parse(cmdline, &options, message), STATUS_OK);
    assert_string_equal(message, "");
}

static void refuses(const char *cmdline, enum status status, const char *named)
{
    assert_int_equal(options_parse(cmdline, &options, message), status);
    assert_non_null(strstr(message, named));
    assert_null(strchr(message, '\n'));
}

static void test_empty_line_gives_the_defaults(void **state)
{
    (void)state;
    const char *lines[] = {"", " ", "\t \n", "/boot/nacre", "(hd0,1)/boot/nacre ", " /x\t"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        memset(&options, 0x5a, sizeof(options));
        accepts(lines[i]);
        assert_true(options.console.serial);
        assert_int_equal(options.console.serial_port, 0x3f8);
        assert_false(options.console.e9);
        assert_int_equal(options.log, LOG_INFO);
        assert_int_equal(options.boot, APP_BOOT_AUTO);
        assert_false(options.drive_given);
        assert_true(options.memory_limit_bytes == APP_MEMORY_UNLIMITED);
        assert_false(options.panic_reset);
    }
}

/* REQ-BOOT-10: the console's I/O base is configurable, and it can be switched off. */
static void test_console_req_boot_10(void **state)
{
    (void)state;
    accepts("console=serial:0x2f8");
    assert_true(options.console.serial && !options.console.e9);
    assert_int_equal(options.console.serial_port, 0x2f8);
    accepts("console=serial:1016,e9");
    assert_true(options.console.serial && options.console.e9);
    assert_int_equal(options.console.serial_port, 0x3f8);
    accepts("console=e9");
    assert_true(!options.console.serial && options.console.e9);
    accepts("console=none");
    assert_true(!options.console.serial && !options.console.e9);
    accepts("console=e9,serial");
    assert_true(options.console.serial && options.console.e9);
    accepts("console=serial:0xfff8");
    refuses("console=serial:0xfff9", STATUS_OVERFLOW, "console=serial:0xfff9");
    refuses("console=serial:0", STATUS_OVERFLOW, "console=serial:0");
    const char *bad[] = {"console",
                         "console=",
                         "console=foo",
                         "console=e9,",
                         "console=,e9",
                         "console=none,e9",
                         "console=serial:",
                         "console=serial:0x",
                         "console=serial:3f8",
                         "console=e9,,serial",
                         "console=serialx",
                         "console=serial:1:2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refuses(bad[i], STATUS_INVALID, bad[i]);
    }
}

static void test_choices(void **state)
{
    (void)state;
    accepts("log=error boot=direct on-panic=reset");
    assert_int_equal(options.log, LOG_ERROR);
    assert_int_equal(options.boot, APP_BOOT_DIRECT);
    assert_true(options.panic_reset);
    accepts("/nacre log=trace\tboot=chain  on-panic=reset on-panic=halt ");
    assert_int_equal(options.log, LOG_TRACE);
    assert_int_equal(options.boot, APP_BOOT_CHAIN);
    assert_false(options.panic_reset);
    refuses("log=loud", STATUS_INVALID, "error|warn|info|debug|trace");
    refuses("log=", STATUS_INVALID, "'log='");
    refuses("boot=directly", STATUS_INVALID, "boot=direct|chain");
    refuses("on-panic", STATUS_INVALID, "halt|reset");
    accepts("region=0x8000000");
    refuses("region=high", STATUS_INVALID, "region=ADDRESS");
}

/* REQ-PAL-9: how long a PAL may run. */
static void test_pal_budget(void **state)
{
    (void)state;
    accepts("");
    assert_int_equal(options.pal_budget_ms, OPTIONS_PAL_BUDGET_MS);
    accepts("pal-budget=0");
    assert_int_equal(options.pal_budget_ms, 0);
    accepts("pal-budget=10000");
    assert_int_equal(options.pal_budget_ms, 10000);
    refuses("pal-budget=10001", STATUS_OVERFLOW, "pal-budget=10001");
    refuses("pal-budget=4294967297", STATUS_OVERFLOW, "pal-budget");
    refuses("pal-budget=-1", STATUS_INVALID, "MILLISECONDS");
    refuses("pal-budget", STATUS_INVALID, "MILLISECONDS");
}

static void test_tpm(void **state)
{
    (void)state;
    accepts("");
    assert_true(options.tpm);
    accepts("tpm=off");
    assert_false(options.tpm);
    accepts("tpm=off tpm=on");
    assert_true(options.tpm);
    refuses("tpm=1", STATUS_INVALID, "tpm=off|on");
    refuses("tpm", STATUS_INVALID, "tpm=off|on");
}

static void test_drive(void **state)
{
    (void)state;
    accepts("drive=0x81");
    assert_true(options.drive_given);
    assert_int_equal(options.drive, 0x81);
    assert_int_equal(options_drive(&options, 0x80), 0x81);
    accepts("drive=0");
    assert_int_equal(options_drive(&options, 0x80), 0);
    refuses("drive=256", STATUS_OVERFLOW, "drive=256");
    refuses("drive=c:", STATUS_INVALID, "drive=c:");
    accepts("");
    assert_int_equal(options_drive(&options, 0x82), 0x82);
    assert_int_equal(options_drive(&options, UINT32_MAX), 0x80);
    assert_int_equal(options_drive(&options, 0xe0), 0x80);
    assert_int_equal(options_drive(&options, 0), 0x80);
}

/* REQ-MEM-3: a size that overflows is an error, never a wrap. */
static void test_memory_req_mem_3(void **state)
{
    (void)state;
    accepts("mem=512M");
    assert_true(options.memory_limit_bytes == 512ULL << 20);
    accepts("mem=65536k");
    assert_true(options.memory_limit_bytes == 64ULL << 20);
    accepts("mem=0x10000000");
    assert_true(options.memory_limit_bytes == 256ULL << 20);
    accepts("mem=17179869183G");
    assert_true(options.memory_limit_bytes == 17179869183ULL << 30);
    accepts("mem=18446744073709551615");
    refuses("mem=17179869184G", STATUS_OVERFLOW, "too large");
    refuses("mem=18446744073709551616", STATUS_OVERFLOW, "too large");
    refuses("mem=0x10000000000000000", STATUS_OVERFLOW, "too large");
    refuses("mem=99999999999999999999999999999M", STATUS_OVERFLOW, "mem=9999");
    refuses("mem=15M", STATUS_INVALID, "at least 16M");
    const char *bad[] = {"mem", "mem=", "mem=M", "mem=-1M", "mem=12Q", "mem=64MB", "mem=0xM"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refuses(bad[i], STATUS_INVALID, bad[i]);
    }
}

static void test_unknown_word_is_named_and_what_came_before_is_kept(void **state)
{
    (void)state;
    refuses("console=e9 foo=1 log=trace", STATUS_INVALID,
            "unknown option 'foo=1'; known: console=");
    assert_true(options.console.e9);
    assert_int_equal(options.log, LOG_INFO);
    refuses("=", STATUS_INVALID, "unknown option '='");
    refuses("log=info Log=info", STATUS_INVALID, "'Log=info'");

    char longest[4096];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    refuses(longest, STATUS_INVALID, "xxx'; known");
    assert_true(strlen(message) < OPTIONS_MESSAGE_BYTES - 1);
}

#define SHA1_DIGITS "0123456789abcdefABCDEF000102030405060708"
#define SHA256_DIGITS SHA1_DIGITS "f0e0d0c0b0a090807060504f"

static void test_owner_of_nv_memory(void **state)
{
    static const uint8_t start[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xab};
    (void)state;
    accepts("");
    assert_int_equal(options.nv_owner_bytes, 0);
    accepts("nv-owner=" SHA1_DIGITS);
    assert_int_equal(options.nv_owner_bytes, 20);
    assert_memory_equal(options.nv_owner, start, sizeof(start));
    assert_int_equal(options.nv_owner[19], 0x08);
    accepts("nv-owner=" SHA256_DIGITS);
    assert_int_equal(options.nv_owner_bytes, 32);
    assert_int_equal(options.nv_owner[31], 0x4f);
    refuses("nv-owner=", STATUS_INVALID, "40 or 64 hexadecimal digits");
    refuses("nv-owner=" SHA1_DIGITS "0", STATUS_INVALID, "40 or 64");
    refuses("nv-owner=g123456789abcdefABCDEF000102030405060708", STATUS_INVALID, "40 or 64");
    refuses("nv-owner=" SHA256_DIGITS "00", STATUS_INVALID, "40 or 64");
    assert_int_equal(options.nv_owner_bytes, 0);
}

static void test_mode_follows_the_modules_unless_told(void **state)
{
    (void)state;
    accepts("");
    assert_int_equal(options_boot(&options, false), APP_BOOT_CHAIN);
    assert_int_equal(options_boot(&options, true), APP_BOOT_DIRECT);
    accepts("boot=chain");
    assert_int_equal(options_boot(&options, true), APP_BOOT_CHAIN);
    accepts("boot=direct");
    assert_int_equal(options_boot(&options, false), APP_BOOT_DIRECT);
}

static void test_skip_path(void **state)
{
    (void)state;
    assert_string_equal(options_skip_path("/vmlinuz quiet"), "quiet");
    assert_string_equal(options_skip_path("  (cd)/vmlinuz\tquiet x"), "quiet x");
    assert_string_equal(options_skip_path("quiet /x"), "quiet /x");
    assert_string_equal(options_skip_path("/vmlinuz"), "");
    assert_string_equal(options_skip_path(""), "");
}

/* Every text ends in OK with an empty message or in an error with one line; never elsewhere. */
static void test_random_lines(void **state)
{
    (void)state;
    static const char *pieces[] = {
        "console=", "serial", ":",    "0x",    "e9",    ",",  "mem=", "9", "G",  "drive=", " ",
        "log",      "=",      "info", "boot=", "chain", "\t", "ff",   "'", "%s", "\x80",   "none"};
    uint64_t seed = 0x1234567;
    for (unsigned round = 0; round < 20000; round++) {
        size_t bytes = 0;
        char *line = malloc(256);
        line[0] = '\0';
        for (unsigned i = 0; i < random_next(&seed) % 12; i++) {
            const char *piece = pieces[random_next(&seed) % (sizeof(pieces) / sizeof(pieces[0]))];
            bytes += (size_t)snprintf(line + bytes, 256 - bytes, "%s", piece);
        }
        line = realloc(line, bytes + 1); /* reads past the end are caught */
        enum status status = options_parse(line, &options, message);
        assert_true(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_OVERFLOW);
        assert_int_equal(status == STATUS_OK, message[0] == '\0');
        assert_non_null(memchr(message, '\0', sizeof(message)));
        free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_line_gives_the_defaults),
        cmocka_unit_test(test_console_req_boot_10),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_pal_budget),
        cmocka_unit_test(test_tpm),
        cmocka_unit_test(test_drive),
        cmocka_unit_test(test_memory_req_mem_3),
        cmocka_unit_test(test_unknown_word_is_named_and_what_came_before_is_kept),
        cmocka_unit_test(test_owner_of_nv_memory),
        cmocka_unit_test(test_mode_follows_the_modules_unless_told),
        cmocka_unit_test(test_skip_path),
        cmocka_unit_test(test_random_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
