/* The RSA key of the old interface's quotes. */
#include <string.h>
#include <tv/random.h>
#include <tv/tpm.h>
#include <world/world.h>

enum { RSA_NONE, RSA_MAKING, RSA_READY };
#define RSA_EXPONENT 65537U

/* A generator that lets the other CPUs' stops through: a key takes billions of instructions. */
struct polling {
    const br_prng_class *vtable;
    br_hmac_drbg_context drbg;
    unsigned cpu;
};

static void polling_generate(const br_prng_class **context, void *to, size_t bytes)
{
    struct polling *self = (struct polling *)(uintptr_t)context;
    world_poll(self->cpu);
    br_hmac_drbg_generate(&self->drbg, to, bytes);
}

static const br_prng_class polling_class = {
    .context_size = sizeof(struct polling),
    .generate = polling_generate,
};

static void make(struct tv_root *root, unsigned cpu)
{
    struct polling random = {.vtable = &polling_class, .cpu = cpu};

    br_hmac_drbg_init(&random.drbg, &br_sha256_vtable, root->rsa_seed, sizeof(root->rsa_seed));
    while (br_rsa_i62_keygen(&random.vtable, &root->rsa, root->rsa_private_buffer,
                             &root->rsa_public, root->rsa_public_buffer, TV_RSA_BYTES * 8,
                             RSA_EXPONENT) == 0) {
    }
    tv_wipe(&random, sizeof(random));
}

enum tv_error tv_root_rsa(struct tv_root *root, unsigned cpu)
{
    uint32_t state = RSA_NONE;

    if (root->source == TV_ROOT_NONE) {
        return TV_ERROR_NO_ROOT;
    }
    if (__atomic_compare_exchange_n(&root->rsa_state, &state, RSA_MAKING, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_ACQUIRE)) {
        make(root, cpu);
        __atomic_store_n(&root->rsa_state, RSA_READY, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&root->rsa_state, __ATOMIC_ACQUIRE) == RSA_MAKING) {
        world_poll(cpu);
    }
    return TV_OK;
}

bool tv_root_has_rsa(const struct tv_root *root)
{
    return __atomic_load_n(&root->rsa_state, __ATOMIC_ACQUIRE) == RSA_READY;
}

void tv_root_rsa_der(const struct tv_root *root, uint8_t der[TV_RSA_DER_BYTES])
{
    /* SEQUENCE {INTEGER modulus, INTEGER exponent}: the modulus has its highest bit set. */
    static const uint8_t head[] = {0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00};
    static const uint8_t tail[] = {0x02, 0x03, 0x01, 0x00, 0x01};
    _Static_assert(sizeof(head) + TV_RSA_BYTES + sizeof(tail) == TV_RSA_DER_BYTES, "of 2048 bits");

    memcpy(der, head, sizeof(head));
    memcpy(der + sizeof(head), root->rsa_public.n, TV_RSA_BYTES);
    memcpy(der + sizeof(head) + TV_RSA_BYTES, tail, sizeof(tail));
}

void tv_rsa_sign(const struct tv_root *root, const void *data, size_t bytes,
                 uint8_t signature[TV_RSA_BYTES])
{
    br_sha1_context hash;
    uint8_t digest[20];

    br_sha1_init(&hash);
    br_sha1_update(&hash, data, bytes);
    br_sha1_out(&hash, digest);
    (void)br_rsa_i62_pkcs1_sign(BR_HASH_OID_SHA1, digest, sizeof(digest), &root->rsa, signature);
}
