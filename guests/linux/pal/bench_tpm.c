/*
 * What the services of the micro-TPM cost, by the clock of the PAL that asks: pal bench tpm
 * [QUOTES], or tpm_key: the making of the RSA key alone.  Names end with _new where our own
 * interface has a number for the same.
 */
#include "commands.h"
#include "services.h"

#define RUNS 200U
#define BYTES 64U        /* that are sealed */
#define RANDOM_BYTES 32U /* that are asked for */

static uint8_t data[1024], blob[BYTES + TV_SEALED_OVERHEAD], old_blob[sizeof(blob)];
static uint8_t signature[TV_EVIDENCE_MAX];

static enum tv_error refused(const struct new_pal *pal)
{
    return service_plain(pal, TV_REG) == TV_ERROR_INSIDE_PAL ? TV_OK : TV_ERROR_UNKNOWN_NUMBER;
}

static enum tv_error pcrread(const struct new_pal *pal)
{
    return service_old_read(pal, 1);
}

static enum tv_error pcrread_new(const struct new_pal *pal)
{
    return service_read(pal, 1);
}

static enum tv_error pcrext(const struct new_pal *pal)
{
    return service_old_extend(pal, 1);
}

static enum tv_error pcrext_new(const struct new_pal *pal)
{
    return service_extend(pal, 1);
}

static enum tv_error genrand(const struct new_pal *pal)
{
    return service_old_random(pal, RANDOM_BYTES);
}

static enum tv_error genrand_new(const struct new_pal *pal)
{
    return service_random(pal, RANDOM_BYTES);
}

static enum tv_error seal(const struct new_pal *pal)
{
    uint32_t bytes;

    return service_old_seal(pal, data, BYTES, old_blob, &bytes);
}

static enum tv_error seal_new(const struct new_pal *pal)
{
    return service_seal(pal, data, BYTES, 0, NULL, blob);
}

static enum tv_error unseal(const struct new_pal *pal)
{
    uint32_t bytes;

    return service_old_unseal(pal, old_blob, sizeof(old_blob), data, &bytes);
}

static enum tv_error unseal_new(const struct new_pal *pal)
{
    uint32_t bytes;

    return service_unseal(pal, blob, sizeof(blob), data, &bytes);
}

static enum tv_error quote_p256(const struct new_pal *pal)
{
    const uint8_t nonce[32] = {1};
    uint32_t bytes;

    return service_quote(pal, 1, nonce, signature, &bytes);
}

static enum tv_error quote_rsa(const struct new_pal *pal)
{
    const uint8_t nonce[20] = {1};
    uint32_t bytes;

    return service_old_quote(pal, nonce, signature, data, &bytes);
}

static enum tv_error rsa_key(const struct new_pal *pal)
{
    uint32_t bytes;

    return service_old_key(pal, data, &bytes);
}

struct measured {
    const char *name;
    enum tv_error (*ask)(const struct new_pal *pal);
    unsigned runs; /* 0: as many as quotes */
};

/* In this order: what is unsealed was sealed before, and the key is made by the first who asks. */
static const struct measured services[] = {
    {"tpm_refused", refused, RUNS},
    {"tpm_pcrread", pcrread, RUNS},
    {"tpm_pcrread_new", pcrread_new, RUNS},
    {"tpm_pcrext", pcrext, RUNS},
    {"tpm_pcrext_new", pcrext_new, RUNS},
    {"tpm_genrand32", genrand, RUNS},
    {"tpm_genrand32_new", genrand_new, RUNS},
    {"tpm_seal64", seal, RUNS},
    {"tpm_seal64_new", seal_new, RUNS},
    {"tpm_unseal64", unseal, RUNS},
    {"tpm_unseal64_new", unseal_new, RUNS},
    {"tpm_quote_p256", quote_p256, 0},
    {"tpm_rsa_key", rsa_key, 1},
    {"tpm_quote_rsa", quote_rsa, 0},
};

static const struct measured key_alone[] = {{"tpm_rsa_key", rsa_key, 1}};

static void measure(const struct measured *list, size_t count, unsigned quotes)
{
    static uint64_t sample[RUNS];
    struct new_pal pal;

    service_make(&pal, 1);
    for (size_t i = 0; i < count; i++) {
        unsigned runs = list[i].runs != 0 ? list[i].runs : quotes;
        for (unsigned run = 0; run < runs; run++) {
            check_error(list[i].ask(&pal), TV_OK, list[i].name);
            sample[run] = service_ticks();
        }
        bench_report(list[i].name, sample, runs);
    }
    new_end(&pal);
}

void bench_tpm(unsigned quotes)
{
    check(quotes > 0 && quotes <= RUNS, "quotes", quotes);
    measure(services, sizeof(services) / sizeof(services[0]), quotes);
}

void bench_tpm_key(unsigned number)
{
    (void)number;
    measure(key_alone, 1, 1);
}
