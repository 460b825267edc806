/*
 * Public keys as people have them: DER, or PEM around it.  Pure: works on the bytes given, which
 * may be anything.
 */
#ifndef VERIFY_KEY_H
#define VERIFY_KEY_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tv/abi.h>

#define KEY_DER_MAX 1024U

/* DER, taken out of PEM if it is that; its bytes, 0: neither. */
size_t key_der(const uint8_t *file, size_t bytes, uint8_t der[KEY_DER_MAX]);

struct p256_key {
    const uint8_t *point; /* 65 bytes, in der */
    uint8_t id[32];       /* SHA-256 of der */
};

/* der: a SubjectPublicKeyInfo of a key on P-256 (RFC 5480), and nothing after it. */
bool key_p256(const uint8_t *der, size_t bytes, struct p256_key *key);

/* der: a SubjectPublicKeyInfo (RFC 3279) or RSAPublicKey (PKCS #1) of 2048 bits; *key points there.
 */
bool key_rsa(const uint8_t *der, size_t bytes, br_rsa_public_key *key);

#endif
