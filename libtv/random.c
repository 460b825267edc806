#include <string.h>
#include <tv/random.h>

/* Never inline: then the compiler cannot know that nobody reads the zeros. */
__attribute__((noinline)) void tv_wipe(void *start, size_t bytes)
{
    memset(start, 0, bytes);
}

enum tv_error tv_random_get(struct tv_random *random, void *to, size_t bytes)
{
    uint8_t entropy[TV_ENTROPY_BYTES];
    enum tv_error error = bytes <= TV_RANDOM_MAX ? tv_entropy(entropy) : TV_ERROR_LENGTH;

    if (error != TV_OK) {
        memset(to, 0, bytes);
        return error;
    }
    if (!random->seeded) {
        br_hmac_drbg_init(&random->drbg, &br_sha256_vtable, entropy, sizeof(entropy));
        random->seeded = true;
    } else {
        br_hmac_drbg_update(&random->drbg, entropy, sizeof(entropy));
    }
    br_hmac_drbg_generate(&random->drbg, to, bytes);
    tv_wipe(entropy, sizeof(entropy));
    return TV_OK;
}
