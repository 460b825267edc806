#include "quote.h"

#include <string.h>

#define VALUE_BYTES 20U /* of the old interface's registers */

static const char *const text_debug = "made by a debug build of Nacre";
static const char *const text_random = "the root secret was random: its key is that of one boot";
static const char *const text_simulated = "simulated: nothing protected this PAL";

static uint32_t read32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static const char *check_form(const uint8_t *evidence, size_t bytes)
{
    struct tv_evidence head;

    if (bytes < offsetof(struct tv_evidence, signed_bytes) ||
        memcmp(evidence, TV_EVIDENCE_MAGIC, sizeof(head.magic)) != 0) {
        return "not evidence of Nacre's";
    }
    if (read32(evidence + offsetof(struct tv_evidence, version)) != TV_EVIDENCE_VERSION) {
        return "evidence of a version that this program does not know";
    }
    if (bytes < sizeof(head)) {
        return "truncated";
    }
    memcpy(&head, evidence, sizeof(head));
    if (head.selection >> TV_PCRS != 0 || (head.flags & ~TV_EVIDENCE_DEBUG) != 0 ||
        head.signed_bytes != sizeof(head) + 32 * (uint32_t)__builtin_popcount(head.selection)) {
        return "the evidence contradicts itself";
    }
    if (bytes <= head.signed_bytes || bytes - head.signed_bytes > TV_EVIDENCE_SIGNATURE_MAX) {
        return "truncated, or something follows the signature";
    }
    return NULL;
}

static bool is_signed(const struct p256_key *key, const uint8_t *evidence, size_t bytes)
{
    uint32_t signed_bytes = read32(evidence + offsetof(struct tv_evidence, signed_bytes));
    br_ec_public_key public = {BR_EC_secp256r1, (unsigned char *)(uintptr_t)key->point, 65};
    br_sha256_context hash;
    uint8_t digest[32];

    br_sha256_init(&hash);
    br_sha256_update(&hash, evidence, signed_bytes);
    br_sha256_out(&hash, digest);
    return br_ecdsa_i31_vrfy_asn1(&br_ec_p256_m31, digest, sizeof(digest), &public,
                                  evidence + signed_bytes, bytes - signed_bytes) == 1;
}

static const char *check_registers(const struct wanted *wanted, const uint8_t *values,
                                   uint32_t selection, size_t value_bytes)
{
    for (unsigned i = 0; i < TV_PCRS; i++) {
        if ((wanted->registers >> i & 1) != 0) {
            if ((selection >> i & 1) == 0) {
                return "a register that is asked for is not in the quote";
            }
            if (memcmp(values, wanted->value[i], value_bytes) != 0) {
                return "a register has another value";
            }
        }
        values += (selection >> i & 1) * value_bytes;
    }
    return NULL;
}

static const char *check_source(const struct wanted *wanted, const struct tv_evidence *head)
{
    if ((head->flags & TV_EVIDENCE_DEBUG) != 0 && !wanted->allow_debug) {
        return text_debug;
    }
    switch (head->root) {
    case TV_ROOT_TPM:
    case TV_ROOT_MODULE:
        return NULL;
    case TV_ROOT_RANDOM:
        return wanted->allow_random ? NULL : text_random;
    case TV_ROOT_SIMULATED:
        return wanted->allow_simulated ? NULL : text_simulated;
    default:
        return "the root secret came from nowhere that this program knows";
    }
}

const char *check_evidence(const struct wanted *wanted, const struct p256_key *key,
                           const uint8_t *evidence, size_t bytes, struct tv_evidence *head)
{
    const char *refusal = check_form(evidence, bytes);

    if (refusal != NULL) {
        return refusal;
    }
    if (memcmp(evidence + offsetof(struct tv_evidence, key), key->id, sizeof(key->id)) != 0) {
        return "made with another key";
    }
    if (!is_signed(key, evidence, bytes)) {
        return "the signature is wrong";
    }
    memcpy(head, evidence, sizeof(*head));
    if (memcmp(head->nonce, wanted->nonce, sizeof(head->nonce)) != 0) {
        return "made for another nonce";
    }
    if (memcmp(head->identity, wanted->identity, sizeof(head->identity)) != 0) {
        return "of another PAL";
    }
    if (wanted->has_data && memcmp(head->data, wanted->data, sizeof(head->data)) != 0) {
        return "the PAL says other data";
    }
    refusal = check_registers(wanted, evidence + sizeof(*head), head->selection, 32);
    return refusal != NULL ? refusal : check_source(wanted, head);
}

static const char *check_composite(const struct wanted *wanted, const uint8_t *composite,
                                   size_t bytes)
{

    if (bytes < 7 || composite[0] != 1 || composite[1] != 0) {
        return "not a composite of eight registers";
    }
    uint32_t values = VALUE_BYTES * (uint32_t)__builtin_popcount(composite[2]);
    const uint8_t count[] = {0, 0, 0, (uint8_t)values}; /* big-endian; at most 160 */
    if (memcmp(composite + 3, count, sizeof(count)) != 0 || bytes != 7 + values) {
        return "the composite contradicts itself";
    }
    if ((composite[2] & 1) == 0) {
        return "register 0, which names the PAL, is not in the quote";
    }
    if (memcmp(composite + 7, wanted->identity, VALUE_BYTES) != 0) {
        return "of another PAL";
    }
    return check_registers(wanted, composite + 7, composite[2], VALUE_BYTES);
}

/* TPM_QUOTE_INFO is what is signed; it is not transmitted, so the marks have to be found. */
static bool is_old_signature(const struct wanted *wanted, const br_rsa_public_key *key,
                             const uint8_t *composite, size_t bytes, const uint8_t *signature,
                             uint8_t marks)
{
    const uint8_t head[] = {1, 1, 0, marks, 'Q', 'U', 'O', 'T'};
    uint8_t digest[VALUE_BYTES], found[VALUE_BYTES];
    br_sha1_context hash;

    br_sha1_init(&hash);
    br_sha1_update(&hash, composite, bytes);
    br_sha1_out(&hash, digest);
    br_sha1_init(&hash);
    br_sha1_update(&hash, head, sizeof(head));
    br_sha1_update(&hash, digest, sizeof(digest));
    br_sha1_update(&hash, wanted->nonce, VALUE_BYTES);
    br_sha1_out(&hash, digest);
    return br_rsa_i31_pkcs1_vrfy(signature, TV_RSA_BYTES, BR_HASH_OID_SHA1, sizeof(found), key,
                                 found) == 1 &&
           memcmp(found, digest, sizeof(digest)) == 0;
}

const char *check_old_quote(const struct wanted *wanted, const br_rsa_public_key *key,
                            const uint8_t *composite, size_t composite_bytes,
                            const uint8_t *signature, size_t signature_bytes, uint8_t *marks)
{
    const uint8_t all = TV_MARK_DEBUG | TV_MARK_RANDOM | TV_MARK_SIMULATED;
    const char *refusal = check_composite(wanted, composite, composite_bytes);

    if (refusal != NULL) {
        return refusal;
    }
    *marks = 0;
    while (signature_bytes == TV_RSA_BYTES && *marks <= all &&
           !is_old_signature(wanted, key, composite, composite_bytes, signature, *marks)) {
        (*marks)++;
    }
    if (signature_bytes != TV_RSA_BYTES || *marks > all) {
        return "the signature is wrong, or for another nonce";
    }
    if ((*marks & TV_MARK_DEBUG) != 0 && !wanted->allow_debug) {
        return text_debug;
    }
    if ((*marks & TV_MARK_RANDOM) != 0 && !wanted->allow_random) {
        return text_random;
    }
    return (*marks & TV_MARK_SIMULATED) != 0 && !wanted->allow_simulated ? text_simulated : NULL;
}
