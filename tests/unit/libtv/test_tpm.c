/* The micro-TPM's pure part: registers, keys, sealing, quotes (REQ-PAL-12). */
#include "pal_test.h"

#include <tv/random.h>
#include <tv/tpm.h>

static struct tv_root root;
static struct tv_pcrs pcrs;
static uint8_t salt[32];

static int setup(void **state)
{
    (void)state;
    uint8_t secret[TV_ROOT_BYTES];
    struct tv_measurement identity;
    memset(secret, 7, sizeof secret);
    memset(salt, 9, sizeof salt);
    memset(&identity, 0x42, sizeof identity);
    tv_root_init(&root, TV_ROOT_MODULE, false, secret);
    tv_pcrs_begin(&pcrs, &identity);
    return 0;
}

/* One bank at a time, and no register beyond the last. */
static void test_extension(void **state)
{
    (void)state;
    uint8_t digest[32], expected[32] = {0};
    br_sha256_context hash;
    memset(digest, 1, sizeof digest);
    br_sha256_init(&hash);
    br_sha256_update(&hash, expected, 32);
    br_sha256_update(&hash, digest, 32);
    br_sha256_out(&hash, expected);
    assert_int_equal(tv_pcr_extend_sha256(&pcrs, 3, digest), TV_OK);
    assert_memory_equal(pcrs.pcr[3].sha256, expected, 32);
    static const uint8_t zero[20];
    assert_memory_equal(pcrs.pcr[3].sha1, zero, 20);
    assert_int_equal(tv_pcr_extend_sha1(&pcrs, 7, digest), TV_OK);
    assert_memory_not_equal(pcrs.pcr[7].sha1, zero, 20);
    assert_int_equal(tv_pcr_extend_sha1(&pcrs, 8, digest), TV_ERROR_PCR);
    assert_int_equal(tv_pcr_extend_sha256(&pcrs, 0xffffffff, digest), TV_ERROR_PCR);
    assert_memory_equal(pcrs.pcr[0].sha256, pcrs.identity.sha256, 32);
}

/* TPM 1.2's structure byte by byte. */
static void test_composite(void **state)
{
    (void)state;
    uint8_t composite[TV_PCR_COMPOSITE_MAX], digest[20], expected[20];
    br_sha1_context hash;
    assert_int_equal(tv_composite_sha1(&pcrs, 0x81, composite, digest), 7 + 40);
    static const uint8_t head[] = {1, 0, 0x81, 0, 0, 0, 40};
    assert_memory_equal(composite, head, sizeof head);
    assert_memory_equal(composite + 7, pcrs.pcr[0].sha1, 20);
    assert_memory_equal(composite + 27, pcrs.pcr[7].sha1, 20);
    br_sha1_init(&hash);
    br_sha1_update(&hash, composite, 47);
    br_sha1_out(&hash, expected);
    assert_memory_equal(digest, expected, 20);
    assert_int_equal(tv_composite_sha1(&pcrs, 0, NULL, digest), 7);
    assert_int_equal(tv_composite_sha1(&pcrs, 0xff, composite, digest), TV_PCR_COMPOSITE_MAX);
}

/* The same secret gives the same keys, another one others. */
static void test_keys_follow_from_the_secret(void **state)
{
    (void)state;
    static struct tv_root same, other;
    uint8_t secret[TV_ROOT_BYTES];
    memset(secret, 7, sizeof secret);
    tv_root_init(&same, TV_ROOT_MODULE, false, secret);
    assert_memory_equal(&same, &root, sizeof root);
    secret[31] ^= 1;
    tv_root_init(&other, TV_ROOT_MODULE, false, secret);
    assert_memory_not_equal(other.seal_key, root.seal_key, 32);
    assert_memory_not_equal(other.p256_secret, root.p256_secret, 32);
    assert_memory_not_equal(other.p256_key_id, root.p256_key_id, 32);
    assert_memory_not_equal(root.seal_key, root.nv_key, 32);
    tv_root_wipe(&other);
    static const struct tv_root zero;
    assert_memory_equal(&other, &zero, sizeof zero);
}

static struct tv_seal_policy policy_now(uint32_t selection)
{
    struct tv_seal_policy policy = {.bank = TV_BANK_SHA256, .selection = selection, .bound = true};
    tv_composite_sha256(&pcrs, selection, policy.digest_at_release);
    memcpy(policy.digest_at_creation, policy.digest_at_release, 32);
    memcpy(policy.identity, pcrs.identity.sha256, 32);
    memcpy(policy.sealer, pcrs.identity.sha256, 32);
    return policy;
}

static enum tv_error open_blob(const uint8_t *blob, size_t blob_bytes, uint8_t *data, size_t *bytes)
{
    struct tv_seal_policy policy;
    return tv_unseal(&root, &pcrs, TV_BANK_SHA256, blob, blob_bytes, data, bytes, &policy);
}

static void test_seal_round_trip(void **state)
{
    (void)state;
    static uint8_t data[TV_SEALED_MAX], out[TV_SEALED_MAX], blob[TV_SEALED_MAX];
    static const size_t sizes[] = {0, 1, 15, 16, 17, 64, 1000, TV_SEALED_MAX - TV_SEALED_OVERHEAD};
    const struct tv_seal_policy policy = policy_now(0x03);
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7);
    }
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t bytes = 0;
        tv_seal(&root, &policy, salt, data, sizes[i], blob);
        assert_int_equal(open_blob(blob, sizes[i] + TV_SEALED_OVERHEAD, out, &bytes), TV_OK);
        assert_int_equal(bytes, sizes[i]);
        assert_memory_equal(out, data, bytes);
        if (sizes[i] >= 16) {
            assert_memory_not_equal(blob + TV_SEALED_OVERHEAD - 16, data, sizes[i]);
        }
    }
}

/* Each bit of header, body and tag. */
static void test_changed_blob(void **state)
{
    (void)state;
    uint8_t data[64], out[64], blob[64 + TV_SEALED_OVERHEAD];
    static const uint8_t zero[64];
    const struct tv_seal_policy policy = policy_now(0);
    memset(data, 0xdd, sizeof data);
    tv_seal(&root, &policy, salt, data, sizeof data, blob);
    for (unsigned bit = 0; bit < sizeof blob * 8; bit++) {
        size_t bytes;
        blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(out, 0xee, sizeof out);
        enum tv_error error = open_blob(blob, sizeof blob, out, &bytes);
        assert_true(error == (bit < 11 * 8 ? TV_ERROR_BLOB_FORMAT : TV_ERROR_BLOB_CHANGED) ||
                    (bit / 8 == 11 && error == TV_ERROR_BLOB_FORMAT));
        assert_memory_equal(out, zero, sizeof out);
        blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    size_t bytes;
    assert_int_equal(open_blob(blob, sizeof blob - 1, out, &bytes), TV_ERROR_BLOB_CHANGED);
    assert_int_equal(open_blob(blob, TV_SEALED_OVERHEAD - 1, out, &bytes), TV_ERROR_BLOB_FORMAT);
    assert_int_equal(open_blob(blob, sizeof blob, out, &bytes), TV_OK);
}

static void test_other_owner_registers_root(void **state)
{
    (void)state;
    uint8_t data[8] = "secret!", out[8], blob[8 + TV_SEALED_OVERHEAD], digest[32] = {1};
    size_t bytes;
    struct tv_seal_policy policy = policy_now(0x04);
    tv_seal(&root, &policy, salt, data, sizeof data, blob);
    assert_int_equal(tv_unseal(&root, &pcrs, TV_BANK_SHA1, blob, sizeof blob, out, &bytes, &policy),
                     TV_ERROR_BLOB_FORMAT);
    pcrs.identity.sha256[31] ^= 0x80;
    assert_int_equal(open_blob(blob, sizeof blob, out, &bytes), TV_ERROR_BLOB_OWNER);
    pcrs.identity.sha256[31] ^= 0x80;
    assert_int_equal(tv_pcr_extend_sha256(&pcrs, 1, digest), TV_OK); /* not selected */
    assert_int_equal(open_blob(blob, sizeof blob, out, &bytes), TV_OK);
    assert_int_equal(tv_pcr_extend_sha256(&pcrs, 2, digest), TV_OK);
    assert_int_equal(open_blob(blob, sizeof blob, out, &bytes), TV_ERROR_BLOB_PCR);
    root.seal_key[0] ^= 1;
    assert_int_equal(open_blob(blob, sizeof blob, out, &bytes), TV_ERROR_BLOB_CHANGED);
}

static void test_nv_blob(void **state)
{
    (void)state;
    uint8_t content[TV_NV_BYTES], out[TV_NV_BYTES], blob[TV_NV_BLOB_BYTES];
    memset(content, 0x33, sizeof content);
    tv_nv_seal(&root, salt, content, blob);
    assert_int_equal(tv_nv_unseal(&root, blob, out), TV_OK);
    assert_memory_equal(out, content, sizeof out);
    for (unsigned bit = 0; bit < sizeof blob * 8; bit++) {
        blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(tv_nv_unseal(&root, blob, out), TV_OK);
        blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static bool signature_is_good(const uint8_t *evidence, size_t bytes)
{
    const struct tv_evidence *head = (const struct tv_evidence *)evidence;
    br_ec_public_key key = {BR_EC_secp256r1, root.p256_key + TV_QUOTE_KEY_BYTES - 65, 65};
    uint8_t digest[32];
    br_sha256_context hash;
    br_sha256_init(&hash);
    br_sha256_update(&hash, evidence, head->signed_bytes);
    br_sha256_out(&hash, digest);
    return br_ecdsa_i31_vrfy_asn1(&br_ec_p256_m31, digest, 32, &key, evidence + head->signed_bytes,
                                  bytes - head->signed_bytes) == 1;
}

static void test_evidence(void **state)
{
    (void)state;
    uint8_t evidence[TV_EVIDENCE_MAX], nonce[32] = {5}, data[64] = {6};
    const struct tv_evidence *head = (const struct tv_evidence *)evidence;
    size_t bytes = tv_evidence_make(&root, &pcrs, 0x82, nonce, data, evidence);
    assert_true(bytes <= TV_EVIDENCE_MAX);
    assert_string_equal(head->magic, "NACREQT");
    assert_int_equal(head->version, 1);
    assert_int_equal(head->signed_bytes, 192 + 64);
    assert_int_equal(head->root, TV_ROOT_MODULE);
    assert_int_equal(head->flags, 0);
    assert_memory_equal(head->nonce, nonce, 32);
    assert_memory_equal(head->data, data, 64);
    assert_memory_equal(head->identity, pcrs.identity.sha256, 32);
    assert_memory_equal(head->key, root.p256_key_id, 32);
    assert_true(signature_is_good(evidence, bytes));
    for (unsigned i = 0; i < head->signed_bytes; i++) {
        if (i < 12 || i >= 16) { /* signed_bytes itself says what is checked */
            evidence[i] ^= 1;
            assert_false(signature_is_good(evidence, bytes));
            evidence[i] ^= 1;
        }
        i += 6;
    }
    root.debug = true;
    root.source = TV_ROOT_RANDOM;
    (void)tv_evidence_make(&root, &pcrs, 0xff, nonce, data, evidence);
    assert_int_equal(head->flags, TV_EVIDENCE_DEBUG);
    assert_int_equal(head->root, TV_ROOT_RANDOM);
    assert_int_equal(tv_quote_marks(&root), TV_MARK_DEBUG | TV_MARK_RANDOM);
}

static void test_rsa_quote(void **state)
{
    (void)state;
    uint8_t info[TV_QUOTE_INFO_BYTES], signature[TV_RSA_BYTES], hashed[20], digest[20] = {1};
    uint8_t der[TV_RSA_DER_BYTES], nonce[20] = {2}, out[20];
    br_sha1_context hash;
    assert_int_equal(tv_root_rsa(&root, 0), TV_OK);
    assert_int_equal(tv_root_rsa(&root, 0), TV_OK);
    tv_quote_info(&root, digest, nonce, info);
    static const uint8_t head[] = {1, 1, 0, 0, 'Q', 'U', 'O', 'T', 1};
    assert_memory_equal(info, head, sizeof head);
    assert_memory_equal(info + 28, nonce, 20);
    tv_rsa_sign(&root, info, sizeof info, signature);
    assert_int_equal(br_rsa_i31_pkcs1_vrfy(signature, sizeof signature, BR_HASH_OID_SHA1, 20,
                                           &root.rsa_public, out),
                     1);
    br_sha1_init(&hash);
    br_sha1_update(&hash, info, sizeof info);
    br_sha1_out(&hash, hashed);
    assert_memory_equal(out, hashed, 20);
    tv_root_rsa_der(&root, der);
    assert_int_equal(root.rsa_public.n[0] >> 7, 1); /* else DER would need no leading zero */
    root.source = TV_ROOT_NONE;
    assert_int_equal(tv_root_rsa(&root, 0), TV_ERROR_NO_ROOT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_extension, setup),
        cmocka_unit_test_setup(test_composite, setup),
        cmocka_unit_test_setup(test_keys_follow_from_the_secret, setup),
        cmocka_unit_test_setup(test_seal_round_trip, setup),
        cmocka_unit_test_setup(test_changed_blob, setup),
        cmocka_unit_test_setup(test_other_owner_registers_root, setup),
        cmocka_unit_test_setup(test_nv_blob, setup),
        cmocka_unit_test_setup(test_evidence, setup),
        cmocka_unit_test_setup(test_rsa_quote, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
