#include "summary.h"

#include <base/log.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

/* True if a comes before b: by falling count, then by position. */
static bool comes_before(const struct app_summary_exit *a, const struct app_summary_exit *b)
{
    return a->count != b->count ? a->count > b->count : a < b;
}

/* The first entry behind last in that order (the very first if last is NULL); NULL at the end. */
static const struct app_summary_exit *next_exit(const struct app_summary_input *input,
                                                const struct app_summary_exit *last)
{
    const struct app_summary_exit *best = NULL;

    for (unsigned i = 0; i < input->exit_count; i++) {
        const struct app_summary_exit *candidate = &input->exits[i];
        if (candidate->count != 0 && (last == NULL || comes_before(last, candidate)) &&
            (best == NULL || comes_before(candidate, best))) {
            best = candidate;
        }
    }
    return best;
}

void app_summary_print(const struct app_summary_input *input)
{
    uint64_t total = 0;
    unsigned printed = 0;

    for (unsigned cpu = 0; cpu < input->cpu_count; cpu++) {
        total += input->cpu_exits[cpu];
    }
    log_info("summary: exits total=%" PRIu64, total);
    const struct app_summary_exit *entry = NULL;
    while ((entry = next_exit(input, entry)) != NULL) {
        if (printed++ < SUMMARY_EXPLAINED && entry->why != NULL) {
            log_info("summary: exit %" PRIu64 " %s: %s", entry->count, entry->name, entry->why);
        } else {
            log_info("summary: exit %" PRIu64 " %s", entry->count, entry->name);
        }
    }
    for (unsigned cpu = 0; cpu < input->cpu_count; cpu++) {
        log_info("summary: cpu %u exits=%" PRIu64, cpu, input->cpu_exits[cpu]);
    }
    log_info("summary: memory resident_bytes=%" PRIu64 " text_bytes=%" PRIu64 " data_bytes=%" PRIu64
             " tables_bytes=%" PRIu64,
             input->resident_bytes, input->text_bytes, input->data_bytes, input->tables_bytes);
    log_info("summary: uptime ticks=%" PRIu64, input->uptime_ticks);
}
