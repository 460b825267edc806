#include "key.h"

#include <string.h>

#define P256_POINT_BYTES 65U
#define RSA_BYTES 256U
enum { DER_INTEGER = 0x02, DER_BIT_STRING = 0x03, DER_SEQUENCE = 0x30 };

static int base64_value(uint8_t c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c != 0 ? strchr(digits, c) : NULL;

    return found != NULL ? (int)(found - digits) : -1;
}

static const uint8_t *find(const uint8_t *from, const uint8_t *end, const char *text)
{
    size_t bytes = strlen(text);

    for (; (size_t)(end - from) >= bytes; from++) {
        if (memcmp(from, text, bytes) == 0) {
            return from;
        }
    }
    return NULL;
}

static size_t decode_base64(const uint8_t *from, const uint8_t *end, uint8_t der[KEY_DER_MAX])
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t bytes = 0;

    for (; from < end; from++) {
        int value = base64_value(*from);
        if (value < 0) {
            continue; /* ends of lines, padding */
        }
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            if (bytes == KEY_DER_MAX) {
                return 0;
            }
            der[bytes++] = (uint8_t)(bits >> count);
        }
    }
    return bytes;
}

size_t key_der(const uint8_t *file, size_t bytes, uint8_t der[KEY_DER_MAX])
{
    const uint8_t *end = file + bytes, *begin = find(file, end, "-----BEGIN ");

    if (begin == NULL) {
        if (bytes > KEY_DER_MAX) {
            return 0;
        }
        memcpy(der, file, bytes);
        return bytes;
    }
    const uint8_t *body = find(begin + 11, end, "-----");
    const uint8_t *stop = body != NULL ? find(body + 5, end, "-----END ") : NULL;
    return stop != NULL ? decode_base64(body + 5, stop, der) : 0;
}

bool key_p256(const uint8_t *der, size_t bytes, struct p256_key *key)
{
    /* SEQUENCE {SEQUENCE {id-ecPublicKey, secp256r1}, BIT STRING {04, ...}} */
    static const uint8_t prefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    br_sha256_context hash;

    if (bytes != TV_QUOTE_KEY_BYTES || memcmp(der, prefix, sizeof(prefix)) != 0) {
        return false;
    }
    key->point = der + bytes - P256_POINT_BYTES;
    br_sha256_init(&hash);
    br_sha256_update(&hash, der, bytes);
    br_sha256_out(&hash, key->id);
    return true;
}

/* The element at *at, which must have this tag; *at becomes what follows. */
static bool take(const uint8_t **at, const uint8_t *end, uint8_t tag, const uint8_t **content,
                 size_t *bytes)
{
    const uint8_t *from = *at;
    size_t length;

    if (end - from < 2 || from[0] != tag) {
        return false;
    }
    length = from[1];
    from += 2;
    if (length >= 0x80) { /* in one or two bytes that follow */
        size_t count = length - 0x80;
        if (count == 0 || count > 2 || (size_t)(end - from) < count) {
            return false;
        }
        length = count == 1 ? from[0] : (size_t)from[0] << 8 | from[1];
        from += count;
    }
    if ((size_t)(end - from) < length) {
        return false;
    }
    *content = from;
    *bytes = length;
    *at = from + length;
    return true;
}

/* INTEGERs are signed: a zero byte comes before a high first bit. */
static bool take_number(const uint8_t **at, const uint8_t *end, const uint8_t **content,
                        size_t *bytes)
{
    if (!take(at, end, DER_INTEGER, content, bytes)) {
        return false;
    }
    while (*bytes > 0 && **content == 0) {
        (*content)++;
        (*bytes)--;
    }
    return *bytes > 0;
}

static bool rsa_numbers(const uint8_t *at, size_t bytes, br_rsa_public_key *key)
{
    const uint8_t *end = at + bytes, *modulus, *exponent;

    if (!take_number(&at, end, &modulus, &key->nlen) ||
        !take_number(&at, end, &exponent, &key->elen) || at != end) {
        return false;
    }
    key->n = (unsigned char *)(uintptr_t)modulus;
    key->e = (unsigned char *)(uintptr_t)exponent;
    return key->nlen == RSA_BYTES && key->elen <= sizeof(uint32_t);
}

bool key_rsa(const uint8_t *der, size_t bytes, br_rsa_public_key *key)
{
    static const uint8_t algorithm[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                        0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    const uint8_t *at = der, *end = der + bytes, *outer, *inner;
    size_t outer_bytes, inner_bytes;

    if (!take(&at, end, DER_SEQUENCE, &outer, &outer_bytes) || at != end) {
        return false;
    }
    if (rsa_numbers(outer, outer_bytes, key)) {
        return true;
    }
    at = outer;
    end = outer + outer_bytes;
    if (!take(&at, end, DER_SEQUENCE, &inner, &inner_bytes) || inner_bytes != sizeof(algorithm) ||
        memcmp(inner, algorithm, sizeof(algorithm)) != 0 ||
        !take(&at, end, DER_BIT_STRING, &inner, &inner_bytes) || at != end || inner_bytes == 0 ||
        *inner != 0) {
        return false;
    }
    at = inner + 1;
    end = inner + inner_bytes;
    return take(&at, end, DER_SEQUENCE, &outer, &outer_bytes) && at == end &&
           rsa_numbers(outer, outer_bytes, key);
}
