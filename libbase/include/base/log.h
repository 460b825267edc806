/*
 * Log lines.  One call writes one whole line, "nacre: TEXT\n", never interleaved with another CPU's
 * line: it is formatted on the caller's stack and handed over in one piece to the platform's
 * console, which holds its own lock.  Callable on any CPU, not from NMI, #DF or #MC handlers.
 * Nothing can fail; a line longer than LOG_LINE_BYTES is cut.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>

#define LOG_LINE_BYTES 256

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE, LOG_LEVEL_COUNT };

/* Lines above this level are dropped.  Set once on the boot CPU before others run. */
void log_set_level(enum log_level level);
enum log_level log_level(void);

/* printf's integer and string conversions; no floating point. */
__attribute__((format(printf, 2, 3))) void log_at(enum log_level level, const char *format, ...);

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_trace(...) log_at(LOG_TRACE, __VA_ARGS__)

/* Provided by the platform: writes the whole line, from any CPU, under its own lock. */
void base_log_sink(const char *line, size_t line_bytes);

#endif
