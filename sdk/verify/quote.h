/*
 * Is a quote what a verifier wants?  Pure: works on the bytes given, which may be anything.  Each
 * check returns NULL, or the reason of the first refusal in the order of docs/evidence.md.
 */
#ifndef VERIFY_QUOTE_H
#define VERIFY_QUOTE_H

#include "key.h"

#include <tv/tpm.h>

/* What the verifier expects, and what he puts up with. */
struct wanted {
    bool allow_simulated, allow_debug, allow_random;
    bool has_data;
    uint8_t nonce[32];    /* old quotes: 20 bytes */
    uint8_t identity[32]; /* old quotes: register 0, 20 bytes */
    uint8_t data[64];
    uint32_t registers; /* which of these values count */
    uint8_t value[TV_PCRS][32];
};

/* Evidence of version 1.  *head is its beginning when the signature was right. */
const char *check_evidence(const struct wanted *wanted, const struct p256_key *key,
                           const uint8_t *evidence, size_t bytes, struct tv_evidence *head);

/* An old quote: TPM_PCR_COMPOSITE and the signature.  *marks are those signed. */
const char *check_old_quote(const struct wanted *wanted, const br_rsa_public_key *key,
                            const uint8_t *composite, size_t composite_bytes,
                            const uint8_t *signature, size_t signature_bytes, uint8_t *marks);

#endif
