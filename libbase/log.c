#include <base/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "nacre: "
#define PREFIX_BYTES (sizeof PREFIX - 1)

static enum log_level level_limit = LOG_INFO;

void log_set_level(enum log_level level)
{
    level_limit = level;
}

enum log_level log_level(void)
{
    return level_limit;
}

void log_at(enum log_level level, const char *format, ...)
{
    if (level > level_limit) {
        return;
    }
    char line[LOG_LINE_BYTES];
    memcpy(line, PREFIX, PREFIX_BYTES);

    /* One byte is kept for the newline, which takes the place of vsnprintf's NUL. */
    size_t room = sizeof line - PREFIX_BYTES;
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(line + PREFIX_BYTES, room, format, arguments);
    va_end(arguments);

    size_t text_bytes = wanted < 0 ? 0 : (size_t)wanted < room ? (size_t)wanted : room - 1;
    line[PREFIX_BYTES + text_bytes] = '\n';
    base_log_sink(line, PREFIX_BYTES + text_bytes + 1);
}
