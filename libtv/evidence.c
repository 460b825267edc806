/* What quotes say and sign. */
#include <config/config.h>
#include <string.h>
#include <tv/random.h>
#include <tv/tpm.h>

static size_t write_body(const struct tv_root *root, const struct tv_pcrs *pcrs,
                         struct tv_evidence *head, uint8_t *evidence)
{
    size_t bytes = sizeof(*head);

    for (unsigned i = 0; i < TV_PCRS; i++) {
        if ((head->selection >> i & 1) != 0) {
            memcpy(evidence + bytes, pcrs->pcr[i].sha256, 32);
            bytes += 32;
        }
    }
    memcpy(head->identity, pcrs->identity.sha256, sizeof(head->identity));
    memcpy(head->key, root->p256_key_id, sizeof(head->key));
    head->signed_bytes = (uint32_t)bytes;
    memcpy(evidence, head, sizeof(*head));
    return bytes;
}

size_t tv_evidence_make(const struct tv_root *root, const struct tv_pcrs *pcrs, uint32_t selection,
                        const uint8_t nonce[32], const uint8_t data[64],
                        uint8_t evidence[TV_EVIDENCE_MAX])
{
    struct tv_evidence head = {.magic = TV_EVIDENCE_MAGIC,
                               .version = TV_EVIDENCE_VERSION,
                               .flags = root->debug ? TV_EVIDENCE_DEBUG : 0,
                               .root = root->source,
                               .hypervisor = NACRE_VERSION_NUMBER,
                               .selection = selection};
    uint8_t copy[32], digest[32];
    const br_ec_private_key key = {BR_EC_secp256r1, copy, sizeof(copy)};
    br_sha256_context hash;

    memcpy(head.nonce, nonce, sizeof(head.nonce));
    memcpy(head.data, data, sizeof(head.data));
    size_t bytes = write_body(root, pcrs, &head, evidence);
    br_sha256_init(&hash);
    br_sha256_update(&hash, evidence, bytes);
    br_sha256_out(&hash, digest);
    memcpy(copy, root->p256_secret, sizeof(copy));
    bytes +=
        br_ecdsa_i31_sign_asn1(&br_ec_p256_m31, &br_sha256_vtable, digest, &key, evidence + bytes);
    tv_wipe(copy, sizeof(copy));
    return bytes;
}

uint8_t tv_quote_marks(const struct tv_root *root)
{
    return (uint8_t)((root->debug ? TV_MARK_DEBUG : 0) |
                     (root->source == TV_ROOT_RANDOM ? TV_MARK_RANDOM : 0) |
                     (root->source == TV_ROOT_SIMULATED ? TV_MARK_SIMULATED : 0));
}

void tv_quote_head(const struct tv_root *root, uint8_t head[TV_QUOTE_HEAD_BYTES])
{
    const uint8_t bytes[TV_QUOTE_HEAD_BYTES] = {1, 1, 0, tv_quote_marks(root), 'Q', 'U', 'O', 'T'};

    memcpy(head, bytes, sizeof(bytes));
}

void tv_quote_info(const struct tv_root *root, const uint8_t composite_digest[20],
                   const uint8_t nonce[20], uint8_t info[TV_QUOTE_INFO_BYTES])
{
    tv_quote_head(root, info);
    memcpy(info + 8, composite_digest, 20);
    memcpy(info + 28, nonce, 20);
}
