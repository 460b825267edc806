/*
 * Does what libtv does with secrets, with every secret marked as undefined for valgrind's memcheck:
 * it then reports each branch and each address that depends on one.  What may be known to everybody
 * is marked as defined where it becomes so, as narrowly as possible.
 *
 *     constant_time           all of it
 *     constant_time leak      two deliberate leaks, which must be reported
 *
 * Not here: making RSA keys, whose search for primes BearSSL does not claim to be constant-time.
 * It runs once a boot and nobody can have it repeated.  Comparisons of identities and registers are
 * of values that everybody may know.
 */
#include <hw/cpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tv/random.h>
#include <tv/tpm.h>
#include <valgrind/memcheck.h>
#include <world/world.h>

#define BYTES 100U

static void hide(const void *start, size_t bytes)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(start, bytes);
}

static void publish(const void *start, size_t bytes)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(start, bytes);
}

static void must(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "constant_time: %s\n", what);
        exit(2);
    }
}

/* Else nothing secret came here, and silence about it means nothing. */
static void must_depend(const void *start, size_t bytes, const char *what)
{
    uint8_t bits[TV_SEALED_MAX], any = 0;

    must(bytes <= sizeof(bits), "too much at once");
    must(VALGRIND_GET_VBITS(start, bits, bytes) == 1, "cannot see what valgrind knows");
    for (size_t i = 0; i < bytes; i++) {
        any |= bits[i];
    }
    if (any == 0) {
        fprintf(stderr, "constant_time: no secret reached %s\n", what);
        exit(2);
    }
}

/* What the machine does for libtv ---------------------------------------------------------------*/

bool hw_random(uint64_t *value)
{
    static uint64_t state = 1;

    publish(&state, sizeof(state));
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    *value = state;
    hide(value, sizeof(*value));
    return true;
}

uint64_t hw_rdtsc(void)
{
    return __builtin_ia32_rdtsc();
}

void hw_pause(void)
{
}

void world_poll(unsigned cpu)
{
    (void)cpu;
}

/* Where secrets become public (linked with --wrap) ----------------------------------------------*/

/* The verdict: who gave a blob is told whether it opened. */
uint32_t __real_br_gcm_check_tag(br_gcm_context *gcm, const void *tag);
uint32_t __wrap_br_gcm_check_tag(br_gcm_context *gcm, const void *tag);
uint32_t __wrap_br_gcm_check_tag(br_gcm_context *gcm, const void *tag)
{
    uint32_t is_right = __real_br_gcm_check_tag(gcm, tag);

    must_depend(&is_right, sizeof(is_right), "the verdict on a tag");
    publish(&is_right, sizeof(is_right));
    return is_right;
}

/* The signature is complete; how long its DER is depends on its value. */
size_t __real_br_ecdsa_raw_to_asn1(void *signature, size_t bytes);
size_t __wrap_br_ecdsa_raw_to_asn1(void *signature, size_t bytes);
size_t __wrap_br_ecdsa_raw_to_asn1(void *signature, size_t bytes)
{
    must_depend(signature, bytes, "the ECDSA signature");
    publish(signature, bytes);
    return __real_br_ecdsa_raw_to_asn1(signature, bytes);
}

/* What libtv does -------------------------------------------------------------------------------*/

static struct tv_root root;
static struct tv_pcrs pcrs;

static void derive_keys(void)
{
    uint8_t secret[TV_ROOT_BYTES];

    for (unsigned i = 0; i < sizeof(secret); i++) {
        secret[i] = (uint8_t)i; /* whose RSA key is found soon */
    }
    hide(secret, sizeof(secret));
    tv_root_init(&root, TV_ROOT_MODULE, false, secret);
    must_depend(root.seal_key, sizeof(root.seal_key), "the sealing key");
    must_depend(root.nv_key, sizeof(root.nv_key), "the NV key");
    must_depend(root.p256_secret, sizeof(root.p256_secret), "the P-256 secret");
    must_depend(root.p256_key, sizeof(root.p256_key), "the P-256 key");
    publish(root.p256_key, sizeof(root.p256_key));
    publish(root.p256_key_id, sizeof(root.p256_key_id));
}

static void make_random(void)
{
    static struct tv_random random;
    uint8_t bytes[BYTES];

    for (unsigned i = 0; i < 2; i++) { /* seeded, and seeded again */
        must(tv_random_get(&random, bytes, sizeof(bytes)) == TV_OK, "no random numbers");
        must_depend(bytes, sizeof(bytes), "random numbers");
    }
}

static void seal_and_unseal(const struct tv_seal_policy *policy)
{
    static const uint8_t salt[32] = {1};
    uint8_t data[BYTES] = {2}, blob[BYTES + TV_SEALED_OVERHEAD], back[BYTES];
    struct tv_seal_policy found;
    size_t bytes;

    hide(data, sizeof(data));
    tv_seal(&root, policy, salt, data, sizeof(data), blob);
    must_depend(blob, sizeof(blob), "the sealed blob");
    publish(blob, sizeof(blob));
    must(tv_unseal(&root, &pcrs, policy->bank, blob, sizeof(blob), back, &bytes, &found) == TV_OK,
         "the blob does not open");
    must(bytes == sizeof(back), "the blob's data have another size");
    must_depend(back, sizeof(back), "what was unsealed");
    publish(back, sizeof(back));
    must(back[0] == 2, "what was unsealed is something else");

    blob[sizeof(blob) - 1] ^= 1; /* of the tag */
    must(tv_unseal(&root, &pcrs, policy->bank, blob, sizeof(blob), back, &bytes, &found) ==
             TV_ERROR_BLOB_CHANGED,
         "a changed blob opens");
}

static void seal_all(void)
{
    struct tv_seal_policy policy = {.bank = TV_BANK_SHA256, .selection = 3, .bound = true};
    static const uint8_t salt[32] = {1};
    uint8_t content[TV_NV_BYTES] = {3}, blob[TV_NV_BLOB_BYTES];

    tv_composite_sha256(&pcrs, policy.selection, policy.digest_at_release);
    seal_and_unseal(&policy);
    policy = (struct tv_seal_policy){.bank = TV_BANK_SHA1, .bound = true};
    seal_and_unseal(&policy);

    hide(content, sizeof(content));
    tv_nv_seal(&root, salt, content, blob);
    must_depend(blob, sizeof(blob), "the blob of NV memory");
    publish(blob, sizeof(blob));
    must(tv_nv_unseal(&root, blob, content) == TV_OK, "NV memory does not open");
    must_depend(content, sizeof(content), "NV memory");
    blob[20] ^= 1; /* of the salt */
    must(tv_nv_unseal(&root, blob, content) == TV_ERROR_BLOB_CHANGED, "changed NV memory opens");
}

static void sign_p256(void)
{
    static const uint8_t nonce[32] = {4}, data[64] = {5};
    uint8_t evidence[TV_EVIDENCE_MAX];

    must(tv_evidence_make(&root, &pcrs, 3, nonce, data, evidence) > sizeof(struct tv_evidence),
         "no evidence");
}

static void sign_rsa(void)
{
    uint8_t signature[TV_RSA_BYTES];
    br_rsa_private_key *key = &root.rsa;

    publish(root.rsa_seed, sizeof(root.rsa_seed)); /* making the key is not what is tried */
    must(tv_root_rsa(&root, 0) == TV_OK, "no RSA key");
    /* BearSSL looks for how long a prime is; the highest byte is not 0: all have 1024 bits. */
    hide(key->p + 1, key->plen - 1);
    hide(key->q + 1, key->qlen - 1);
    hide(key->dp, key->dplen);
    hide(key->dq, key->dqlen);
    hide(key->iq, key->iqlen);
    tv_rsa_sign(&root, "data", 4, signature);
    must_depend(signature, sizeof(signature), "the RSA signature");
}

/* Leaks, which must be found --------------------------------------------------------------------*/

static const uint8_t guess[16] = {1, 2, 3};
static const uint8_t table[256] = {7, 8, 9};

/* Ends at the first difference, which the time tells. */
static __attribute__((noinline)) int leaking_compare(const uint8_t *secret)
{
    for (unsigned i = 0; i < sizeof(guess); i++) {
        if (*(const volatile uint8_t *)(secret + i) != guess[i]) {
            return 0;
        }
    }
    return 1;
}

/* Which line of the cache is loaded, other programs can find out. */
static __attribute__((noinline)) uint8_t leaking_table(const uint8_t *secret)
{
    return *(const volatile uint8_t *)(table + secret[0]);
}

static void leak(void)
{
    uint8_t secret[16] = {1, 2, 4}, value;
    int result;

    hide(secret, sizeof(secret));
    result = leaking_compare(secret);
    publish(&result, sizeof(result));
    value = leaking_table(secret);
    publish(&value, sizeof(value));
    must(result == 0 && value == 8, "the leaks were not run");
}

int main(int count, char *arguments[])
{
    must(RUNNING_ON_VALGRIND != 0, "not running under valgrind: there is nothing to see");
    if (count == 2 && strcmp(arguments[1], "leak") == 0) {
        leak();
        return 0;
    }
    must(count == 1, "usage: constant_time [leak]");
    derive_keys();
    make_random();
    seal_all();
    sign_p256();
    sign_rsa();
    return 0;
}
