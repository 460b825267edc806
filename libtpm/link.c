/* Which of the profile's interfaces the TPM has, and what both need. */
#include <tpm/link.h>

#include "command.h"
#include "registers.h"

#include <hw/cpu.h>
#include <hw/mem.h>

#define INTERFACE_TYPE 0x0fU
#define INTERFACE_TYPE_CRB 0x1U

static enum { NO_INTERFACE, TIS, CRB } interface;

struct hpa tpm_reg(uint32_t offset)
{
    return hpa(TPM_BASE + offset);
}

uint64_t tpm_ticks(uint32_t ms)
{
    return hw_tsc_hz() / 1000 * ms;
}

/* Registers of both sizes; nobody: what is read where no TPM answers. */
static enum status wait(uint32_t offset, bool is_byte, uint32_t nobody, uint32_t mask,
                        uint32_t value, uint32_t limit_ms)
{
    uint64_t start = hw_rdtsc();

    for (;;) {
        uint32_t now = is_byte ? hw_mmio_read8(tpm_reg(offset)) : hw_mmio_read32(tpm_reg(offset));
        if (now == nobody) {
            return STATUS_HARDWARE;
        }
        if ((now & mask) == value) {
            return STATUS_OK;
        }
        if (hw_rdtsc() - start > tpm_ticks(limit_ms)) {
            return STATUS_TIMEOUT;
        }
        hw_delay_us(TPM_POLL_US);
    }
}

enum status tpm_wait8(uint32_t offset, uint8_t mask, uint8_t value, uint32_t limit_ms)
{
    return wait(offset, true, TPM_NOBODY_BYTE, mask, value, limit_ms);
}

enum status tpm_wait32(uint32_t offset, uint32_t mask, uint32_t value, uint32_t limit_ms)
{
    return wait(offset, false, TPM_NOBODY, mask, value, limit_ms);
}

enum status tpm_response_size(const uint8_t *response, size_t room_bytes, size_t *bytes)
{
    *bytes = (uint32_t)response[2] << 24 | (uint32_t)response[3] << 16 |
             (uint32_t)response[4] << 8 | response[5];
    if (*bytes < TPM_HEADER_BYTES) {
        return STATUS_INVALID;
    }
    return *bytes > room_bytes ? STATUS_OVERFLOW : STATUS_OK;
}

/* The first byte is ACCESS of one and LOC_STATE of the other: no value of theirs is all ones. */
enum status tpm_link_open(void)
{
    interface = NO_INTERFACE;
    if (hw_mmio_read8(tpm_reg(0)) == TPM_NOBODY_BYTE) {
        return STATUS_NOT_FOUND;
    }
    uint32_t id = hw_mmio_read32(tpm_reg(TPM_INTERFACE_ID));
    interface = (id & INTERFACE_TYPE) == INTERFACE_TYPE_CRB ? CRB : TIS;
    return interface == CRB ? crb_open() : tis_open();
}

enum status tpm_link_exchange(const uint8_t *command, size_t command_bytes, uint8_t *response,
                              size_t room_bytes, size_t *response_bytes)
{
    if (command_bytes < TPM_HEADER_BYTES || room_bytes < TPM_HEADER_BYTES) {
        return STATUS_INVALID;
    }
    if (interface == CRB) {
        return crb_exchange(command, command_bytes, response, room_bytes, response_bytes);
    }
    return tis_exchange(command, command_bytes, response, room_bytes, response_bytes);
}

void tpm_link_close(void)
{
    if (interface == CRB) {
        crb_close();
    } else if (interface == TIS) {
        tis_close();
    }
    interface = NO_INTERFACE;
}
