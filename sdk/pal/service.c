/* What a PAL asks the hypervisor for. */
#include <nacre/pal.h>

/* In .data, not .bss: so .pal_data has all its bytes in the file, and they are measured as such. */
pal_hook *volatile pal_service_hook __attribute__((section(".data.pal_service_hook")));

enum tv_error pal_service(uint32_t number, uintptr_t cx, uintptr_t dx, uintptr_t si, uintptr_t di)
{
    uintptr_t result = number;

    if (pal_service_hook != NULL) {
        return pal_service_hook(number, cx, dx, si, di);
    }
    __asm__ volatile("vmcall" : "+a"(result) : "c"(cx), "d"(dx), "S"(si), "D"(di) : "memory", "cc");
    return (enum tv_error)result;
}

static enum tv_error ask(enum tv_number number, void *structure)
{
    return pal_service(number, (uintptr_t)structure, 0, 0, 0);
}

enum tv_error pal_random(void *to, uint32_t bytes)
{
    struct tv_buffer buffer = {.address = (uintptr_t)to, .length = bytes};

    return ask(TV_RANDOM, &buffer);
}

enum tv_error pal_pcr_read(uint32_t index, uint8_t value[32])
{
    struct tv_pcr_value pcr = {.index = index};
    enum tv_error error = ask(TV_PCR_READ, &pcr);

    memcpy(value, pcr.value, sizeof(pcr.value));
    return error;
}

enum tv_error pal_pcr_extend(uint32_t index, const uint8_t digest[32])
{
    struct tv_pcr_value pcr = {.index = index};

    memcpy(pcr.value, digest, sizeof(pcr.value));
    return ask(TV_PCR_EXTEND, &pcr);
}

enum tv_error pal_seal_as(struct tv_seal *seal)
{
    return ask(TV_SEAL_DATA, seal);
}

enum tv_error pal_unseal_as(struct tv_unseal *unseal)
{
    return ask(TV_UNSEAL_DATA, unseal);
}

enum tv_error pal_seal(const void *data, uint32_t bytes, void *blob)
{
    struct tv_seal seal = {.data = (uintptr_t)data,
                           .blob = (uintptr_t)blob,
                           .data_bytes = bytes,
                           .blob_bytes = PAL_SEALED_BYTES(bytes)};

    return pal_seal_as(&seal);
}

enum tv_error pal_unseal(const void *blob, uint32_t blob_bytes, void *data, uint32_t *bytes)
{
    struct tv_unseal unseal = {.blob = (uintptr_t)blob,
                               .data = (uintptr_t)data,
                               .blob_bytes = blob_bytes,
                               .data_bytes = *bytes};
    enum tv_error error = pal_unseal_as(&unseal);

    if (error == TV_OK) {
        *bytes = unseal.data_bytes;
    }
    return error;
}

enum tv_error pal_quote(uint32_t selection, const uint8_t nonce[32], const uint8_t *data,
                        void *evidence, uint32_t *bytes)
{
    struct tv_quote quote = {
        .evidence = (uintptr_t)evidence, .evidence_bytes = *bytes, .selection = selection};

    memcpy(quote.nonce, nonce, sizeof(quote.nonce));
    if (data != NULL) {
        memcpy(quote.data, data, sizeof(quote.data));
    }
    enum tv_error error = ask(TV_QUOTE_PAL, &quote);
    if (error == TV_OK) {
        *bytes = quote.evidence_bytes;
    }
    return error;
}

enum tv_error pal_quote_key(void *key, uint32_t *bytes)
{
    struct tv_buffer buffer = {.address = (uintptr_t)key, .length = *bytes};
    enum tv_error error = ask(TV_QUOTE_KEY, &buffer);

    if (error == TV_OK) {
        *bytes = buffer.length;
    }
    return error;
}

enum tv_error pal_nv_read(uint8_t content[TV_NV_BYTES])
{
    return pal_service(TV_NV_READALL, (uintptr_t)content, 0, 0, 0);
}

enum tv_error pal_nv_write(const uint8_t content[TV_NV_BYTES])
{
    return pal_service(TV_NV_WRITEALL, (uintptr_t)content, 0, 0, 0);
}
