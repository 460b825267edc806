/*
 * Sealed blobs: a header, what is sealed, and a tag.  A blob's key is an HMAC of its header under
 * the root's key, so its salt gives each blob a key of its own, and whoever changes a header asks
 * for another key.  One key encrypts one message only: that is why the nonce may always be zero.
 */
#include <tv/tpm.h>

#include <string.h>
#include <tv/random.h>

#define TAG_BYTES 16U
#define NONCE_BYTES 12U
#define KEY_BYTES 32U

/* Both headers are hashed as they lie in memory: packed, with numbers of the CPU's byte order. */
struct header {
    char magic[8]; /* with its NUL */
    uint16_t version;
    uint8_t bank;
    uint8_t bound;
    uint32_t selection;
    uint8_t salt[32];
    uint8_t digest_at_release[32];
    uint8_t digest_at_creation[32];
    uint8_t identity[32];
    uint8_t sealer[32];
} __attribute__((packed));

struct nv_header {
    char magic[8]; /* with its NUL */
    uint32_t version;
    uint32_t zero;
    uint8_t salt[32];
} __attribute__((packed));

_Static_assert(sizeof(struct header) + TAG_BYTES == TV_SEALED_OVERHEAD, "a sealed blob's overhead");
_Static_assert(sizeof(struct nv_header) + TV_NV_BYTES + TAG_BYTES == TV_NV_BLOB_BYTES,
               "a blob of NV memory");

static const char seal_magic[8] = "NACRESB";
static const char nv_magic[8] = "NACRENV";
enum { SEAL_VERSION = 1, NV_VERSION = 1 };

/* Everything that depends on a key, in one place to be wiped at once. */
struct cipher {
    uint8_t key[KEY_BYTES];
    br_hmac_key_context hmac_key;
    br_hmac_context hmac;
    br_aes_ct64_ctr_keys aes;
    br_gcm_context gcm;
};

/* Ready to run over the message, with the header authenticated. */
static void begin(struct cipher *cipher, const uint8_t root_key[KEY_BYTES], const void *header,
                  size_t header_bytes)
{
    static const uint8_t nonce[NONCE_BYTES] = {0};
    br_hmac_key_init(&cipher->hmac_key, &br_sha256_vtable, root_key, KEY_BYTES);
    br_hmac_init(&cipher->hmac, &cipher->hmac_key, 0);
    br_hmac_update(&cipher->hmac, header, header_bytes);
    br_hmac_out(&cipher->hmac, cipher->key);

    br_aes_ct64_ctr_init(&cipher->aes, cipher->key, sizeof(cipher->key));
    br_gcm_init(&cipher->gcm, &cipher->aes.vtable, br_ghash_ctmul64);
    br_gcm_reset(&cipher->gcm, nonce, sizeof(nonce));
    br_gcm_aad_inject(&cipher->gcm, header, header_bytes);
    br_gcm_flip(&cipher->gcm);
}

/* Text and tag follow the header in the blob. */
static void encrypt(const uint8_t root_key[KEY_BYTES], const void *header, size_t header_bytes,
                    const void *data, size_t bytes, uint8_t *blob)
{
    struct cipher cipher;
    uint8_t *text = blob + header_bytes;
    memcpy(blob, header, header_bytes);
    if (bytes > 0) { /* else data may be NULL, which memcpy() may not be given */
        memcpy(text, data, bytes);
    }
    begin(&cipher, root_key, header, header_bytes);
    br_gcm_run(&cipher.gcm, 1, text, bytes);
    br_gcm_get_tag(&cipher.gcm, text + bytes);
    tv_wipe(&cipher, sizeof(cipher));
}

/*
 * False: the tag is wrong, and data means nothing.  header is the caller's copy of what begins the
 * blob, and each byte of the rest is read once, so that what was checked is what is used.
 */
static bool decrypt(const uint8_t root_key[KEY_BYTES], const void *header, size_t header_bytes,
                    const uint8_t *blob, void *data, size_t bytes)
{
    struct cipher cipher;
    const uint8_t *text = blob + header_bytes;
    if (bytes > 0) {
        memcpy(data, text, bytes);
    }
    begin(&cipher, root_key, header, header_bytes);
    br_gcm_run(&cipher.gcm, 0, data, bytes);
    bool is_right = br_gcm_check_tag(&cipher.gcm, text + bytes) != 0;
    tv_wipe(&cipher, sizeof(cipher));
    return is_right;
}

void tv_seal(const struct tv_root *root, const struct tv_seal_policy *policy,
             const uint8_t salt[32], const void *data, size_t bytes, uint8_t *blob)
{
    struct header header = {.version = SEAL_VERSION,
                            .bank = (uint8_t)policy->bank,
                            .bound = policy->bound,
                            .selection = policy->selection};
    memcpy(header.magic, seal_magic, sizeof(header.magic));
    memcpy(header.salt, salt, sizeof(header.salt));
    memcpy(header.digest_at_release, policy->digest_at_release, sizeof(header.digest_at_release));
    memcpy(header.digest_at_creation, policy->digest_at_creation,
           sizeof(header.digest_at_creation));
    memcpy(header.identity, policy->identity, sizeof(header.identity));
    memcpy(header.sealer, policy->sealer, sizeof(header.sealer));
    encrypt(root->seal_key, &header, sizeof(header), data, bytes, blob);
}

static bool is_format(const struct header *header, enum tv_bank bank)
{
    return memcmp(header->magic, seal_magic, sizeof(seal_magic)) == 0 &&
           header->version == SEAL_VERSION && header->bank == bank;
}

/* Only of a header that is authentic: nobody else's selection comes here. */
static bool has_registers(const struct header *header, const struct tv_pcrs *pcrs)
{
    uint8_t digest[32] = {0}; /* what SHA-1 does not fill stays zero, as in the policy */
    if (header->selection == 0) {
        return true;
    }
    if (header->bank == TV_BANK_SHA1) {
        tv_composite_sha1(pcrs, (uint8_t)header->selection, NULL, digest);
    } else {
        tv_composite_sha256(pcrs, header->selection, digest);
    }
    return memcmp(digest, header->digest_at_release, sizeof(digest)) == 0;
}

static enum tv_error unseal(const struct tv_root *root, const struct tv_pcrs *pcrs,
                            enum tv_bank bank, const uint8_t *blob, size_t blob_bytes, void *data,
                            struct header *header)
{
    if (blob_bytes < TV_SEALED_OVERHEAD || blob_bytes > TV_SEALED_MAX) {
        return TV_ERROR_BLOB_FORMAT;
    }
    memcpy(header, blob, sizeof(*header));
    if (!is_format(header, bank)) {
        return TV_ERROR_BLOB_FORMAT;
    }
    if (!decrypt(root->seal_key, header, sizeof(*header), blob, data,
                 blob_bytes - TV_SEALED_OVERHEAD)) {
        return TV_ERROR_BLOB_CHANGED;
    }
    if (header->bound &&
        memcmp(header->identity, pcrs->identity.sha256, sizeof(header->identity)) != 0) {
        return TV_ERROR_BLOB_OWNER;
    }
    return has_registers(header, pcrs) ? TV_OK : TV_ERROR_BLOB_PCR;
}

enum tv_error tv_unseal(const struct tv_root *root, const struct tv_pcrs *pcrs, enum tv_bank bank,
                        const uint8_t *blob, size_t blob_bytes, void *data, size_t *bytes,
                        struct tv_seal_policy *policy)
{
    struct header header;
    size_t room = blob_bytes > TV_SEALED_OVERHEAD ? blob_bytes - TV_SEALED_OVERHEAD : 0;
    enum tv_error error = unseal(root, pcrs, bank, blob, blob_bytes, data, &header);
    *bytes = 0;
    memset(policy, 0, sizeof(*policy));
    if (error != TV_OK) {
        if (room > 0) {
            tv_wipe(data, room);
        }
        return error;
    }
    *bytes = room;
    policy->bank = bank;
    policy->selection = header.selection;
    policy->bound = header.bound != 0;
    memcpy(policy->digest_at_release, header.digest_at_release, sizeof(header.digest_at_release));
    memcpy(policy->digest_at_creation, header.digest_at_creation,
           sizeof(header.digest_at_creation));
    memcpy(policy->identity, header.identity, sizeof(header.identity));
    memcpy(policy->sealer, header.sealer, sizeof(header.sealer));
    return TV_OK;
}

void tv_nv_seal(const struct tv_root *root, const uint8_t salt[32],
                const uint8_t content[TV_NV_BYTES], uint8_t blob[TV_NV_BLOB_BYTES])
{
    struct nv_header header = {.version = NV_VERSION};
    memcpy(header.magic, nv_magic, sizeof(header.magic));
    memcpy(header.salt, salt, sizeof(header.salt));
    encrypt(root->nv_key, &header, sizeof(header), content, TV_NV_BYTES, blob);
}

enum tv_error tv_nv_unseal(const struct tv_root *root, const uint8_t blob[TV_NV_BLOB_BYTES],
                           uint8_t content[TV_NV_BYTES])
{
    struct nv_header header;
    enum tv_error error = TV_OK;
    memcpy(&header, blob, sizeof(header));
    if (memcmp(header.magic, nv_magic, sizeof(nv_magic)) != 0 || header.version != NV_VERSION ||
        header.zero != 0) {
        error = TV_ERROR_BLOB_FORMAT;
    } else if (!decrypt(root->nv_key, &header, sizeof(header), blob, content, TV_NV_BYTES)) {
        error = TV_ERROR_BLOB_CHANGED;
    }
    if (error != TV_OK) {
        tv_wipe(content, TV_NV_BYTES);
    }
    return error;
}
