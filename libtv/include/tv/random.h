/*
 * Random numbers: an HMAC-DRBG (SP 800-90A, with SHA-256) that mixes fresh entropy into every
 * answer, so that whoever learns its state learns neither earlier nor later numbers.
 *
 * The caller owns struct tv_random and serialises its use; the hypervisor has one per CPU.
 * Fails closed: without entropy that passed its tests nothing is put out.
 */
#ifndef TV_RANDOM_H
#define TV_RANDOM_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tv/abi.h>

struct tv_random {
    br_hmac_drbg_context drbg;
    bool seeded;
};

/*
 * Where entropy comes from; whoever links libtv's micro-TPM provides it: libtv/entropy.c in the
 * image (RDSEED or RDRAND, tested, and the jitter of the TSC), the SDK's simulation, tests.  At
 * least 256 bits of entropy in entropy[]; TV_ERROR_NO_ENTROPY: entropy[] means nothing.
 */
#define TV_ENTROPY_BYTES 64U
enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES]);

/* Fills [to, to + bytes), at most TV_RANDOM_MAX; TV_ERROR_NO_ENTROPY: all zero. */
enum tv_error tv_random_get(struct tv_random *random, void *to, size_t bytes);

/* Zeroes what is secret; the compiler cannot leave it out. */
void tv_wipe(void *start, size_t bytes);

#endif
