/* Commands as bytes: everything is big-endian (TPM Library Part 1, "Command/Response Structure").
 */
#include "command.h"

#include <base/check.h>
#include <string.h>

#define TPM_ST_NO_SESSIONS 0x8001U
#define TPM_ST_SESSIONS 0x8002U
#define TPM_RS_PW 0x40000009U
#define TPM_SU_CLEAR 0x0000U

#define TPM_CC_HIERARCHY_CONTROL 0x121U
#define TPM_CC_NV_DEFINE_SPACE 0x12aU
#define TPM_CC_NV_WRITE 0x137U
#define TPM_CC_NV_WRITE_LOCK 0x138U
#define TPM_CC_STARTUP 0x144U
#define TPM_CC_NV_READ 0x14eU
#define TPM_CC_NV_READ_LOCK 0x14fU
#define TPM_CC_NV_READ_PUBLIC 0x169U
#define TPM_CC_GET_RANDOM 0x17bU

/* TPMS_NV_PUBLIC with an empty policy. */
#define NV_PUBLIC_BYTES 14U
/* TPMS_AUTH_COMMAND with an empty password. */
#define EMPTY_AUTH_BYTES 9U

static void put(struct tpm_command *command, uint32_t value, unsigned bytes)
{
    CHECK(bytes <= TPM_COMMAND_MAX - command->used);
    while (bytes > 0) {
        bytes--;
        command->bytes[command->used++] = (uint8_t)(value >> (8 * bytes));
    }
}

static void begin(struct tpm_command *command, uint16_t tag, uint32_t code)
{
    command->used = 0;
    put(command, tag, 2);
    put(command, 0, 4); /* the size: end() */
    put(command, code, 4);
}

static void put_empty_auth(struct tpm_command *command)
{
    put(command, EMPTY_AUTH_BYTES, 4);
    put(command, TPM_RS_PW, 4);
    put(command, 0, 2); /* nonce */
    put(command, 0, 1); /* attributes */
    put(command, 0, 2); /* password */
}

static void end(struct tpm_command *command)
{
    size_t bytes = command->used;

    command->used = 2;
    put(command, (uint32_t)bytes, 4);
    command->used = bytes;
}

/* What all commands on an index have that the index itself authorizes. */
static void begin_nv(struct tpm_command *command, uint32_t code, uint32_t index)
{
    begin(command, TPM_ST_SESSIONS, code);
    put(command, index, 4); /* who authorizes */
    put(command, index, 4);
    put_empty_auth(command);
}

void tpm_make_startup_clear(struct tpm_command *command)
{
    begin(command, TPM_ST_NO_SESSIONS, TPM_CC_STARTUP);
    put(command, TPM_SU_CLEAR, 2);
    end(command);
}

void tpm_make_get_random(struct tpm_command *command, uint16_t bytes)
{
    begin(command, TPM_ST_NO_SESSIONS, TPM_CC_GET_RANDOM);
    put(command, bytes, 2);
    end(command);
}

void tpm_make_hierarchy_off(struct tpm_command *command, uint32_t hierarchy)
{
    begin(command, TPM_ST_SESSIONS, TPM_CC_HIERARCHY_CONTROL);
    put(command, hierarchy, 4); /* who authorizes */
    put_empty_auth(command);
    put(command, hierarchy, 4);
    put(command, 0, 1); /* NO */
    end(command);
}

void tpm_make_nv_define(struct tpm_command *command, uint32_t hierarchy, uint32_t index,
                        uint32_t attributes, uint16_t data_bytes)
{
    begin(command, TPM_ST_SESSIONS, TPM_CC_NV_DEFINE_SPACE);
    put(command, hierarchy, 4);
    put_empty_auth(command);
    put(command, 0, 2); /* the index's authorization value */
    put(command, NV_PUBLIC_BYTES, 2);
    put(command, index, 4);
    put(command, TPM_ALG_SHA256, 2);
    put(command, attributes, 4);
    put(command, 0, 2); /* policy */
    put(command, data_bytes, 2);
    end(command);
}

void tpm_make_nv_read_public(struct tpm_command *command, uint32_t index)
{
    begin(command, TPM_ST_NO_SESSIONS, TPM_CC_NV_READ_PUBLIC);
    put(command, index, 4);
    end(command);
}

void tpm_make_nv_write(struct tpm_command *command, uint32_t index, const uint8_t *data,
                       uint16_t bytes)
{
    begin_nv(command, TPM_CC_NV_WRITE, index);
    put(command, bytes, 2);
    CHECK(bytes <= TPM_COMMAND_MAX - command->used);
    memcpy(command->bytes + command->used, data, bytes);
    command->used += bytes;
    put(command, 0, 2); /* offset */
    end(command);
}

void tpm_make_nv_write_lock(struct tpm_command *command, uint32_t index)
{
    begin_nv(command, TPM_CC_NV_WRITE_LOCK, index);
    end(command);
}

void tpm_make_nv_read(struct tpm_command *command, uint32_t index, uint16_t bytes)
{
    begin_nv(command, TPM_CC_NV_READ, index);
    put(command, bytes, 2);
    put(command, 0, 2); /* offset */
    end(command);
}

void tpm_make_nv_read_lock(struct tpm_command *command, uint32_t index)
{
    begin_nv(command, TPM_CC_NV_READ_LOCK, index);
    end(command);
}
