/*
 * Services of the micro-TPM, asked for with any number, any registers and any memory (REQ-PAL-10,
 * REQ-PAL-12): every answer is a documented number, a refusal changes nothing, a PAL is written to
 * only where it said and gets no key, what is unsealed was sealed, and nothing is left in the
 * buffer.
 *
 * sources: libtv/service*.c libtv/seal.c libtv/pcr.c libtv/random.c libtv/root.c libtv/rsa.c
 *   libtv/evidence.c crypto
 * include: libtv/api
 * seeds: 00 00 40 00 00 00 00 01 00 00 00 00, 00 05 40 00 00 00 00 06 00 00 00 00,
 *   00 0e 40 00 00 00 00 0f 00 00 00 00, 00 11 00 00 01 00, 00 12 00 00 01 00, 00 13 00 00 01 00,
 *   00 02 00 00 00 00 00 03 00 00 00 00 00 04 20 00 00 00, 00 0b 00 00 01 00 00 0c 00 00 01 00
 */
#define _GNU_SOURCE /* memmem() */
#include "fuzz.h"

#include "service_arguments.h"

#define PALS 2U
#define BLOBS 6U
#define STEPS 16U
#define SIGNED_INPUTS 64U /* one in so many may sign, once: it takes some milliseconds */

static struct tv_platform platform;
static struct tv_random generator;
static struct tv_memory memory, before;
static struct tv_pcrs pcrs[PALS];
static uint8_t buffer[TV_SERVICE_BUFFER_BYTES];
static struct sealed sealed[BLOBS];
static unsigned blobs, current, word_bytes;
static bool has_signed; /* in this input */

static const uint32_t numbers[] = {
    TV_SEAL_1,      TV_UNSEAL_1,  TV_PCRREAD,    TV_PCREXT,     TV_GENRAND,
    TV_SEAL,        TV_UNSEAL,    TV_ID_GETPUB,  TV_NV_GETSIZE, TV_NV_READALL,
    TV_NV_WRITEALL, TV_PCR_READ,  TV_PCR_EXTEND, TV_RANDOM,     TV_SEAL_DATA,
    TV_UNSEAL_DATA, TV_QUOTE_KEY, TV_QUOTE_PAL,  TV_QUOTE_1,    TV_QUOTE,
};

static void begin(void)
{
    static const uint8_t made_soon[TV_ROOT_BYTES] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                                     11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                                     22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
    if (!tv_root_has_rsa(&platform.root)) {
        tv_root_init(&platform.root, TV_ROOT_SIMULATED, false, made_soon);
        FUZZ_CHECK(tv_root_rsa(&platform.root, 0) == TV_OK);
    }
    platform.root.source = TV_ROOT_SIMULATED;
    memset(platform.nv, 0, sizeof(platform.nv));
    memset(&memory.byte, 0x5a, sizeof(memory.byte));
    for (unsigned i = 0; i < PALS; i++) {
        struct tv_measurement identity;
        memset(&identity, 1 + (int)i, sizeof(identity));
        tv_pcrs_begin(&pcrs[i], &identity);
    }
    memory.changes = no_entropy = false;
    blobs = current = 0;
    entropy_count = 0;
    generator.seeded = false;
    has_signed = false;
    word_bytes = 8;
}

/* The world around the PAL: who asks, how wide it is, what the machine lacks, who has NV memory. */
static void set_world(uint64_t bits)
{
    current = bits & 1;
    word_bytes = bits & 2 ? 4 : 8;
    no_entropy = (bits & 12) == 12;
    platform.root.source = (bits & 0x30) == 0x30 ? TV_ROOT_NONE : TV_ROOT_SIMULATED;
    platform.nv_owner_bytes = bits & 0x40 ? 32 : (bits & 0x80 ? 0 : 20);
    memset(platform.nv_owner, 1, sizeof(platform.nv_owner));
}

static uint64_t take_address(struct fuzz_input *input)
{
    const uint64_t known[] = {0,     CODE_AT,  DATA_AT,   DATA_AT - 1, MEMORY_END, MEMORY_END - 1,
                              ~0ULL, INPUT_AT, OUTPUT_AT, LENGTHS_AT};
    uint64_t pick = fuzz_take(input, 1);
    if (pick < sizeof(known) / sizeof(known[0])) {
        return known[pick];
    }
    return pick < 0xe0 ? CODE_AT + fuzz_take(input, 2) % (MEMORY_BYTES + 0x40)
                       : fuzz_take(input, 8);
}

/* A made blob, so that UNSEAL meets one. */
static uint32_t put_blob(uint64_t which)
{
    if (blobs == 0) {
        return 0;
    }
    const struct sealed *made = &sealed[which % blobs];
    uint32_t bytes = (uint32_t)made->bytes + TV_SEALED_OVERHEAD;
    poke(&memory, INPUT_AT, made->blob, bytes);
    return bytes;
}

static bool is_seal(uint32_t number)
{
    return number == TV_SEAL_1 || number == TV_SEAL || number == TV_SEAL_DATA;
}

static bool is_unseal(uint32_t number)
{
    return number == TV_UNSEAL_1 || number == TV_UNSEAL || number == TV_UNSEAL_DATA;
}

static bool is_signature(uint32_t number)
{
    return number == TV_QUOTE_1 || number == TV_QUOTE || number == TV_QUOTE_PAL;
}

static bool needs_root(uint32_t number)
{
    return is_seal(number) || is_unseal(number) || is_signature(number) || number == TV_ID_GETPUB ||
           number == TV_QUOTE_KEY;
}

static bool is_written(const struct write *write, const void *secret)
{
    return memmem(write->content, write->bytes, secret, 16) != NULL;
}

static void check_secrets(void)
{
    const struct tv_root *root = &platform.root;

    for (unsigned i = 0; i < memory.writes; i++) {
        const struct write *write = &memory.write[i];
        FUZZ_CHECK(!is_written(write, root->seal_key) && !is_written(write, root->nv_key));
        FUZZ_CHECK(!is_written(write, root->p256_secret) && !is_written(write, root->rsa_seed));
        FUZZ_CHECK(!is_written(write, root->rsa.p) && !is_written(write, root->rsa.q));
    }
}

/* What a PAL may be told although nothing else is checked of the call. */
static void check_answer(const struct tv_service *call, enum tv_error error)
{
    static const uint8_t zero[TV_SERVICE_BUFFER_BYTES];
    bool wants_random =
        is_seal(call->number) || call->number == TV_GENRAND || call->number == TV_RANDOM;

    FUZZ_CHECK(error < TV_ERROR_COUNT);
    FUZZ_CHECK(memcmp(buffer, zero, sizeof(buffer)) == 0);
    FUZZ_CHECK(tv_is_service(call->number) == (error != TV_ERROR_UNKNOWN_NUMBER));
    FUZZ_CHECK(error != TV_OK || !no_entropy || !wants_random);
    FUZZ_CHECK(error != TV_OK || !needs_root(call->number) || platform.root.source != TV_ROOT_NONE);
}

/* The registers of a PAL after its call that succeeded. */
static void extend(const struct tv_service *call, struct tv_pcrs *expected)
{
    struct tv_pcr_value value;
    br_sha1_context sha1;
    br_sha256_context sha256;
    uint32_t index = (uint32_t)call->cx; /* an int to C, whatever the width */

    if (call->number == TV_PCREXT) {
        FUZZ_CHECK(index < TV_PCRS && peek(&before, call->dx, value.value, 20));
        br_sha1_init(&sha1);
        br_sha1_update(&sha1, expected->pcr[index].sha1, 20);
        br_sha1_update(&sha1, value.value, 20);
        br_sha1_out(&sha1, expected->pcr[index].sha1);
    } else if (call->number == TV_PCR_EXTEND) {
        FUZZ_CHECK(peek(&before, call->cx, &value, sizeof(value)) && value.index < TV_PCRS);
        br_sha256_init(&sha256);
        br_sha256_update(&sha256, expected->pcr[value.index].sha256, 32);
        br_sha256_update(&sha256, value.value, 32);
        br_sha256_out(&sha256, expected->pcr[value.index].sha256);
    }
}

static void check_nv(const struct tv_service *call, enum tv_error error,
                     const struct tv_measurement *own, const uint8_t nv[TV_NV_BYTES])
{
    uint8_t expected[TV_NV_BYTES];
    bool is_nv = call->number >= TV_NV_GETSIZE && call->number <= TV_NV_WRITEALL;
    bool is_owner = platform.nv_owner_bytes == 20 ? memcmp(platform.nv_owner, own->sha1, 20) == 0
                    : platform.nv_owner_bytes == 32
                        ? memcmp(platform.nv_owner, own->sha256, 32) == 0
                        : false;

    FUZZ_CHECK(!is_nv || (error == TV_ERROR_NV_OWNER) == !is_owner);
    memcpy(expected, nv, sizeof(expected));
    if (call->number == TV_NV_WRITEALL && error == TV_OK) {
        (void)peek(&before, call->cx, expected, sizeof(expected));
    }
    FUZZ_CHECK(memcmp(platform.nv, expected, sizeof(expected)) == 0);
    FUZZ_CHECK(call->number != TV_NV_READALL || error != TV_OK ||
               memcmp(memory.write[0].content, nv, sizeof(expected)) == 0);
}

/* Refused or not: in this order, only there, and never more than there is room for. */
static void check_writes(const struct outputs *outputs, enum tv_error error)
{
    for (unsigned i = 0; i < memory.writes; i++) {
        FUZZ_CHECK(i < outputs->count && memory.write[i].at == outputs->range[i].at &&
                   memory.write[i].bytes <= outputs->range[i].bytes);
    }
    FUZZ_CHECK(error != TV_OK || memory.writes == outputs->count);
}

static void check_unsealed(const struct tv_service *call, enum tv_error error)
{
    enum tv_bank bank = call->number == TV_UNSEAL_DATA ? TV_BANK_SHA256 : TV_BANK_SHA1;
    const struct sealed *made = NULL;
    struct tv_unseal said;
    struct tv_pair64 from = pair_at(call, call->cx);
    uint8_t blob[TV_SEALED_MAX];

    if (bank == TV_BANK_SHA256) {
        (void)peek(&before, call->cx, &said, sizeof(said));
        from = (struct tv_pair64){said.blob, said.blob_bytes};
    }
    size_t bytes = from.length <= sizeof(blob) ? (size_t)from.length : 0;
    (void)peek(&before, from.address, blob, bytes);
    for (unsigned i = 0; i < blobs && made == NULL; i++) {
        if (sealed[i].bytes + TV_SEALED_OVERHEAD == bytes &&
            memcmp(sealed[i].blob, blob, bytes) == 0) {
            made = &sealed[i];
        }
    }
    if (error == TV_OK || (error >= TV_ERROR_BLOB_FORMAT && error <= TV_ERROR_BLOB_PCR)) {
        FUZZ_CHECK(made == NULL ? error == TV_ERROR_BLOB_FORMAT || error == TV_ERROR_BLOB_CHANGED
                                : error == verdict(made, call->pcrs, bank));
    }
    if (error == TV_OK) {
        FUZZ_CHECK(memory.write[0].bytes == made->bytes &&
                   memcmp(memory.write[0].content, made->data, made->bytes) == 0);
    }
}

static void keep_sealed(const struct sealed *plan)
{
    FUZZ_CHECK(memory.write[0].bytes == plan->bytes + TV_SEALED_OVERHEAD);
    if (blobs < BLOBS) {
        sealed[blobs] = *plan;
        memcpy(sealed[blobs].blob, memory.write[0].content, memory.write[0].bytes);
        blobs++;
    }
}

static enum tv_error run(const struct tv_service *call)
{
    struct tv_pcrs expected[PALS];
    uint8_t nv[TV_NV_BYTES];
    struct outputs outputs = {0};
    struct sealed plan;
    /* As the PAL's width has it, and with the memory as it was: for the model. */
    struct tv_service said = *call;

    if (word_bytes == 4) {
        said.cx = (uint32_t)call->cx;
        said.dx = (uint32_t)call->dx;
        said.si = (uint32_t)call->si;
        said.di = (uint32_t)call->di;
    }
    memory.writes = 0;
    memcpy(before.byte, memory.byte, sizeof(before.byte));
    said.memory = &before;
    memcpy(expected, pcrs, sizeof(pcrs));
    memcpy(nv, platform.nv, sizeof(nv));
    if (tv_is_service(call->number)) {
        (call->number < TV_PCR_READ ? old_outputs : new_outputs)(&said, &outputs);
    }
    is_sealed(&said, &plan);

    enum tv_error error = tv_service(call);
    check_answer(&said, error);
    check_secrets();
    check_nv(&said, error, &expected[current].pcr[0], nv);
    if (error == TV_OK) {
        extend(&said, &expected[current]);
    }
    FUZZ_CHECK(memcmp(expected, pcrs, sizeof(pcrs)) == 0);
    if (memory.changes) {
        return error; /* what the service has read is not what the model has */
    }
    check_writes(&outputs, error);
    if (is_unseal(call->number)) {
        check_unsealed(&said, error);
    } else if (is_seal(call->number) && error == TV_OK) {
        keep_sealed(&plan);
    }
    return error;
}

/* As it should be made, but for what the input changes. */
static void ask(struct fuzz_input *input, bool well_formed)
{
    struct tv_service call = {.platform = &platform,
                              .memory = &memory,
                              .random = &generator,
                              .pcrs = &pcrs[current],
                              .buffer = buffer,
                              .word_bytes = word_bytes};
    uint64_t *const argument[] = {&call.cx, &call.dx, &call.si, &call.di};
    uint64_t pick = fuzz_take(input, 1);

    call.number = pick == 0xff ? (uint32_t)fuzz_take(input, 4)
                               : numbers[pick % (sizeof(numbers) / sizeof(numbers[0]))];
    if (well_formed) {
        uint32_t bytes = (uint32_t)fuzz_take(input, 2) % (TV_RANDOM_MAX + 2);
        uint64_t detail = fuzz_take(input, 1);
        bytes = is_unseal(call.number) ? put_blob(detail) : bytes;
        if (call.number < TV_PCR_READ) {
            well_formed_old(&call, bytes, detail);
        } else {
            well_formed_new(&call, bytes, detail, pcrs[1 - current].identity.sha256);
        }
    }
    uint64_t changes = well_formed ? fuzz_take(input, 1) : 0x0f;
    for (unsigned i = 0; i < 4; i++) {
        *argument[i] = changes >> i & 1 ? take_address(input) : *argument[i];
        *argument[i] |= changes & 0x20 && word_bytes == 4 ? 0xdead000000000000 : 0;
    }
    if (changes & 0x10) {
        uint64_t at = take_address(input), value = fuzz_take(input, 4);
        poke(&memory, at, &value, 4);
    }
    static unsigned asked;
    if (is_signature(call.number) && (has_signed || asked++ % SIGNED_INPUTS != 0)) {
        return;
    }
    has_signed = has_signed || is_signature(call.number);
    enum tv_error error = run(&call);
    /* Where arguments are as they should be nothing is out of reach. */
    FUZZ_CHECK((changes & 0x1f) != 0 || memory.changes || error != TV_ERROR_ADDRESS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    begin();
    for (unsigned step = 0; step < STEPS && input.left > 0; step++) {
        uint64_t what = fuzz_take(&input, 1);
        switch (what & 7) {
        case 5:
            ask(&input, false);
            break;
        case 6:
            set_world(fuzz_take(&input, 1));
            break;
        case 7:
            memory.changes = what >> 3 & 1;
            break;
        default:
            ask(&input, true);
        }
    }
    return 0;
}
