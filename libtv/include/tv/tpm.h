/*
 * The micro-TPM's pure part: registers, keys, sealing and quotes, on memory of the caller's.
 *
 * No lock and no other state than the structures: any CPU may call; whoever shares a structure
 * serialises.  A struct tv_root is written by tv_root_init() and tv_root_wipe() alone, but for its
 * RSA key, which is made at its first use (tv_root_rsa()).  It is secret: it never reaches a log
 * or a guest.  Only cryptography and libbase are used, so that the SDK's simulation has the same.
 */
#ifndef TV_TPM_H
#define TV_TPM_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tv/abi.h>
#include <tv/measure.h>

/* Registers ------------------------------------------------------------------------------------*/

struct tv_pcrs {
    struct tv_measurement identity; /* as measured at registration; never changes */
    struct tv_measurement pcr[TV_PCRS];
};

/* PCR 0 is the identity, the others are zero. */
void tv_pcrs_begin(struct tv_pcrs *pcrs, const struct tv_measurement *identity);

/* TPM_Extend of one bank.  TV_ERROR_PCR: index is not below TV_PCRS. */
enum tv_error tv_pcr_extend_sha1(struct tv_pcrs *pcrs, uint32_t index, const uint8_t digest[20]);
enum tv_error tv_pcr_extend_sha256(struct tv_pcrs *pcrs, uint32_t index, const uint8_t digest[32]);

/*
 * TPM_PCR_COMPOSITE (TPM Main Part 2, 8.2) of the SHA-1 bank: selection, big-endian u32 byte count,
 * values; digest is its SHA-1.  composite may be NULL.  Returns the composite's bytes.
 */
#define TV_PCR_COMPOSITE_MAX (3U + 4U + TV_PCRS * 20U)
size_t tv_composite_sha1(const struct tv_pcrs *pcrs, uint8_t bitmap, uint8_t *composite,
                         uint8_t digest[20]);

/* SHA-256 of the little-endian u32 selection and the values selected of that bank. */
void tv_composite_sha256(const struct tv_pcrs *pcrs, uint32_t selection, uint8_t digest[32]);

/* Keys -----------------------------------------------------------------------------------------*/

#define TV_ROOT_BYTES 32U
#define TV_RSA_BYTES 256U

struct tv_root {
    enum tv_root_source source; /* TV_ROOT_NONE: no keys */
    bool debug;                 /* marked so in quotes */
    uint8_t seal_key[32], nv_key[32], p256_secret[32], rsa_seed[32];
    uint8_t p256_key[TV_QUOTE_KEY_BYTES]; /* SubjectPublicKeyInfo */
    uint8_t p256_key_id[32];
    uint32_t rsa_state; /* atomic */
    br_rsa_private_key rsa;
    br_rsa_public_key rsa_public;
    uint8_t rsa_private_buffer[BR_RSA_KBUF_PRIV_SIZE(2048)];
    uint8_t rsa_public_buffer[BR_RSA_KBUF_PUB_SIZE(2048)];
};

/* Derives the keys: the same secret gives the same ones. */
void tv_root_init(struct tv_root *root, enum tv_root_source source, bool debug,
                  const uint8_t secret[TV_ROOT_BYTES]);
void tv_root_wipe(struct tv_root *root);

/*
 * The RSA-2048 key of old quotes, made at the first call out of the root secret: up to some billion
 * instructions, during which world_poll(cpu) is called; other CPUs that want it wait here.
 * TV_ERROR_NO_ROOT.
 */
enum tv_error tv_root_rsa(struct tv_root *root, unsigned cpu);

/* Has that been done? */
bool tv_root_has_rsa(const struct tv_root *root);

/* PKCS #1 RSAPublicKey in DER. */
#define TV_RSA_DER_BYTES 270U
void tv_root_rsa_der(const struct tv_root *root, uint8_t der[TV_RSA_DER_BYTES]);

/* Sealing --------------------------------------------------------------------------------------*/

enum tv_bank { TV_BANK_SHA1 = 1, TV_BANK_SHA256 = 2 };

/* What a blob is bound to; digests of the SHA-1 bank are 20 bytes and zeros. */
struct tv_seal_policy {
    enum tv_bank bank;
    uint32_t selection;
    uint8_t digest_at_release[32];
    uint8_t digest_at_creation[32];
    bool bound;           /* only the PAL with identity can unseal */
    uint8_t identity[32]; /* SHA-256 identity */
    uint8_t sealer[32];   /* SHA-256 identity of who sealed */
};

/*
 * Authenticated encryption (AES-256-GCM under a key derived from the root's, the blob's salt and
 * its header, so each blob has a key of its own).  blob has room for bytes + TV_SEALED_OVERHEAD,
 * which is also its size; data and blob may not overlap.  salt: 32 fresh random bytes.
 */
void tv_seal(const struct tv_root *root, const struct tv_seal_policy *policy,
             const uint8_t salt[32], const void *data, size_t bytes, uint8_t *blob);

/*
 * Checks format, authenticity, owner and registers, in this order.  data has room for
 * blob_bytes - TV_SEALED_OVERHEAD bytes; *bytes is their number.  After an error data is zero and
 * *policy means nothing.  bank: which interface asks; a blob of the other is
 * TV_ERROR_BLOB_FORMAT.
 */
enum tv_error tv_unseal(const struct tv_root *root, const struct tv_pcrs *pcrs, enum tv_bank bank,
                        const uint8_t *blob, size_t blob_bytes, void *data, size_t *bytes,
                        struct tv_seal_policy *policy);

/* NV memory in a blob of TV_NV_BLOB_BYTES bytes, and back; TV_ERROR_BLOB_FORMAT or _CHANGED. */
void tv_nv_seal(const struct tv_root *root, const uint8_t salt[32],
                const uint8_t content[TV_NV_BYTES], uint8_t blob[TV_NV_BLOB_BYTES]);
enum tv_error tv_nv_unseal(const struct tv_root *root, const uint8_t blob[TV_NV_BLOB_BYTES],
                           uint8_t content[TV_NV_BYTES]);

/* Quotes ---------------------------------------------------------------------------------------*/

/* Evidence (<tv/abi.h>); returns its bytes.  selection has bits below TV_PCRS only. */
size_t tv_evidence_make(const struct tv_root *root, const struct tv_pcrs *pcrs, uint32_t selection,
                        const uint8_t nonce[32], const uint8_t data[64],
                        uint8_t evidence[TV_EVIDENCE_MAX]);

/* RSA PKCS #1 v1.5 signature with SHA-1 of data; the key must have been made. */
void tv_rsa_sign(const struct tv_root *root, const void *data, size_t bytes,
                 uint8_t signature[TV_RSA_BYTES]);

/* TPM_QUOTE_INFO (TPM Main Part 2, 11.3): {1, 1, 0, marks}, 'QUOT', digest, nonce. */
#define TV_QUOTE_INFO_BYTES 48U
void tv_quote_info(const struct tv_root *root, const uint8_t composite_digest[20],
                   const uint8_t nonce[20], uint8_t info[TV_QUOTE_INFO_BYTES]);

/* The last of the four version bytes: TV_MARK_... */
uint8_t tv_quote_marks(const struct tv_root *root);

/* What every quote of the old numbers begins with: the version bytes and 'QUOT'. */
#define TV_QUOTE_HEAD_BYTES 8U
void tv_quote_head(const struct tv_root *root, uint8_t head[TV_QUOTE_HEAD_BYTES]);

#endif
