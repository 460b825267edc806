#include "key.h"

#include <stdbool.h>
#include <string.h>

#define KEY_MAX 512U /* the longest of ours has 294 bytes */

/* SEQUENCE {SEQUENCE {id-ecPublicKey, prime256v1}, BIT STRING}, up to an uncompressed point. */
static const uint8_t p256_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
/* SEQUENCE {SEQUENCE {rsaEncryption, NULL}, BIT STRING}, up to the RSAPublicKey. */
static const uint8_t rsa_info_head[] = {0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09,
                                        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
                                        0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00};
/* SEQUENCE {INTEGER modulus, INTEGER 65537} around a modulus of 2048 bits. */
static const uint8_t rsa_head[] = {0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00};
static const uint8_t rsa_tail[] = {0x02, 0x03, 0x01, 0x00, 0x01};
_Static_assert(sizeof(rsa_head) + TV_RSA_BYTES + sizeof(rsa_tail) == TV_RSA_DER_BYTES,
               "what ID_GETPUB gives");

struct der {
    uint8_t bytes[KEY_MAX];
    size_t count;
    bool is_too_long;
};

static void collect(void *context, const void *bytes, size_t count)
{
    struct der *der = context;

    if (count > sizeof(der->bytes) - der->count) {
        der->is_too_long = true;
        return;
    }
    memcpy(der->bytes + der->count, bytes, count);
    der->count += count;
}

static bool is_label(const char *name)
{
    return strcmp(name, "PUBLIC KEY") == 0 || strcmp(name, "RSA PUBLIC KEY") == 0;
}

/* The first public key of a PEM file. */
static bool read_pem(struct der *der, const uint8_t *file, size_t bytes)
{
    br_pem_decoder_context decoder;
    bool is_key = false;

    br_pem_decoder_init(&decoder);
    while (bytes > 0) {
        size_t used = br_pem_decoder_push(&decoder, file, bytes);
        file += used;
        bytes -= used;
        switch (br_pem_decoder_event(&decoder)) {
        case BR_PEM_BEGIN_OBJ:
            is_key = is_label(br_pem_decoder_name(&decoder));
            br_pem_decoder_setdest(&decoder, is_key ? collect : NULL, der);
            break;
        case BR_PEM_END_OBJ:
            if (is_key) {
                return !der->is_too_long;
            }
            break;
        case BR_PEM_ERROR:
            return false;
        default:
            break;
        }
    }
    return false;
}

static bool read_der(struct der *der, const uint8_t *file, size_t bytes)
{
    der->count = 0;
    der->is_too_long = false;
    if (bytes > 0 && file[0] != 0x30) { /* DER: a SEQUENCE; PEM is text */
        return read_pem(der, file, bytes);
    }
    collect(der, file, bytes);
    return !der->is_too_long;
}

static bool begins(const struct der *der, const uint8_t *head, size_t bytes)
{
    return der->count >= bytes && memcmp(der->bytes, head, bytes) == 0;
}

const char *verify_key_p256(struct verify_p256 *key, const uint8_t *file, size_t bytes)
{
    struct der der;
    br_sha256_context hash;

    if (!read_der(&der, file, bytes) || der.count != TV_QUOTE_KEY_BYTES ||
        !begins(&der, p256_head, sizeof(p256_head))) {
        return "not a public key on P-256 (SubjectPublicKeyInfo, DER or PEM)";
    }
    memcpy(key->point, der.bytes + TV_QUOTE_KEY_BYTES - sizeof(key->point), sizeof(key->point));
    br_sha256_init(&hash);
    br_sha256_update(&hash, der.bytes, der.count);
    br_sha256_out(&hash, key->id);
    return NULL;
}

const char *verify_key_rsa(struct verify_rsa *key, const uint8_t *file, size_t bytes)
{
    struct der der;
    const uint8_t *at = der.bytes;
    br_sha256_context hash;

    if (!read_der(&der, file, bytes)) {
        der.count = 0;
    }
    if (begins(&der, rsa_info_head, sizeof(rsa_info_head))) {
        at += sizeof(rsa_info_head);
        der.count -= sizeof(rsa_info_head);
    }
    if (der.count != TV_RSA_DER_BYTES || memcmp(at, rsa_head, sizeof(rsa_head)) != 0 ||
        memcmp(at + sizeof(rsa_head) + TV_RSA_BYTES, rsa_tail, sizeof(rsa_tail)) != 0) {
        return "not a public RSA key of 2048 bits with exponent 65537 (DER or PEM)";
    }
    memcpy(key->modulus, at + sizeof(rsa_head), sizeof(key->modulus));
    br_sha256_init(&hash);
    br_sha256_update(&hash, at, TV_RSA_DER_BYTES);
    br_sha256_out(&hash, key->id);
    return NULL;
}
