/*
 * Services of the micro-TPM: any numbers and arguments, and arguments in the form that each number
 * wants, with any contents, by a PAL of either width on memory of which a part cannot be written,
 * and which may change as soon as it was read.  A refused call changes no register and no NV
 * memory, an accepted one no more than it is for; no key and nobody else's NV memory reaches the
 * PAL; only what was sealed here is unsealed; the buffer is left empty.
 *
 * sources: libtv/service.c libtv/service_new.c libtv/service_new_quote.c libtv/service_nv.c
 *     libtv/service_old.c libtv/service_old_quote.c libtv/seal.c libtv/evidence.c libtv/pcr.c
 *     libtv/random.c libtv/root.c libtv/rsa.c crypto
 * include: libtv/api
 * seeds: 07 10 00000140980100000000000000 11 000102c098000000000000,
 *     07 00 000040 e000f00000000000000000 000103 00 01 0001c0 000203 00 00,
 *     07 06 000040 0001000000 000103 00 07 0001c0 000203 0000 00,
 *     07 08 000101 000001 0000 000203, 07 02 00020001000000000000 000001 0000 00,
 *     07 12 009803000000000000, 17 0c 000500000000 0b 000000000000,
 *     27 0c 000500000000 0b 000000000000 0a 0000000000, 07 0e 00010007000000 0d 0001000000000000,
 *     03 04 00010009000000 03 00010000000000, 07 0f 000040000000000000, 07 09 00000005000000
 */
#define _GNU_SOURCE /* memmem() */
#include "fuzz.h"

#include <hw/cpu.h>
#include <tv/service.h>
#include <world/world.h>

#define RAM 0x10000000ULL /* where the PAL has it; the first page cannot be written */
#define READ_ONLY_BYTES 0x1000U
#define RAM_BYTES 0x4000U
#define ARGUMENTS (RAM + RAM_BYTES - 0x400) /* 0x100 bytes for each */
#define SLOT_BYTES 0x900U                   /* a place for a blob, or for data */
#define CALLS_MAX 8U
#define BLOBS_MAX CALLS_MAX
#define NOTHING 0xa5
#define SIGNATURES_MAX 2U /* of one input: each takes milliseconds */

struct tv_memory {
    uint8_t byte[RAM_BYTES];
};

struct blob {
    size_t bytes;
    uint8_t byte[TV_SEALED_MAX];
};

static const char blob_magic[8] = "NACRESB";
static struct tv_platform *platform;
static struct tv_pcrs *pcrs;
static struct tv_random *generator;
static struct tv_memory *memory;
static struct blob sealed[BLOBS_MAX], read_last;
static unsigned sealed_count, signatures, writes, word;
static uint32_t number; /* of the call that runs */
static bool has_entropy, is_restless, was_owner;

static bool is_new(uint32_t of)
{
    return of >= TV_PAL_REGISTER;
}

/* Of old numbers, 32-bit code has 32-bit addresses: a little beyond by adding to them. */
static void check_width(uint64_t pal)
{
    FUZZ_CHECK(is_new(number) || word == 8 || pal <= UINT32_MAX + (uint64_t)TV_SEALED_MAX);
}

enum tv_error tv_memory_read_of_pal(struct tv_memory *of, uint64_t pal, void *to, size_t bytes)
{
    check_width(pal);
    if (pal < RAM || pal - RAM > RAM_BYTES || bytes > RAM_BYTES - (pal - RAM)) {
        return TV_ERROR_ADDRESS;
    }
    uint8_t *from = of->byte + (pal - RAM);
    memcpy(to, from, bytes);
    if (bytes >= TV_SEALED_OVERHEAD && bytes <= TV_SEALED_MAX) {
        read_last.bytes = bytes;
        memcpy(read_last.byte, from, bytes);
    }
    for (size_t i = 0; i < bytes && is_restless; i++) { /* another CPU of the PAL's OS */
        from[i] ^= 0xff;
    }
    return TV_OK;
}

enum tv_error tv_memory_write_of_pal(struct tv_memory *of, uint64_t pal, const void *from,
                                     size_t bytes)
{
    check_width(pal);
    if (pal < RAM + READ_ONLY_BYTES || pal - RAM > RAM_BYTES || bytes > RAM_BYTES - (pal - RAM)) {
        return TV_ERROR_ADDRESS;
    }
    FUZZ_CHECK(++writes <= 4 && bytes <= TV_RANDOM_MAX);
    memcpy(of->byte + (pal - RAM), from, bytes);
    if (bytes >= TV_SEALED_OVERHEAD && memcmp(from, blob_magic, sizeof(blob_magic)) == 0) {
        FUZZ_CHECK(bytes <= TV_SEALED_MAX && sealed_count < BLOBS_MAX);
        sealed[sealed_count].bytes = bytes;
        memcpy(sealed[sealed_count++].byte, from, bytes);
    }
    return TV_OK;
}

enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES])
{
    memset(entropy, 0x42, TV_ENTROPY_BYTES);
    return has_entropy ? TV_OK : TV_ERROR_NO_ENTROPY;
}

void world_poll(unsigned cpu)
{
    FUZZ_CHECK(cpu == 1);
}

void hw_pause(void)
{
    FUZZ_CHECK(!"a lock was left held");
}

/* What is in memory for an argument, field by field; upper case: addresses. */
static const struct form {
    uint32_t number;
    const char *argument[4]; /* CX, DX, SI, DI; "" : the register itself is the value */
} forms[] = {
    /* A: u64 address, W: word that is an address, w: word, n: u32, h: u16, b: byte, d: 32 bytes */
    {TV_SEAL_1, {"Ww", "d", "WW", NULL}},
    {TV_UNSEAL_1, {"Ww", "WW", NULL, NULL}},
    {TV_QUOTE_1, {"nnnnnnnnn", "WW", "d", NULL}},
    {TV_PCRREAD, {"", "d", NULL, NULL}},
    {TV_PCREXT, {"", "d", NULL, NULL}},
    {TV_GENRAND, {"d", "n", NULL, NULL}},
    {TV_SEAL, {"Ww", "hbdd", "WW", NULL}},
    {TV_UNSEAL, {"Ww", "WW", "d", NULL}},
    {TV_QUOTE, {"hb", "WW", "d", "WW"}},
    {TV_ID_GETPUB, {"d", "n", NULL, NULL}},
    {TV_NV_GETSIZE, {"d", NULL, NULL, NULL}},
    {TV_NV_READALL, {"d", NULL, NULL, NULL}},
    {TV_NV_WRITEALL, {"d", NULL, NULL, NULL}},
    {TV_PCR_READ, {"nnd", NULL, NULL, NULL}},
    {TV_PCR_EXTEND, {"nnd", NULL, NULL, NULL}},
    {TV_RANDOM, {"An", NULL, NULL, NULL}},
    {TV_SEAL_DATA, {"AAnnnndd", NULL, NULL, NULL}},
    {TV_UNSEAL_DATA, {"AAnndd", NULL, NULL, NULL}},
    {TV_QUOTE_PAL, {"Anndd", NULL, NULL, NULL}},
    {TV_QUOTE_KEY, {"Ann", NULL, NULL, NULL}},
};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

/* Slots for what one call writes and the next one reads, any place near the memory, or any at all.
 */
static uint64_t take_address(struct fuzz_input *input)
{
    uint64_t kind = fuzz_take(input, 1);

    if (kind < 0xc0) {
        return RAM + READ_ONLY_BYTES + kind % 4 * SLOT_BYTES;
    }
    return kind < 0xf0 ? RAM - 16 + fuzz_take(input, 2) % (RAM_BYTES + 32) : fuzz_take(input, 8);
}

static uint64_t take_number(struct fuzz_input *input)
{
    static const uint32_t limits[] = {
        TV_SEALED_MAX,    TV_SEALED_OVERHEAD, TV_SEALED_MAX - TV_SEALED_OVERHEAD,
        TV_RANDOM_MAX,    TV_EVIDENCE_MAX,    TV_RSA_BYTES,
        TV_RSA_DER_BYTES, TV_QUOTE_KEY_BYTES};
    uint64_t kind = fuzz_take(input, 1);

    if (kind < 0x80) {
        return kind;
    }
    if (kind < 0xc0) {
        return limits[kind % 8] + kind / 8 % 3 - 1;
    }
    if (kind < 0xe0 && sealed_count > 0) {
        return sealed[kind % sealed_count].bytes;
    }
    return fuzz_take(input, 8);
}

static size_t put_field(struct fuzz_input *input, char field, uint8_t *to)
{
    uint64_t value = field == 'A' || field == 'W' ? take_address(input) : take_number(input);
    size_t bytes = field == 'A' ? 8 : field == 'n' ? 4 : field == 'h' ? 2 : field == 'b' ? 1 : word;

    if (field == 'd') {
        memset(to, (int)value, 32);
        return 32;
    }
    memcpy(to, &value, bytes);
    return bytes;
}

/* The register of an argument, after what it points to was laid down: mostly where it can be
 * written, else where it cannot, or the address is any. */
static uint64_t take_argument(struct fuzz_input *input, unsigned index, const char *fields)
{
    if (fields == NULL || fields[0] == '\0') {
        return take_number(input);
    }
    uint64_t place = fuzz_take(input, 1);
    uint64_t address = (place >= 0xc0 && place < 0xe0 ? RAM : ARGUMENTS) + index * 0x100;
    uint8_t *to = memory->byte + (address - RAM);
    for (unsigned i = 0; fields[i] != '\0'; i++) {
        to += put_field(input, fields[i], to);
    }
    return place < 0xe0 ? address : take_address(input);
}

static struct tv_service take_call(struct fuzz_input *input, uint8_t *buffer)
{
    struct tv_service call = {.platform = platform,
                              .memory = memory,
                              .random = generator,
                              .pcrs = pcrs,
                              .buffer = buffer,
                              .cpu = 1,
                              .word_bytes = word};
    uint64_t kind = fuzz_take(input, 1);
    static const struct form any;
    const struct form *form = kind < 0xf0 ? &forms[kind % FORMS] : &any;
    /* 32-bit code has anything in the upper halves. */
    uint64_t high = word == 4 ? fuzz_take(input, 1) << 32 : 0;

    call.number = form->number != 0 ? form->number : (uint32_t)take_number(input);
    call.cx = take_argument(input, 0, form->argument[0]) | high;
    call.dx = take_argument(input, 1, form->argument[1]) | high;
    call.si = take_argument(input, 2, form->argument[2]) | high;
    call.di = take_argument(input, 3, form->argument[3]) | high;
    return call;
}

static bool is_owner(void)
{
    unsigned bytes = platform->nv_owner_bytes;
    const uint8_t *own = bytes == 20 ? pcrs->pcr[0].sha1 : pcrs->pcr[0].sha256;

    return bytes != 0 && memcmp(own, platform->nv_owner, bytes) == 0;
}

/* One register of one bank, and only if it was extended. */
static void check_registers(const struct tv_pcrs *before, enum tv_error error)
{
    unsigned sha1 = 0, sha256 = 0;

    for (unsigned i = 0; i < TV_PCRS; i++) {
        sha1 += memcmp(before->pcr[i].sha1, pcrs->pcr[i].sha1, 20) != 0;
        sha256 += memcmp(before->pcr[i].sha256, pcrs->pcr[i].sha256, 32) != 0;
    }
    FUZZ_CHECK(sha1 == (number == TV_PCREXT && error == TV_OK));
    FUZZ_CHECK(sha256 == (number == TV_PCR_EXTEND && error == TV_OK));
    FUZZ_CHECK(memcmp(&before->identity, &pcrs->identity, sizeof(pcrs->identity)) == 0);
}

static void check_nv(const uint8_t before[TV_NV_BYTES], bool owner, enum tv_error error)
{
    bool is_nv = number >= TV_NV_GETSIZE && number <= TV_NV_WRITEALL;

    FUZZ_CHECK(!is_nv || owner || error == TV_ERROR_NV_OWNER);
    FUZZ_CHECK((number == TV_NV_WRITEALL && error == TV_OK) ||
               memcmp(before, platform->nv, TV_NV_BYTES) == 0);
    FUZZ_CHECK(platform->nv_lock == 0);
}

static bool is_in_memory(const void *secret)
{
    return memmem(memory->byte, RAM_BYTES, secret, 16) != NULL;
}

static void check_secrets(void)
{
    const struct tv_root *root = &platform->root;

    FUZZ_CHECK(!is_in_memory(root->seal_key) && !is_in_memory(root->nv_key));
    FUZZ_CHECK(!is_in_memory(root->p256_secret) && !is_in_memory(root->rsa_seed));
    FUZZ_CHECK(!is_in_memory(root->rsa.p) && !is_in_memory(root->rsa.q));
    FUZZ_CHECK(was_owner || !is_in_memory(platform->nv));
}

/* What opened is a blob that a call before this one wrote. */
static void check_unsealed(enum tv_error error)
{
    bool is_known = false;

    if (error == TV_OK &&
        (number == TV_UNSEAL_DATA || number == TV_UNSEAL || number == TV_UNSEAL_1)) {
        for (unsigned i = 0; i < sealed_count; i++) {
            is_known = is_known || (sealed[i].bytes == read_last.bytes &&
                                    memcmp(sealed[i].byte, read_last.byte, read_last.bytes) == 0);
        }
        FUZZ_CHECK(is_known);
    }
}

static bool is_signing(uint32_t of)
{
    return of == TV_QUOTE_PAL || of == TV_QUOTE || of == TV_QUOTE_1;
}

static void try_call(struct fuzz_input *input)
{
    uint8_t *buffer = calloc(TV_SERVICE_BUFFER_BYTES, 1); /* of its own: no byte more */
    FUZZ_CHECK(buffer != NULL);
    const struct tv_service call = take_call(input, buffer);
    struct tv_pcrs before = *pcrs;
    uint8_t nv[TV_NV_BYTES];
    bool owner = is_owner();

    if (!is_signing(call.number) || signatures++ < SIGNATURES_MAX) {
        memcpy(nv, platform->nv, sizeof(nv));
        number = call.number;
        writes = 0;
        was_owner = was_owner || owner;
        enum tv_error error = tv_service(&call);
        FUZZ_CHECK(error < TV_ERROR_COUNT);
        FUZZ_CHECK((error == TV_ERROR_UNKNOWN_NUMBER) == !tv_is_service(number));
        check_registers(&before, error);
        check_nv(nv, owner, error);
        check_secrets();
        check_unsealed(error);
        for (size_t i = 0; i < TV_SERVICE_BUFFER_BYTES; i++) {
            FUZZ_CHECK(buffer[i] == 0);
        }
    }
    free(buffer);
}

/* Heap blocks, so that the sanitizer sees a step beyond each.  The keys last: RSA's takes long. */
static void make_once(void)
{
    static const uint8_t secret[TV_ROOT_BYTES] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                                  11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                                  22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

    if (platform != NULL) {
        return;
    }
    platform = calloc(1, sizeof(*platform));
    pcrs = malloc(sizeof(*pcrs));
    generator = malloc(sizeof(*generator));
    memory = malloc(sizeof(*memory));
    FUZZ_CHECK(platform != NULL && pcrs != NULL && generator != NULL && memory != NULL);
    tv_root_init(&platform->root, TV_ROOT_MODULE, false, secret);
    FUZZ_CHECK(tv_root_rsa(&platform->root, 1) == TV_OK);
}

static void begin(struct fuzz_input *input)
{
    static const struct tv_measurement identity = {{1, 2}, {3, 4}};
    uint64_t flags = fuzz_take(input, 1);
    static const unsigned owner_bytes[] = {0, 20, 32, 32};

    has_entropy = flags & 1;
    platform->root.source = flags & 2 ? TV_ROOT_MODULE : TV_ROOT_NONE;
    word = flags & 4 ? 8 : 4;
    is_restless = flags & 8;
    platform->nv_owner_bytes = owner_bytes[flags >> 4 & 3];
    tv_pcrs_begin(pcrs, &identity);
    memcpy(platform->nv_owner, pcrs->pcr[0].sha256, 32);
    if (platform->nv_owner_bytes == 20) {
        memcpy(platform->nv_owner, pcrs->pcr[0].sha1, 20);
    }
    platform->nv_owner[0] ^= (uint8_t)(flags >> 6 & 1); /* somebody else */
    for (unsigned i = 0; i < sizeof(platform->nv); i++) {
        platform->nv[i] = (uint8_t)(0x91 + 7 * i);
    }
    memset(generator, 0, sizeof(*generator));
    memset(memory, NOTHING, sizeof(*memory));
    sealed_count = signatures = 0;
    was_owner = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    make_once();
    begin(&input);
    for (unsigned i = 0; i < CALLS_MAX && input.left > 0; i++) {
        try_call(&input);
    }
    return 0;
}
