/* Services of the old interface that sign, with RSA-2048 and SHA-1, or give the key for that. */
#include "service_parts.h"

#include <string.h>

#define NONCE_BYTES 20U
#define VALUE_BYTES 20U
/* Of the first interface: head, list, values, nonce, signature, modulus. */
#define FIRST_QUOTE_MAX                                                                            \
    (TV_QUOTE_HEAD_BYTES + sizeof(uint32_t[1 + TV_PCRS]) + sizeof(uint8_t[TV_PCRS][VALUE_BYTES]) + \
     NONCE_BYTES + sizeof(uint8_t[2][TV_RSA_BYTES]))

/* Is there as much room as the length at pair->length says?  The key is made after all of these. */
static enum tv_error needs_room(struct tv_service *service, const struct tv_pair64 *pair,
                                size_t bytes)
{
    uint32_t room;
    enum tv_error error = tv_service_read(service, pair->length, &room, sizeof(room));

    return error == TV_OK && room < bytes ? TV_ERROR_LENGTH : error;
}

struct quote {
    uint8_t nonce[NONCE_BYTES];
    struct tv_pcr_selection selection;
    struct tv_pair64 signature, composite;
};

static enum tv_error read_quote(struct tv_service *service, struct quote *quote)
{
    enum tv_error error = tv_service_needs_root(service);

    if (error == TV_OK) {
        error = tv_service_read(service, service->si, quote->nonce, sizeof(quote->nonce));
    }
    if (error == TV_OK) {
        error = tv_service_read(service, service->cx, &quote->selection, sizeof(quote->selection));
    }
    if (error == TV_OK) {
        error = tv_service_selection(&quote->selection);
    }
    if (error == TV_OK) {
        error = tv_service_pair(service, service->dx, &quote->signature);
    }
    if (error == TV_OK) {
        error = tv_service_pair(service, service->di, &quote->composite);
    }
    return error;
}

/* SI: nonce, CX: selection, DX: where the signature goes, DI: where the composite goes. */
enum tv_error tv_service_quote_old(struct tv_service *service)
{
    const struct tv_root *root = &service->platform->root;
    uint8_t digest[VALUE_BYTES], info[TV_QUOTE_INFO_BYTES];
    uint8_t *signature = tv_service_output(service, TV_RSA_BYTES + TV_PCR_COMPOSITE_MAX);
    uint8_t *composite = signature + TV_RSA_BYTES;
    struct quote quote;
    size_t bytes = 0;
    enum tv_error error = read_quote(service, &quote);

    if (error == TV_OK) {
        bytes = tv_composite_sha1(service->pcrs, quote.selection.bitmap, composite, digest);
        error = needs_room(service, &quote.signature, TV_RSA_BYTES);
    }
    if (error == TV_OK) {
        error = needs_room(service, &quote.composite, bytes);
    }
    if (error == TV_OK) {
        error = tv_root_rsa(&service->platform->root, service->cpu);
    }
    if (error != TV_OK) {
        return error;
    }
    tv_quote_info(root, digest, quote.nonce, info);
    tv_rsa_sign(root, info, sizeof(info), signature);
    error = tv_service_put(service, &quote.signature, signature, TV_RSA_BYTES);
    return error == TV_OK ? tv_service_put(service, &quote.composite, composite, bytes) : error;
}

/* {count; index[count]}: *bytes of it. */
static enum tv_error read_list(struct tv_service *service, uint32_t list[1 + TV_PCRS],
                               size_t *bytes)
{
    enum tv_error error = tv_service_read(service, service->cx, list, sizeof(list[0]));

    if (error == TV_OK && list[0] > TV_PCRS) {
        error = TV_ERROR_PCR;
    }
    if (error != TV_OK) {
        return error;
    }
    /* The count is not read again: the PAL may share its memory. */
    error = tv_service_read(service, service->cx + sizeof(list[0]), list + 1,
                            list[0] * sizeof(list[0]));
    for (uint32_t i = 1; error == TV_OK && i <= list[0]; i++) {
        if (list[i] >= TV_PCRS) {
            error = TV_ERROR_PCR;
        }
    }
    *bytes = (1 + list[0]) * sizeof(list[0]);
    return error;
}

static uint8_t *append(uint8_t *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return to + bytes;
}

/*
 * SI: nonce, CX: list of registers, DX: where the quote goes: version, 'QUOT', list, values, nonce,
 * signature of all that, modulus of the key.
 */
enum tv_error tv_service_quote_first(struct tv_service *service)
{
    const struct tv_root *root = &service->platform->root;
    uint8_t nonce[NONCE_BYTES];
    uint32_t list[1 + TV_PCRS];
    size_t list_bytes = 0;
    struct tv_pair64 to;
    enum tv_error error = tv_service_needs_root(service);

    if (error == TV_OK) {
        error = tv_service_read(service, service->si, nonce, sizeof(nonce));
    }
    if (error == TV_OK) {
        error = read_list(service, list, &list_bytes);
    }
    if (error == TV_OK) {
        error = tv_service_pair(service, service->dx, &to);
    }
    if (error == TV_OK) {
        error = tv_root_rsa(&service->platform->root, service->cpu);
    }
    if (error != TV_OK) {
        return error;
    }
    uint8_t *quote = tv_service_output(service, FIRST_QUOTE_MAX);
    tv_quote_head(root, quote);
    uint8_t *end = append(quote + TV_QUOTE_HEAD_BYTES, list, list_bytes);
    for (uint32_t i = 1; i <= list[0]; i++) {
        end = append(end, service->pcrs->pcr[list[i]].sha1, VALUE_BYTES);
    }
    end = append(end, nonce, sizeof(nonce));
    tv_rsa_sign(root, quote, (size_t)(end - quote), end);
    end = append(end + TV_RSA_BYTES, root->rsa_public.n, TV_RSA_BYTES);
    return tv_service_put(service, &to, quote, (size_t)(end - quote));
}

/* CX: where the key goes, DX: room, and where its length goes. */
enum tv_error tv_service_public_key(struct tv_service *service)
{
    const struct tv_pair64 to = {service->cx, service->dx};
    enum tv_error error = tv_service_needs_root(service);

    if (error == TV_OK) {
        error = needs_room(service, &to, TV_RSA_DER_BYTES);
    }
    if (error == TV_OK) {
        error = tv_root_rsa(&service->platform->root, service->cpu);
    }
    if (error == TV_OK) {
        uint8_t *der = tv_service_output(service, TV_RSA_DER_BYTES);
        tv_root_rsa_der(&service->platform->root, der);
        error = tv_service_put(service, &to, der, TV_RSA_DER_BYTES);
    }
    return error;
}
