/* Evidence of Nacre's own interface. */
#include "quote.h"

#include <nacre/simulation.h>
#include <string.h>

#define DIGEST_BYTES 32U

static const char *check_lengths(const struct tv_evidence *head, size_t bytes)
{
    size_t values = (size_t)__builtin_popcount(head->selection) * DIGEST_BYTES;

    if (head->selection >= 1U << TV_PCRS) {
        return "selection names a register that does not exist";
    }
    if (head->signed_bytes != sizeof(*head) + values || head->signed_bytes >= bytes) {
        return "length of what is signed does not fit";
    }
    return bytes - head->signed_bytes <= TV_EVIDENCE_SIGNATURE_MAX ? NULL : "signature is too long";
}

static const char *read_head(struct tv_evidence *head, const uint8_t *evidence, size_t bytes)
{
    if (bytes < sizeof(*head)) {
        return "evidence is cut short";
    }
    memcpy(head, evidence, sizeof(*head));
    if (memcmp(head->magic, TV_EVIDENCE_MAGIC, sizeof(head->magic)) != 0) {
        return "not evidence of Nacre";
    }
    if (head->version != TV_EVIDENCE_VERSION) {
        return "version of the evidence is unknown";
    }
    if ((head->flags & ~TV_EVIDENCE_DEBUG) != 0) {
        return "unknown flag in the evidence";
    }
    if (head->root < TV_ROOT_TPM || head->root > TV_ROOT_SIMULATED) {
        return "source of the root secret is unknown";
    }
    return check_lengths(head, bytes);
}

/* BearSSL takes other encodings than DER's, too; what it would write itself must be the same. */
static bool is_der(const uint8_t *signature, size_t bytes)
{
    uint8_t copy[2 * TV_EVIDENCE_SIGNATURE_MAX]; /* raw, both integers have the longer one's size */

    memcpy(copy, signature, bytes);
    size_t raw_bytes = br_ecdsa_asn1_to_raw(copy, bytes);
    return raw_bytes > 0 && br_ecdsa_raw_to_asn1(copy, raw_bytes) == bytes &&
           memcmp(copy, signature, bytes) == 0;
}

static bool is_signed(const struct verify_p256 *key, const uint8_t *evidence, size_t signed_bytes,
                      size_t bytes)
{
    uint8_t point[VERIFY_POINT_BYTES], digest[DIGEST_BYTES];
    const br_ec_public_key public = {BR_EC_secp256r1, point, sizeof(point)};
    br_sha256_context hash;

    memcpy(point, key->point, sizeof(point)); /* BearSSL's key is not const */
    br_sha256_init(&hash);
    br_sha256_update(&hash, evidence, signed_bytes);
    br_sha256_out(&hash, digest);
    return is_der(evidence + signed_bytes, bytes - signed_bytes) &&
           br_ecdsa_i31_vrfy_asn1(&br_ec_p256_m31, digest, sizeof(digest), &public,
                                  evidence + signed_bytes, bytes - signed_bytes) == 1;
}

static void learn(struct verify_statement *statement, const struct tv_evidence *head,
                  const uint8_t *values)
{
    *statement = (struct verify_statement){.is_debug = (head->flags & TV_EVIDENCE_DEBUG) != 0,
                                           .root = head->root,
                                           .hypervisor = head->hypervisor,
                                           .selection = head->selection};
    memcpy(statement->data, head->data, sizeof(statement->data));
    for (unsigned i = 0; i < TV_PCRS; i++) {
        if ((head->selection >> i & 1) != 0) {
            memcpy(statement->pcr[i], values, DIGEST_BYTES);
            values += DIGEST_BYTES;
        }
    }
}

const char *verify_evidence(struct verify_statement *statement,
                            const struct verify_expected *expected, const struct verify_p256 *key,
                            const uint8_t *evidence, size_t bytes)
{
    static const uint8_t simulated[] = PAL_SIMULATION_KEY_ID;
    struct tv_evidence head;
    const char *refused = read_head(&head, evidence, bytes);

    if (refused != NULL) {
        return refused;
    }
    if (memcmp(head.key, key->id, sizeof(head.key)) != 0) {
        return "made with another key";
    }
    if (memcmp(head.key, simulated, sizeof(head.key)) == 0 && head.root != TV_ROOT_SIMULATED) {
        return "key is the simulation's, which everybody has";
    }
    if (!is_signed(key, evidence, head.signed_bytes, bytes)) {
        return "signature is wrong: evidence was changed, or is not by this key";
    }
    if (memcmp(head.nonce, expected->nonce, sizeof(head.nonce)) != 0) {
        return "nonce is another one";
    }
    if (memcmp(head.identity, expected->identity, sizeof(head.identity)) != 0) {
        return "made by another PAL";
    }
    if (expected->has_data && memcmp(head.data, expected->data, sizeof(head.data)) != 0) {
        return "the PAL's data are other ones";
    }
    learn(statement, &head, evidence + sizeof(head));
    return verify_statement(statement, expected, DIGEST_BYTES);
}
