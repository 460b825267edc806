/* BearSSL's own known-answer tests of what the image uses or will use, on this machine's build of
 * the same files.  One that fails says what it expected and ends the program.  Not here: generating
 * RSA keys, which takes longer than everything else together, and test_HMAC(), which does as long
 * what only TLS wants of HMAC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The functions are static, so their file is a part of this program, and unused ones vanish. */
#define main static __attribute__((unused)) unused_main
#include <test/test_crypto.c>
#undef main

static void test_hashes(void **state)
{
    (void)state;
    test_SHA1();
    test_SHA256();
    test_HMAC_DRBG();
}

/* Keys shorter and longer than a block; digests by Python's hmac. */
static void test_hmac(void **state)
{
    static const char text[] = "what is authenticated, in more than one block of 64 bytes, "
                               "and not in whole ones";
    uint8_t key[131];

    (void)state;
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)i;
    }
    do_KAT_HMAC_str_str(&br_sha1_vtable, "key", text, "6ecf8d879041fc55b17c94c2688f233a90429762");
    do_KAT_HMAC_str_str(&br_sha256_vtable, "key", text,
                        "338a4affe3cf778fd4dfeedf4dfde358ed14c646f75542d54e97e3ed8beeced9");
    do_KAT_HMAC_str_str(&br_sha256_vtable, "key", "",
                        "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0");
    do_KAT_HMAC_bin_bin(&br_sha1_vtable, key, sizeof(key), text, sizeof(text) - 1,
                        "9fb12164cccde0bada053dd08b93b0d3744436a5");
    do_KAT_HMAC_bin_bin(&br_sha256_vtable, key, sizeof(key), text, sizeof(text) - 1,
                        "1081a43ff193244130d76556105703e641eb9d8ec7390cde2c947c55e019eee5");
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
        cmocka_unit_test(test_hashes),  cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_ciphers), cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_curves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
