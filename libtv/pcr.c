/* Platform configuration registers of a PAL, and digests of several of them. */
#include <string.h>
#include <tv/tpm.h>

void tv_pcrs_begin(struct tv_pcrs *pcrs, const struct tv_measurement *identity)
{
    *pcrs = (struct tv_pcrs){.identity = *identity, .pcr[0] = *identity};
}

enum tv_error tv_pcr_extend_sha1(struct tv_pcrs *pcrs, uint32_t index, const uint8_t digest[20])
{
    br_sha1_context hash;

    if (index >= TV_PCRS) {
        return TV_ERROR_PCR;
    }
    br_sha1_init(&hash);
    br_sha1_update(&hash, pcrs->pcr[index].sha1, 20);
    br_sha1_update(&hash, digest, 20);
    br_sha1_out(&hash, pcrs->pcr[index].sha1);
    return TV_OK;
}

enum tv_error tv_pcr_extend_sha256(struct tv_pcrs *pcrs, uint32_t index, const uint8_t digest[32])
{
    br_sha256_context hash;

    if (index >= TV_PCRS) {
        return TV_ERROR_PCR;
    }
    br_sha256_init(&hash);
    br_sha256_update(&hash, pcrs->pcr[index].sha256, 32);
    br_sha256_update(&hash, digest, 32);
    br_sha256_out(&hash, pcrs->pcr[index].sha256);
    return TV_OK;
}

size_t tv_composite_sha1(const struct tv_pcrs *pcrs, uint8_t bitmap, uint8_t *composite,
                         uint8_t digest[20])
{
    uint8_t all[TV_PCR_COMPOSITE_MAX] = {1, 0, bitmap};
    size_t bytes = 7;
    br_sha1_context hash;

    for (unsigned i = 0; i < TV_PCRS; i++) {
        if ((bitmap >> i & 1) != 0) {
            memcpy(all + bytes, pcrs->pcr[i].sha1, 20);
            bytes += 20;
        }
    }
    all[6] = (uint8_t)(bytes - 7); /* at most 160: the other bytes of the big-endian u32 are 0 */
    br_sha1_init(&hash);
    br_sha1_update(&hash, all, bytes);
    br_sha1_out(&hash, digest);
    if (composite != NULL) {
        memcpy(composite, all, bytes);
    }
    return bytes;
}

void tv_composite_sha256(const struct tv_pcrs *pcrs, uint32_t selection, uint8_t digest[32])
{
    br_sha256_context hash;

    br_sha256_init(&hash);
    br_sha256_update(&hash, &selection, sizeof(selection));
    for (unsigned i = 0; i < TV_PCRS; i++) {
        if ((selection >> i & 1) != 0) {
            br_sha256_update(&hash, pcrs->pcr[i].sha256, 32);
        }
    }
    br_sha256_out(&hash, digest);
}
