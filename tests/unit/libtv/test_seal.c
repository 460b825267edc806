/* Sealing, against itself and against blobs that Python's cryptography, hmac and struct made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>
#include <tv/abi.h>
#include <tv/random.h>
#include <tv/tpm.h>

#define HEADER_BYTES 176U
#define FORMAT_BYTES 11U /* of the header: magic, version and bank */
#define DATA_MAX (TV_SEALED_MAX - TV_SEALED_OVERHEAD)
#define NV_FORMAT_BYTES 16U /* of the header: magic, version and zero */

/* Made of: keys, salt, policy and data as setup() has them, with known_data. */
static const char known_data[] = "attack at dawn, or a little later";
static const uint8_t known_blob[] = {
    0x4e, 0x41, 0x43, 0x52, 0x45, 0x53, 0x42, 0x00, 0x01, 0x00, 0x02, 0x01, 0x81, 0x00, 0x00,
    0x00, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d,
    0x4e, 0x4f, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x5b, 0x5c,
    0x5d, 0x5e, 0x5f, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
    0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
    0x11, 0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
    0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
    0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33,
    0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33,
    0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44,
    0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44,
    0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x5b, 0xbb, 0x23, 0xf0,
    0xe0, 0x29, 0xa2, 0xe3, 0xc8, 0x82, 0x7c, 0xc3, 0xb3, 0xc1, 0x7e, 0x43, 0x64, 0xfb, 0xe1,
    0xa9, 0x54, 0x7c, 0xe5, 0xf0, 0x98, 0x92, 0x5f, 0xf4, 0x76, 0xbb, 0xac, 0xfa, 0x7e, 0xbd,
    0xf6, 0x8b, 0xa9, 0x37, 0xb8, 0xde, 0x96, 0xa9, 0x7d, 0x20, 0x0e, 0x99, 0x07, 0x72, 0x2f};
static const uint8_t known_nv_blob[] = {
    0x4e, 0x41, 0x43, 0x52, 0x45, 0x4e, 0x56, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f,
    0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f,
    0x1b, 0x8c, 0x49, 0xb6, 0xfb, 0x7f, 0x95, 0xb9, 0x8f, 0x7f, 0x3d, 0xb7, 0x43, 0x7b, 0xeb, 0x90,
    0x25, 0x06, 0xc1, 0x04, 0xea, 0x00, 0x6c, 0x75, 0xbb, 0x76, 0x3f, 0x10, 0x56, 0x04, 0x96, 0x76,
    0xf6, 0xb1, 0xa4, 0x55, 0x2a, 0x00, 0xe7, 0xb6, 0x37, 0xd1, 0x0c, 0x81, 0x2a, 0x7a, 0x5e, 0xe9};

static struct tv_root root;
static struct tv_pcrs pcrs;
static struct tv_seal_policy policy, found;
static uint8_t salt[32], data[DATA_MAX], blob[TV_SEALED_MAX + 1], opened[DATA_MAX + 1];
static uint8_t content[TV_NV_BYTES], nv_blob[TV_NV_BLOB_BYTES], nv_opened[TV_NV_BYTES];
static size_t opened_bytes;

static int setup(void **state)
{
    (void)state;
    memset(&root, 0, sizeof root);
    root.source = TV_ROOT_SIMULATED;
    for (unsigned i = 0; i < 32; i++) {
        root.seal_key[i] = (uint8_t)(3 * i + 1);
        root.nv_key[i] = (uint8_t)(5 * i + 2);
        salt[i] = (uint8_t)(0x40 + i);
        content[i] = (uint8_t)i;
    }
    for (unsigned i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(7 * i + 5);
    }
    memset(&pcrs, 0x66, sizeof pcrs);
    memset(&pcrs.identity, 0x33, sizeof pcrs.identity);
    memset(&policy, 0, sizeof policy);
    policy.bank = TV_BANK_SHA256;
    policy.selection = 0x81;
    policy.bound = true;
    memset(policy.digest_at_release, 0x11, sizeof policy.digest_at_release);
    memset(policy.digest_at_creation, 0x22, sizeof policy.digest_at_creation);
    memset(policy.identity, 0x33, sizeof policy.identity);
    memset(policy.sealer, 0x44, sizeof policy.sealer);
    memset(blob, 0, sizeof blob);
    return 0;
}

/* The policy asks for the registers as they are. */
static void bind_to_registers(enum tv_bank bank, uint32_t selection)
{
    policy.bank = bank;
    policy.selection = selection;
    memset(policy.digest_at_release, 0, sizeof policy.digest_at_release);
    if (bank == TV_BANK_SHA1) {
        tv_composite_sha1(&pcrs, (uint8_t)selection, NULL, policy.digest_at_release);
    } else {
        tv_composite_sha256(&pcrs, selection, policy.digest_at_release);
    }
}

static void seal(size_t bytes)
{
    tv_seal(&root, &policy, salt, bytes > 0 ? data : NULL, bytes, blob);
}

static enum tv_error unseal(enum tv_bank bank, size_t blob_bytes)
{
    memset(opened, 0xa5, sizeof opened);
    memset(&found, 0xa5, sizeof found);
    opened_bytes = 12345;
    return tv_unseal(&root, &pcrs, bank, blob, blob_bytes, opened, &opened_bytes, &found);
}

static void must_fail(enum tv_bank bank, size_t blob_bytes, enum tv_error error)
{
    size_t room = blob_bytes > TV_SEALED_OVERHEAD ? blob_bytes - TV_SEALED_OVERHEAD : 0;
    assert_int_equal(unseal(bank, blob_bytes), error);
    for (size_t i = 0; i < sizeof opened; i++) {
        assert_int_equal(opened[i], i < room ? 0 : 0xa5);
    }
    assert_int_equal(opened_bytes, 0);
}

static void must_open(size_t bytes)
{
    assert_int_equal(unseal(policy.bank, bytes + TV_SEALED_OVERHEAD), TV_OK);
    assert_int_equal(opened_bytes, bytes);
    assert_memory_equal(opened, data, bytes);
    assert_int_equal(opened[bytes], 0xa5);
    assert_int_equal(found.bank, policy.bank);
    assert_int_equal(found.selection, policy.selection);
    assert_int_equal(found.bound, policy.bound);
    assert_memory_equal(found.digest_at_release, policy.digest_at_release, 32);
    assert_memory_equal(found.digest_at_creation, policy.digest_at_creation, 32);
    assert_memory_equal(found.identity, policy.identity, 32);
    assert_memory_equal(found.sealer, policy.sealer, 32);
}

static void test_known_blob(void **state)
{
    (void)state;
    size_t bytes = sizeof known_data - 1;
    assert_int_equal(sizeof known_blob, bytes + TV_SEALED_OVERHEAD);
    tv_seal(&root, &policy, salt, known_data, bytes, blob);
    assert_memory_equal(blob, known_blob, sizeof known_blob);
    assert_int_equal(sizeof known_nv_blob, sizeof nv_blob);
    tv_nv_seal(&root, salt, content, nv_blob);
    assert_memory_equal(nv_blob, known_nv_blob, sizeof known_nv_blob);
}

static void test_round_trip_of_every_size(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes <= DATA_MAX; bytes++) {
        bind_to_registers(bytes % 2 == 0 ? TV_BANK_SHA1 : TV_BANK_SHA256, (uint32_t)(bytes % 256));
        policy.bound = bytes % 3 != 0;
        memset(blob, 0xa5, sizeof blob);
        seal(bytes);
        assert_int_equal(blob[bytes + TV_SEALED_OVERHEAD], 0xa5);
        must_open(bytes);
    }
}

static void flip_must_fail(size_t at, unsigned bit, size_t bytes)
{
    blob[at] ^= (uint8_t)(1U << bit);
    must_fail(TV_BANK_SHA256, bytes + TV_SEALED_OVERHEAD,
              at < FORMAT_BYTES ? TV_ERROR_BLOB_FORMAT : TV_ERROR_BLOB_CHANGED);
    blob[at] ^= (uint8_t)(1U << bit);
}

static void test_every_bit_counts(void **state)
{
    (void)state;
    bind_to_registers(TV_BANK_SHA256, 0x81);
    static const size_t sizes[] = {0, 1, 33, DATA_MAX};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t step = sizes[i] > 100 ? 61 : 1, tag = HEADER_BYTES + sizes[i];
        seal(sizes[i]);
        for (size_t at = 0; at < tag + 16; at += at >= HEADER_BYTES && at + step < tag ? step : 1) {
            for (unsigned bit = 0; bit < 8; bit++) {
                flip_must_fail(at, bit, sizes[i]);
            }
        }
        must_open(sizes[i]);
    }
}

static void test_other_lengths(void **state)
{
    (void)state;
    bind_to_registers(TV_BANK_SHA256, 0x81);
    seal(100);
    for (size_t bytes = 0; bytes < TV_SEALED_OVERHEAD; bytes++) {
        must_fail(TV_BANK_SHA256, bytes, TV_ERROR_BLOB_FORMAT);
    }
    for (size_t bytes = TV_SEALED_OVERHEAD; bytes <= TV_SEALED_MAX; bytes++) {
        if (bytes != TV_SEALED_OVERHEAD + 100) {
            must_fail(TV_BANK_SHA256, bytes, TV_ERROR_BLOB_CHANGED);
        }
    }
    must_fail(TV_BANK_SHA256, TV_SEALED_MAX + 1, TV_ERROR_BLOB_FORMAT);
    must_open(100);
}

static void test_other_root(void **state)
{
    (void)state;
    bind_to_registers(TV_BANK_SHA256, 0x81);
    seal(100);
    root.seal_key[31] ^= 0x80;
    must_fail(TV_BANK_SHA256, 100 + TV_SEALED_OVERHEAD, TV_ERROR_BLOB_CHANGED);
    root.seal_key[31] ^= 0x80;
    must_open(100);
}

static void test_each_salt_has_its_key(void **state)
{
    (void)state;
    static uint8_t other[TV_SEALED_MAX];
    seal(100);
    memcpy(other, blob, sizeof other);
    salt[0] ^= 1;
    seal(100);
    assert_memory_not_equal(other + HEADER_BYTES, blob + HEADER_BYTES, 16);
}

/* Who is not the owner learns that, whatever the registers are. */
static void test_owner(void **state)
{
    (void)state;
    bind_to_registers(TV_BANK_SHA256, 0x80);
    seal(100);
    pcrs.identity.sha256[31] ^= 1;
    must_fail(TV_BANK_SHA256, 100 + TV_SEALED_OVERHEAD, TV_ERROR_BLOB_OWNER);
    pcrs.pcr[7].sha256[0] ^= 1;
    must_fail(TV_BANK_SHA256, 100 + TV_SEALED_OVERHEAD, TV_ERROR_BLOB_OWNER);
    pcrs.pcr[7].sha256[0] ^= 1;
    policy.bound = false;
    seal(100);
    must_open(100);
}

static void test_registers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * TV_PCRS; i++) {
        struct tv_measurement *pcr = &pcrs.pcr[i / 2];
        bool is_sha1 = i % 2 == 0;
        uint8_t *own = is_sha1 ? pcr->sha1 : pcr->sha256;
        uint8_t *other = is_sha1 ? pcr->sha256 : pcr->sha1;
        bind_to_registers(is_sha1 ? TV_BANK_SHA1 : TV_BANK_SHA256, 1U << i / 2);
        seal(100);
        *other ^= 1;                                  /* the other bank's do not count, */
        pcrs.pcr[(i / 2 + 1) % TV_PCRS].sha1[0] ^= 1; /* nor do those that are not selected */
        pcrs.pcr[(i / 2 + 1) % TV_PCRS].sha256[0] ^= 1;
        must_open(100);
        *own ^= 1;
        must_fail(policy.bank, 100 + TV_SEALED_OVERHEAD, TV_ERROR_BLOB_PCR);
        *own ^= 1;
        must_open(100);
    }
}

static void test_zeros_after_a_sha1_digest_count(void **state)
{
    (void)state;
    bind_to_registers(TV_BANK_SHA1, 1);
    policy.digest_at_release[20] = 1;
    seal(100);
    must_fail(TV_BANK_SHA1, 100 + TV_SEALED_OVERHEAD, TV_ERROR_BLOB_PCR);
}

static void test_no_registers(void **state)
{
    (void)state;
    policy.selection = 0;
    seal(100);
    memset(pcrs.pcr, 0x99, sizeof pcrs.pcr);
    must_open(100);
}

static void test_other_bank(void **state)
{
    (void)state;
    bind_to_registers(TV_BANK_SHA256, 0x81);
    seal(100);
    must_fail(TV_BANK_SHA1, 100 + TV_SEALED_OVERHEAD, TV_ERROR_BLOB_FORMAT);
    bind_to_registers(TV_BANK_SHA1, 0x81);
    seal(100);
    must_fail(TV_BANK_SHA256, 100 + TV_SEALED_OVERHEAD, TV_ERROR_BLOB_FORMAT);
}

static void nv_must_fail(enum tv_error error)
{
    static const uint8_t zeros[TV_NV_BYTES];
    memset(nv_opened, 0xa5, sizeof nv_opened);
    assert_int_equal(tv_nv_unseal(&root, nv_blob, nv_opened), error);
    assert_memory_equal(nv_opened, zeros, sizeof zeros);
}

static void test_nv(void **state)
{
    (void)state;
    tv_nv_seal(&root, salt, content, nv_blob);
    for (size_t at = 0; at < sizeof nv_blob; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            nv_blob[at] ^= (uint8_t)(1U << bit);
            nv_must_fail(at < NV_FORMAT_BYTES ? TV_ERROR_BLOB_FORMAT : TV_ERROR_BLOB_CHANGED);
            nv_blob[at] ^= (uint8_t)(1U << bit);
        }
    }
    root.nv_key[0] ^= 1;
    nv_must_fail(TV_ERROR_BLOB_CHANGED);
    root.nv_key[0] ^= 1;
    assert_int_equal(tv_nv_unseal(&root, nv_blob, nv_opened), TV_OK);
    assert_memory_equal(nv_opened, content, sizeof content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_known_blob, setup),
        cmocka_unit_test_setup(test_round_trip_of_every_size, setup),
        cmocka_unit_test_setup(test_every_bit_counts, setup),
        cmocka_unit_test_setup(test_other_lengths, setup),
        cmocka_unit_test_setup(test_other_root, setup),
        cmocka_unit_test_setup(test_each_salt_has_its_key, setup),
        cmocka_unit_test_setup(test_owner, setup),
        cmocka_unit_test_setup(test_registers, setup),
        cmocka_unit_test_setup(test_zeros_after_a_sha1_digest_count, setup),
        cmocka_unit_test_setup(test_no_registers, setup),
        cmocka_unit_test_setup(test_other_bank, setup),
        cmocka_unit_test_setup(test_nv, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
