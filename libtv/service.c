/* Services of the micro-TPM: which there are, and what both interfaces do alike. */
#include "service_parts.h"

#include <string.h>

_Static_assert(TV_SERVICE_BUFFER_BYTES >= TV_RANDOM_MAX + TV_SEALED_MAX &&
                   TV_RANDOM_MAX >= TV_SEALED_MAX,
               "each half of the buffer takes the most that one call has");

static bool is_new(uint32_t number)
{
    return number >= TV_PCR_READ && number <= TV_QUOTE_KEY;
}

bool tv_is_service(uint32_t number)
{
    return (number >= TV_SEAL_1 && number <= TV_ID_GETPUB && number != TV_SHARE) ||
           (number >= TV_NV_GETSIZE && number <= TV_NV_WRITEALL) || is_new(number);
}

enum tv_error tv_service_needs_root(struct tv_service *service)
{
    return service->platform->root.source == TV_ROOT_NONE ? TV_ERROR_NO_ROOT : TV_OK;
}

void tv_service_policy(struct tv_service *service, enum tv_bank bank, uint32_t selection,
                       struct tv_seal_policy *policy)
{
    const uint8_t *own = service->pcrs->identity.sha256;

    memset(policy, 0, sizeof(*policy));
    policy->bank = bank;
    policy->selection = selection;
    if (bank == TV_BANK_SHA1) {
        tv_composite_sha1(service->pcrs, (uint8_t)selection, NULL, policy->digest_at_creation);
    } else {
        tv_composite_sha256(service->pcrs, selection, policy->digest_at_creation);
    }
    memcpy(policy->digest_at_release, policy->digest_at_creation,
           sizeof(policy->digest_at_release));
    policy->bound = true;
    memcpy(policy->identity, own, sizeof(policy->identity));
    memcpy(policy->sealer, own, sizeof(policy->sealer));
}

enum tv_error tv_service_seal(struct tv_service *service, const struct tv_seal_policy *policy,
                              uint64_t data, uint64_t bytes)
{
    uint8_t salt[32], *input = NULL;
    enum tv_error error = tv_service_needs_root(service);

    if (error == TV_OK && bytes > TV_SEALED_MAX - TV_SEALED_OVERHEAD) {
        error = TV_ERROR_LENGTH;
    }
    if (error == TV_OK) {
        input = tv_service_input(service, bytes);
        error = tv_service_read(service, data, input, bytes);
    }
    if (error == TV_OK) {
        error = tv_random_get(service->random, salt, sizeof(salt));
    }
    if (error == TV_OK) {
        tv_seal(&service->platform->root, policy, salt, input, bytes,
                tv_service_output(service, bytes + TV_SEALED_OVERHEAD));
    }
    return error;
}

enum tv_error tv_service_unseal(struct tv_service *service, enum tv_bank bank, uint64_t blob,
                                uint64_t blob_bytes, size_t *bytes, struct tv_seal_policy *policy)
{
    uint8_t *input = NULL;
    enum tv_error error = tv_service_needs_root(service);

    if (error == TV_OK && blob_bytes > TV_SEALED_MAX) {
        error = TV_ERROR_LENGTH;
    }
    if (error == TV_OK && blob_bytes < TV_SEALED_OVERHEAD) {
        error = TV_ERROR_BLOB_FORMAT; /* less than even an empty one has */
    }
    if (error == TV_OK) {
        input = tv_service_input(service, blob_bytes);
        error = tv_service_read(service, blob, input, blob_bytes);
    }
    if (error == TV_OK) {
        error =
            tv_unseal(&service->platform->root, service->pcrs, bank, input, blob_bytes,
                      tv_service_output(service, blob_bytes - TV_SEALED_OVERHEAD), bytes, policy);
    }
    return error;
}

enum tv_error tv_service(const struct tv_service *service)
{
    struct tv_service call = *service;
    enum tv_error error;

    if (call.word_bytes == 4) { /* 32-bit code leaves anything in the upper halves */
        call.cx = (uint32_t)call.cx;
        call.dx = (uint32_t)call.dx;
        call.si = (uint32_t)call.si;
        call.di = (uint32_t)call.di;
    }
    if (!tv_is_service(call.number)) {
        return TV_ERROR_UNKNOWN_NUMBER;
    }
    error = is_new(call.number) ? tv_service_new(&call) : tv_service_old(&call);
    /* Secrets of one PAL's never wait there for the next one. */
    tv_wipe(call.buffer, call.input_used);
    tv_wipe(call.buffer + TV_RANDOM_MAX, call.output_used);
    return error;
}
