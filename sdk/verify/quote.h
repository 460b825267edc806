/*
 * Checking quotes (docs/evidence.md).  A quote is anybody's bytes; nothing of it is believed that
 * the key did not sign, and a statement means something only if the function returned NULL.
 * Otherwise it returns the reason why the quote is refused.
 */
#ifndef VERIFY_QUOTE_H
#define VERIFY_QUOTE_H

#include "key.h"

#include <stdbool.h>
#include <tv/abi.h>

/* What the verifier knows beforehand.  Of digests of the old quotes the first 20 bytes count. */
struct verify_expected {
    uint8_t identity[32], nonce[32];
    bool has_data;
    uint8_t data[64];
    uint32_t selection; /* registers that must be in the quote, with these values */
    uint8_t pcr[TV_PCRS][32];
    bool allow_debug, allow_random, allow_simulated;
};

/* What it learns. */
struct verify_statement {
    bool is_debug;
    uint32_t root;       /* enum tv_root_source; of old quotes NONE: a lasting one */
    uint32_t hypervisor; /* major << 16 | minor; of old quotes 0 */
    uint8_t data[64];    /* of old quotes 0 */
    uint32_t selection;
    uint8_t pcr[TV_PCRS][32];
};

/* Evidence of version 1. */
const char *verify_evidence(struct verify_statement *statement,
                            const struct verify_expected *expected, const struct verify_p256 *key,
                            const uint8_t *evidence, size_t bytes);

/* The two outputs of QUOTE (12). */
struct verify_old_quote {
    const uint8_t *composite, *signature;
    size_t composite_bytes, signature_bytes;
};
const char *verify_old_quote(struct verify_statement *statement,
                             const struct verify_expected *expected, const struct verify_rsa *key,
                             const struct verify_old_quote *quote);

/* The output of QUOTE of the first interface (5). */
const char *verify_first_quote(struct verify_statement *statement,
                               const struct verify_expected *expected, const struct verify_rsa *key,
                               const uint8_t *quote, size_t bytes);

/* The last checks of all: values of registers, and whether the signer's kind is allowed. */
const char *verify_statement(const struct verify_statement *statement,
                             const struct verify_expected *expected, size_t digest_bytes);

#endif
