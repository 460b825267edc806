/* An ECDSA key on P-256 that is made here, used here, and leaves as a sealed blob alone. */
#include "signing-key.h"

#include <bearssl.h>
#include <nacre/pal.h>

/* SubjectPublicKeyInfo up to the point (RFC 5480): what openssl reads. */
static const uint8_t prefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
#define POINT_BYTES 65U
#define PUBLIC_BYTES (sizeof(prefix) + POINT_BYTES)

/* Of what is to be signed: the PAL hashes it itself, in as many calls as it takes. */
static br_sha256_context message;
static bool has_begun;

static void hash_part(const uint8_t *part, uint32_t bytes)
{
    if (!has_begun) {
        br_sha256_init(&message);
        has_begun = true;
    }
    br_sha256_update(&message, part, bytes);
}

static uint32_t sign(const br_ec_private_key *key, uint8_t *signature, uint32_t *bytes)
{
    uint8_t digest[32];

    hash_part(NULL, 0);
    br_sha256_out(&message, digest);
    has_begun = false;
    *bytes = (uint32_t)br_ecdsa_i31_sign_asn1(&br_ec_p256_m31, &br_sha256_vtable, digest, key,
                                              signature);
    return *bytes != 0 ? TV_OK : TV_ERROR_BLOB_FORMAT;
}

static void make_public(uint8_t *secret, uint8_t public[PUBLIC_BYTES])
{
    const br_ec_private_key key = {BR_EC_secp256r1, secret, KEY_SECRET_BYTES};
    uint8_t point[BR_EC_KBUF_PUB_MAX_SIZE];
    br_ec_public_key made;

    br_ec_compute_pub(&br_ec_p256_m31, &made, point, &key);
    memcpy(public, prefix, sizeof(prefix));
    memcpy(public + sizeof(prefix), made.q, POINT_BYTES);
}

static uint32_t make(uint8_t *blob)
{
    br_hmac_drbg_context generator;
    br_ec_private_key key;
    uint8_t seed[32], secret[BR_EC_KBUF_PRIV_MAX_SIZE];
    uint32_t error = pal_random(seed, sizeof(seed));

    if (error == TV_OK) {
        br_hmac_drbg_init(&generator, &br_sha256_vtable, seed, sizeof(seed));
        br_ec_keygen(&generator.vtable, &br_ec_p256_m31, &key, secret, BR_EC_secp256r1);
        error = pal_seal(key.x, KEY_SECRET_BYTES, blob);
    }
    pal_wipe(&generator, sizeof(generator));
    pal_wipe(seed, sizeof(seed));
    pal_wipe(secret, sizeof(secret));
    return error;
}

/* The evidence says the hash of the public key: who has verified it knows where the key lives. */
static uint32_t attest(const uint8_t *nonce, const uint8_t public[PUBLIC_BYTES], uint8_t *answer,
                       uint32_t *bytes)
{
    uint8_t data[64] = {0};
    br_sha256_context hash;

    br_sha256_init(&hash);
    br_sha256_update(&hash, public, PUBLIC_BYTES);
    br_sha256_out(&hash, data);
    *bytes = KEY_ANSWER_BYTES;
    return pal_quote(1, nonce, data, answer, bytes);
}

static uint32_t answer_with(uint32_t what, uint8_t *secret, const uint8_t *input, uint8_t *answer,
                            uint32_t *bytes)
{
    const br_ec_private_key key = {BR_EC_secp256r1, secret, KEY_SECRET_BYTES};
    uint8_t public[PUBLIC_BYTES];

    make_public(secret, public);
    switch (what) {
    case KEY_NEW:
        memcpy(answer, public, sizeof(public));
        *bytes = sizeof(public);
        return TV_OK;
    case KEY_SIGN:
        return sign(&key, answer, bytes);
    default:
        return attest(input, public, answer, bytes);
    }
}

static uint32_t signing_key(uint32_t what, uint8_t *blob, const uint8_t *input,
                            uint32_t input_bytes, uint8_t *answer, uint32_t *bytes)
{
    uint8_t secret[KEY_SECRET_BYTES];
    uint32_t secret_bytes = sizeof(secret), error = TV_OK;

    if (input_bytes > KEY_INPUT_BYTES) {
        return TV_ERROR_LENGTH;
    }
    if (what == KEY_HASH) {
        hash_part(input, input_bytes);
        return TV_OK;
    }
    if (what == KEY_OF_QUOTES) {
        *bytes = KEY_ANSWER_BYTES;
        return pal_quote_key(answer, bytes);
    }
    if (what == KEY_NEW) {
        error = make(blob);
    }
    if (error == TV_OK) {
        error = pal_unseal(blob, KEY_BLOB_BYTES, secret, &secret_bytes);
    }
    if (error == TV_OK) {
        error = answer_with(what, secret, input, answer, bytes);
    }
    pal_wipe(secret, sizeof(secret));
    return error;
}

PAL(signing_key, PAL_INTEGER, PAL_IN_OUT(KEY_BLOB_BYTES), PAL_IN(KEY_INPUT_BYTES), PAL_INTEGER,
    PAL_OUT(KEY_ANSWER_BYTES), PAL_OUT(sizeof(uint32_t)));
