/* Keys, against HMAC, HMAC-DRBG and P-256 in Python; the RSA key by what it signs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <tv/random.h>
#include <tv/tpm.h>
#include <world/world.h>

static const uint8_t seal_key[] = {0xa3, 0x14, 0x3c, 0xe7, 0xf8, 0x37, 0xa8, 0x66, 0x68, 0x4e, 0xb7,
                                   0x96, 0x2d, 0xd2, 0xf8, 0x70, 0x91, 0x80, 0xc0, 0x3e, 0x13, 0x8e,
                                   0x8e, 0xff, 0x08, 0x39, 0x89, 0x4b, 0xca, 0x38, 0x1a, 0x70};
static const uint8_t nv_key[] = {0x4b, 0x9e, 0xcc, 0xbc, 0xf8, 0xe7, 0xbd, 0x49, 0x5d, 0x78, 0xe3,
                                 0xcf, 0x21, 0xb0, 0xea, 0x24, 0xa5, 0x79, 0x39, 0x61, 0x68, 0xa0,
                                 0xdd, 0xf4, 0x14, 0x56, 0x7f, 0x8b, 0x0b, 0x97, 0xa4, 0x41};
static const uint8_t rsa_seed[] = {0xb8, 0x82, 0x5e, 0x95, 0xa7, 0x90, 0x20, 0xcf, 0xaa, 0xc3, 0x2a,
                                   0x0d, 0x72, 0xea, 0xd5, 0x7c, 0xa1, 0x8b, 0xc4, 0xca, 0xe8, 0xd1,
                                   0x67, 0x3d, 0xd2, 0xaf, 0xfb, 0x3c, 0xf4, 0x99, 0xe3, 0xfd};
static const uint8_t p256_secret[] = {
    0x8e, 0x8f, 0xfc, 0x8e, 0x71, 0x96, 0x8a, 0x18, 0x1b, 0x1a, 0x05, 0x75, 0x05, 0x38, 0x4a, 0xb6,
    0xd1, 0x8f, 0x4b, 0x2f, 0x23, 0xdd, 0xd2, 0xa0, 0xe3, 0x54, 0x32, 0xfc, 0x7a, 0x45, 0x9c, 0xdf};
static const uint8_t p256_key[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0x4d, 0xa6, 0x8e, 0x84, 0xc7,
    0x0e, 0x6e, 0xfd, 0x5a, 0x03, 0xc0, 0x92, 0x85, 0x4a, 0xd1, 0xad, 0x65, 0x49, 0xc7, 0x0e, 0x34,
    0x3f, 0x23, 0x32, 0x91, 0xda, 0xfb, 0x73, 0xf5, 0x55, 0x3d, 0x94, 0x1a, 0xdf, 0x4f, 0x01, 0x96,
    0x1a, 0x7e, 0x28, 0x65, 0xc1, 0x9b, 0x3b, 0xc0, 0x5f, 0x65, 0x9b, 0x19, 0x19, 0x8d, 0x74, 0x0d,
    0x68, 0x52, 0xf4, 0xe3, 0xa5, 0x5d, 0x24, 0x88, 0xa8, 0x31, 0x08};
static const uint8_t p256_key_id[] = {
    0x21, 0x67, 0x57, 0x05, 0x66, 0x75, 0xe8, 0x3f, 0x99, 0xbd, 0x4b, 0xd5, 0xc5, 0xd8, 0xd0, 0x3b,
    0xe8, 0x08, 0xcc, 0xd8, 0x95, 0x74, 0x34, 0x4a, 0xc2, 0xfe, 0x0a, 0x00, 0x8f, 0xca, 0x7b, 0xa3};

/* As it came out of BearSSL 0.6: who has a secret keeps the key. */
static const uint8_t rsa_key_id[32] = {
    0x9d, 0x99, 0x75, 0xb7, 0x11, 0x6f, 0x32, 0xd5, 0x51, 0xa5, 0x39, 0x85, 0x16, 0x59, 0xc9, 0x9a,
    0xcb, 0x64, 0xfe, 0xbe, 0x80, 0x13, 0x17, 0xee, 0x14, 0x66, 0xe4, 0x55, 0xf4, 0x8c, 0x90, 0x7e};

static struct tv_root root, other;
static uint8_t secret[TV_ROOT_BYTES];
static unsigned polls[2]; /* of each CPU; atomic */

/* Nothing here asks for random numbers. */
enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES])
{
    (void)entropy;
    fail();
    return TV_ERROR_NO_ENTROPY;
}

void world_poll(unsigned cpu)
{
    assert_in_range(cpu, 0, 1);
    __atomic_add_fetch(&polls[cpu], 1, __ATOMIC_RELAXED);
}

static int setup(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof secret; i++) {
        secret[i] = (uint8_t)i;
    }
    memset(&root, 0xa5, sizeof root);
    memset(&other, 0x5a, sizeof other);
    memset(polls, 0, sizeof polls);
    tv_root_init(&root, TV_ROOT_MODULE, true, secret);
    return 0;
}

static void test_known_keys(void **state)
{
    (void)state;
    assert_int_equal(root.source, TV_ROOT_MODULE);
    assert_true(root.debug);
    assert_memory_equal(root.seal_key, seal_key, sizeof seal_key);
    assert_memory_equal(root.nv_key, nv_key, sizeof nv_key);
    assert_memory_equal(root.rsa_seed, rsa_seed, sizeof rsa_seed);
    assert_memory_equal(root.p256_secret, p256_secret, sizeof p256_secret);
    assert_int_equal(sizeof p256_key, sizeof root.p256_key);
    assert_memory_equal(root.p256_key, p256_key, sizeof p256_key);
    assert_memory_equal(root.p256_key_id, p256_key_id, sizeof p256_key_id);
}

static void test_other_secret_other_keys(void **state)
{
    (void)state;
    secret[31] ^= 1;
    tv_root_init(&other, TV_ROOT_MODULE, true, secret);
    assert_memory_not_equal(root.seal_key, other.seal_key, sizeof root.seal_key);
    assert_memory_not_equal(root.nv_key, other.nv_key, sizeof root.nv_key);
    assert_memory_not_equal(root.rsa_seed, other.rsa_seed, sizeof root.rsa_seed);
    assert_memory_not_equal(root.p256_secret, other.p256_secret, sizeof root.p256_secret);
    assert_memory_not_equal(root.p256_key_id, other.p256_key_id, sizeof root.p256_key_id);
}

static void test_none_and_wiped(void **state)
{
    static const struct tv_root zero;
    (void)state;
    tv_root_wipe(&root);
    assert_memory_equal(&root, &zero, sizeof zero);
    tv_root_init(&other, TV_ROOT_NONE, false, secret);
    assert_memory_equal(&other, &zero, sizeof zero);
    assert_int_equal(tv_root_rsa(&root, 0), TV_ERROR_NO_ROOT);
    assert_int_equal(polls[0], 0);
}

/* A signature is one of ours if the key in the DER verifies it. */
static void must_verify(uint8_t *der, uint8_t signature[TV_RSA_BYTES], const char *text)
{
    uint8_t expected[20], found[20];
    br_sha1_context sha1;
    const br_rsa_public_key key = {der + 9, TV_RSA_BYTES, der + 267, 3};

    br_sha1_init(&sha1);
    br_sha1_update(&sha1, text, strlen(text));
    br_sha1_out(&sha1, expected);
    assert_int_equal(
        br_rsa_i31_pkcs1_vrfy(signature, TV_RSA_BYTES, BR_HASH_OID_SHA1, sizeof found, &key, found),
        1);
    assert_memory_equal(found, expected, sizeof expected);
}

static void test_rsa(void **state)
{
    static const uint8_t start[] = {0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00};
    static const uint8_t end[] = {0x02, 0x03, 0x01, 0x00, 0x01};
    uint8_t der[TV_RSA_DER_BYTES], again[TV_RSA_DER_BYTES], signature[TV_RSA_BYTES], id[32];
    br_sha256_context sha256;
    (void)state;

    assert_int_equal(tv_root_rsa(&root, 0), TV_OK);
    assert_true(polls[0] > 10);
    tv_root_rsa_der(&root, der);
    assert_memory_equal(der, start, sizeof start);
    assert_memory_equal(der + 265, end, sizeof end);
    assert_true(der[9] & 0x80);
    tv_rsa_sign(&root, "nacre", 5, signature);
    must_verify(der, signature, "nacre");

    br_sha256_init(&sha256);
    br_sha256_update(&sha256, der, 270);
    br_sha256_out(&sha256, id);
    assert_memory_equal(id, rsa_key_id, sizeof id);

    unsigned before = polls[0];
    assert_int_equal(tv_root_rsa(&root, 0), TV_OK); /* there already */
    assert_int_equal(polls[0], before);
    tv_root_rsa_der(&root, again);
    assert_memory_equal(again, der, 270);
    root.source = TV_ROOT_NONE; /* the key is there, but not to be had */
    assert_int_equal(tv_root_rsa(&root, 0), TV_ERROR_NO_ROOT);
}

static void *second_cpu(void *argument)
{
    while (__atomic_load_n(&root.rsa_state, __ATOMIC_RELAXED) == 0) {
    }
    *(enum tv_error *)argument = tv_root_rsa(&root, 1);
    return NULL;
}

static void test_second_cpu_waits(void **state)
{
    uint8_t der[TV_RSA_DER_BYTES], signature[TV_RSA_BYTES];
    enum tv_error error = TV_ERROR_COUNT;
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, second_cpu, &error), 0);
    assert_int_equal(tv_root_rsa(&root, 0), TV_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(error, TV_OK);
    assert_true(polls[1] > 0);
    tv_root_rsa_der(&root, der);
    tv_rsa_sign(&root, "", 0, signature);
    must_verify(der, signature, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_known_keys, setup),
        cmocka_unit_test_setup(test_other_secret_other_keys, setup),
        cmocka_unit_test_setup(test_none_and_wiped, setup),
        cmocka_unit_test_setup(test_rsa, setup),
        cmocka_unit_test_setup(test_second_cpu_waits, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
