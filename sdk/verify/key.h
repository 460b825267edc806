/*
 * Public keys of quotes, out of DER or PEM.  Only the two kinds that Nacre has are taken, so a key
 * is known by its first bytes.  Functions return NULL, or what is wrong with the file.
 */
#ifndef VERIFY_KEY_H
#define VERIFY_KEY_H

#include <stddef.h>
#include <stdint.h>
#include <tv/tpm.h>

#define VERIFY_POINT_BYTES 65U

struct verify_p256 {
    uint8_t point[VERIFY_POINT_BYTES]; /* uncompressed */
    uint8_t id[32];                    /* SHA-256 of the SubjectPublicKeyInfo */
};

struct verify_rsa {
    uint8_t modulus[TV_RSA_BYTES]; /* the exponent is 65537 */
    uint8_t id[32];                /* SHA-256 of the RSAPublicKey */
};

/* SubjectPublicKeyInfo (RFC 5480). */
const char *verify_key_p256(struct verify_p256 *key, const uint8_t *file, size_t bytes);

/* SubjectPublicKeyInfo, or RSAPublicKey of PKCS #1 (which ID_GETPUB gives). */
const char *verify_key_rsa(struct verify_rsa *key, const uint8_t *file, size_t bytes);

#endif
