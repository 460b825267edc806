/*
 * TPM 2.0 commands as bytes, and responses taken apart (TPM Library Part 3; structures: Part 2).
 * Pure.  A response is somebody else's bytes: every length in it is checked against what is there,
 * and what is left over is an error, too.
 */
#ifndef TPM_COMMAND_H
#define TPM_COMMAND_H

#include <base/status.h>
#include <stddef.h>
#include <stdint.h>

#define TPM_COMMAND_MAX 128U
/* Any answer to our commands: the longest is the public area of an index with SHA-512. */
#define TPM_RESPONSE_MAX 256U
#define TPM_HEADER_BYTES 10U

/* Part 2, "TPM_RH". */
#define TPM_RH_OWNER 0x40000001U
#define TPM_RH_PLATFORM 0x4000000cU

/* Part 2, "TPM_RC", without the number of handle, session or parameter: tpm_response_code(). */
#define TPM_RC_SUCCESS 0x000U
#define TPM_RC_BAD_TAG 0x01eU
#define TPM_RC_HIERARCHY 0x085U
#define TPM_RC_HANDLE 0x08bU
#define TPM_RC_AUTH_FAIL 0x08eU
#define TPM_RC_BAD_AUTH 0x0a2U
#define TPM_RC_INITIALIZE 0x100U
#define TPM_RC_NV_LOCKED 0x148U
#define TPM_RC_YIELDED 0x908U
#define TPM_RC_TESTING 0x90aU
#define TPM_RC_NV_RATE 0x920U
#define TPM_RC_RETRY 0x922U
#define TPM_RC_NV_UNAVAILABLE 0x923U

/* Part 2, "TPMA_NV". */
#define TPMA_NV_AUTHWRITE (1U << 2)
#define TPMA_NV_WRITELOCKED (1U << 11)
#define TPMA_NV_WRITEALL (1U << 12)
#define TPMA_NV_WRITEDEFINE (1U << 13)
#define TPMA_NV_AUTHREAD (1U << 18)
#define TPMA_NV_NO_DA (1U << 25)
#define TPMA_NV_READLOCKED (1U << 28)
#define TPMA_NV_WRITTEN (1U << 29)
#define TPMA_NV_PLATFORMCREATE (1U << 30)
#define TPMA_NV_READ_STCLEAR (1U << 31)

#define TPM_ALG_SHA256 0x000bU

struct tpm_command {
    uint8_t bytes[TPM_COMMAND_MAX];
    size_t used;
};

struct tpm_response {
    uint8_t bytes[TPM_RESPONSE_MAX];
    size_t used;
};

/* Of TPMS_NV_PUBLIC; the policy itself does not matter to us. */
struct tpm_nv_public {
    uint32_t index, attributes;
    uint16_t name_algorithm, policy_bytes, data_bytes;
};

/* Authorization where one is needed is the empty password. */
void tpm_make_startup_clear(struct tpm_command *command);
void tpm_make_get_random(struct tpm_command *command, uint16_t bytes);
/* Switches the hierarchy off until the next reset of the TPM, by its own authorization. */
void tpm_make_hierarchy_off(struct tpm_command *command, uint32_t hierarchy);
/* An index without authorization value and policy, with SHA-256 for its Name. */
void tpm_make_nv_define(struct tpm_command *command, uint32_t hierarchy, uint32_t index,
                        uint32_t attributes, uint16_t data_bytes);
void tpm_make_nv_read_public(struct tpm_command *command, uint32_t index);
/* These four are authorized by the index itself. */
void tpm_make_nv_write(struct tpm_command *command, uint32_t index, const uint8_t *data,
                       uint16_t bytes);
void tpm_make_nv_write_lock(struct tpm_command *command, uint32_t index);
void tpm_make_nv_read(struct tpm_command *command, uint32_t index, uint16_t bytes);
void tpm_make_nv_read_lock(struct tpm_command *command, uint32_t index);

/*
 * The response code; an error's without the number of handle, session or parameter that it is
 * about.  STATUS_INVALID: not a response: header, size or tag are wrong.
 */
enum status tpm_response_code(const struct tpm_response *response, uint32_t *code);

/*
 * What a successful response holds, STATUS_INVALID if it is anything else.  The first is for
 * commands with an authorization, whose response has no parameters.
 */
enum status tpm_parse_nothing(const struct tpm_response *response);
enum status tpm_parse_random(const struct tpm_response *response, uint8_t *data, size_t bytes);
enum status tpm_parse_nv_read(const struct tpm_response *response, uint8_t *data, size_t bytes);
enum status tpm_parse_nv_public(const struct tpm_response *response, struct tpm_nv_public *public);

#endif
