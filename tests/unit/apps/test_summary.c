/* The closing lines, letter by letter. */
#include "cmocka_all.h"

#include "summary.h"

#include <base/log.h>
#include <fake/machine.h>

static int fresh(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    fake_console_clear();
    log_set_level(LOG_INFO);
    return 0;
}

static void test_all_lines(void **state)
{
    (void)state;
    const struct app_summary_exit exits[] = {
        {"CPUID", "always exits", 7},         {"VMCALL", NULL, 5000000000},
        {"HLT", "never happened", 0},         {"XSETBV", "always exits, rare", 7},
        {"RDMSR", "shadowed MTRRs", 3},       {"WRMSR", "shadowed MTRRs", 2},
        {"EPT violation", "too far down", 1},
    };
    const uint64_t cpu_exits[] = {5000000013, 7};
    const struct app_summary_input input = {
        .exit_count = sizeof(exits) / sizeof(exits[0]),
        .exits = exits,
        .cpu_count = 2,
        .cpu_exits = cpu_exits,
        .resident_bytes = 33554432,
        .text_bytes = 81920,
        .data_bytes = 40960,
        .tables_bytes = 12288,
        .uptime_ticks = 123456789012,
    };
    app_summary_print(&input);
    assert_string_equal(fake_console_text(),
                        "nacre: summary: exits total=5000000020\n"
                        "nacre: summary: exit 5000000000 VMCALL\n"
                        "nacre: summary: exit 7 CPUID: always exits\n"
                        "nacre: summary: exit 7 XSETBV: always exits, rare\n"
                        "nacre: summary: exit 3 RDMSR: shadowed MTRRs\n"
                        "nacre: summary: exit 2 WRMSR: shadowed MTRRs\n"
                        "nacre: summary: exit 1 EPT violation\n"
                        "nacre: summary: cpu 0 exits=5000000013\n"
                        "nacre: summary: cpu 1 exits=7\n"
                        "nacre: summary: memory resident_bytes=33554432 text_bytes=81920"
                        " data_bytes=40960 tables_bytes=12288\n"
                        "nacre: summary: uptime ticks=123456789012\n");
}

static void test_nothing_happened(void **state)
{
    (void)state;
    const struct app_summary_input input = {0};
    app_summary_print(&input);
    assert_string_equal(fake_console_text(),
                        "nacre: summary: exits total=0\n"
                        "nacre: summary: memory resident_bytes=0 text_bytes=0 data_bytes=0"
                        " tables_bytes=0\n"
                        "nacre: summary: uptime ticks=0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_lines, fresh),
        cmocka_unit_test_setup(test_nothing_happened, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
