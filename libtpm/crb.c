/*
 * The command response buffer (CRB) of locality 0: TCG PC Client Platform TPM Profile, "CRB
 * Interface".  Only with its buffer behind the registers: another address would be memory that the
 * firmware chose.  A TPM that wants an ACPI method called to start does not answer here.
 */
#include "registers.h"

#include "command.h"

#include <hw/mem.h>
#include <stdbool.h>

#define CRB_LOC_CTRL 0x008U
#define CRB_LOC_STS 0x00cU
#define CRB_CTRL_REQ 0x040U
#define CRB_CTRL_STS 0x044U
#define CRB_CTRL_CANCEL 0x048U
#define CRB_CTRL_START 0x04cU
#define CRB_CMD_SIZE 0x058U
#define CRB_CMD_LADDR 0x05cU
#define CRB_CMD_HADDR 0x060U
#define CRB_RSP_SIZE 0x064U
#define CRB_RSP_LADDR 0x068U
#define CRB_RSP_HADDR 0x06cU
#define CRB_DATA_BUFFER 0x080U

#define LOC_CTRL_REQUEST_ACCESS 1U
#define LOC_CTRL_RELINQUISH 2U
#define LOC_STS_GRANTED 1U
#define CTRL_REQ_COMMAND_READY 1U
#define CTRL_REQ_GO_IDLE 2U
#define CTRL_STS_ERROR 1U
#define START 1U
#define CANCEL 1U

/* The one buffer for both commands and responses, among the locality's registers. */
static uint32_t buffer_offset, buffer_bytes;
static bool has_requested, is_granted;

static uint32_t get(uint32_t offset)
{
    return hw_mmio_read32(tpm_reg(offset));
}

static void set(uint32_t offset, uint32_t value)
{
    hw_mmio_write32(tpm_reg(offset), value);
}

/* A response that is not where the next command goes would be left there for the guest. */
static bool find_buffer(void)
{
    uint64_t address = (uint64_t)get(CRB_CMD_HADDR) << 32 | get(CRB_CMD_LADDR);
    uint64_t of_response = (uint64_t)get(CRB_RSP_HADDR) << 32 | get(CRB_RSP_LADDR);
    uint32_t bytes = get(CRB_CMD_SIZE);

    if (address != of_response || bytes != get(CRB_RSP_SIZE) ||
        address < TPM_BASE + CRB_DATA_BUFFER || address >= TPM_BASE + TPM_LOCALITY_BYTES ||
        bytes > TPM_BASE + TPM_LOCALITY_BYTES - address) {
        return false;
    }
    buffer_offset = (uint32_t)(address - TPM_BASE);
    buffer_bytes = bytes;
    return bytes >= TPM_RESPONSE_MAX;
}

enum status crb_open(void)
{
    has_requested = is_granted = false;
    if (!find_buffer()) {
        return STATUS_UNSUPPORTED;
    }
    set(CRB_LOC_CTRL, LOC_CTRL_REQUEST_ACCESS);
    has_requested = true;
    enum status status = tpm_wait32(CRB_LOC_STS, LOC_STS_GRANTED, LOC_STS_GRANTED, TPM_LIMIT_A_MS);
    is_granted = status == STATUS_OK;
    return status;
}

/* Bits that we set and the TPM clears when it is done. */
static enum status request(uint32_t offset, uint32_t bit, uint32_t limit_ms)
{
    set(offset, bit);
    enum status status = tpm_wait32(offset, bit, 0, limit_ms);
    if (status != STATUS_OK) {
        return status;
    }
    return (get(CRB_CTRL_STS) & CTRL_STS_ERROR) != 0 ? STATUS_HARDWARE : STATUS_OK;
}

static struct hpa buffer_at(size_t at)
{
    return tpm_reg(buffer_offset + (uint32_t)at);
}

static void read_buffer(uint8_t *to, size_t from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        to[i] = hw_mmio_read8(buffer_at(from + i));
    }
}

/* Zeros behind the command: the guest can read what stays in the buffer, the secret too. */
static void write_buffer(const uint8_t *command, size_t bytes)
{
    for (size_t i = 0; i < TPM_RESPONSE_MAX; i++) {
        hw_mmio_write8(buffer_at(i), i < bytes ? command[i] : 0);
    }
}

/* Of this command's or an earlier one's: nothing is left behind the two. */
static bool is_clean(size_t from)
{
    for (size_t i = from; i < TPM_RESPONSE_MAX; i++) {
        if (hw_mmio_read8(buffer_at(i)) != 0) {
            return false;
        }
    }
    return true;
}

enum status crb_exchange(const uint8_t *command, size_t command_bytes, uint8_t *response,
                         size_t room_bytes, size_t *response_bytes)
{
    if (command_bytes > TPM_COMMAND_MAX) {
        return STATUS_OVERFLOW;
    }
    enum status status = request(CRB_CTRL_REQ, CTRL_REQ_COMMAND_READY, TPM_LIMIT_B_MS);
    if (status != STATUS_OK) {
        return status;
    }
    write_buffer(command, command_bytes);
    status = request(CRB_CTRL_START, START, TPM_LIMIT_COMMAND_MS);
    if (status != STATUS_OK) {
        return status;
    }
    size_t room = room_bytes < TPM_RESPONSE_MAX ? room_bytes : TPM_RESPONSE_MAX;
    read_buffer(response, 0, TPM_HEADER_BYTES);
    status = tpm_response_size(response, room, response_bytes);
    if (status != STATUS_OK) {
        return status;
    }
    read_buffer(response + TPM_HEADER_BYTES, TPM_HEADER_BYTES, *response_bytes - TPM_HEADER_BYTES);
    size_t longer = *response_bytes > command_bytes ? *response_bytes : command_bytes;
    return is_clean(longer) ? STATUS_OK : STATUS_HARDWARE;
}

/* A command that still runs ends, the TPM goes idle. */
void crb_close(void)
{
    if (is_granted && (get(CRB_CTRL_START) & START) != 0) {
        set(CRB_CTRL_CANCEL, CANCEL);
        (void)tpm_wait32(CRB_CTRL_START, START, 0, TPM_LIMIT_B_MS);
        set(CRB_CTRL_CANCEL, 0);
    }
    if (is_granted) {
        (void)request(CRB_CTRL_REQ, CTRL_REQ_GO_IDLE, TPM_LIMIT_C_MS);
    }
    if (has_requested) {
        set(CRB_LOC_CTRL, LOC_CTRL_RELINQUISH);
    }
    has_requested = is_granted = false;
}
