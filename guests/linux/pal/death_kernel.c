/* The kernel as a deputy: what other processes make it read of a PAL's memory. */
#include "commands.h"

#include "client.h"

#define SECRET ((uintptr_t)0xdeadd00dfeedfaceULL)
#define SECONDS 10U

enum way { BY_READ_PROCESS, BY_PROC_MEM, BY_FORK_WRITE, WAYS };

static uintptr_t seen[PAGE / sizeof(uintptr_t)];

/* Decimal number after the text; returns the end. */
static char *append(char *at, const char *text)
{
    while (*text != '\0') {
        *at++ = *text++;
    }
    *at = '\0';
    return at;
}

static void append_decimal(char *at, unsigned value)
{
    char digits[12];
    unsigned count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    *at = '\0';
}

static long read_proc_mem(int process, uintptr_t address)
{
    char path[32], *end = append(path, "/proc/");

    append_decimal(end, (unsigned)process);
    while (*end != '\0') {
        end++;
    }
    (void)append(end, "/mem");
    int file = sys_open(path);
    check(file >= 0, "open-proc-mem", (unsigned)file);
    return sys_pread(file, seen, PAGE, address);
}

/* Ends with 0 if the secret was not seen. The kernel may end it before. */
static _Noreturn void be_curious(enum way way, int process, const struct pal *pal)
{
    const uintptr_t address = (uintptr_t)pal->data;
    long got = 0;

    if (way == BY_READ_PROCESS) {
        got = sys_read_process(process, seen, address, PAGE);
    } else if (way == BY_PROC_MEM) {
        got = read_proc_mem(process, address);
    }
    for (unsigned i = 0; i < PAGE / sizeof(uintptr_t); i++) {
        if (seen[i] == SECRET) {
            say("leak", "way", way);
            sys_exit(3);
        }
    }
    sys_exit(got > 0 ? 1 : 0);
}

/* In a copy of the PAL's process: writing to the page makes the kernel copy it first. */
static void write_and_look(void *data)
{
    volatile uintptr_t *words = data;

    words[0] = 1;
    memcpy(seen, data, PAGE);
}

/* A process with a PAL forks; the copy writes to the page, then the PAL is called again. */
static _Noreturn void fork_with_pal(void)
{
    struct pal_frame frame;
    struct pal pal;

    pal_make(&pal, pal_secret, 1);
    sys_do_fork(pal.data, pal.pages);
    pal.data->secret = SECRET;
    pal_add_integers(&pal, 2);
    pal_must_reg(&pal);
    int copy = sys_fork();
    if (copy == 0) {
        (void)signal_of(write_and_look, pal.data);
        be_curious(BY_FORK_WRITE, 0, &pal);
    }
    const int status = sys_wait(copy, SECONDS);
    const uintptr_t arguments[2] = {0, 0};
    pal_call(&pal, &frame, 2, arguments);
    /* The PAL goes on, or its memory went to the OS: then it is ended, or gone with its secret. */
    const bool is_value = (frame.flags & 1) == 0 && (frame.result == SECRET || frame.result == 0);
    const bool is_error = (frame.flags & 1) != 0 && frame.result < TV_ERROR_COUNT;
    check(is_value || is_error, "call-after-fork", frame.result);
    say(is_error ? "error-after-fork" : "value-after-fork", "result", frame.result);
    sys_exit(status >> 8 == 3 ? 3 : 0);
}

static _Noreturn void hold(int ready, struct pal *pal)
{
    pal_make(pal, pal_secret, 1);
    pal->data->secret = SECRET;
    pal_add_integers(pal, 2);
    pal_must_reg(pal);
    (void)sys_write(ready, pal, sizeof(*pal));
    for (;;) {
        sys_sleep_ms(1000);
    }
}

static void look_into_another(enum way way)
{
    static struct pal pal;
    int ready[2];

    sys_pipe(ready);
    const int target = sys_fork();
    if (target == 0) {
        hold(ready[1], &pal);
    }
    sys_close(ready[1]);
    check_equal((uint64_t)sys_read(ready[0], &pal, sizeof(pal)), sizeof(pal), "target-ready");
    const int reader = sys_fork();
    if (reader == 0) {
        be_curious(way, target, &pal);
    }
    const int status = sys_wait(reader, SECONDS);
    check(status >> 8 != 3, "secret-leaked", way);
    say(way == BY_PROC_MEM ? "proc-mem" : "read-process", "status", (unsigned)status);
    sys_kill(target, SIGKILL);
    (void)sys_wait(target, SECONDS);
    sys_close(ready[0]);
}

void death_of_the_curious(void)
{
    look_into_another(BY_READ_PROCESS);
    look_into_another(BY_PROC_MEM);
    const int child = sys_fork();
    if (child == 0) {
        fork_with_pal();
    }
    const int status = sys_wait(child, 3 * SECONDS);
    check(status >> 8 != 3, "secret-leaked", BY_FORK_WRITE);
    check((status & 0x7f) != 0 || status == 0, "fork-with-pal", (unsigned)status);
    say("fork-write", "status", (unsigned)status);
}
