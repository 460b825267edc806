/* What the services of the micro-TPM cost the PAL that asks: ticks of the hypercall, nothing else.
 */
#include "commands.h"
#include "services.h"

#define RUNS 200U
#define QUOTES 20U /* one is millions of instructions */
#define DATA_BYTES 64U
#define RANDOM_BYTES 32U

static uint64_t sample[RUNS];

/* Asks so many times, each time successfully, and reports. */
#define MEASURE(name, count, expected, service)                                                    \
    do {                                                                                           \
        for (unsigned run = 0; run < (count); run++) {                                             \
            check_error(service, expected, name);                                                  \
            sample[run] = service_ticks();                                                         \
        }                                                                                          \
        bench_report(name, sample, count);                                                         \
    } while (false)

static void bench_small(const struct new_pal *pal)
{
    uint8_t digest[20] = {1}, random[RANDOM_BYTES];
    uint32_t bytes;

    MEASURE("refused", RUNS, TV_ERROR_NV_OWNER, service_nv_size(pal, &bytes));
    MEASURE("pcrread", RUNS, TV_OK, service_old_pcr_read(pal, 1, digest));
    MEASURE("pcrext", RUNS, TV_OK, service_old_extend(pal, 1, digest));
    MEASURE("genrand32", RUNS, TV_OK, service_old_random(pal, random, sizeof(random)));
}

static void bench_seal(const struct new_pal *pal)
{
    uint8_t data[DATA_BYTES] = {1, 2, 3}, opened[1024], blob[DATA_BYTES + TV_SEALED_OVERHEAD];
    uint32_t bytes;

    MEASURE("seal64", RUNS, TV_OK, service_seal(pal, data, sizeof(data), 1, NULL, blob));
    MEASURE("unseal64", RUNS, TV_OK, service_unseal(pal, blob, sizeof(blob), opened, &bytes));
    check_equal(bytes, sizeof(data), "unsealed-bytes");
    check_equal(opened[2], data[2], "unsealed");
}

/* The first old quote makes the key: what it takes longer than the others is the key's. */
static void bench_quotes(const struct new_pal *pal)
{
    uint8_t out[1024], signature[256];
    const uint8_t nonce[32] = {'n', 'o', 'n', 'c', 'e'};
    uint32_t bytes;

    MEASURE("quote_p256", QUOTES, TV_OK, service_quote(pal, 1, nonce, out, &bytes));
    MEASURE("quote_rsa_first", 1, TV_OK, service_old_quote(pal, nonce, signature, out, &bytes));
    MEASURE("quote_rsa", QUOTES, TV_OK, service_old_quote(pal, nonce, signature, out, &bytes));
}

void bench_tpm(unsigned number)
{
    struct new_pal pal;

    (void)number;
    service_make(&pal, 1);
    bench_small(&pal);
    bench_seal(&pal);
    bench_quotes(&pal);
    new_end(&pal);
}
