/*
 * A client of TrustVisor and of Nacre's own interface, as an outsider would write it from their
 * description: pal SUB-COMMAND [ARGUMENT ...], see the table. Needs no C library; one source for
 * 64-bit and 32-bit programs. Prints one line at the end (say.h); without a TrustVisor
 * NACRE-GUEST: pal-NAME skipped detected=no.
 */
#include "commands.h"

#include "client.h"

#include <nacre/nacre.h>

static const struct {
    const char *name;
    void (*run)(int count, char *const arguments[]);
} commands[] = {
    {"demo", command_demo},     /* what a PAL is, in five lines */
    {"basic", command_basic},   /* parameters, registers, secrets, sharing, wiping */
    {"errors", command_errors}, /* registrations that are refused */
    {"faults", command_faults}, /* PALs and callers that misbehave */
    {"many", command_many},   /* [CYCLES]: as many PALs as there can be; then one after the other */
    {"storm", command_storm}, /* [THREADS [CALLS]]: on all CPUs at once */
    {"vector", command_vector}, /* x87, SSE and AVX */
    {"new", command_new},       /* Nacre's own interface */
    {"death", command_death},   /* processes that die with a PAL, or look into another's */
    {"keep", command_keep},     /* secrets that outlive a boot: make them */
    {"back", command_back},     /* and have them back in the next one */
    {"bench", command_bench},   /* OPERATION [N]: what things cost, in ticks of the TSC */
};

bool same_text(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

unsigned argument_number(int count, char *const arguments[], int index, unsigned otherwise)
{
    unsigned value = 0;

    if (index >= count) {
        return otherwise;
    }
    for (const char *digit = arguments[index]; *digit >= '0' && *digit <= '9'; digit++) {
        value = value * 10 + (unsigned)(*digit - '0');
    }
    return value;
}

static void unexpected_signal(int signal, uintptr_t address)
{
    say("stopped", "address", address);
    check(false, "signal", (unsigned)signal);
}

static void run_command(int count, char *const arguments[])
{
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (count >= 1 && same_text(arguments[0], commands[i].name)) {
            say_name(commands[i].name);
            if (!nacre_detect(NULL)) {
                say("skipped detected=no", NULL, 0);
                return;
            }
            signals_catch(unexpected_signal);
            commands[i].run(count - 1, arguments + 1);
            say_ok();
            return;
        }
    }
    check(false, "no-such-command", (unsigned)count);
}

/* stack: argc, then argv. */
_Noreturn void start(const uintptr_t *stack);
_Noreturn void start(const uintptr_t *stack)
{
    run_command((int)stack[0] - 1, (char *const *)&stack[2]);
    sys_exit(0);
}
