/*
 * Quotes of the old interface, numbers 12 and 5: TPM 1.2's, but for the marks in the version
 * (docs/evidence.md).
 */
#include "quote.h"

#include <nacre/simulation.h>
#include <string.h>

#define DIGEST_BYTES 20U
#define HEAD_BYTES 7U /* u16 1, little endian; bit map; u32 bytes of the values, big endian */
#define MARKS_AT 3U   /* in the version, which is before 'QUOT' */
#define MARKS (TV_MARK_DEBUG | TV_MARK_RANDOM | TV_MARK_SIMULATED)

static const char *read_composite(struct verify_statement *statement, const uint8_t *composite,
                                  size_t bytes)
{
    *statement = (struct verify_statement){.root = TV_ROOT_NONE};
    if (bytes < HEAD_BYTES || composite[0] != 1 || composite[1] != 0) {
        return "not a composite of registers with a selection of one byte";
    }
    uint32_t selection = composite[2];
    size_t values = (size_t)__builtin_popcount(selection) * DIGEST_BYTES;
    const uint8_t size[] = {0, 0, 0, (uint8_t)values};
    if (memcmp(composite + 3, size, sizeof(size)) != 0 || bytes != HEAD_BYTES + values) {
        return "length of the composite does not fit its selection";
    }
    const uint8_t *value = composite + HEAD_BYTES;
    for (unsigned i = 0; i < TV_PCRS; i++) {
        if ((selection >> i & 1) != 0) {
            memcpy(statement->pcr[i], value, DIGEST_BYTES);
            value += DIGEST_BYTES;
        }
    }
    statement->selection = selection;
    return NULL;
}

static void sha1(const void *data, size_t bytes, uint8_t digest[DIGEST_BYTES])
{
    br_sha1_context hash;

    br_sha1_init(&hash);
    br_sha1_update(&hash, data, bytes);
    br_sha1_out(&hash, digest);
}

/* TPM_QUOTE_INFO (TPM Main Part 2, 11.3) that the signature would be of. */
static void digest_of_info(const struct verify_old_quote *quote, const uint8_t *nonce,
                           uint8_t marks, uint8_t digest[DIGEST_BYTES])
{
    uint8_t info[TV_QUOTE_INFO_BYTES] = {1, 1, 0, marks, 'Q', 'U', 'O', 'T'};

    sha1(quote->composite, quote->composite_bytes, info + TV_QUOTE_HEAD_BYTES);
    memcpy(info + TV_QUOTE_HEAD_BYTES + DIGEST_BYTES, nonce, DIGEST_BYTES);
    sha1(info, sizeof(info), digest);
}

/* What the signature of TV_RSA_BYTES is of; false: not of this key. */
static bool open_signature(const uint8_t *signature, const struct verify_rsa *key,
                           uint8_t digest[DIGEST_BYTES])
{
    uint8_t modulus[TV_RSA_BYTES], exponent[] = {1, 0, 1};
    const br_rsa_public_key public = {modulus, sizeof(modulus), exponent, sizeof(exponent)};

    memcpy(modulus, key->modulus, sizeof(modulus)); /* BearSSL's key is not const */
    return br_rsa_i31_pkcs1_vrfy(signature, TV_RSA_BYTES, BR_HASH_OID_SHA1, DIGEST_BYTES, &public,
                                 digest) == 1;
}

/* The marks are in no output of QUOTE: they are those with which the signature is right. */
static bool find_marks(const struct verify_old_quote *quote, const uint8_t *nonce,
                       const uint8_t signed_digest[DIGEST_BYTES], uint8_t *marks)
{
    uint8_t digest[DIGEST_BYTES];

    for (unsigned i = 0; i <= UINT8_MAX; i++) {
        digest_of_info(quote, nonce, (uint8_t)i, digest);
        if (memcmp(digest, signed_digest, sizeof(digest)) == 0) {
            *marks = (uint8_t)i;
            return true;
        }
    }
    return false;
}

/* One kind of root, or none of the marks that say so. */
static const char *learn_marks(struct verify_statement *statement, uint8_t marks)
{
    const unsigned both = TV_MARK_RANDOM | TV_MARK_SIMULATED;

    if ((marks & ~MARKS) != 0 || (marks & both) == both) {
        return "unknown marks in the version that was signed";
    }
    statement->is_debug = (marks & TV_MARK_DEBUG) != 0;
    if ((marks & TV_MARK_RANDOM) != 0) {
        statement->root = TV_ROOT_RANDOM;
    } else if ((marks & TV_MARK_SIMULATED) != 0) {
        statement->root = TV_ROOT_SIMULATED;
    }
    return NULL;
}

/* What is left to check once signature and nonce are known to be right. */
static const char *finish(struct verify_statement *statement,
                          const struct verify_expected *expected, const struct verify_rsa *key,
                          uint8_t marks)
{
    static const uint8_t simulated[] = PAL_SIMULATION_RSA_ID;

    if ((statement->selection & 1) == 0) {
        return "register 0 is not in the quote: the PAL is not known";
    }
    if (memcmp(statement->pcr[0], expected->identity, DIGEST_BYTES) != 0) {
        return "made by another PAL";
    }
    const char *refused = learn_marks(statement, marks);
    if (refused == NULL && statement->root != TV_ROOT_SIMULATED &&
        memcmp(key->id, simulated, sizeof(simulated)) == 0) {
        return "key is the simulation's, which everybody has";
    }
    return refused == NULL ? verify_statement(statement, expected, DIGEST_BYTES) : refused;
}

const char *verify_old_quote(struct verify_statement *statement,
                             const struct verify_expected *expected, const struct verify_rsa *key,
                             const struct verify_old_quote *quote)
{
    uint8_t digest[DIGEST_BYTES], marks;
    const char *refused = read_composite(statement, quote->composite, quote->composite_bytes);

    if (refused != NULL) {
        return refused;
    }
    if (quote->signature_bytes != TV_RSA_BYTES) {
        return "signature does not have 256 bytes";
    }
    if (!open_signature(quote->signature, key, digest)) {
        return "signature is wrong: changed, or not by this key";
    }
    if (!find_marks(quote, expected->nonce, digest, &marks)) {
        return "signed by this key, but with another nonce or composite";
    }
    return finish(statement, expected, key, marks);
}

static uint32_t word(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value)); /* little endian, as this computer is */
    return value;
}

/* Up to the nonce, whose place is *nonce_at. */
static const char *read_first(struct verify_statement *statement, const uint8_t *quote,
                              size_t bytes, size_t *nonce_at)
{
    const size_t word_bytes = sizeof(uint32_t), list_at = TV_QUOTE_HEAD_BYTES + word_bytes;
    static const uint8_t version[MARKS_AT] = {1, 1, 0};

    *statement = (struct verify_statement){.root = TV_ROOT_NONE};
    if (bytes < list_at || memcmp(quote, version, sizeof(version)) != 0 ||
        memcmp(quote + MARKS_AT + 1, "QUOT", 4) != 0) {
        return "not a quote of number 5";
    }
    size_t count = word(quote + TV_QUOTE_HEAD_BYTES);
    if (count > TV_PCRS || bytes != list_at + count * (word_bytes + DIGEST_BYTES) + DIGEST_BYTES +
                                        TV_RSA_BYTES + TV_RSA_BYTES) {
        return "length of the quote does not fit its number of registers";
    }
    const uint8_t *value = quote + list_at + count * word_bytes;
    for (size_t i = 0; i < count; i++, value += DIGEST_BYTES) {
        uint32_t index = word(quote + list_at + i * word_bytes);
        if (index >= TV_PCRS) {
            return "a register that does not exist is in the quote";
        }
        memcpy(statement->pcr[index], value, DIGEST_BYTES);
        statement->selection |= 1U << index;
    }
    *nonce_at = (size_t)(value - quote);
    return NULL;
}

const char *verify_first_quote(struct verify_statement *statement,
                               const struct verify_expected *expected, const struct verify_rsa *key,
                               const uint8_t *quote, size_t bytes)
{
    uint8_t digest[DIGEST_BYTES], signed_digest[DIGEST_BYTES];
    size_t nonce_at = 0;
    const char *refused = read_first(statement, quote, bytes, &nonce_at);

    if (refused != NULL) {
        return refused;
    }
    const uint8_t *signature = quote + nonce_at + DIGEST_BYTES;
    if (memcmp(signature + TV_RSA_BYTES, key->modulus, TV_RSA_BYTES) != 0) {
        return "made with another key";
    }
    sha1(quote, nonce_at + DIGEST_BYTES, digest);
    if (!open_signature(signature, key, signed_digest) ||
        memcmp(digest, signed_digest, sizeof(digest)) != 0) {
        return "signature is wrong: the quote was changed, or is not by this key";
    }
    if (memcmp(quote + nonce_at, expected->nonce, DIGEST_BYTES) != 0) {
        return "nonce is another one";
    }
    return finish(statement, expected, key, quote[MARKS_AT]);
}
