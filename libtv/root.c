/* All keys from one secret: each is a MAC of its purpose's name, so none tells another. */
#include <string.h>
#include <tv/random.h>
#include <tv/tpm.h>

/* SubjectPublicKeyInfo of an uncompressed point on P-256 (RFC 5480), up to the point. */
static const uint8_t p256_prefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
#define P256_POINT_BYTES 65U
_Static_assert(sizeof(p256_prefix) + P256_POINT_BYTES == TV_QUOTE_KEY_BYTES,
               "the public key's size is part of the interface");

static void derive(const uint8_t secret[TV_ROOT_BYTES], const char *purpose, uint8_t key[32])
{
    br_hmac_key_context prepared;
    br_hmac_context mac;

    br_hmac_key_init(&prepared, &br_sha256_vtable, secret, TV_ROOT_BYTES);
    br_hmac_init(&mac, &prepared, 0);
    br_hmac_update(&mac, purpose, strlen(purpose));
    br_hmac_out(&mac, key);
    tv_wipe(&prepared, sizeof(prepared));
    tv_wipe(&mac, sizeof(mac));
}

static void make_p256(struct tv_root *root, const uint8_t seed[32])
{
    br_hmac_drbg_context drbg;
    br_ec_private_key secret;
    br_ec_public_key public;
    br_sha256_context hash;
    uint8_t buffer[BR_EC_KBUF_PRIV_MAX_SIZE], point[BR_EC_KBUF_PUB_MAX_SIZE];

    br_hmac_drbg_init(&drbg, &br_sha256_vtable, seed, 32);
    br_ec_keygen(&drbg.vtable, &br_ec_p256_m31, &secret, buffer, BR_EC_secp256r1);
    br_ec_compute_pub(&br_ec_p256_m31, &public, point, &secret);
    memcpy(root->p256_secret, secret.x, sizeof(root->p256_secret));
    memcpy(root->p256_key, p256_prefix, sizeof(p256_prefix));
    memcpy(root->p256_key + sizeof(p256_prefix), public.q, P256_POINT_BYTES);
    br_sha256_init(&hash);
    br_sha256_update(&hash, root->p256_key, sizeof(root->p256_key));
    br_sha256_out(&hash, root->p256_key_id);
    tv_wipe(&drbg, sizeof(drbg));
    tv_wipe(buffer, sizeof(buffer));
}

void tv_root_init(struct tv_root *root, enum tv_root_source source, bool debug,
                  const uint8_t secret[TV_ROOT_BYTES])
{
    uint8_t seed[32];

    tv_root_wipe(root);
    if (source == TV_ROOT_NONE) {
        return;
    }
    derive(secret, "nacre seal 1", root->seal_key);
    derive(secret, "nacre nv 1", root->nv_key);
    derive(secret, "nacre rsa 1", root->rsa_seed);
    derive(secret, "nacre p256 1", seed);
    make_p256(root, seed);
    tv_wipe(seed, sizeof(seed));
    root->debug = debug;
    root->source = source;
}

void tv_root_wipe(struct tv_root *root)
{
    tv_wipe(root, sizeof(*root));
}
