/*
 * Sealed blobs: header, ciphertext, tag.  Each blob has a key of its own, derived from the root's
 * key and the whole header with its random salt; so the nonce may be constant, and whatever is
 * changed in the header changes the key too.
 */
#include <string.h>
#include <tv/random.h>
#include <tv/tpm.h>

#define TAG_BYTES 16U
#define BLOB_MAGIC "NACRESB"
#define NV_MAGIC "NACRENV"
#define VERSION 1U

struct blob_header {
    char magic[8];
    uint16_t version;
    uint8_t bank, bound;
    uint32_t selection;
    uint8_t salt[32], release[32], creation[32], identity[32], sealer[32];
} __attribute__((packed));
_Static_assert(sizeof(struct blob_header) + TAG_BYTES == TV_SEALED_OVERHEAD,
               "what sealing adds is part of the interface");

struct nv_header {
    char magic[8];
    uint32_t version, zero;
    uint8_t salt[32];
} __attribute__((packed));
_Static_assert(sizeof(struct nv_header) + TV_NV_BYTES + TAG_BYTES == TV_NV_BLOB_BYTES,
               "the NV blob's size is part of the interface");

static void derive(const uint8_t from[32], const void *header, size_t bytes, uint8_t key[32])
{
    br_hmac_key_context prepared;
    br_hmac_context mac;

    br_hmac_key_init(&prepared, &br_sha256_vtable, from, 32);
    br_hmac_init(&mac, &prepared, 0);
    br_hmac_update(&mac, header, bytes);
    br_hmac_out(&mac, key);
    tv_wipe(&prepared, sizeof(prepared));
    tv_wipe(&mac, sizeof(mac));
}

/* In place; a tag is written, or compared: false if it is another one. */
static bool crypt(const uint8_t from[32], const void *header, size_t header_bytes, uint8_t *data,
                  size_t bytes, uint8_t *tag, bool encrypt)
{
    static const uint8_t nonce[12];
    uint8_t key[32];
    br_aes_ct64_ctr_keys aes;
    br_gcm_context gcm;
    bool good = true;

    derive(from, header, header_bytes, key);
    br_aes_ct64_ctr_init(&aes, key, sizeof(key));
    br_gcm_init(&gcm, &aes.vtable, br_ghash_ctmul64);
    br_gcm_reset(&gcm, nonce, sizeof(nonce));
    br_gcm_aad_inject(&gcm, header, header_bytes);
    br_gcm_flip(&gcm);
    br_gcm_run(&gcm, encrypt, data, bytes);
    if (encrypt) {
        br_gcm_get_tag(&gcm, tag);
    } else {
        good = br_gcm_check_tag(&gcm, tag) == 1;
    }
    tv_wipe(key, sizeof(key));
    tv_wipe(&aes, sizeof(aes));
    tv_wipe(&gcm, sizeof(gcm));
    return good;
}

void tv_seal(const struct tv_root *root, const struct tv_seal_policy *policy,
             const uint8_t salt[32], const void *data, size_t bytes, uint8_t *blob)
{
    struct blob_header header = {.magic = BLOB_MAGIC,
                                 .version = VERSION,
                                 .bank = (uint8_t)policy->bank,
                                 .bound = policy->bound,
                                 .selection = policy->selection};

    memcpy(header.salt, salt, 32);
    memcpy(header.release, policy->digest_at_release, 32);
    memcpy(header.creation, policy->digest_at_creation, 32);
    if (policy->bound) {
        memcpy(header.identity, policy->identity, 32);
    }
    memcpy(header.sealer, policy->sealer, 32);
    memcpy(blob, &header, sizeof(header));
    memcpy(blob + sizeof(header), data, bytes);
    (void)crypt(root->seal_key, &header, sizeof(header), blob + sizeof(header), bytes,
                blob + sizeof(header) + bytes, true);
}

static enum tv_error check_policy(const struct tv_pcrs *pcrs, const struct blob_header *header)
{
    uint8_t now[32] = {0};

    if (header->bound && memcmp(header->identity, pcrs->identity.sha256, 32) != 0) {
        return TV_ERROR_BLOB_OWNER;
    }
    if (header->selection == 0) {
        return TV_OK;
    }
    if (header->bank == TV_BANK_SHA1) {
        (void)tv_composite_sha1(pcrs, (uint8_t)header->selection, NULL, now);
    } else {
        tv_composite_sha256(pcrs, header->selection, now);
    }
    return memcmp(header->release, now, 32) == 0 ? TV_OK : TV_ERROR_BLOB_PCR;
}

enum tv_error tv_unseal(const struct tv_root *root, const struct tv_pcrs *pcrs, enum tv_bank bank,
                        const uint8_t *blob, size_t blob_bytes, void *data, size_t *bytes,
                        struct tv_seal_policy *policy)
{
    struct blob_header header;
    uint8_t tag[TAG_BYTES];
    enum tv_error error = TV_ERROR_BLOB_CHANGED;

    if (blob_bytes < TV_SEALED_OVERHEAD || blob_bytes > TV_SEALED_MAX) {
        return TV_ERROR_BLOB_FORMAT;
    }
    memcpy(&header, blob, sizeof(header));
    if (memcmp(header.magic, BLOB_MAGIC, 8) != 0 || header.version != VERSION ||
        header.bank != bank || header.bound > 1) {
        memset(data, 0, blob_bytes - TV_SEALED_OVERHEAD);
        return TV_ERROR_BLOB_FORMAT;
    }
    *bytes = blob_bytes - TV_SEALED_OVERHEAD;
    memcpy(data, blob + sizeof(header), *bytes);
    memcpy(tag, blob + sizeof(header) + *bytes, TAG_BYTES);
    if (crypt(root->seal_key, &header, sizeof(header), data, *bytes, tag, false)) {
        error = check_policy(pcrs, &header);
    }
    if (error != TV_OK) {
        tv_wipe(data, *bytes);
        return error;
    }
    *policy = (struct tv_seal_policy){
        .bank = bank, .selection = header.selection, .bound = header.bound != 0};
    memcpy(policy->digest_at_release, header.release, 32);
    memcpy(policy->digest_at_creation, header.creation, 32);
    memcpy(policy->identity, header.identity, 32);
    memcpy(policy->sealer, header.sealer, 32);
    return TV_OK;
}

void tv_nv_seal(const struct tv_root *root, const uint8_t salt[32],
                const uint8_t content[TV_NV_BYTES], uint8_t blob[TV_NV_BLOB_BYTES])
{
    struct nv_header header = {.magic = NV_MAGIC, .version = VERSION};

    memcpy(header.salt, salt, 32);
    memcpy(blob, &header, sizeof(header));
    memcpy(blob + sizeof(header), content, TV_NV_BYTES);
    (void)crypt(root->nv_key, &header, sizeof(header), blob + sizeof(header), TV_NV_BYTES,
                blob + sizeof(header) + TV_NV_BYTES, true);
}

enum tv_error tv_nv_unseal(const struct tv_root *root, const uint8_t blob[TV_NV_BLOB_BYTES],
                           uint8_t content[TV_NV_BYTES])
{
    struct nv_header header;
    uint8_t tag[TAG_BYTES];

    memcpy(&header, blob, sizeof(header));
    if (memcmp(header.magic, NV_MAGIC, 8) != 0 || header.version != VERSION || header.zero != 0) {
        memset(content, 0, TV_NV_BYTES);
        return TV_ERROR_BLOB_FORMAT;
    }
    memcpy(content, blob + sizeof(header), TV_NV_BYTES);
    memcpy(tag, blob + sizeof(header) + TV_NV_BYTES, TAG_BYTES);
    if (!crypt(root->nv_key, &header, sizeof(header), content, TV_NV_BYTES, tag, false)) {
        tv_wipe(content, TV_NV_BYTES);
        return TV_ERROR_BLOB_CHANGED;
    }
    return TV_OK;
}
