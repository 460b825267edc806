/* Is a password right?  Its hash, and how often the answer was no, are the PAL's alone. */
#include "password.h"

#include <bearssl.h>
#include <nacre/pal.h>

/* The last count that this registration knows: no older file counts before it ends. */
static uint32_t failures_seen;

/* PBKDF2 with HMAC-SHA-256, one block (RFC 8018). */
static void stretch(const uint8_t *password, uint32_t bytes, const uint8_t salt[16],
                    uint8_t hash[32])
{
    static const uint8_t first_block[] = {0, 0, 0, 1};
    br_hmac_key_context key;
    br_hmac_context mac;
    uint8_t part[32];

    br_hmac_key_init(&key, &br_sha256_vtable, password, bytes);
    br_hmac_init(&mac, &key, 0);
    br_hmac_update(&mac, salt, 16);
    br_hmac_update(&mac, first_block, sizeof(first_block));
    br_hmac_out(&mac, part);
    memcpy(hash, part, sizeof(part));
    for (unsigned i = 1; i < PASSWORD_ITERATIONS; i++) {
        br_hmac_init(&mac, &key, 0);
        br_hmac_update(&mac, part, sizeof(part));
        br_hmac_out(&mac, part);
        for (unsigned byte = 0; byte < sizeof(part); byte++) {
            hash[byte] ^= part[byte];
        }
    }
    pal_wipe(&key, sizeof(key));
    pal_wipe(part, sizeof(part));
}

static uint32_t set(const uint8_t *password, uint32_t bytes, struct password_state *state)
{
    uint32_t error = pal_random(state->salt, sizeof(state->salt));

    if (error == TV_OK) {
        stretch(password, bytes, state->salt, state->hash);
        state->failures = failures_seen = 0;
    }
    return error;
}

static uint32_t check(const uint8_t *password, uint32_t bytes, struct password_state *state)
{
    uint8_t hash[32];

    if (state->failures < failures_seen) {
        state->failures = failures_seen;
    }
    if (state->failures >= PASSWORD_TRIES) {
        return PASSWORD_LOCKED;
    }
    stretch(password, bytes, state->salt, hash);
    bool is_right = pal_equal(hash, state->hash, sizeof(hash));
    state->failures = failures_seen = is_right ? 0 : state->failures + 1;
    return is_right ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

/* The blob that goes back must be saved before the answer is used: it has the count. */
static uint32_t password(uint32_t what, const uint8_t *given, uint32_t bytes, uint8_t *blob,
                         uint32_t *left)
{
    struct password_state state;
    uint32_t state_bytes = sizeof(state), answer = TV_OK, error = TV_OK;

    if (bytes > PASSWORD_MOST) {
        return TV_ERROR_LENGTH;
    }
    if (what == PASSWORD_SET) {
        error = set(given, bytes, &state);
    } else {
        error = pal_unseal(blob, PASSWORD_BLOB_BYTES, &state, &state_bytes);
        if (error == TV_OK) {
            answer = check(given, bytes, &state);
        }
    }
    if (error == TV_OK) {
        *left = PASSWORD_TRIES - state.failures;
        error = pal_seal(&state, sizeof(state), blob);
    }
    pal_wipe(&state, sizeof(state));
    return error != TV_OK ? error : answer;
}

PAL(password, PAL_INTEGER, PAL_IN(PASSWORD_MOST), PAL_INTEGER, PAL_IN_OUT(PASSWORD_BLOB_BYTES),
    PAL_OUT(sizeof(uint32_t)));
