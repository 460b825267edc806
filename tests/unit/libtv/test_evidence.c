/* Evidence, verified as docs/evidence.md says, and the parts of old quotes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <config/config.h>
#include <string.h>
#include <tv/random.h>
#include <tv/tpm.h>

static struct tv_root root;
static struct tv_pcrs pcrs;
static uint8_t nonce[32], data[64], evidence[TV_EVIDENCE_MAX + 1];

/* Nothing here asks for random numbers. */
enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES])
{
    (void)entropy;
    fail();
    return TV_ERROR_NO_ENTROPY;
}

static int setup(void **state)
{
    static const uint8_t secret[TV_ROOT_BYTES] = "nacre";
    struct tv_measurement identity;
    (void)state;
    memset(&identity, 0x11, sizeof identity);
    tv_pcrs_begin(&pcrs, &identity);
    for (unsigned i = 1; i < TV_PCRS; i++) {
        memset(pcrs.pcr[i].sha256, (int)i, sizeof pcrs.pcr[i].sha256);
    }
    memset(pcrs.pcr[0].sha256, 0x77, sizeof pcrs.pcr[0].sha256); /* was extended */
    memset(nonce, 0x33, sizeof nonce);
    memset(data, 0x44, sizeof data);
    memset(evidence, 0xa5, sizeof evidence);
    tv_root_init(&root, TV_ROOT_SIMULATED, false, secret);
    return 0;
}

static uint32_t verifies(size_t signed_bytes, size_t bytes)
{
    uint8_t digest[32];
    const br_ec_public_key key = {BR_EC_secp256r1, root.p256_key + 26, 65};
    br_sha256_context sha256;

    br_sha256_init(&sha256);
    br_sha256_update(&sha256, evidence, signed_bytes);
    br_sha256_out(&sha256, digest);
    return br_ecdsa_i31_vrfy_asn1(&br_ec_p256_m31, digest, sizeof digest, &key,
                                  evidence + signed_bytes, bytes - signed_bytes);
}

static void test_header(void **state)
{
    struct tv_evidence header;
    (void)state;
    tv_evidence_make(&root, &pcrs, 0x82, nonce, data, evidence);
    memcpy(&header, evidence, sizeof header);
    assert_memory_equal(header.magic, "NACREQT", 8);
    assert_int_equal(header.version, 1);
    assert_int_equal(header.signed_bytes, 192 + 64);
    assert_int_equal(header.flags, 0);
    assert_int_equal(header.root, TV_ROOT_SIMULATED);
    assert_int_equal(header.hypervisor, NACRE_VERSION_NUMBER);
    assert_int_equal(header.selection, 0x82);
    assert_memory_equal(header.nonce, nonce, sizeof nonce);
    assert_memory_equal(header.identity, pcrs.identity.sha256, 32);
    assert_memory_equal(header.data, data, sizeof data);
    assert_memory_equal(header.key, root.p256_key_id, 32);
    assert_memory_equal(evidence + 192, pcrs.pcr[1].sha256, 32);
    assert_memory_equal(evidence + 224, pcrs.pcr[7].sha256, 32);
    root.debug = true;
    root.source = TV_ROOT_RANDOM;
    tv_evidence_make(&root, &pcrs, 0, nonce, data, evidence);
    memcpy(&header, evidence, sizeof header);
    assert_int_equal(header.flags, TV_EVIDENCE_DEBUG);
    assert_int_equal(header.root, TV_ROOT_RANDOM);
}

static void test_any_selection_verifies(void **state)
{
    (void)state;
    for (uint32_t selection = 0; selection < 1U << TV_PCRS; selection += 17) {
        size_t signed_bytes = 192 + 32 * (size_t)__builtin_popcount(selection);
        size_t bytes = tv_evidence_make(&root, &pcrs, selection, nonce, data, evidence);
        assert_in_range(bytes, signed_bytes + 8, signed_bytes + TV_EVIDENCE_SIGNATURE_MAX);
        assert_int_equal(verifies(signed_bytes, bytes), 1);
        assert_int_equal(evidence[TV_EVIDENCE_MAX], 0xa5);
    }
}

static void test_every_byte_is_signed(void **state)
{
    size_t bytes = tv_evidence_make(&root, &pcrs, 1, nonce, data, evidence);
    (void)state;
    for (size_t i = 0; i < bytes; i += 5) {
        evidence[i] ^= 0x10;
        assert_int_equal(verifies(192 + 32, bytes), 0);
        evidence[i] ^= 0x10;
    }
    assert_int_equal(verifies(192 + 32, bytes), 1);
}

static void test_marks(void **state)
{
    static const uint8_t expected[] = {[TV_ROOT_NONE] = 0,
                                       [TV_ROOT_TPM] = 0,
                                       [TV_ROOT_MODULE] = 0,
                                       [TV_ROOT_RANDOM] = TV_MARK_RANDOM,
                                       [TV_ROOT_SIMULATED] = TV_MARK_SIMULATED};
    (void)state;
    for (unsigned source = 0; source < sizeof expected; source++) {
        root.source = (enum tv_root_source)source;
        root.debug = false;
        assert_int_equal(tv_quote_marks(&root), expected[source]);
        root.debug = true;
        assert_int_equal(tv_quote_marks(&root), expected[source] | TV_MARK_DEBUG);
    }
}

static void test_quote_info(void **state)
{
    static const uint8_t start[] = {1, 1, 0, TV_MARK_SIMULATED, 'Q', 'U', 'O', 'T'};
    uint8_t info[TV_QUOTE_INFO_BYTES];
    (void)state;
    tv_quote_info(&root, data, nonce, info);
    assert_memory_equal(info, start, sizeof start);
    assert_memory_equal(info + 8, data, 20);
    assert_memory_equal(info + 28, nonce, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_header, setup),
        cmocka_unit_test_setup(test_any_selection_verifies, setup),
        cmocka_unit_test_setup(test_every_byte_is_signed, setup),
        cmocka_unit_test_setup(test_marks, setup),
        cmocka_unit_test_setup(test_quote_info, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
