#include "say.h"

#include "../freestanding.h"
#include "sys.h"

static const char *command = "main";
static unsigned checks, current_round;

void say_name(const char *name)
{
    command = name;
}

void check_round(unsigned round)
{
    current_round = round;
}

static void put_field(const char *name, uint64_t value)
{
    put_text(" ");
    put_text(name);
    put_text("=");
    put_decimal(value);
}

static void begin(const char *what)
{
    line_bytes = 0;
    put_text("NACRE-GUEST: pal-");
    put_text(command);
    put_text(" ");
    put_text(what);
    put_field("width", WIDTH);
}

static void finish(void)
{
    put_text("\n");
    (void)system_call(SYSCALL_WRITE, 1, (long)line, (long)line_bytes);
    /* Else the hypervisor, which writes to the same serial port, would cut the line in two. */
    sys_drain(1);
}

void say(const char *what, const char *name, uint64_t value)
{
    begin(what);
    if (name != NULL) {
        put_field(name, value);
    }
    finish();
}

void say_bench(const char *bench, const char *first, uint64_t first_value, const char *second,
               uint64_t second_value)
{
    line_bytes = 0;
    put_text("NACRE-GUEST: bench ");
    put_text(bench);
    put_field(first, first_value);
    put_field(second, second_value);
    put_field("width", WIDTH);
    finish();
}

void say_bytes(const char *name, const uint8_t *from, unsigned bytes)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned of_a_line = 48;

    for (unsigned done = 0; done < bytes; done += of_a_line) {
        unsigned end = bytes - done < of_a_line ? bytes : done + of_a_line;
        begin("kept");
        put_text(" ");
        put_text(name);
        put_text("=");
        for (unsigned i = done; i < end; i++) {
            const char pair[] = {digits[from[i] >> 4], digits[from[i] & 15], '\0'};
            put_text(pair);
        }
        finish();
    }
}

void say_ok(void)
{
    say("ok", "checks", checks);
}

static void count(void)
{
    (void)__atomic_add_fetch(&checks, 1, __ATOMIC_RELAXED);
}

/* The first thread that fails speaks; the others wait for the end. */
static void begin_failure(const char *what)
{
    static bool has_failed;

    while (__atomic_exchange_n(&has_failed, true, __ATOMIC_SEQ_CST)) {
        sys_sleep_ms(1000);
    }
    begin("failed");
    put_text(" what=");
    put_text(what);
    put_field("round", current_round);
}

static _Noreturn void end_failure(void)
{
    finish();
    sys_exit(1);
}

void check(bool holds, const char *what, uint64_t got)
{
    count();
    if (!holds) {
        begin_failure(what);
        put_field("got", got);
        end_failure();
    }
}

void check_equal(uint64_t got, uint64_t want, const char *what)
{
    count();
    if (got != want) {
        begin_failure(what);
        put_field("got", got);
        put_field("want", want);
        end_failure();
    }
}

void check_error(enum tv_error got, enum tv_error want, const char *what)
{
    count();
    if (got != want) {
        begin_failure(what);
        put_field("got", (unsigned)got);
        put_field("want", (unsigned)want);
        put_text(" text=\"");
        put_text(tv_error_text(got));
        put_text("\"");
        end_failure();
    }
}
