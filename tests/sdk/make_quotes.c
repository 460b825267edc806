/*
 * Quotes of every kind in files, made by libtv's own code on this computer:
 *
 *     make_quotes FOLDER SHA256 SHA1 NONCE32 NONCE20
 *
 * The measurements are the PAL's; registers 1 and 7 have been extended with its data, 64 times 'd'.
 * key.der and rsa.der are the public keys, other.der and other-rsa.der those of another secret,
 * simulation.der and simulation-rsa.der those of the secret that everybody knows.
 */
#include "options.h"

#include <nacre/simulation.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tv/random.h>
#include <world/world.h>

#define SELECTION 0x83U

/* Nothing here asks for random numbers, or waits for other CPUs. */
enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES])
{
    (void)entropy;
    abort();
}

void world_poll(unsigned cpu)
{
    (void)cpu;
}

static const struct kind {
    const char *name;
    enum tv_root_source source;
    bool debug;
} kinds[] = {
    {"module", TV_ROOT_MODULE, false},      {"tpm", TV_ROOT_TPM, false},
    {"random", TV_ROOT_RANDOM, false},      {"simulated", TV_ROOT_SIMULATED, false},
    {"module-debug", TV_ROOT_MODULE, true}, {"random-debug", TV_ROOT_RANDOM, true},
};

static void die(const char *what)
{
    fprintf(stderr, "make_quotes: %s\n", what);
    exit(2);
}

static void save(const char *folder, const char *first, const char *second, const uint8_t *bytes,
                 size_t count)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s%s", folder, first, second);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
        die(path);
    }
}

static void take_hex(const char *text, uint8_t *bytes, size_t count)
{
    size_t got;
    if (!verify_hex(text, bytes, count, &got) || got != count) {
        die("wrong digits");
    }
}

static void save_keys(struct tv_root *root, const char *folder, const char *p256, const char *rsa)
{
    uint8_t der[TV_RSA_DER_BYTES];
    if (tv_root_rsa(root, 0) != TV_OK) {
        die("no RSA key");
    }
    tv_root_rsa_der(root, der);
    save(folder, p256, "", root->p256_key, sizeof(root->p256_key));
    save(folder, rsa, "", der, sizeof(der));
}

/* Of the first interface, with registers that are listed in any order, here 7, 0, 0. */
static void save_first(struct tv_root *root, const struct tv_pcrs *pcrs, const char *folder,
                       const char *name, const uint32_t list[4], const uint8_t nonce[20])
{
    uint8_t quote[TV_QUOTE_HEAD_BYTES + 16 + 4 * 20 + 2 * TV_RSA_BYTES], *end;
    tv_quote_head(root, quote);
    memcpy(quote + TV_QUOTE_HEAD_BYTES, list, 16);
    end = quote + TV_QUOTE_HEAD_BYTES + 16;
    for (unsigned i = 1; i < 4; i++, end += 20) {
        memcpy(end, pcrs->pcr[list[i] % TV_PCRS].sha1, 20);
    }
    memcpy(end, nonce, 20);
    end += 20;
    tv_rsa_sign(root, quote, (size_t)(end - quote), end);
    memcpy(end + TV_RSA_BYTES, root->rsa_public.n, TV_RSA_BYTES);
    save(folder, "first-", name, quote, sizeof(quote));
}

static void make(struct tv_root *root, const struct tv_pcrs *pcrs, const char *folder,
                 const char *name, char **nonces)
{
    uint8_t nonce[32], data[64], digest[20];
    uint8_t evidence[TV_EVIDENCE_MAX], composite[TV_PCR_COMPOSITE_MAX], signature[TV_RSA_BYTES];
    uint8_t info[TV_QUOTE_INFO_BYTES];
    memset(data, 'd', sizeof(data));
    take_hex(nonces[0], nonce, 32);
    save(folder, "evidence-", name, evidence,
         tv_evidence_make(root, pcrs, SELECTION, nonce, data, evidence));
    take_hex(nonces[1], nonce, 20);
    save(folder, "composite", "", composite, tv_composite_sha1(pcrs, SELECTION, composite, digest));
    tv_quote_info(root, digest, nonce, info);
    tv_rsa_sign(root, info, sizeof(info), signature);
    save(folder, "signature-", name, signature, sizeof(signature));
    save(folder, "info-", name, info, sizeof(info));
    save_first(root, pcrs, folder, name, (const uint32_t[]){3, 7, 0, 0}, nonce);
}

/* A quote of register 1 alone, which tells nothing of the PAL, and marks that Nacre never makes. */
static void make_others(struct tv_root *root, const struct tv_pcrs *pcrs, const char *folder,
                        const char *old_nonce)
{
    static const uint8_t marks[] = {0, 6, 8, 255};
    uint8_t nonce[20], digest[20], composite[TV_PCR_COMPOSITE_MAX];
    uint8_t info[TV_QUOTE_INFO_BYTES], signature[TV_RSA_BYTES];
    char name[32];
    take_hex(old_nonce, nonce, sizeof(nonce));
    save_first(root, pcrs, folder, "of-1", (const uint32_t[]){3, 1, 1, 1}, nonce);
    save_first(root, pcrs, folder, "of-8", (const uint32_t[]){3, 0, 8, 1}, nonce);
    save(folder, "composite-2", "", composite, tv_composite_sha1(pcrs, 2, composite, digest));
    for (size_t i = 0; i < sizeof(marks); i++) {
        tv_quote_info(root, digest, nonce, info);
        info[3] = marks[i];
        tv_rsa_sign(root, info, sizeof(info), signature);
        (void)snprintf(name, sizeof(name), "signature-marks%d", marks[i]);
        save(folder, name, "", signature, sizeof(signature));
        tv_composite_sha1(pcrs, SELECTION, NULL, digest); /* the first alone is of register 1 */
    }
}

int main(int argc, char **argv)
{
    static struct tv_root root, other;
    static const uint8_t secret[TV_ROOT_BYTES] = "of this test", secret2[TV_ROOT_BYTES] = "2";
    struct tv_measurement identity;
    struct tv_pcrs pcrs;
    uint8_t data[64];
    if (argc != 6) {
        die("usage: make_quotes FOLDER SHA256 SHA1 NONCE32 NONCE20");
    }
    take_hex(argv[2], identity.sha256, 32);
    take_hex(argv[3], identity.sha1, 20);
    tv_pcrs_begin(&pcrs, &identity);
    memset(data, 'd', sizeof(data));
    for (unsigned i = 1; i <= 7; i += 6) {
        (void)tv_pcr_extend_sha1(&pcrs, i, data);
        (void)tv_pcr_extend_sha256(&pcrs, i, data);
    }
    tv_root_init(&root, TV_ROOT_MODULE, false, secret);
    tv_root_init(&other, TV_ROOT_MODULE, false, secret2);
    save_keys(&root, argv[1], "key.der", "rsa.der");
    save_keys(&other, argv[1], "other.der", "other-rsa.der");
    make_others(&root, &pcrs, argv[1], argv[5]);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        root.source = kinds[i].source;
        root.debug = kinds[i].debug;
        make(&root, &pcrs, argv[1], kinds[i].name, argv + 4);
    }
    tv_root_init(&other, TV_ROOT_MODULE, false, (const uint8_t *)PAL_SIMULATION_SECRET);
    save_keys(&other, argv[1], "simulation.der", "simulation-rsa.der");
    make(&other, &pcrs, argv[1], "forged", argv + 4);
    return 0;
}
