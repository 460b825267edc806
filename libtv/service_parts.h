/* Inside libtv: what the services of both interfaces of the micro-TPM have in common. */
#ifndef LIBTV_SERVICE_PARTS_H
#define LIBTV_SERVICE_PARTS_H

#include <tv/service.h>

/* By interface; arguments are as wide as the PAL. */
enum tv_error tv_service_old(struct tv_service *service);
enum tv_error tv_service_new(struct tv_service *service);

/* The old interface's quotes and key: libtv/service_old_quote.c. */
enum tv_error tv_service_quote_first(struct tv_service *service);
enum tv_error tv_service_quote_old(struct tv_service *service);
enum tv_error tv_service_public_key(struct tv_service *service);

/* The old interface's NV memory: libtv/service_nv.c. */
enum tv_error tv_service_nv(struct tv_service *service);

/* Our own interface's quotes and key: libtv/service_new_quote.c. */
enum tv_error tv_service_quote_new(struct tv_service *service);
enum tv_error tv_service_quote_key(struct tv_service *service);

/* A size, in place of the room that the PAL said there is in a field of its structure. */
static inline enum tv_error tv_service_put_size(struct tv_service *service, size_t field,
                                                uint32_t bytes)
{
    return tv_memory_write_of_pal(service->memory, service->cx + field, &bytes, sizeof(bytes));
}

static inline bool tv_service_is_selection(uint32_t selection)
{
    return selection >> TV_PCRS == 0;
}

/* {address, length} or {address, address of length}, as wide as the PAL. */
enum tv_error tv_service_pair(struct tv_service *service, uint64_t from, struct tv_pair64 *pair);

/* Writes bytes to pair->address and their number to pair->length; room is not told and not asked
 * for: clients leave the length uninitialised. */
enum tv_error tv_service_put(struct tv_service *service, const struct tv_pair64 *pair,
                             const void *from, size_t bytes);

/* TV_ERROR_PCR unless it is of one byte. */
enum tv_error tv_service_selection(const struct tv_pcr_selection *selection);

/*
 * The two halves of the buffer: what a PAL gave, and what it will get.  Whoever writes there says
 * how many bytes at most: as many are wiped in the end, as wiping all costs more than most
 * services.
 */
static inline uint8_t *tv_service_input(struct tv_service *service, size_t bytes)
{
    service->input_used = bytes > service->input_used ? bytes : service->input_used;
    return service->buffer;
}

static inline uint8_t *tv_service_output(struct tv_service *service, size_t bytes)
{
    service->output_used = bytes > service->output_used ? bytes : service->output_used;
    return service->buffer + TV_RANDOM_MAX;
}

static inline enum tv_error tv_service_read(struct tv_service *service, uint64_t pal, void *to,
                                            size_t bytes)
{
    return tv_memory_read_of_pal(service->memory, pal, to, bytes);
}

static inline enum tv_error tv_service_write(struct tv_service *service, uint64_t pal,
                                             const void *from, size_t bytes)
{
    return tv_memory_write_of_pal(service->memory, pal, from, bytes);
}

/* TV_ERROR_NO_ROOT: nothing can be sealed or signed. */
enum tv_error tv_service_needs_root(struct tv_service *service);

/* Seals what is at data; the blob, bytes + TV_SEALED_OVERHEAD, is in the output. */
enum tv_error tv_service_seal(struct tv_service *service, const struct tv_seal_policy *policy,
                              uint64_t data, uint64_t bytes);

/* Unseals the blob; *bytes of data are in the output. */
enum tv_error tv_service_unseal(struct tv_service *service, enum tv_bank bank, uint64_t blob,
                                uint64_t blob_bytes, size_t *bytes, struct tv_seal_policy *policy);

/* Who seals, and for itself unless the caller changes it. */
void tv_service_policy(struct tv_service *service, enum tv_bank bank, uint32_t selection,
                       struct tv_seal_policy *policy);

#endif
