/* A PAL that uses every service, and says which one did not do what it should. */
#include <bearssl.h>
#include <nacre/pal.h>

#define SECRET_BYTES 32U

static uint32_t calls;
static uint8_t secret[SECRET_BYTES] = "in .data, and part of the PAL";
static uint8_t large[5000]; /* more than a page of zeros */

static uint32_t use_registers(void)
{
    uint8_t before[32], after[32], digest[32] = {1};
    br_sha256_context hash;

    if (pal_pcr_read(1, before) != TV_OK || pal_pcr_extend(1, digest) != TV_OK ||
        pal_pcr_read(1, after) != TV_OK) {
        return 1;
    }
    br_sha256_init(&hash);
    br_sha256_update(&hash, before, sizeof(before));
    br_sha256_update(&hash, digest, sizeof(digest));
    br_sha256_out(&hash, before);
    return !pal_equal(before, after, sizeof(after)) || pal_pcr_read(8, after) != TV_ERROR_PCR;
}

static uint32_t use_sealing(void)
{
    uint8_t blob[PAL_SEALED_BYTES(SECRET_BYTES)], back[SECRET_BYTES];
    uint32_t bytes = sizeof(back);

    if (pal_seal(secret, SECRET_BYTES, blob) != TV_OK ||
        pal_unseal(blob, sizeof(blob), back, &bytes) != TV_OK || bytes != SECRET_BYTES) {
        return 1;
    }
    blob[sizeof(blob) / 2] ^= 1;
    return memcmp(back, secret, SECRET_BYTES) != 0 ||
           pal_unseal(blob, sizeof(blob), back, &bytes) != TV_ERROR_BLOB_CHANGED;
}

static uint32_t use_random(void)
{
    uint8_t a[32], b[32];

    return pal_random(a, sizeof(a)) != TV_OK || pal_random(b, sizeof(b)) != TV_OK ||
           pal_equal(a, b, sizeof(a)) || pal_random(large, sizeof(large)) != TV_ERROR_LENGTH;
}

static uint32_t use_nv(void)
{
    uint8_t content[TV_NV_BYTES] = {7}, back[TV_NV_BYTES];

    return pal_nv_write(content) != TV_OK || pal_nv_read(back) != TV_OK || back[0] != 7;
}

/* Memory that is not the PAL's: CODE may be read, nothing else. */
static uint32_t use_foreign(const void *foreign)
{
    static const uint8_t constant[32];

    return pal_random((void *)constant, 1) != TV_ERROR_ADDRESS ||
           pal_pcr_extend(2, constant) != TV_OK ||
           pal_service(TV_PCR_READ, (uintptr_t)foreign, 0, 0, 0) != TV_ERROR_ADDRESS ||
           pal_service(TV_REG, 0, 0, 0, 0) == TV_OK || pal_service(TV_TEST, 1, 0, 0, 0) != TV_OK;
}

/* All of the old interface's numbers are there as well. */
static uint32_t use_old(void)
{
    uint8_t value[20];

    return pal_service(TV_PCRREAD, 0, (uintptr_t)value, 0, 0) != TV_OK;
}

static uintptr_t all(uintptr_t foreign, const uint8_t *nonce, uint8_t *evidence, uint8_t *key,
                     uint32_t *sizes)
{
    uint32_t failed = use_registers() | use_sealing() << 1 | use_random() << 2 | use_nv() << 3 |
                      use_foreign((const void *)foreign) << 4 | use_old() << 5;

    sizes[0] = TV_EVIDENCE_MAX;
    sizes[1] = TV_QUOTE_KEY_BYTES;
    uint8_t data[64] = "said by the PAL";
    failed |= (uint32_t)(pal_quote(3, nonce, data, evidence, &sizes[0]) != TV_OK) << 7;
    failed |= (uint32_t)(pal_quote_key(key, &sizes[1]) != TV_OK) << 8;
    sizes[2] = ++calls;
    return failed;
}

PAL(all, PAL_INTEGER, PAL_IN(32), PAL_OUT(TV_EVIDENCE_MAX), PAL_OUT(TV_QUOTE_KEY_BYTES),
    PAL_OUT(12));
