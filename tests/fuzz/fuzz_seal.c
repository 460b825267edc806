/*
 * Sealed blobs: any bytes, any bytes behind the beginning of a header, and blobs that were changed
 * or cut after they had been made.  Only a blob as it was made opens, and only to its owner, for
 * its bank and with its registers; of all others no byte of data remains.
 *
 * sources: libtv/seal.c crypto
 * seeds: 00,01,02,03,020000000000,0220000000010000,0300000010
 */
#include "fuzz.h"

#include <tv/random.h>
#include <tv/tpm.h>

#define SELECTION 0x85U

/* The registers' own code is not what is tried; any function of the registers will do. */
void tv_wipe(void *start, size_t bytes)
{
    memset(start, 0, bytes);
}

size_t tv_composite_sha1(const struct tv_pcrs *pcrs, uint8_t bitmap, uint8_t *composite,
                         uint8_t digest[20])
{
    (void)composite;
    memcpy(digest, pcrs->pcr[0].sha1, 20);
    digest[19] ^= bitmap;
    return 0;
}

void tv_composite_sha256(const struct tv_pcrs *pcrs, uint32_t selection, uint8_t digest[32])
{
    memcpy(digest, pcrs->pcr[0].sha256, 32);
    digest[31] ^= (uint8_t)selection;
}

static struct tv_root root;
static struct tv_pcrs pcrs;
static uint8_t salt[32];
enum { ANY, HEADER, CHANGED, NV, KINDS };

static void must_be_zero(const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        FUZZ_CHECK(data[i] == 0);
    }
}

static enum tv_error unseal(enum tv_bank bank, const uint8_t *blob, size_t blob_bytes,
                            const uint8_t *expected)
{
    size_t room = blob_bytes > TV_SEALED_OVERHEAD ? blob_bytes - TV_SEALED_OVERHEAD : 0;
    size_t bytes = 12345;
    struct tv_seal_policy policy;
    uint8_t *data = malloc(room > 0 ? room : 1);
    FUZZ_CHECK(data != NULL);
    memset(data, 0xa5, room);
    enum tv_error error = tv_unseal(&root, &pcrs, bank, blob, blob_bytes, data, &bytes, &policy);
    if (error == TV_OK) {
        FUZZ_CHECK(expected != NULL && bytes == room && memcmp(data, expected, room) == 0);
    } else {
        FUZZ_CHECK(bytes == 0);
        must_be_zero(data, room);
    }
    free(data);
    return error;
}

/* Nobody sealed these, so none may open. */
static void try_any(struct fuzz_input *input, bool has_header)
{
    enum tv_bank bank = fuzz_take(input, 1) & 1 ? TV_BANK_SHA1 : TV_BANK_SHA256;
    size_t bytes = input->left;
    uint8_t *blob = fuzz_copy(input);
    const uint8_t beginning[11] = {'N', 'A', 'C', 'R', 'E', 'S', 'B', 0, 1, 0, (uint8_t)bank};
    if (has_header && bytes >= sizeof(beginning)) {
        memcpy(blob, beginning, sizeof(beginning));
    }
    enum tv_error error = unseal(bank, blob, bytes, NULL);
    if (bytes < TV_SEALED_OVERHEAD || bytes > TV_SEALED_MAX) {
        FUZZ_CHECK(error == TV_ERROR_BLOB_FORMAT);
    } else if (has_header) {
        FUZZ_CHECK(error == TV_ERROR_BLOB_CHANGED);
    } else {
        FUZZ_CHECK(error == TV_ERROR_BLOB_CHANGED || error == TV_ERROR_BLOB_FORMAT);
    }
    free(blob);
}

static struct tv_seal_policy policy_of(uint64_t flags)
{
    struct tv_seal_policy policy = {.bank = flags & 1 ? TV_BANK_SHA1 : TV_BANK_SHA256,
                                    .selection = flags & 2 ? SELECTION : 0,
                                    .bound = flags & 4};
    memcpy(policy.identity, pcrs.identity.sha256, sizeof(policy.identity));
    if (policy.bank == TV_BANK_SHA1) {
        tv_composite_sha1(&pcrs, SELECTION, NULL, policy.digest_at_release);
    } else {
        tv_composite_sha256(&pcrs, SELECTION, policy.digest_at_release);
    }
    policy.identity[0] ^= flags & 8 ? 1 : 0;
    policy.digest_at_release[0] ^= flags & 16 ? 1 : 0;
    return policy;
}

/* Bytes of the blob are changed as long as the input goes on. */
static void change(struct fuzz_input *input, uint8_t *blob, size_t bytes)
{
    while (input->left > 0 && bytes > 0) {
        size_t at = (size_t)fuzz_take(input, 2) % bytes;
        blob[at] ^= (uint8_t)fuzz_take(input, 1);
    }
}

static void try_changed(struct fuzz_input *input)
{
    struct tv_seal_policy policy = policy_of(fuzz_take(input, 1));
    size_t bytes = fuzz_take(input, 2) % (TV_SEALED_MAX - TV_SEALED_OVERHEAD + 1);
    size_t made_bytes = bytes + TV_SEALED_OVERHEAD;
    size_t blob_bytes = made_bytes;
    uint8_t data[TV_SEALED_MAX], made[TV_SEALED_MAX];
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)(7 * i + 1);
    }
    tv_seal(&root, &policy, salt, data, bytes, made);

    if (fuzz_take(input, 1) & 1) {
        blob_bytes = fuzz_take(input, 2) % (TV_SEALED_MAX + 64);
    }
    uint8_t *blob = calloc(blob_bytes > 0 ? blob_bytes : 1, 1);
    FUZZ_CHECK(blob != NULL);
    memcpy(blob, made, blob_bytes < made_bytes ? blob_bytes : made_bytes);
    change(input, blob, blob_bytes);

    enum tv_error error = unseal(policy.bank, blob, blob_bytes, data);
    if (blob_bytes != made_bytes || memcmp(blob, made, made_bytes) != 0) {
        FUZZ_CHECK(error == TV_ERROR_BLOB_FORMAT || error == TV_ERROR_BLOB_CHANGED);
    } else if (policy.bound && policy.identity[0] != pcrs.identity.sha256[0]) {
        FUZZ_CHECK(error == TV_ERROR_BLOB_OWNER);
    } else {
        struct tv_seal_policy right = policy_of(policy.bank == TV_BANK_SHA1 ? 1 : 0);
        bool has_registers = memcmp(right.digest_at_release, policy.digest_at_release, 32) == 0;
        FUZZ_CHECK(error == (policy.selection && !has_registers ? TV_ERROR_BLOB_PCR : TV_OK));
    }
    enum tv_bank other = policy.bank == TV_BANK_SHA1 ? TV_BANK_SHA256 : TV_BANK_SHA1;
    FUZZ_CHECK(unseal(other, made, made_bytes, NULL) == TV_ERROR_BLOB_FORMAT);
    free(blob);
}

static void try_nv(struct fuzz_input *input)
{
    uint8_t content[TV_NV_BYTES] = {1, 2, 3}, opened[TV_NV_BYTES];
    uint8_t made[TV_NV_BLOB_BYTES], blob[TV_NV_BLOB_BYTES];
    tv_nv_seal(&root, salt, content, made);
    memcpy(blob, made, sizeof(blob));
    change(input, blob, sizeof(blob));
    memset(opened, 0xa5, sizeof(opened));
    enum tv_error error = tv_nv_unseal(&root, blob, opened);
    if (memcmp(blob, made, sizeof(made)) == 0) {
        FUZZ_CHECK(error == TV_OK && memcmp(opened, content, sizeof(content)) == 0);
    } else {
        FUZZ_CHECK(error == TV_ERROR_BLOB_FORMAT || error == TV_ERROR_BLOB_CHANGED);
        must_be_zero(opened, sizeof(opened));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    memset(root.seal_key, 0x5a, sizeof(root.seal_key));
    memset(root.nv_key, 0x3c, sizeof(root.nv_key));
    memset(&pcrs, 0x77, sizeof(pcrs));
    switch (fuzz_take(&input, 1) % KINDS) {
    case ANY:
        try_any(&input, false);
        break;
    case HEADER:
        try_any(&input, true);
        break;
    case CHANGED:
        try_changed(&input);
        break;
    default:
        try_nv(&input);
    }
    return 0;
}
