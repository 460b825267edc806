#include "services.h"

/* Places in a request's bytes: a structure, what goes in, what comes out, and small things. */
#define AT(offset) ((uint32_t)offsetof(struct pal_request, byte) + (offset))
#define STRUCTURE AT(0)
#define INPUT AT(128)
#define OUTPUT AT(1280)
#define PAIR_A AT(2432)
#define PAIR_B AT(2448)
#define LENGTH_A AT(2464)
#define LENGTH_B AT(2468)
#define SMALL AT(2480)

static struct pal_request request;

void service_make(struct new_pal *pal, uintptr_t variant)
{
    new_make(pal, pal_service, 1, 0);
    new_add_pointer(pal, TV_IN_OUT, sizeof(request));
    pal->base.data->secret = variant;
    new_must_register(pal);
}

static void put(uint32_t at, const void *from, uint32_t bytes)
{
    memcpy((uint8_t *)&request + at, from, bytes);
}

static void get(uint32_t at, void *to, uint32_t bytes)
{
    memcpy(to, (const uint8_t *)&request + at, bytes);
}

static uint32_t get_length(uint32_t at)
{
    uint32_t length;

    get(at, &length, sizeof(length));
    return length;
}

static void begin(enum tv_number number)
{
    memset(&request, 0, sizeof(request));
    request.number = number;
}

static void is_address(uint32_t at)
{
    request.address_at[request.address_count++] = at;
}

static void set_argument(unsigned index, uint32_t at)
{
    request.argument[index] = at;
}

static void set_plain(unsigned index, uint32_t value)
{
    request.argument[index] = value;
    request.plain[index] = 1;
}

uint64_t service_ticks(void)
{
    return request.ticks;
}

static enum tv_error ask(const struct new_pal *pal)
{
    const uint64_t argument = (uintptr_t)&request;

    return (enum tv_error)new_value(pal, 1, &argument);
}

enum tv_error service_seal(const struct new_pal *pal, const uint8_t *data, uint32_t bytes,
                           uint32_t selection, const uint8_t *identity, uint8_t *blob)
{
    struct tv_seal seal = {.data = INPUT,
                           .blob = OUTPUT,
                           .data_bytes = bytes,
                           .blob_bytes = bytes + TV_SEALED_OVERHEAD,
                           .selection = selection,
                           .flags = identity != NULL ? TV_SEAL_IDENTITY : 0};

    if (identity != NULL) {
        memcpy(seal.identity, identity, sizeof(seal.identity));
    }
    begin(TV_SEAL_DATA);
    put(STRUCTURE, &seal, sizeof(seal));
    put(INPUT, data, bytes);
    is_address(STRUCTURE + offsetof(struct tv_seal, data));
    is_address(STRUCTURE + offsetof(struct tv_seal, blob));
    set_argument(0, STRUCTURE);
    enum tv_error error = ask(pal);
    get(OUTPUT, blob, bytes + TV_SEALED_OVERHEAD);
    return error;
}

enum tv_error service_unseal(const struct new_pal *pal, const uint8_t *blob, uint32_t blob_bytes,
                             uint8_t *data, uint32_t *bytes)
{
    const struct tv_unseal unseal = {
        .blob = INPUT, .data = OUTPUT, .blob_bytes = blob_bytes, .data_bytes = 1024};

    begin(TV_UNSEAL_DATA);
    put(STRUCTURE, &unseal, sizeof(unseal));
    put(INPUT, blob, blob_bytes);
    is_address(STRUCTURE + offsetof(struct tv_unseal, blob));
    is_address(STRUCTURE + offsetof(struct tv_unseal, data));
    set_argument(0, STRUCTURE);
    enum tv_error error = ask(pal);
    *bytes = error == TV_OK ? get_length(STRUCTURE + offsetof(struct tv_unseal, data_bytes)) : 0;
    get(OUTPUT, data, *bytes);
    return error;
}

enum tv_error service_extend(const struct new_pal *pal, uint32_t index)
{
    const struct tv_pcr_value value = {.index = index, .value = {1}};

    begin(TV_PCR_EXTEND);
    put(STRUCTURE, &value, sizeof(value));
    set_argument(0, STRUCTURE);
    return ask(pal);
}

enum tv_error service_quote(const struct new_pal *pal, uint32_t selection, const uint8_t nonce[32],
                            uint8_t *evidence, uint32_t *bytes)
{
    struct tv_quote quote = {
        .evidence = OUTPUT, .evidence_bytes = TV_EVIDENCE_MAX, .selection = selection};

    memcpy(quote.nonce, nonce, sizeof(quote.nonce));
    begin(TV_QUOTE_PAL);
    put(STRUCTURE, &quote, sizeof(quote));
    is_address(STRUCTURE + offsetof(struct tv_quote, evidence));
    set_argument(0, STRUCTURE);
    enum tv_error error = ask(pal);
    *bytes = get_length(STRUCTURE + offsetof(struct tv_quote, evidence_bytes));
    get(OUTPUT, evidence, *bytes);
    return error;
}

enum tv_error service_key(const struct new_pal *pal, uint8_t *key, uint32_t *bytes)
{
    const struct tv_buffer buffer = {.address = OUTPUT, .length = 1024};

    begin(TV_QUOTE_KEY);
    put(STRUCTURE, &buffer, sizeof(buffer));
    is_address(STRUCTURE + offsetof(struct tv_buffer, address));
    set_argument(0, STRUCTURE);
    enum tv_error error = ask(pal);
    *bytes = get_length(STRUCTURE + offsetof(struct tv_buffer, length));
    get(OUTPUT, key, *bytes);
    return error;
}

/* {address, length} or {address, address of length}, words of this width. */
static void put_pair(uint32_t at, uintptr_t address, uintptr_t second, bool is_second_address)
{
    const uintptr_t pair[] = {address, second};

    put(at, pair, sizeof(pair));
    is_address(at);
    if (is_second_address) {
        is_address(at + (uint32_t)sizeof(pair[0]));
    }
}

/* What comes to OUTPUT, with its length at LENGTH_A. */
static enum tv_error ask_for(const struct new_pal *pal, uint8_t *output, uint32_t *bytes)
{
    enum tv_error error = ask(pal);

    *bytes = get_length(LENGTH_A);
    get(OUTPUT, output, *bytes);
    return error;
}

enum tv_error service_old_seal(const struct new_pal *pal, const uint8_t *data, uint32_t bytes,
                               uint8_t *blob, uint32_t *blob_bytes)
{
    const struct tv_pcr_info info = {.selection = {1, 0}}; /* to the PAL alone */

    begin(TV_SEAL);
    put(INPUT, data, bytes);
    put(SMALL, &info, sizeof(info));
    put_pair(PAIR_A, INPUT, bytes, false);
    put_pair(PAIR_B, OUTPUT, LENGTH_A, true);
    set_argument(0, PAIR_A);
    set_argument(1, SMALL);
    set_argument(2, PAIR_B);
    return ask_for(pal, blob, blob_bytes);
}

enum tv_error service_old_unseal(const struct new_pal *pal, const uint8_t *blob,
                                 uint32_t blob_bytes, uint8_t *data, uint32_t *bytes)
{
    begin(TV_UNSEAL);
    put(INPUT, blob, blob_bytes);
    put_pair(PAIR_A, INPUT, blob_bytes, false);
    put_pair(PAIR_B, OUTPUT, LENGTH_A, true);
    set_argument(0, PAIR_A);
    set_argument(1, PAIR_B);
    set_argument(2, SMALL);
    return ask_for(pal, data, bytes);
}

enum tv_error service_old_quote(const struct new_pal *pal, const uint8_t nonce[20],
                                uint8_t signature[256], uint8_t *composite,
                                uint32_t *composite_bytes)
{
    const struct tv_pcr_selection selection = {1, 1};
    const uint32_t room[] = {256, 512};

    begin(TV_QUOTE);
    put(INPUT, nonce, 20);
    put(SMALL, &selection, sizeof(selection));
    put(LENGTH_A, room, sizeof(room));
    put_pair(PAIR_A, OUTPUT, LENGTH_A, true);
    put_pair(PAIR_B, OUTPUT + 256, LENGTH_B, true);
    set_argument(0, SMALL);
    set_argument(1, PAIR_A);
    set_argument(2, INPUT);
    set_argument(3, PAIR_B);
    enum tv_error error = ask(pal);
    *composite_bytes = get_length(LENGTH_B);
    get(OUTPUT, signature, 256);
    get(OUTPUT + 256, composite, *composite_bytes);
    return error;
}

enum tv_error service_first_quote(const struct new_pal *pal, const uint8_t nonce[20],
                                  uint8_t *quote, uint32_t *bytes)
{
    const uint32_t registers[] = {2, 0, 1};

    begin(TV_QUOTE_1);
    put(INPUT, nonce, 20);
    put(SMALL, registers, sizeof(registers));
    put_pair(PAIR_A, OUTPUT, LENGTH_A, true);
    set_argument(0, SMALL);
    set_argument(1, PAIR_A);
    set_argument(2, INPUT);
    return ask_for(pal, quote, bytes);
}

enum tv_error service_old_key(const struct new_pal *pal, uint8_t *key, uint32_t *bytes)
{
    const uint32_t room = 512;

    begin(TV_ID_GETPUB);
    put(LENGTH_A, &room, sizeof(room));
    set_argument(0, OUTPUT);
    set_argument(1, LENGTH_A);
    return ask_for(pal, key, bytes);
}

enum tv_error service_old_pcr_read(const struct new_pal *pal, uint32_t index, uint8_t value[20])
{
    begin(TV_PCRREAD);
    set_plain(0, index);
    set_argument(1, OUTPUT);
    enum tv_error error = ask(pal);
    get(OUTPUT, value, 20);
    return error;
}

enum tv_error service_old_extend(const struct new_pal *pal, uint32_t index,
                                 const uint8_t digest[20])
{
    begin(TV_PCREXT);
    put(INPUT, digest, 20);
    set_plain(0, index);
    set_argument(1, INPUT);
    return ask(pal);
}

enum tv_error service_old_random(const struct new_pal *pal, uint8_t *data, uint32_t bytes)
{
    begin(TV_GENRAND);
    put(LENGTH_A, &bytes, sizeof(bytes));
    set_argument(0, OUTPUT);
    set_argument(1, LENGTH_A);
    enum tv_error error = ask(pal);
    get(OUTPUT, data, bytes);
    return error;
}

enum tv_error service_nv_size(const struct new_pal *pal, uint32_t *bytes)
{
    begin(TV_NV_GETSIZE);
    set_argument(0, LENGTH_A);
    enum tv_error error = ask(pal);
    *bytes = get_length(LENGTH_A);
    return error;
}

enum tv_error service_nv_read(const struct new_pal *pal, uint8_t content[TV_NV_BYTES])
{
    begin(TV_NV_READALL);
    set_argument(0, OUTPUT);
    enum tv_error error = ask(pal);
    get(OUTPUT, content, TV_NV_BYTES);
    return error;
}

enum tv_error service_nv_write(const struct new_pal *pal, const uint8_t content[TV_NV_BYTES])
{
    begin(TV_NV_WRITEALL);
    put(INPUT, content, TV_NV_BYTES);
    set_argument(0, INPUT);
    return ask(pal);
}
