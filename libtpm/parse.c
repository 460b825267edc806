/* Responses: every byte is looked at only after it is known to be there. */
#include "command.h"

#include <stdbool.h>
#include <string.h>

#define TPM_ST_RSP_COMMAND 0x00c4U /* as TPM 1.2 answers, or 2.0 to a tag that it does not know */
#define TPM_ST_NO_SESSIONS 0x8001U
#define TPM_ST_SESSIONS 0x8002U

/* Part 2, "TPM_RC": with this bit, bits 6 and 8 to 11 tell what the error is about. */
#define RC_FMT1 0x080U
#define RC_FMT1_ERROR 0x0bfU

/* TPMS_AUTH_RESPONSE to an empty password. */
#define EMPTY_AUTH_BYTES 5U

/* What is left to read; once something is not there, nothing is any more. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static const uint8_t *take(struct reader *reader, size_t bytes)
{
    const uint8_t *at = reader->at;

    if (reader->failed || bytes > reader->left) {
        reader->failed = true;
        return NULL;
    }
    reader->at += bytes;
    reader->left -= bytes;
    return at;
}

static uint32_t get(struct reader *reader, unsigned bytes)
{
    const uint8_t *at = take(reader, bytes);
    uint32_t value = 0;

    for (unsigned i = 0; at != NULL && i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static struct reader part(struct reader *reader, size_t bytes)
{
    const uint8_t *at = take(reader, bytes);

    return (struct reader){at, bytes, at == NULL};
}

static enum status finish(const struct reader *reader)
{
    return reader->failed || reader->left > 0 ? STATUS_INVALID : STATUS_OK;
}

/* Reads the header; false: it is none, or does not fit the bytes that came. */
static bool header(const struct tpm_response *response, struct reader *reader, uint32_t *tag,
                   uint32_t *code)
{
    *reader = (struct reader){response->bytes, response->used, response->used > TPM_RESPONSE_MAX};
    *tag = get(reader, 2);
    uint32_t bytes = get(reader, 4);
    *code = get(reader, 4);
    return !reader->failed && bytes == response->used;
}

enum status tpm_response_code(const struct tpm_response *response, uint32_t *code)
{
    struct reader reader;
    uint32_t tag;

    if (!header(response, &reader, &tag, code)) {
        return STATUS_INVALID;
    }
    if (*code == TPM_RC_SUCCESS) {
        return tag == TPM_ST_NO_SESSIONS || tag == TPM_ST_SESSIONS ? STATUS_OK : STATUS_INVALID;
    }
    if ((*code & RC_FMT1) != 0) {
        *code &= RC_FMT1_ERROR;
    }
    bool tag_is_right = tag == TPM_ST_NO_SESSIONS || tag == TPM_ST_RSP_COMMAND;
    return tag_is_right ? finish(&reader) : STATUS_INVALID;
}

/* A successful response without authorization, up to its parameters. */
static struct reader parameters(const struct tpm_response *response)
{
    struct reader reader;
    uint32_t tag, code;

    if (!header(response, &reader, &tag, &code) || tag != TPM_ST_NO_SESSIONS ||
        code != TPM_RC_SUCCESS) {
        reader.failed = true;
    }
    return reader;
}

/* The same with one, which is behind the parameters and holds nothing. */
static struct reader authorized(const struct tpm_response *response)
{
    struct reader reader;
    uint32_t tag, code;

    if (!header(response, &reader, &tag, &code) || tag != TPM_ST_SESSIONS ||
        code != TPM_RC_SUCCESS) {
        reader.failed = true;
    }
    struct reader inside = part(&reader, get(&reader, 4));
    uint32_t nonce_bytes = get(&reader, 2);
    (void)get(&reader, 1); /* attributes of the session */
    uint32_t hmac_bytes = get(&reader, 2);
    if (finish(&reader) != STATUS_OK || nonce_bytes != 0 || hmac_bytes != 0) {
        inside.failed = true;
    }
    return inside;
}

enum status tpm_parse_nothing(const struct tpm_response *response)
{
    struct reader reader = authorized(response);

    return finish(&reader);
}

/* TPM2B that fills data, and nothing behind it. */
static enum status parse_data(struct reader *reader, uint8_t *data, size_t bytes)
{
    uint32_t there = get(reader, 2);
    const uint8_t *at = take(reader, there);

    if (finish(reader) != STATUS_OK || there != bytes) {
        return STATUS_INVALID;
    }
    memcpy(data, at, bytes);
    return STATUS_OK;
}

enum status tpm_parse_random(const struct tpm_response *response, uint8_t *data, size_t bytes)
{
    struct reader reader = parameters(response);

    return parse_data(&reader, data, bytes);
}

enum status tpm_parse_nv_read(const struct tpm_response *response, uint8_t *data, size_t bytes)
{
    struct reader reader = authorized(response);

    return parse_data(&reader, data, bytes);
}

enum status tpm_parse_nv_public(const struct tpm_response *response, struct tpm_nv_public *public)
{
    struct reader reader = parameters(response);
    struct reader inside = part(&reader, get(&reader, 2));

    public->index = get(&inside, 4);
    public->name_algorithm = (uint16_t)get(&inside, 2);
    public->attributes = get(&inside, 4);
    public->policy_bytes = (uint16_t)get(&inside, 2);
    (void)take(&inside, public->policy_bytes);
    public->data_bytes = (uint16_t)get(&inside, 2);
    (void)take(&reader, get(&reader, 2)); /* the Name, a digest of the same */
    bool valid = finish(&inside) == STATUS_OK && finish(&reader) == STATUS_OK;
    return valid ? STATUS_OK : STATUS_INVALID;
}
