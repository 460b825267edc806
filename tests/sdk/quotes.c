/*
 * Quotes as Nacre makes them, by libtv itself: quotes FOLDER ROOT DEBUG IDENTITY256 IDENTITY1
 * writes evidence, key, signature, composite, rsa (all binary) for register values of its own,
 * nonce and data below.  quotes flip FOLDER: with each single bit changed nothing is verified any
 * more.
 */
#include "../../sdk/verify/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tv/random.h>
#include <world/world.h>

#define SELECTION 0x83U /* registers 0, 1 and 7 */

static struct tv_root root;
static struct tv_pcrs pcrs;
static uint8_t nonce[32], data[64] = "said by the PAL";

enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES])
{
    (void)entropy;
    return TV_ERROR_NO_ENTROPY;
}

void world_poll(unsigned cpu)
{
    (void)cpu;
}

static void put(const char *folder, const char *name, const void *from, size_t bytes)
{
    char path[500];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(from, 1, bytes, file) != bytes || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static size_t get(const char *folder, const char *name, void *to, size_t room)
{
    char path[500];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size_t bytes = fread(to, 1, room, file);
    fclose(file);
    return bytes;
}

static void read_hex(const char *text, uint8_t *to, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        sscanf(text + 2 * i, "%2hhx", &to[i]);
    }
}

static void make(const char *folder)
{
    uint8_t evidence[TV_EVIDENCE_MAX], composite[TV_PCR_COMPOSITE_MAX], digest[20];
    uint8_t info[TV_QUOTE_INFO_BYTES], signature[TV_RSA_BYTES], rsa[TV_RSA_DER_BYTES];

    put(folder, "evidence", evidence,
        tv_evidence_make(&root, &pcrs, SELECTION, nonce, data, evidence));
    put(folder, "key", root.p256_key, sizeof(root.p256_key));
    size_t bytes = tv_composite_sha1(&pcrs, SELECTION, composite, digest);
    put(folder, "composite", composite, bytes);
    tv_root_rsa(&root, 0);
    tv_quote_info(&root, digest, nonce, info);
    tv_rsa_sign(&root, info, sizeof(info), signature);
    put(folder, "signature", signature, sizeof(signature));
    tv_root_rsa_der(&root, rsa);
    put(folder, "rsa", rsa, sizeof(rsa));
}

static struct wanted wanted = {
    .allow_simulated = true, .allow_debug = true, .allow_random = true, .has_data = true};

/* The last bytes of an ECDSA signature in DER are numbers: each bit of them counts as well. */
static int flip(const char *folder)
{
    uint8_t evidence[TV_EVIDENCE_MAX], der[KEY_DER_MAX], composite[256], signature[256];
    struct p256_key key;
    struct tv_evidence head;
    br_rsa_public_key rsa;
    uint8_t marks;
    size_t bytes = get(folder, "evidence", evidence, sizeof(evidence)), accepted = 0;

    if (!key_p256(der, get(folder, "key", der, sizeof(der)), &key)) {
        return 1;
    }
    memcpy(wanted.identity, evidence + offsetof(struct tv_evidence, identity), 32);
    memcpy(wanted.data, data, sizeof(data));
    accepted += check_evidence(&wanted, &key, evidence, bytes, &head) == NULL;
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        evidence[bit / 8] ^= (uint8_t)(1U << bit % 8);
        accepted += check_evidence(&wanted, &key, evidence, bytes, &head) == NULL;
        evidence[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t shorter = 0; shorter < bytes; shorter++) {
        accepted += check_evidence(&wanted, &key, evidence, shorter, &head) == NULL;
    }
    printf("evidence accepted=%zu\n", accepted);

    uint8_t rsa_der[KEY_DER_MAX];
    accepted = 0;
    if (!key_rsa(rsa_der, get(folder, "rsa", rsa_der, sizeof(rsa_der)), &rsa)) {
        return 1;
    }
    bytes = get(folder, "composite", composite, sizeof(composite));
    (void)get(folder, "signature", signature, sizeof(signature));
    memcpy(wanted.identity, composite + 7, 20);
    for (size_t bit = 0; bit <= 8 * bytes; bit++) {
        composite[bit / 8 % sizeof(composite)] ^= (uint8_t)(bit < 8 * bytes ? 1U << bit % 8 : 0);
        accepted +=
            check_old_quote(&wanted, &rsa, composite, bytes, signature, 256, &marks) == NULL;
        composite[bit / 8 % sizeof(composite)] ^= (uint8_t)(bit < 8 * bytes ? 1U << bit % 8 : 0);
    }
    for (size_t bit = 0; bit < 8 * sizeof(signature); bit += 7) {
        signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
        accepted +=
            check_old_quote(&wanted, &rsa, composite, bytes, signature, 256, &marks) == NULL;
        signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    printf("old accepted=%zu\n", accepted);
    return 0;
}

int main(int count, char **arguments)
{
    const uint8_t secret[TV_ROOT_BYTES] = {7}, digest[32] = {5};
    struct tv_measurement identity;

    memset(nonce, 0x4e, sizeof(nonce));
    memcpy(wanted.nonce, nonce, sizeof(nonce));
    if (count == 3 && strcmp(arguments[1], "flip") == 0) {
        return flip(arguments[2]);
    }
    if (count != 6) {
        return 2;
    }
    read_hex(arguments[4], identity.sha256, sizeof(identity.sha256));
    read_hex(arguments[5], identity.sha1, sizeof(identity.sha1));
    tv_root_init(&root, (enum tv_root_source)atoi(arguments[2]), atoi(arguments[3]) != 0, secret);
    tv_pcrs_begin(&pcrs, &identity);
    tv_pcr_extend_sha256(&pcrs, 1, digest);
    tv_pcr_extend_sha1(&pcrs, 1, digest);
    make(arguments[1]);
    return 0;
}
