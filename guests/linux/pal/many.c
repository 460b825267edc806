/* Many PALs at once, and many in a row (REQ-PAL-11): pal many [CYCLES]. */
#include "commands.h"

#include "client.h"

#define MOST_PALS 128U /* CONFIG_MAX_PALS of the hypervisor */

static struct pal pals[MOST_PALS + 1];

static uintptr_t secret_of(unsigned index)
{
    return 0x1000 + index * 7;
}

static void check_many(void)
{
    for (unsigned i = 0; i <= MOST_PALS; i++) {
        pal_make(&pals[i], pal_secret, 1);
        pal_add_integers(&pals[i], 2);
        pals[i].data->secret = secret_of(i);
    }
    for (unsigned i = 0; i < MOST_PALS; i++) {
        check_round(i);
        pal_must_reg(&pals[i]);
    }
    check_error(pal_reg(&pals[MOST_PALS]), TV_ERROR_TOO_MANY_PALS, "one-too-many");
    check_equal(pals[MOST_PALS].data->secret, secret_of(MOST_PALS), "refused-changed");
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < MOST_PALS; i++) {
            check_round(i);
            check_equal(pal_value2(&pals[i], 1, secret_of(i) + pass + 1), secret_of(i) + pass,
                        "secret-of-many");
        }
    }
    /* Every third first, so that places become free in the middle. */
    for (unsigned first = 0; first < 3; first++) {
        for (unsigned i = first; i < MOST_PALS; i += 3) {
            check_round(i);
            pal_end(&pals[i]);
        }
        check_round(first);
        pal_must_reg(&pals[MOST_PALS]);
        (void)pal_value2(&pals[MOST_PALS], 0, 0);
        pal_must_unreg(&pals[MOST_PALS]);
    }
    pal_free(&pals[MOST_PALS]);
}

static void check_cycles(unsigned cycles)
{
    struct pal pal;

    pal_make(&pal, pal_add_one, 1);
    pal_add_integers(&pal, 1);
    for (unsigned i = 0; i < cycles; i++) {
        check_round(i);
        pal_must_reg(&pal);
        if (i % 16 == 0) {
            check_equal(pal_value1(&pal, i), (uintptr_t)i + 1, "call-in-cycle");
        }
        pal_must_unreg(&pal);
    }
    check_round(0);
    pal_free(&pal);
}

void command_many(int count, char *const arguments[])
{
    check_many();
    check_cycles(argument_number(count, arguments, 0, 1000));
}
