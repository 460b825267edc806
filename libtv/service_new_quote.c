/* Services of our own interface that sign, with ECDSA on P-256, or give the key for that. */
#include "service_parts.h"

enum tv_error tv_service_quote_new(struct tv_service *service)
{
    struct tv_quote quote;
    uint8_t *evidence = tv_service_output(service, TV_EVIDENCE_MAX);
    enum tv_error error = tv_service_needs_root(service);

    if (error == TV_OK) {
        error = tv_service_read(service, service->cx, &quote, sizeof(quote));
    }
    if (error == TV_OK && !tv_service_is_selection(quote.selection)) {
        error = TV_ERROR_PCR;
    }
    if (error != TV_OK) {
        return error;
    }
    /* How long a signature is shows when it is made. */
    uint32_t bytes = (uint32_t)tv_evidence_make(&service->platform->root, service->pcrs,
                                                quote.selection, quote.nonce, quote.data, evidence);
    if (bytes > quote.evidence_bytes) {
        return TV_ERROR_LENGTH;
    }
    error = tv_service_write(service, quote.evidence, evidence, bytes);
    if (error == TV_OK) {
        error = tv_service_put_size(service, offsetof(struct tv_quote, evidence_bytes), bytes);
    }
    return error;
}

enum tv_error tv_service_quote_key(struct tv_service *service)
{
    struct tv_buffer room;
    const uint32_t bytes = TV_QUOTE_KEY_BYTES;
    enum tv_error error = tv_service_needs_root(service);

    if (error == TV_OK) {
        error = tv_service_read(service, service->cx, &room, sizeof(room));
    }
    if (error == TV_OK && room.length < bytes) {
        error = TV_ERROR_LENGTH;
    }
    if (error == TV_OK) {
        error = tv_service_write(service, room.address, service->platform->root.p256_key, bytes);
    }
    if (error == TV_OK) {
        error = tv_service_put_size(service, offsetof(struct tv_buffer, length), bytes);
    }
    return error;
}
