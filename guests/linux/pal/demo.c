/* What a PAL is, in five lines: for the demo. */
#include "client.h"
#include "commands.h"

#define SECRET ((uintptr_t)31337)

static void look(void *data)
{
    (void)((volatile struct pal_data *)data)->secret;
}

void command_demo(int count, char *const arguments[])
{
    struct pal pal;

    (void)count;
    (void)arguments;
    pal_make(&pal, pal_secret, 1);
    pal_add_integers(&pal, 2);
    pal_must_reg(&pal);
    say("registered a PAL: its pages left the guest's view;", "pages", pal.pages);
    check_equal(pal_value2(&pal, 1, SECRET), 0, "store");
    say("called it to store a secret;", "result", 0);
    int signal = signal_of(look, pal.data);
    check_equal((uint64_t)signal, SIGSEGV, "signal");
    say("looked for the secret in its memory: refused by a", "signal", (uint64_t)signal);
    uintptr_t secret = pal_value2(&pal, 0, 0);
    check_equal(secret, SECRET, "secret");
    say("called it again: it still has the", "secret", secret);
    pal_must_unreg(&pal);
    check_equal(pal.data->secret, 0, "wiped");
    say("unregistered it: its memory is back, wiped;", "secret", pal.data->secret);
    pal_free(&pal);
}
