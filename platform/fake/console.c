/* Where log lines go in tests, and the other things that libbase takes from the platform. */
#include "internal.h"

#include <base/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES (256 * 1024)

/* Declared by the C library's recipe (third_party), which the fake does not include. */
int *base_errno_location(void);

static char text[TEXT_BYTES];
static size_t used;
static struct hw_console_config configured;
static bool is_configured, panic_resets;

void base_log_sink(const char *line, size_t line_bytes)
{
    fake_lock();
    if (line_bytes < TEXT_BYTES - used) {
        memcpy(text + used, line, line_bytes);
        used += line_bytes;
        text[used] = '\0';
    }
    fake_unlock();
    if (getenv("FAKE_VERBOSE")) {
        fwrite(line, 1, line_bytes, stderr);
    }
}

int *base_errno_location(void)
{
    static _Thread_local int error;
    return &error;
}

const char *fake_console_text(void)
{
    return text;
}

bool fake_console_contains(const char *wanted)
{
    return strstr(text, wanted) != NULL;
}

void fake_console_clear(void)
{
    fake_lock();
    used = 0;
    text[0] = '\0';
    is_configured = false;
    panic_resets = false;
    fake_unlock();
}

void hw_console_configure(const struct hw_console_config *config)
{
    configured = *config;
    is_configured = true;
}

const struct hw_console_config *fake_console_config(void)
{
    return is_configured ? &configured : NULL;
}

void hw_panic_reset(bool reset)
{
    panic_resets = reset;
}

bool fake_panic_resets(void)
{
    return panic_resets;
}

void hw_console_share(void)
{
    /* There is no UART that two could fight for. */
}

void hw_console_flush(void)
{
    /* Captured text has always left. */
}
