/* The registers of locality 0, and waiting for them; both interfaces of the profile (link.c). */
#ifndef TPM_REGISTERS_H
#define TPM_REGISTERS_H

#include <base/addr.h>
#include <base/status.h>
#include <stddef.h>
#include <stdint.h>

/* TCG PC Client Platform TPM Profile, "TPM Interface Locality Usage". */
#define TPM_BASE 0xfed40000ULL
#define TPM_LOCALITY_BYTES 0x1000U
#define TPM_INTERFACE_ID 0x030U

/* What nobody answers reads as. */
#define TPM_NOBODY 0xffffffffU
#define TPM_NOBODY_BYTE 0xffU

/* The profile's TIMEOUT_A, TIMEOUT_B and TIMEOUT_C; our longest command writes NV memory. */
#define TPM_LIMIT_A_MS 750U
#define TPM_LIMIT_B_MS 2000U
#define TPM_LIMIT_C_MS 750U
#define TPM_LIMIT_COMMAND_MS 3000U
#define TPM_POLL_US 20U

struct hpa tpm_reg(uint32_t offset);
uint64_t tpm_ticks(uint32_t ms);

/*
 * Until the bits of mask are those of value, in a register of one byte or four.  STATUS_TIMEOUT, or
 * STATUS_HARDWARE at once when all bits are ones.
 */
enum status tpm_wait8(uint32_t offset, uint8_t mask, uint8_t value, uint32_t limit_ms);
enum status tpm_wait32(uint32_t offset, uint32_t mask, uint32_t value, uint32_t limit_ms);

/* The size in the header of a response: STATUS_INVALID, STATUS_OVERFLOW as <tpm/link.h> says. */
enum status tpm_response_size(const uint8_t *response, size_t room_bytes, size_t *bytes);

/* The two interfaces, as <tpm/link.h> has them. */
enum status tis_open(void);
enum status tis_exchange(const uint8_t *command, size_t command_bytes, uint8_t *response,
                         size_t room_bytes, size_t *response_bytes);
void tis_close(void);
enum status crb_open(void);
enum status crb_exchange(const uint8_t *command, size_t command_bytes, uint8_t *response,
                         size_t room_bytes, size_t *response_bytes);
void crb_close(void);

#endif
