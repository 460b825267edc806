/*
 * Quotes and keys as nacre-verify gets them: any bytes, and good ones that were overwritten from
 * somewhere on.  Nothing beyond them is read, and what is accepted says what was wanted.
 *
 * sources: sdk/verify/quote.c sdk/verify/key.c crypto
 * include: sdk/include libtv/include
 * seeds: 00,01,02,0000,0020,0140000007,0210,03,04
 */
#include "fuzz.h"

#include "../../sdk/verify/quote.h"

/* Signatures are somebody else's code: whether this one is right is the input's choice. */
static bool is_signature_right;

uint32_t br_ecdsa_i31_vrfy_asn1(const br_ec_impl *impl, const void *hash, size_t hash_len,
                                const br_ec_public_key *pk, const void *sig, size_t sig_len)
{
    (void)impl;
    (void)hash;
    (void)hash_len;
    (void)pk;
    FUZZ_CHECK(sig_len > 0 && sig_len <= TV_EVIDENCE_SIGNATURE_MAX && sig != NULL);
    return is_signature_right;
}

enum { EVIDENCE, OLD_QUOTE, P256_KEY, RSA_KEY, PEM, KINDS };

static struct wanted wanted = {.allow_debug = true};

/* A copy that ends where a sanitizer sees it. */
static uint8_t *copy_of(const void *from, size_t bytes)
{
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, from, bytes);
    return copy;
}

/* A good quote, its length and a part of it overwritten. */
static size_t spoil(uint8_t *good, size_t bytes, const uint8_t *data, size_t size)
{
    size_t at = size > 0 ? data[0] % bytes : 0;

    for (size_t i = 2; i < size && at + i - 2 < bytes; i++) {
        good[at + i - 2] = data[i];
    }
    return size > 1 ? bytes - data[1] % (bytes + 1) : bytes;
}

static void try_evidence(const uint8_t *data, size_t size)
{
    static const struct p256_key key;
    struct tv_evidence made = {.magic = TV_EVIDENCE_MAGIC,
                               .version = TV_EVIDENCE_VERSION,
                               .signed_bytes = sizeof(made) + 32,
                               .root = TV_ROOT_TPM,
                               .selection = 4};
    struct tv_evidence head;
    uint8_t whole[sizeof(made) + 32 + 70] = {0};

    memcpy(whole, &made, sizeof(made));
    size_t bytes = spoil(whole, sizeof(whole), data, size);
    uint8_t *evidence = copy_of(whole, bytes);
    if (check_evidence(&wanted, &key, evidence, bytes, &head) == NULL) {
        FUZZ_CHECK(is_signature_right && head.selection >> TV_PCRS == 0);
        FUZZ_CHECK(memcmp(head.nonce, wanted.nonce, 32) == 0);
        FUZZ_CHECK(memcmp(head.identity, wanted.identity, 32) == 0);
        FUZZ_CHECK(head.root == TV_ROOT_TPM || head.root == TV_ROOT_MODULE);
        FUZZ_CHECK(head.signed_bytes < bytes);
    }
    free(evidence);
}

static void try_old_quote(const uint8_t *data, size_t size)
{
    uint8_t whole[7 + 2 * 20] = {1, 0, 3, 0, 0, 0, 40}, modulus[TV_RSA_BYTES] = {0x80, 1};
    uint8_t signature[TV_RSA_BYTES], exponent = 3, marks;
    br_rsa_public_key key = {modulus, sizeof(modulus), &exponent, 1};

    modulus[sizeof(modulus) - 1] = 1;
    memset(signature, 5, sizeof(signature));
    size_t bytes = spoil(whole, sizeof(whole), data, size);
    uint8_t *composite = copy_of(whole, bytes);
    FUZZ_CHECK(check_old_quote(&wanted, &key, composite, bytes, signature, sizeof(signature),
                               &marks) != NULL);
    free(composite);
}

static void try_key(unsigned kind, const uint8_t *data, size_t size)
{
    uint8_t der[KEY_DER_MAX], *input = copy_of(data, size);
    br_rsa_public_key rsa;
    struct p256_key key;

    if (kind == PEM) {
        FUZZ_CHECK(key_der(input, size, der) <= KEY_DER_MAX);
    } else if (kind == P256_KEY) {
        FUZZ_CHECK(!key_p256(input, size, &key) || key.point + 65 == input + size);
    } else if (key_rsa(input, size, &rsa)) {
        FUZZ_CHECK(rsa.nlen == TV_RSA_BYTES && rsa.n >= input && rsa.n + rsa.nlen <= input + size);
        FUZZ_CHECK(rsa.elen > 0 && rsa.e >= input && rsa.e + rsa.elen <= input + size);
    }
    free(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    unsigned kind = data[0] % KINDS;
    is_signature_right = data[0] < 200;
    if (kind == EVIDENCE) {
        try_evidence(data + 1, size - 1);
    } else if (kind == OLD_QUOTE) {
        try_old_quote(data + 1, size - 1);
    } else {
        try_key(kind, data + 1, size - 1);
    }
    return 0;
}
