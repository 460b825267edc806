/* Who a PAL is to others: its measurement, and its process. */
#include "client_new.h"
#include "commands.h"

#define DIGEST_BYTES 32U

static bool same_digest(const uint8_t *a, const uint8_t *b)
{
    for (unsigned i = 0; i < DIGEST_BYTES; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

/* Registers with this word in the data page, and unregisters. */
static void measure(struct new_pal *pal, uintptr_t content, uint8_t *digest)
{
    pal->base.data->secret = content;
    new_must_register(pal);
    memcpy(digest, pal->request.measurement, DIGEST_BYTES);
    check_error(new_unregister(pal), TV_OK, "unregister");
}

static void check_measurement(void)
{
    static const uint8_t zero[DIGEST_BYTES];
    uint8_t first[DIGEST_BYTES], again[DIGEST_BYTES], other[DIGEST_BYTES];
    struct new_pal pal;

    new_make(&pal, pal_add_one, 1, 0);
    new_add_integers(&pal, 1);
    measure(&pal, 5, first);
    measure(&pal, 5, again);
    measure(&pal, 6, other);
    check(!same_digest(first, zero), "measurement-is-zero", 0);
    check(same_digest(first, again), "measurement-differs", 0);
    check(!same_digest(first, other), "measurement-ignores-data", 0);
    pal_free(&pal.base);
}

/* What another process may not do; its exit status tells the parent. */
static _Noreturn void be_another_process(const struct new_pal *pal, const struct pal *old)
{
    const uint64_t argument = 1;

    check_equal(new_call(pal, 1, &argument).error, TV_ERROR_NO_SUCH_PAL, "call-by-another");
    check_error(new_unregister(pal), TV_ERROR_NO_SUCH_PAL, "unregister-by-another");
    check_error(pal_unreg(old), TV_ERROR_NO_SUCH_PAL, "unreg-by-another");
    sys_exit(0);
}

static void check_other_process(void)
{
    const uint64_t argument = 1;
    struct new_pal pal;
    struct pal old;

    new_make(&pal, pal_add_one, 1, 0);
    new_add_integers(&pal, 1);
    new_must_register(&pal);
    pal_make(&old, pal_add_one, 1);
    pal_add_integers(&old, 1);
    pal_must_reg(&old);
    int child = sys_fork();
    if (child == 0) {
        be_another_process(&pal, &old);
    }
    check_equal((unsigned)sys_wait(child, 60), 0, "other-process");
    check_equal(new_value(&pal, 1, &argument), 2, "own-process");
    check_equal(pal_value1(&old, 2), 3, "own-process-old");
    new_end(&pal);
    pal_end(&old);
}

void new_identity(void)
{
    check_measurement();
    check_other_process();
}
