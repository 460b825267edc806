/*
 * The cryptography that libtv uses takes the same way through code and memory whatever the secrets
 * are.  valgrind runs this program: secrets are marked as undefined, so memcheck reports each jump
 * and each address that depends on one.  What becomes public is marked as defined again, as late as
 * can be; what BearSSL decides by a secret on purpose is in constant_time.supp.
 *
 *     constant_time          every operation, a line "ok NAME" or "leak NAME" each
 *     constant_time planted  two faults that must be found
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <tv/random.h>
#include <tv/tpm.h>
#include <valgrind/memcheck.h>
#include <world/world.h>

#define DATA_BYTES 100U /* no whole number of blocks */
#define BLOB_BYTES (DATA_BYTES + TV_SEALED_OVERHEAD)

static struct tv_root root;
static struct tv_pcrs pcrs;
static struct tv_random generator;
static uint8_t data[DATA_BYTES], opened[DATA_BYTES], blob[BLOB_BYTES];
static bool has_failed;

static void make_secret(void *start, size_t bytes)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(start, bytes);
}

static void make_public(void *start, size_t bytes)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(start, bytes);
}

/* Is any bit of it? */
static bool is_secret(const void *start, size_t bytes)
{
    const uint8_t *at = start;
    uint8_t bits;

    for (size_t i = 0; i < bytes; i++) {
        if (VALGRIND_GET_VBITS(at + i, &bits, 1) == 1 && bits != 0) {
            return true;
        }
    }
    return false;
}

static void must(bool holds, const char *what)
{
    if (!holds) {
        printf("wrong %s\n", what);
        has_failed = true;
    }
}

/* The entropy is secret, and so is all that comes of it. */
enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES])
{
    static uint8_t count;

    memset(entropy, ++count, TV_ENTROPY_BYTES);
    make_secret(entropy, TV_ENTROPY_BYTES);
    return TV_OK;
}

void world_poll(unsigned cpu)
{
    (void)cpu;
}

/* Functions of BearSSL's that the linker (--wrap) calls by way of these. */

/* A blob opens or does not: that is what everybody may know of the tag's comparison. */
uint32_t __real_br_gcm_check_tag(br_gcm_context *context, const void *tag);
uint32_t __wrap_br_gcm_check_tag(br_gcm_context *context, const void *tag);
uint32_t __wrap_br_gcm_check_tag(br_gcm_context *context, const void *tag)
{
    uint32_t verdict = __real_br_gcm_check_tag(context, tag);

    make_public(&verdict, sizeof(verdict));
    return verdict;
}

/* The finished signature is about to get its form of ASN.1: it is public. */
size_t __real_br_ecdsa_raw_to_asn1(void *signature, size_t bytes);
size_t __wrap_br_ecdsa_raw_to_asn1(void *signature, size_t bytes);
size_t __wrap_br_ecdsa_raw_to_asn1(void *signature, size_t bytes)
{
    make_public(signature, bytes);
    return __real_br_ecdsa_raw_to_asn1(signature, bytes);
}

static void try_root(void)
{
    uint8_t secret[TV_ROOT_BYTES];

    for (unsigned i = 0; i < sizeof(secret); i++) {
        secret[i] = (uint8_t)i;
    }
    make_secret(secret, sizeof(secret));
    tv_root_init(&root, TV_ROOT_MODULE, false, secret);
    must(is_secret(root.seal_key, sizeof(root.seal_key)), "key derivation: the key is no secret");
    must(is_secret(root.p256_secret, sizeof(root.p256_secret)), "P-256 key: it is no secret");
    make_public(root.p256_key, sizeof(root.p256_key));
    make_public(root.p256_key_id, sizeof(root.p256_key_id));
}

static void try_random(void)
{
    uint8_t bytes[77];

    for (unsigned i = 0; i < 2; i++) { /* the first seeds, the second one seeds anew */
        must(tv_random_get(&generator, bytes, sizeof(bytes)) == TV_OK, "random numbers");
        must(is_secret(bytes, sizeof(bytes)), "random numbers: they are no secret");
    }
}

static void try_seal(void)
{
    static const uint8_t salt[32] = {1, 2, 3};
    struct tv_seal_policy policy = {.bank = TV_BANK_SHA256, .selection = 1, .bound = true};

    memcpy(policy.identity, pcrs.identity.sha256, sizeof(policy.identity));
    tv_composite_sha256(&pcrs, 1, policy.digest_at_release);
    memset(data, 'd', sizeof(data));
    make_secret(data, sizeof(data));
    tv_seal(&root, &policy, salt, data, sizeof(data), blob);
    must(is_secret(blob, sizeof(blob)), "sealing: neither key nor data were secret");
    make_public(blob, sizeof(blob));
}

static enum tv_error open_blob(void)
{
    struct tv_seal_policy policy;
    size_t bytes;

    return tv_unseal(&root, &pcrs, TV_BANK_SHA256, blob, sizeof(blob), opened, &bytes, &policy);
}

static void try_unseal(void)
{
    must(open_blob() == TV_OK, "unsealing");
    must(is_secret(opened, sizeof(opened)), "unsealing: the data are no secret");
}

/* A tag that is wrong in its first byte, and one in its last. */
static void try_unseal_changed(void)
{
    for (unsigned i = 1; i <= 16; i += 15) {
        blob[sizeof(blob) - i] ^= 1;
        must(open_blob() == TV_ERROR_BLOB_CHANGED, "unsealing of a changed blob");
        blob[sizeof(blob) - i] ^= 1;
    }
}

static void try_nv(void)
{
    static const uint8_t salt[32] = {4, 5, 6};
    uint8_t content[TV_NV_BYTES], nv[TV_NV_BLOB_BYTES];

    memset(content, 'n', sizeof(content));
    make_secret(content, sizeof(content));
    tv_nv_seal(&root, salt, content, nv);
    make_public(nv, sizeof(nv));
    must(tv_nv_unseal(&root, nv, content) == TV_OK, "NV memory");
}

static void try_ecdsa(void)
{
    static const uint8_t nonce[32] = {7}, extra[64] = {8};
    const br_ec_public_key key = {BR_EC_secp256r1, root.p256_key + TV_QUOTE_KEY_BYTES - 65, 65};
    uint8_t evidence[TV_EVIDENCE_MAX], digest[32];
    struct tv_evidence head;
    br_sha256_context hash;
    size_t bytes = tv_evidence_make(&root, &pcrs, 3, nonce, extra, evidence);

    memcpy(&head, evidence, sizeof(head));
    br_sha256_init(&hash);
    br_sha256_update(&hash, evidence, head.signed_bytes);
    br_sha256_out(&hash, digest);
    must(br_ecdsa_i31_vrfy_asn1(&br_ec_p256_m31, digest, sizeof(digest), &key,
                                evidence + head.signed_bytes, bytes - head.signed_bytes) == 1,
         "ECDSA signature");
}

/* Making the key is not what is tried: the search for primes goes by what it finds. */
static void make_rsa_key(void)
{
    make_public(root.rsa_seed, sizeof(root.rsa_seed));
    must(tv_root_rsa(&root, 0) == TV_OK, "RSA key");
    make_secret(root.rsa_private_buffer, sizeof(root.rsa_private_buffer));
    /* How long a prime is shows in its highest byte, and is no secret: all have 1024 bits. */
    make_public(root.rsa.p, 1);
    make_public(root.rsa.q, 1);
}

static void try_rsa(void)
{
    uint8_t signature[TV_RSA_BYTES], digest[20], expected[20];
    br_sha1_context hash;

    tv_rsa_sign(&root, data, 0, signature);
    must(is_secret(signature, sizeof(signature)), "RSA: the key was no secret");
    make_public(signature, sizeof(signature));
    br_sha1_init(&hash);
    br_sha1_out(&hash, expected);
    must(br_rsa_i31_pkcs1_vrfy(signature, sizeof(signature), BR_HASH_OID_SHA1, sizeof(digest),
                               &root.rsa_public, digest) == 1 &&
             memcmp(digest, expected, sizeof(digest)) == 0,
         "RSA signature");
}

/* The planted faults. */

__attribute__((noinline)) static bool careless_equal(const uint8_t *a, const uint8_t *b,
                                                     size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

__attribute__((noinline)) static uint8_t careless_lookup(const uint8_t table[256], uint8_t index)
{
    return table[index];
}

static void plant_comparison(void)
{
    static const uint8_t guess[32];
    bool is_same = careless_equal(root.seal_key, guess, sizeof(guess));

    make_public(&is_same, sizeof(is_same));
    must(!is_same, "planted comparison");
}

static void plant_lookup(void)
{
    static uint8_t table[256];
    volatile uint8_t found = careless_lookup(table, root.seal_key[0]);

    (void)found;
}

struct operation {
    const char *name;
    void (*run)(void);
};

static const struct operation operations[] = {
    {"root: HMAC-SHA-256 and the P-256 key", try_root},
    {"HMAC-DRBG", try_random},
    {"seal: AES-256-GCM", try_seal},
    {"unseal: AES-256-GCM", try_unseal},
    {"unseal: wrong tag", try_unseal_changed},
    {"NV memory", try_nv},
    {"evidence: ECDSA P-256", try_ecdsa},
    {"RSA-2048 signature", try_rsa},
};

static const struct operation planted[] = {
    {"planted comparison", plant_comparison},
    {"planted lookup", plant_lookup},
};

static void run(const struct operation *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned long before = VALGRIND_COUNT_ERRORS;
        list[i].run();
        bool is_leak = VALGRIND_COUNT_ERRORS != before;
        printf("%s %s\n", is_leak ? "leak" : "ok", list[i].name);
        has_failed = has_failed || is_leak;
        if (list[i].run == try_ecdsa) {
            make_rsa_key();
        }
    }
}

int main(int count, char *arguments[])
{
    if (RUNNING_ON_VALGRIND == 0) {
        fprintf(stderr, "constant_time: valgrind must run this\n");
        return 2;
    }
    memset(&pcrs, 0x42, sizeof(pcrs));
    if (count == 2 && strcmp(arguments[1], "planted") == 0) {
        try_root();
        run(planted, sizeof(planted) / sizeof(planted[0]));
    } else {
        run(operations, sizeof(operations) / sizeof(operations[0]));
    }
    return has_failed ? 1 : 0;
}
