/* Services of the micro-TPM, asked for by a PAL on behalf of its process: as PALs use them. */
#ifndef PAL_SERVICES_H
#define PAL_SERVICES_H

#include "client_new.h"

/* A PAL that asks what it is told to; the word in its data makes it another PAL. */
void service_make(struct new_pal *pal, uintptr_t variant);

/* Ticks of the time-stamp counter that the last of these took the PAL: the hypercall alone. */
uint64_t service_ticks(void);

/* Our own interface.  identity: NULL for the PAL itself. */
enum tv_error service_seal(const struct new_pal *pal, const uint8_t *data, uint32_t bytes,
                           uint32_t selection, const uint8_t *identity, uint8_t *blob);
enum tv_error service_unseal(const struct new_pal *pal, const uint8_t *blob, uint32_t blob_bytes,
                             uint8_t *data, uint32_t *bytes);
enum tv_error service_extend(const struct new_pal *pal, uint32_t index);
enum tv_error service_quote(const struct new_pal *pal, uint32_t selection, const uint8_t nonce[32],
                            uint8_t *evidence, uint32_t *bytes);
enum tv_error service_key(const struct new_pal *pal, uint8_t *key, uint32_t *bytes);

/* The old one. */
enum tv_error service_old_seal(const struct new_pal *pal, const uint8_t *data, uint32_t bytes,
                               uint8_t *blob, uint32_t *blob_bytes);
enum tv_error service_old_unseal(const struct new_pal *pal, const uint8_t *blob,
                                 uint32_t blob_bytes, uint8_t *data, uint32_t *bytes);
enum tv_error service_old_quote(const struct new_pal *pal, const uint8_t nonce[20],
                                uint8_t signature[256], uint8_t *composite,
                                uint32_t *composite_bytes);
enum tv_error service_first_quote(const struct new_pal *pal, const uint8_t nonce[20],
                                  uint8_t *quote, uint32_t *bytes);
enum tv_error service_old_key(const struct new_pal *pal, uint8_t *key, uint32_t *bytes);
enum tv_error service_old_pcr_read(const struct new_pal *pal, uint32_t index, uint8_t value[20]);
enum tv_error service_old_extend(const struct new_pal *pal, uint32_t index,
                                 const uint8_t digest[20]);
enum tv_error service_old_random(const struct new_pal *pal, uint8_t *data, uint32_t bytes);
enum tv_error service_nv_size(const struct new_pal *pal, uint32_t *bytes);
enum tv_error service_nv_read(const struct new_pal *pal, uint8_t content[TV_NV_BYTES]);
enum tv_error service_nv_write(const struct new_pal *pal, const uint8_t content[TV_NV_BYTES]);

#endif
