/* Services of Nacre's own interface, on the SHA-256 bank; CX is the address of a structure. */
#include "service_parts.h"

#include <string.h>

static enum tv_error write_value(struct tv_service *service, const uint8_t value[32])
{
    return tv_service_write(service, service->cx + offsetof(struct tv_pcr_value, value), value, 32);
}

static enum tv_error pcr_read(struct tv_service *service)
{
    struct tv_pcr_value value;
    enum tv_error error = tv_service_read(service, service->cx, &value, sizeof(value));

    if (error == TV_OK && value.index >= TV_PCRS) {
        error = TV_ERROR_PCR;
    }
    if (error == TV_OK) {
        error = write_value(service, service->pcrs->pcr[value.index].sha256);
    }
    return error;
}

static enum tv_error pcr_extend(struct tv_service *service)
{
    struct tv_pcr_value value;
    enum tv_error error = tv_service_read(service, service->cx, &value, sizeof(value));

    if (error != TV_OK) {
        return error;
    }
    /* The register changes after everything that can fail. */
    struct tv_pcrs extended = *service->pcrs;
    error = tv_pcr_extend_sha256(&extended, value.index, value.value);
    if (error == TV_OK) {
        error = write_value(service, extended.pcr[value.index].sha256);
    }
    if (error == TV_OK) {
        *service->pcrs = extended;
    }
    return error;
}

static enum tv_error random_bytes(struct tv_service *service)
{
    struct tv_buffer wanted;
    uint8_t *output = NULL;
    enum tv_error error = tv_service_read(service, service->cx, &wanted, sizeof(wanted));

    if (error == TV_OK && wanted.length > TV_RANDOM_MAX) {
        error = TV_ERROR_LENGTH;
    }
    if (error == TV_OK) {
        output = tv_service_output(service, wanted.length);
        error = tv_random_get(service->random, output, wanted.length);
    }
    if (error == TV_OK) {
        error = tv_service_write(service, wanted.address, output, wanted.length);
    }
    return error;
}

static enum tv_error check_seal(const struct tv_seal *seal)
{
    if ((seal->flags & ~(TV_SEAL_DIGEST | TV_SEAL_IDENTITY)) != 0) {
        return TV_ERROR_FLAGS;
    }
    if (!tv_service_is_selection(seal->selection)) {
        return TV_ERROR_PCR;
    }
    /* In 64 bits: the sum cannot wrap. */
    return seal->blob_bytes < (uint64_t)seal->data_bytes + TV_SEALED_OVERHEAD ? TV_ERROR_LENGTH
                                                                              : TV_OK;
}

static enum tv_error seal_data(struct tv_service *service)
{
    struct tv_seal seal;
    struct tv_seal_policy policy;
    enum tv_error error = tv_service_read(service, service->cx, &seal, sizeof(seal));

    if (error == TV_OK) {
        error = check_seal(&seal);
    }
    if (error != TV_OK) {
        return error;
    }
    tv_service_policy(service, TV_BANK_SHA256, seal.selection, &policy);
    if ((seal.flags & TV_SEAL_DIGEST) != 0) {
        memcpy(policy.digest_at_release, seal.digest, sizeof(policy.digest_at_release));
    }
    if ((seal.flags & TV_SEAL_IDENTITY) != 0) {
        memcpy(policy.identity, seal.identity, sizeof(policy.identity));
    }
    error = tv_service_seal(service, &policy, seal.data, seal.data_bytes);
    uint32_t bytes = seal.data_bytes + TV_SEALED_OVERHEAD;
    if (error == TV_OK) {
        error = tv_service_write(service, seal.blob, tv_service_output(service, bytes), bytes);
    }
    if (error == TV_OK) {
        error = tv_service_put_size(service, offsetof(struct tv_seal, blob_bytes), bytes);
    }
    return error;
}

static enum tv_error unseal_data(struct tv_service *service)
{
    struct tv_unseal unseal;
    struct tv_seal_policy policy;
    size_t bytes = 0;
    enum tv_error error = tv_service_read(service, service->cx, &unseal, sizeof(unseal));

    if (error == TV_OK) {
        error = tv_service_unseal(service, TV_BANK_SHA256, unseal.blob, unseal.blob_bytes, &bytes,
                                  &policy);
    }
    if (error == TV_OK && bytes > unseal.data_bytes) {
        error = TV_ERROR_LENGTH;
    }
    if (error == TV_OK) {
        error = tv_service_write(service, unseal.data, tv_service_output(service, bytes), bytes);
    }
    if (error != TV_OK) {
        return error;
    }
    unseal.data_bytes = (uint32_t)bytes;
    memcpy(unseal.sealer, policy.sealer, sizeof(unseal.sealer));
    memcpy(unseal.digest_at_creation, policy.digest_at_creation, sizeof(unseal.digest_at_creation));
    const size_t back = offsetof(struct tv_unseal, data_bytes);
    return tv_service_write(service, service->cx + back, (const uint8_t *)&unseal + back,
                            sizeof(unseal) - back);
}

enum tv_error tv_service_new(struct tv_service *service)
{
    switch (service->number) {
    case TV_PCR_READ:
        return pcr_read(service);
    case TV_PCR_EXTEND:
        return pcr_extend(service);
    case TV_RANDOM:
        return random_bytes(service);
    case TV_SEAL_DATA:
        return seal_data(service);
    case TV_UNSEAL_DATA:
        return unseal_data(service);
    case TV_QUOTE_PAL:
        return tv_service_quote_new(service);
    default:
        return tv_service_quote_key(service);
    }
}
