/*
 * The closing lines: how often the guest left for the hypervisor and why, and what memory the
 * hypervisor took.  Pure but for log lines at level info; one CPU calls it, at the end.
 */
#ifndef APPS_SUMMARY_H
#define APPS_SUMMARY_H

#include <stdint.h>

struct app_summary_exit {
    const char *name;
    const char *why; /* one clause: why it cannot be avoided, or what it would take; may be NULL */
    uint64_t count;  /* of all CPUs */
};

struct app_summary_input {
    unsigned exit_count;
    const struct app_summary_exit *exits;
    unsigned cpu_count;
    const uint64_t *cpu_exits; /* exits of each CPU, cpu_count of them */
    uint64_t resident_bytes, text_bytes, data_bytes, tables_bytes;
    uint64_t uptime_ticks; /* of the TSC */
};

/* How many of the most frequent reasons get their clause. */
#define SUMMARY_EXPLAINED 5

/* Reasons that never occurred are left out; the rest by falling count. */
void app_summary_print(const struct app_summary_input *input);

#endif
