/* Calls that do not return: broken checks, traps, halt and reset end the innermost FAKE_CATCH. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CATCH_DEPTH 8
#define TEXT_BYTES 512

struct catch_frame {
    jmp_buf jump;
    enum fake_ending ending;
};

static _Thread_local struct catch_frame frames[CATCH_DEPTH];
static _Thread_local unsigned depth;
static _Thread_local char text[TEXT_BYTES];

jmp_buf *fake_catch_begin(void)
{
    if (depth == CATCH_DEPTH) {
        fake_misuse("FAKE_CATCH nested more than %d deep", CATCH_DEPTH);
    }
    frames[depth].ending = FAKE_RETURNED;
    text[0] = '\0';
    return &frames[depth++].jump;
}

void fake_catch_returned(void)
{
    frames[depth - 1].ending = FAKE_RETURNED;
}

enum fake_ending fake_catch_end(void)
{
    return frames[--depth].ending;
}

const char *fake_ending_text(void)
{
    return text;
}

static _Noreturn void leave(enum fake_ending ending)
{
    if (depth == 0) {
        fprintf(stderr, "fake machine, CPU %u: unexpected end: %s\n", hw_this_cpu(), text);
        fflush(stderr);
        abort();
    }
    frames[depth - 1].ending = ending;
    fake_m.cpus[hw_this_cpu()].in_guest = false;
    longjmp(frames[depth - 1].jump, 1);
}

void fake_end(enum fake_ending ending, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    leave(ending);
}

void fake_misuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("fake machine used wrongly: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    fflush(stderr);
    abort();
}

void fake_leave(void)
{
    fake_end(FAKE_END_LEAVE, "left by the test");
}

void base_check_failed(const char *file, unsigned line, const char *expression)
{
    fake_end(FAKE_END_CHECK, "%s:%u: %s", file, line, expression);
}

void hw_halt(void)
{
    fake_end(FAKE_END_HALT, "hw_halt");
}

void hw_reset(void)
{
    fake_end(FAKE_END_RESET, "hw_reset");
}
