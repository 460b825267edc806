/*
 * The FIFO interface (TIS) of locality 0: TCG PC Client Platform TPM Profile, "FIFO Interface".
 * Each wait has a limit, and all ones (nobody there) end it at once.
 */
#include "registers.h"

#include "command.h"

#include <hw/cpu.h>
#include <hw/mem.h>
#include <stdbool.h>

#define TIS_ACCESS 0x000U
#define TIS_STS 0x018U
#define TIS_DATA_FIFO 0x024U
#define TIS_DID_VID 0xf00U

#define ACCESS_VALID 0x80U
#define ACCESS_ACTIVE_LOCALITY 0x20U
#define ACCESS_REQUEST_USE 0x02U

#define STS_VALID 0x80U
#define STS_COMMAND_READY 0x40U
#define STS_GO 0x20U
#define STS_DATA_AVAILABLE 0x10U
#define STS_EXPECT 0x08U

/* How many bytes the FIFO takes or gives now without a wait; at least one.  start: of all of the
 * transfer, so that many short waits are no long one. */
static enum status wait_burst(uint64_t start, size_t *bytes)
{
    for (;;) {
        uint32_t status = hw_mmio_read32(tpm_reg(TIS_STS));
        if (status == TPM_NOBODY) {
            return STATUS_HARDWARE;
        }
        *bytes = status >> 8 & 0xffff;
        if (*bytes > 0) {
            return STATUS_OK;
        }
        if (hw_rdtsc() - start > tpm_ticks(TPM_LIMIT_C_MS)) {
            return STATUS_TIMEOUT;
        }
        hw_delay_us(TPM_POLL_US);
    }
}

static enum status write_fifo(const uint8_t *from, size_t bytes)
{
    uint64_t start = hw_rdtsc();

    while (bytes > 0) {
        size_t burst;
        enum status status = wait_burst(start, &burst);
        if (status != STATUS_OK) {
            return status;
        }
        for (; burst > 0 && bytes > 0; burst--, bytes--) {
            hw_mmio_write8(tpm_reg(TIS_DATA_FIFO), *from++);
        }
    }
    return STATUS_OK;
}

static enum status read_fifo(uint8_t *to, size_t bytes)
{
    uint64_t start = hw_rdtsc();

    while (bytes > 0) {
        size_t burst;
        enum status status = wait_burst(start, &burst);
        if (status != STATUS_OK) {
            return status;
        }
        for (; burst > 0 && bytes > 0; burst--, bytes--) {
            *to++ = hw_mmio_read8(tpm_reg(TIS_DATA_FIFO));
        }
    }
    return STATUS_OK;
}

/* The TPM knows a command's size from its header: it wants bytes up to the last one. */
static enum status send(const uint8_t *command, size_t bytes)
{
    const uint8_t bits = STS_VALID | STS_EXPECT;

    hw_mmio_write8(tpm_reg(TIS_STS), STS_COMMAND_READY);
    enum status status = tpm_wait8(TIS_STS, STS_COMMAND_READY, STS_COMMAND_READY, TPM_LIMIT_B_MS);
    if (status == STATUS_OK) {
        status = write_fifo(command, bytes - 1);
    }
    if (status == STATUS_OK) {
        status = tpm_wait8(TIS_STS, bits, bits, TPM_LIMIT_C_MS);
    }
    if (status == STATUS_OK) {
        status = write_fifo(command + bytes - 1, 1);
    }
    if (status == STATUS_OK) {
        status = tpm_wait8(TIS_STS, bits, STS_VALID, TPM_LIMIT_C_MS);
    }
    if (status == STATUS_OK) {
        hw_mmio_write8(tpm_reg(TIS_STS), STS_GO);
    }
    return status;
}

static enum status receive(uint8_t *response, size_t room_bytes, size_t *response_bytes)
{
    const uint8_t bits = STS_VALID | STS_DATA_AVAILABLE;
    enum status status = tpm_wait8(TIS_STS, bits, bits, TPM_LIMIT_COMMAND_MS);

    if (status == STATUS_OK) {
        status = read_fifo(response, TPM_HEADER_BYTES);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = tpm_response_size(response, room_bytes, response_bytes);
    if (status == STATUS_OK) {
        status = read_fifo(response + TPM_HEADER_BYTES, *response_bytes - TPM_HEADER_BYTES);
    }
    if (status == STATUS_OK) {
        status = tpm_wait8(TIS_STS, bits, STS_VALID, TPM_LIMIT_C_MS); /* nothing is left */
    }
    return status;
}

static bool has_requested, is_granted;

enum status tis_open(void)
{
    const uint8_t granted = ACCESS_VALID | ACCESS_ACTIVE_LOCALITY;
    uint32_t id = hw_mmio_read32(tpm_reg(TIS_DID_VID));

    has_requested = is_granted = false;
    if (id == TPM_NOBODY || id == 0) {
        return STATUS_NOT_FOUND;
    }
    enum status status = tpm_wait8(TIS_ACCESS, ACCESS_VALID, ACCESS_VALID, TPM_LIMIT_A_MS);
    if (status == STATUS_OK) {
        hw_mmio_write8(tpm_reg(TIS_ACCESS), ACCESS_REQUEST_USE);
        has_requested = true;
        status = tpm_wait8(TIS_ACCESS, granted, granted, TPM_LIMIT_A_MS);
        is_granted = status == STATUS_OK;
    }
    return status;
}

enum status tis_exchange(const uint8_t *command, size_t command_bytes, uint8_t *response,
                         size_t room_bytes, size_t *response_bytes)
{
    enum status status = send(command, command_bytes);
    return status == STATUS_OK ? receive(response, room_bytes, response_bytes) : status;
}

/* commandReady ends a command that still runs and throws away what was not read; activeLocality
 * takes a request back, too. */
void tis_close(void)
{
    if (is_granted) {
        hw_mmio_write8(tpm_reg(TIS_STS), STS_COMMAND_READY);
    }
    if (has_requested) {
        hw_mmio_write8(tpm_reg(TIS_ACCESS), ACCESS_ACTIVE_LOCALITY);
    }
    has_requested = is_granted = false;
}
