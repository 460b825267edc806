/*
 * Runs the PAL of all.pal.c, twice registered and twice called, and checks what it gets back; the
 * argument, if any, says that the NV memory is another PAL's.
 */
#include <nacre/program.h>
#include <stdio.h>
#include <string.h>

static uint8_t evidence[TV_EVIDENCE_MAX], key[TV_QUOTE_KEY_BYTES], nonce[32] = {9};
static uint32_t sizes[3];
static uint64_t expected; /* services that fail, as the PAL says it */

static int fail(const char *what, enum tv_error error)
{
    printf("failed: %s: %d %s\n", what, error, tv_error_text(error));
    return 1;
}

static int calls(struct pal *pal)
{
    uint64_t result = 99;

    for (uint32_t i = 1; i <= 2; i++) {
        enum tv_error error = PAL_CALL(pal, &result, (uintptr_t)nonce, nonce, evidence, key, sizes);
        if (error != TV_OK || result != expected || sizes[2] != i) {
            printf("result %llx calls %u\n", (unsigned long long)result, sizes[2]);
            return fail("call", error);
        }
    }
    enum tv_error error = PAL_CALL(pal, &result);
    return error == TV_ERROR_PARAM_COUNT && result == 0 ? 0 : fail("call without", error);
}

static int once(void)
{
    struct pal *pal, *again;
    uint64_t result;
    enum tv_error error = pal_register(&pal_description, &pal);

    if (error != TV_OK) {
        return fail("register", error);
    }
    error = pal_register(&pal_description, &again);
    if (error != TV_ERROR_PAL_DUPLICATE || again != NULL) {
        return fail("register twice", error);
    }
    if (calls(pal) != 0) {
        return 1;
    }
    error = pal_unregister(pal);
    if (error != TV_OK) {
        return fail("unregister", error);
    }
    error = PAL_CALL(pal, &result, 0, nonce, evidence, key, sizes);
    if (error != TV_ERROR_NO_SUCH_PAL || pal_unregister(pal) != TV_ERROR_NO_SUCH_PAL ||
        pal_unregister(NULL) != TV_ERROR_NO_SUCH_PAL) {
        return fail("after the end", error);
    }
    return 0;
}

static void hex(const char *name, const uint8_t *from, size_t bytes)
{
    printf("%s=", name);
    for (size_t i = 0; i < bytes; i++) {
        printf("%02x", from[i]);
    }
    printf("\n");
}

int main(int count, char **arguments)
{
    struct pal *pal;

    (void)arguments;
    expected = count > 1 ? 1U << 3 : 0;
    if (pal_measurement(NULL)[0] != 0 || pal_is_simulated(NULL) || pal_vector(NULL) != 0) {
        return fail("no PAL", TV_OK);
    }
    if (once() != 0 || once() != 0) {
        return 1;
    }
    enum tv_error error = pal_register(&pal_description, &pal);
    if (error != TV_OK) {
        return fail("register again", error);
    }
    hex("measurement", pal_measurement(pal), 32);
    hex("evidence", evidence, sizes[0]);
    hex("key", key, sizes[1]);
    printf("simulated=%d\n", pal_is_simulated(pal));
    return pal_unregister(pal) == TV_OK ? 0 : 1;
}
