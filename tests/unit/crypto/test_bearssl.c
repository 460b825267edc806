/* BearSSL's own known-answer tests of what the image uses or will use, on this machine's build of
 * the same files.  One that fails says what it expected and ends the program.  Not here: generating
 * RSA keys, which takes longer than everything else together. */
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
    test_HMAC();
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
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_ciphers),
        cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_curves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
