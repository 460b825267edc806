/* BearSSL's own known-answer tests of what the image uses or will use, on this machine's build of
 * the same files.  One that fails says what it expected and ends the program.  Not here: generating
 * RSA keys, which takes longer than everything else together; and its tests of HMAC, most of which
 * are of a variant that is not in the image, with digests that are not either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The functions are static, so their file is a part of this program, and unused ones vanish. */
#define main static __attribute__((unused)) unused_main
#include <test/test_crypto.c>
#undef main

static void hmac(const void *key, size_t key_bytes, const void *data, size_t bytes,
                 const char *expected)
{
    do_KAT_HMAC_bin_bin(&br_sha256_vtable, key, key_bytes, data, bytes, expected);
}

/* RFC 4231, test cases 1 to 4, 6 and 7. */
static void test_hmac(void **state)
{
    static const char larger[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    static const char both_larger[] =
        "This is a test using a larger than block-size key and a larger than block-size data. "
        "The key needs to be hashed before being used by the HMAC algorithm.";
    uint8_t key[131], data[50], counted[25];
    (void)state;

    memset(key, 0x0b, sizeof key);
    hmac(key, 20, "Hi There", 8,
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac("Jefe", 4, "what do ya want for nothing?", 28,
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    hmac(key, 20, data, sizeof data,
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    for (unsigned i = 0; i < sizeof counted; i++) {
        counted[i] = (uint8_t)(i + 1);
    }
    memset(data, 0xcd, sizeof data);
    hmac(counted, sizeof counted, data, sizeof data,
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    hmac(key, sizeof key, larger, sizeof larger - 1,
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hmac(key, sizeof key, both_larger, sizeof both_larger - 1,
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void test_hashes(void **state)
{
    (void)state;
    test_SHA1();
    test_SHA256();
    test_HMAC_DRBG();
}

static void test_ciphers(void **state)
{
    (void)state;
    test_AES_ct64();
    test_GHASH_ctmul64();
    test_GCM();
}

static void test_rsa(void **state)
{
    (void)state;
    test_RSA_core("RSA i31", br_rsa_i31_public, br_rsa_i31_private);
    test_RSA_sign("RSA i31", br_rsa_i31_private, br_rsa_i31_pkcs1_sign, br_rsa_i31_pkcs1_vrfy);
    test_RSA_core("RSA i62", br_rsa_i31_public, br_rsa_i62_private);
    test_RSA_sign("RSA i62", br_rsa_i62_private, br_rsa_i62_pkcs1_sign, br_rsa_i31_pkcs1_vrfy);
}

static void test_curves(void **state)
{
    (void)state;
    test_EC_p256_m31();
    test_ECDSA_i31();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hmac), cmocka_unit_test(test_hashes), cmocka_unit_test(test_ciphers),
        cmocka_unit_test(test_rsa),  cmocka_unit_test(test_curves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
