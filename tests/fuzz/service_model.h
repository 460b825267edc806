/*
 * What a service may write, and which blobs may open, said apart from libtv: from the arguments and
 * the memory as they were before the call.
 */
#ifndef TESTS_SERVICE_MODEL_H
#define TESTS_SERVICE_MODEL_H

#include "service_memory.h"

#include <tv/service.h>

#define SEALED_DATA_MAX (TV_SEALED_MAX - TV_SEALED_OVERHEAD)

struct range {
    uint64_t at, bytes;
};

/* Outputs of a call in the order in which they are written. */
struct outputs {
    unsigned count;
    struct range range[WRITES_MAX];
};

static inline void add_output(struct outputs *outputs, uint64_t at, uint64_t bytes)
{
    outputs->range[outputs->count++] = (struct range){at, bytes};
}

static inline struct tv_pair64 pair_at(const struct tv_service *call, uint64_t at)
{
    struct tv_pair64 pair;
    struct tv_pair32 narrow;
    if (call->word_bytes == 8) {
        (void)peek(call->memory, at, &pair, sizeof(pair));
        return pair;
    }
    (void)peek(call->memory, at, &narrow, sizeof(narrow));
    return (struct tv_pair64){narrow.address, narrow.length};
}

/* {address, address of length} */
static inline void add_pair(const struct tv_service *call, struct outputs *outputs, uint64_t at,
                            uint64_t bytes)
{
    struct tv_pair64 pair = pair_at(call, at);
    add_output(outputs, pair.address, bytes);
    add_output(outputs, pair.length, 4);
}

static inline void old_outputs(const struct tv_service *call, struct outputs *outputs)
{
    struct tv_pair64 input = pair_at(call, call->cx);
    uint32_t length;
    switch (call->number) {
    case TV_PCRREAD:
        add_output(outputs, call->dx, 20);
        break;
    case TV_GENRAND:
        (void)peek(call->memory, call->dx, &length, sizeof(length));
        add_output(outputs, call->cx, length);
        add_output(outputs, call->dx, 4);
        break;
    case TV_SEAL_1:
    case TV_SEAL:
        add_pair(call, outputs, call->si, input.length + TV_SEALED_OVERHEAD);
        break;
    case TV_UNSEAL_1:
    case TV_UNSEAL:
        add_pair(call, outputs, call->dx, input.length - TV_SEALED_OVERHEAD);
        if (call->number == TV_UNSEAL) {
            add_output(outputs, call->si, 20);
        }
        break;
    case TV_QUOTE_1:
        add_pair(call, outputs, call->dx, 8 + 9 * 4 + 8 * 20 + 20 + 2 * TV_RSA_BYTES);
        break;
    case TV_QUOTE:
        add_pair(call, outputs, call->dx, TV_RSA_BYTES);
        add_pair(call, outputs, call->di, TV_PCR_COMPOSITE_MAX);
        break;
    case TV_ID_GETPUB:
        add_output(outputs, call->cx, TV_RSA_DER_BYTES);
        add_output(outputs, call->dx, 4);
        break;
    case TV_NV_GETSIZE:
    case TV_NV_READALL:
        add_output(outputs, call->cx, call->number == TV_NV_GETSIZE ? 4 : TV_NV_BYTES);
        break;
    default: /* PCREXT, NV_WRITEALL */
        break;
    }
}

static inline void new_outputs(const struct tv_service *call, struct outputs *outputs)
{
    union {
        struct tv_buffer buffer;
        struct tv_seal seal;
        struct tv_unseal unseal;
        struct tv_quote quote;
    } said;
    (void)peek(call->memory, call->cx, &said, sizeof(said.buffer));
    switch (call->number) {
    case TV_PCR_READ:
    case TV_PCR_EXTEND:
        add_output(outputs, call->cx + 8, 32);
        break;
    case TV_RANDOM:
        add_output(outputs, said.buffer.address, said.buffer.length);
        break;
    case TV_SEAL_DATA:
        (void)peek(call->memory, call->cx, &said, sizeof(said.seal));
        add_output(outputs, said.seal.blob, said.seal.blob_bytes);
        add_output(outputs, call->cx + offsetof(struct tv_seal, blob_bytes), 4);
        break;
    case TV_UNSEAL_DATA:
        (void)peek(call->memory, call->cx, &said, sizeof(said.unseal));
        add_output(outputs, said.unseal.data, said.unseal.data_bytes);
        add_output(outputs, call->cx + offsetof(struct tv_unseal, data_bytes), 4 + 32 + 32);
        break;
    case TV_QUOTE_PAL:
        (void)peek(call->memory, call->cx, &said, sizeof(said.quote));
        add_output(outputs, said.quote.evidence, said.quote.evidence_bytes);
        add_output(outputs, call->cx + offsetof(struct tv_quote, evidence_bytes), 4);
        break;
    default:
        add_output(outputs, said.buffer.address, said.buffer.length);
        add_output(outputs, call->cx + offsetof(struct tv_buffer, length), 4);
    }
}

/* A blob, and what was said when it was made. */
struct sealed {
    enum tv_bank bank;
    uint32_t selection;
    uint8_t digest[32], identity[32];
    bool bound;
    size_t bytes;
    uint8_t data[SEALED_DATA_MAX], blob[TV_SEALED_MAX];
};

static inline void composite(const struct tv_pcrs *pcrs, enum tv_bank bank, uint32_t selection,
                             uint8_t digest[32])
{
    memset(digest, 0, 32);
    if (bank == TV_BANK_SHA1) {
        (void)tv_composite_sha1(pcrs, (uint8_t)selection, NULL, digest);
    } else {
        tv_composite_sha256(pcrs, selection, digest);
    }
}

static inline void is_sealed_old(const struct tv_service *call, struct sealed *sealed)
{
    struct tv_pcr_info info = {.selection = {1, 1}};
    struct tv_pcrs release = *call->pcrs;
    uint8_t now[32];

    if (call->number == TV_SEAL) {
        (void)peek(call->memory, call->dx, &info, sizeof(info));
        memcpy(sealed->digest, info.digest_at_release, 20);
    } else {
        if (call->dx != 0) {
            (void)peek(call->memory, call->dx, release.pcr[0].sha1, 20);
        }
        composite(&release, TV_BANK_SHA1, 1, sealed->digest);
    }
    sealed->selection = info.selection.bitmap;
    composite(call->pcrs, TV_BANK_SHA1, sealed->selection, now);
    sealed->bound = (sealed->selection & 1) == 0 || memcmp(now, sealed->digest, 20) == 0;
}

/* Before a call of SEAL: what it is to make, but for the blob. */
static inline void is_sealed(const struct tv_service *call, struct sealed *sealed)
{
    struct tv_seal said;
    struct tv_pair64 data = pair_at(call, call->cx);

    memset(sealed, 0, sizeof(*sealed));
    sealed->bank = call->number == TV_SEAL_DATA ? TV_BANK_SHA256 : TV_BANK_SHA1;
    memcpy(sealed->identity, call->pcrs->identity.sha256, 32);
    if (sealed->bank == TV_BANK_SHA1) {
        is_sealed_old(call, sealed);
    } else {
        (void)peek(call->memory, call->cx, &said, sizeof(said));
        data = (struct tv_pair64){said.data, said.data_bytes};
        sealed->selection = said.selection;
        sealed->bound = true;
        composite(call->pcrs, TV_BANK_SHA256, said.selection, sealed->digest);
        if ((said.flags & TV_SEAL_DIGEST) != 0) {
            memcpy(sealed->digest, said.digest, 32);
        }
        if ((said.flags & TV_SEAL_IDENTITY) != 0) {
            memcpy(sealed->identity, said.identity, 32);
        }
    }
    sealed->bytes = data.length <= SEALED_DATA_MAX ? (size_t)data.length : 0;
    (void)peek(call->memory, data.address, sealed->data, sealed->bytes);
}

/* How a blob as it was made is to be answered. */
static inline enum tv_error verdict(const struct sealed *sealed, const struct tv_pcrs *pcrs,
                                    enum tv_bank bank)
{
    uint8_t now[32];
    if (sealed->bank != bank) {
        return TV_ERROR_BLOB_FORMAT;
    }
    if (sealed->bound && memcmp(sealed->identity, pcrs->identity.sha256, 32) != 0) {
        return TV_ERROR_BLOB_OWNER;
    }
    composite(pcrs, bank, sealed->selection, now);
    return sealed->selection != 0 && memcmp(now, sealed->digest, 32) != 0 ? TV_ERROR_BLOB_PCR
                                                                          : TV_OK;
}

#endif
