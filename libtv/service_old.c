/* Services of the old interface: registers, random numbers and sealing, with the SHA-1 bank. */
#include "service_parts.h"

#include <string.h>

#define DIGEST_BYTES 20U

enum tv_error tv_service_pair(struct tv_service *service, uint64_t from, struct tv_pair64 *pair)
{
    struct tv_pair32 narrow;
    if (service->word_bytes != sizeof(narrow.address)) {
        return tv_service_read(service, from, pair, sizeof(*pair));
    }
    enum tv_error error = tv_service_read(service, from, &narrow, sizeof(narrow));
    if (error == TV_OK) {
        *pair = (struct tv_pair64){narrow.address, narrow.length};
    }
    return error;
}

enum tv_error tv_service_put(struct tv_service *service, const struct tv_pair64 *pair,
                             const void *from, size_t bytes)
{
    uint32_t length = (uint32_t)bytes;
    enum tv_error error = tv_service_write(service, pair->address, from, bytes);
    return error == TV_OK ? tv_service_write(service, pair->length, &length, sizeof(length))
                          : error;
}

enum tv_error tv_service_selection(const struct tv_pcr_selection *selection)
{
    return selection->size == sizeof(selection->bitmap) ? TV_OK : TV_ERROR_PCR;
}

static enum tv_error pcr_read(struct tv_service *service)
{
    uint32_t index = (uint32_t)service->cx;
    return index < TV_PCRS ? tv_service_write(service, service->dx, service->pcrs->pcr[index].sha1,
                                              DIGEST_BYTES)
                           : TV_ERROR_PCR;
}

static enum tv_error pcr_extend(struct tv_service *service)
{
    uint8_t digest[DIGEST_BYTES];
    enum tv_error error = tv_service_read(service, service->dx, digest, sizeof(digest));
    return error == TV_OK ? tv_pcr_extend_sha1(service->pcrs, (uint32_t)service->cx, digest)
                          : error;
}

static enum tv_error random_bytes(struct tv_service *service)
{
    const struct tv_pair64 to = {service->cx, service->dx};
    uint8_t *output = NULL;
    uint32_t length;
    enum tv_error error = tv_service_read(service, to.length, &length, sizeof(length));

    if (error == TV_OK && length > TV_RANDOM_MAX) {
        error = TV_ERROR_LENGTH;
    }
    if (error == TV_OK) {
        output = tv_service_output(service, length);
        error = tv_random_get(service->random, output, length);
    }
    return error == TV_OK ? tv_service_put(service, &to, output, length) : error;
}

/* CX: what to seal, SI: where the blob goes. */
static enum tv_error seal(struct tv_service *service, uint8_t bitmap,
                          const uint8_t digest_at_release[DIGEST_BYTES])
{
    struct tv_seal_policy policy;
    struct tv_pair64 data, blob;
    enum tv_error error = tv_service_pair(service, service->cx, &data);

    if (error == TV_OK) {
        error = tv_service_pair(service, service->si, &blob);
    }
    if (error != TV_OK) {
        return error;
    }
    tv_service_policy(service, TV_BANK_SHA1, bitmap, &policy);
    memcpy(policy.digest_at_release, digest_at_release, DIGEST_BYTES);
    /* Another identity at release: sealed to another PAL, which is known by register 0 alone. */
    policy.bound = (bitmap & 1) == 0 ||
                   memcmp(digest_at_release, policy.digest_at_creation, DIGEST_BYTES) == 0;
    error = tv_service_seal(service, &policy, data.address, data.length);
    if (error != TV_OK) {
        return error;
    }
    size_t bytes = data.length + TV_SEALED_OVERHEAD;
    return tv_service_put(service, &blob, tv_service_output(service, bytes), bytes);
}

static enum tv_error seal_with_info(struct tv_service *service)
{
    struct tv_pcr_info info;
    enum tv_error error = tv_service_read(service, service->dx, &info, sizeof(info));

    if (error == TV_OK) {
        error = tv_service_selection(&info.selection);
    }
    return error == TV_OK ? seal(service, info.selection.bitmap, info.digest_at_release) : error;
}

/* The first interface gives register 0 at release itself, or none: as it is now. */
static enum tv_error seal_first(struct tv_service *service)
{
    struct tv_pcrs at_release = *service->pcrs;
    uint8_t digest[DIGEST_BYTES];
    enum tv_error error = TV_OK;

    if (service->dx != 0) {
        error = tv_service_read(service, service->dx, at_release.pcr[0].sha1, DIGEST_BYTES);
    }
    if (error != TV_OK) {
        return error;
    }
    tv_composite_sha1(&at_release, 1, NULL, digest);
    return seal(service, 1, digest);
}

static enum tv_error unseal(struct tv_service *service)
{
    struct tv_seal_policy policy;
    struct tv_pair64 blob, data;
    size_t bytes = 0;
    enum tv_error error = tv_service_pair(service, service->cx, &blob);

    if (error == TV_OK) {
        error = tv_service_pair(service, service->dx, &data);
    }
    if (error == TV_OK) {
        error =
            tv_service_unseal(service, TV_BANK_SHA1, blob.address, blob.length, &bytes, &policy);
    }
    if (error == TV_OK) {
        error = tv_service_put(service, &data, tv_service_output(service, bytes), bytes);
    }
    /* The first interface does not ask for the sealer's registers. */
    if (error == TV_OK && service->number == TV_UNSEAL) {
        error = tv_service_write(service, service->si, policy.digest_at_creation, DIGEST_BYTES);
    }
    return error;
}

enum tv_error tv_service_old(struct tv_service *service)
{
    switch (service->number) {
    case TV_SEAL_1:
        return seal_first(service);
    case TV_UNSEAL_1:
    case TV_UNSEAL:
        return unseal(service);
    case TV_QUOTE_1:
        return tv_service_quote_first(service);
    case TV_PCRREAD:
        return pcr_read(service);
    case TV_PCREXT:
        return pcr_extend(service);
    case TV_GENRAND:
        return random_bytes(service);
    case TV_SEAL:
        return seal_with_info(service);
    case TV_QUOTE:
        return tv_service_quote_old(service);
    case TV_ID_GETPUB:
        return tv_service_public_key(service);
    default:
        return tv_service_nv(service);
    }
}
