/*
 * Arguments of services as a PAL should make them: in registers, and at fixed places of its memory.
 * bytes: how many are sealed, unsealed or asked for; detail: registers, flags and the like; other:
 * the identity of a PAL that may unseal.
 */
#ifndef TESTS_SERVICE_ARGUMENTS_H
#define TESTS_SERVICE_ARGUMENTS_H

#include "service_model.h"

/* Where well-formed arguments lie. */
#define ARGS_AT DATA_AT
#define PAIR_AT (DATA_AT + 0x80)
#define SMALL_AT (DATA_AT + 0x100)
#define LENGTHS_AT (DATA_AT + 0x180)
#define INPUT_AT (DATA_AT + 0x200)
#define OUTPUT_AT (DATA_AT + 0x1200)

static inline void put_pair(const struct tv_service *call, uint64_t at, uint64_t first,
                            uint64_t second)
{
    struct tv_pair64 wide = {first, second};
    struct tv_pair32 narrow = {(uint32_t)first, (uint32_t)second};
    if (call->word_bytes == 8) {
        poke(call->memory, at, &wide, sizeof(wide));
    } else {
        poke(call->memory, at, &narrow, sizeof(narrow));
    }
}

static inline void well_formed_old(struct tv_service *call, uint32_t bytes, uint64_t detail)
{
    struct tv_pcr_info info = {.selection = {1, (uint8_t)detail}};
    uint32_t lengths[] = {call->number == TV_GENRAND ? bytes : 4096, 4096};
    const uint32_t list[] = {1, (uint32_t)detail % TV_PCRS};

    composite(call->pcrs, TV_BANK_SHA1, info.selection.bitmap, info.digest_at_release);
    poke(call->memory, SMALL_AT, &info, sizeof(info));
    poke(call->memory, LENGTHS_AT, lengths, sizeof(lengths));
    put_pair(call, ARGS_AT, INPUT_AT, bytes);
    put_pair(call, PAIR_AT, OUTPUT_AT, LENGTHS_AT);
    call->cx = ARGS_AT;
    call->dx = call->number == TV_SEAL ? SMALL_AT : PAIR_AT;
    call->si = call->number == TV_SEAL || call->number == TV_SEAL_1 ? PAIR_AT : INPUT_AT;
    switch (call->number) {
    case TV_SEAL_1:
        call->dx = detail & 1 ? INPUT_AT : 0;
        break;
    case TV_PCRREAD:
    case TV_PCREXT:
        call->cx = detail % (TV_PCRS + 1);
        call->dx = OUTPUT_AT;
        break;
    case TV_GENRAND:
    case TV_ID_GETPUB:
        call->cx = OUTPUT_AT;
        call->dx = LENGTHS_AT;
        break;
    case TV_QUOTE_1:
        poke(call->memory, SMALL_AT, list, sizeof(list));
        call->cx = SMALL_AT;
        break;
    case TV_QUOTE:
        put_pair(call, ARGS_AT, OUTPUT_AT + 0x400, LENGTHS_AT + 4);
        call->cx = SMALL_AT;
        call->di = ARGS_AT;
        break;
    default:
        break;
    }
}

static inline void well_formed_new(struct tv_service *call, uint32_t bytes, uint64_t detail,
                                   const uint8_t other[32])
{
    const struct tv_pcr_value value = {(uint32_t)detail % (TV_PCRS + 1), 0, {(uint8_t)detail}};
    const struct tv_buffer to = {OUTPUT_AT, bytes, 0};
    struct tv_seal seal = {INPUT_AT,
                           OUTPUT_AT,
                           bytes,
                           bytes + TV_SEALED_OVERHEAD,
                           (uint32_t)detail & 0x3f,
                           (uint32_t)detail >> 6,
                           {0},
                           {0}};
    const struct tv_unseal unseal = {INPUT_AT, OUTPUT_AT, bytes, TV_SEALED_MAX, {0}, {0}};
    const struct tv_quote quote = {OUTPUT_AT, TV_EVIDENCE_MAX, (uint32_t)detail, {0}, {0}};

    memcpy(seal.identity, other, sizeof(seal.identity));
    call->cx = ARGS_AT;
    switch (call->number) {
    case TV_PCR_READ:
    case TV_PCR_EXTEND:
        poke(call->memory, ARGS_AT, &value, sizeof(value));
        break;
    case TV_SEAL_DATA:
        poke(call->memory, ARGS_AT, &seal, sizeof(seal));
        break;
    case TV_UNSEAL_DATA:
        poke(call->memory, ARGS_AT, &unseal, sizeof(unseal));
        break;
    case TV_QUOTE_PAL:
        poke(call->memory, ARGS_AT, &quote, sizeof(quote));
        break;
    default:
        poke(call->memory, ARGS_AT, &to, sizeof(to));
    }
}

#endif
