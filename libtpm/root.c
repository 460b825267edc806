/* The root secret (<tpm/root.h> says what is defended and what is not). */
#include <tpm/root.h>

#include "command.h"

#include <base/log.h>
#include <hw/cpu.h>
#include <stdbool.h>
#include <string.h>
#include <tpm/link.h>

/* Exactly these, besides what the TPM tells of the index's state and of who defined it. */
#define ATTRIBUTES                                                                                 \
    (TPMA_NV_AUTHWRITE | TPMA_NV_WRITEALL | TPMA_NV_WRITEDEFINE | TPMA_NV_AUTHREAD |               \
     TPMA_NV_NO_DA | TPMA_NV_READ_STCLEAR)
#define STATE_ATTRIBUTES                                                                           \
    (TPMA_NV_WRITELOCKED | TPMA_NV_READLOCKED | TPMA_NV_WRITTEN | TPMA_NV_PLATFORMCREATE)

#define RETRY_US 10000U

struct talk {
    struct tpm_command command;
    struct tpm_response response;
    struct tpm_nv_public public;
    uint64_t start;
    enum status status; /* of the last exchange */
    uint32_t code;      /* of the last response */
    bool is_new;        /* the secret was made at this boot */
    const char *why;    /* no secret can be had: what went wrong */
};

/* Never inline: then the compiler cannot know that nobody reads the zeros. */
static __attribute__((noinline)) void wipe(void *start, size_t bytes)
{
    memset(start, 0, bytes);
}

static bool fail(struct talk *talk, const char *why)
{
    talk->why = why;
    return false;
}

/* Warnings that ask for the same command again. */
static bool is_not_now(uint32_t code)
{
    return code == TPM_RC_RETRY || code == TPM_RC_YIELDED || code == TPM_RC_TESTING ||
           code == TPM_RC_NV_RATE || code == TPM_RC_NV_UNAVAILABLE;
}

static bool is_late(const struct talk *talk)
{
    return hw_rdtsc() - talk->start > hw_tsc_hz() / 1000 * TPM_ROOT_LIMIT_MS;
}

/* Sends the command; true: a response came, whose code is talk->code. */
static bool ask(struct talk *talk)
{
    for (;;) {
        talk->code = 0;
        talk->response.used = 0;
        talk->status = is_late(talk) ? STATUS_TIMEOUT
                                     : tpm_link_exchange(talk->command.bytes, talk->command.used,
                                                         talk->response.bytes, TPM_RESPONSE_MAX,
                                                         &talk->response.used);
        if (talk->status == STATUS_OK) {
            talk->status = tpm_response_code(&talk->response, &talk->code);
        }
        if (talk->status != STATUS_OK) {
            return fail(talk, "it does not answer as it should");
        }
        if (!is_not_now(talk->code)) {
            return true;
        }
        hw_delay_us(RETRY_US);
    }
}

static bool ask_and_succeed(struct talk *talk, const char *why)
{
    return ask(talk) && (talk->code == TPM_RC_SUCCESS || fail(talk, why));
}

/* What came in a successful response was what had been asked for. */
static bool parsed(struct talk *talk, enum status status)
{
    talk->status = status;
    return status == STATUS_OK || fail(talk, "a response is malformed");
}

/* A command on the index, whose success has nothing more to say. */
static bool done(struct talk *talk, const char *why)
{
    return ask_and_succeed(talk, why) && parsed(talk, tpm_parse_nothing(&talk->response));
}

/* TPM 1.2 knows neither the tag nor the command. */
static bool start(struct talk *talk, bool *is_2)
{
    tpm_make_startup_clear(&talk->command);
    if (!ask(talk)) {
        return false;
    }
    *is_2 = talk->code != TPM_RC_BAD_TAG;
    return talk->code == TPM_RC_SUCCESS || talk->code == TPM_RC_INITIALIZE ||
           fail(talk, "it cannot be started");
}

static bool read_public(struct talk *talk, bool *exists)
{
    tpm_make_nv_read_public(&talk->command, TPM_ROOT_INDEX);
    if (!ask(talk)) {
        return false;
    }
    *exists = talk->code == TPM_RC_SUCCESS;
    if (!*exists) {
        return talk->code == TPM_RC_HANDLE || fail(talk, "the index cannot be looked at");
    }
    return parsed(talk, tpm_parse_nv_public(&talk->response, &talk->public));
}

/* The firmware has switched the hierarchy off, or given it an authorization value. */
static bool is_closed(uint32_t code)
{
    return code == TPM_RC_HIERARCHY || code == TPM_RC_AUTH_FAIL || code == TPM_RC_BAD_AUTH;
}

/* The platform's if it can be: the owner's could not be told from one that a guest defined. */
static bool define(struct talk *talk)
{
    bool exists;

    tpm_make_nv_define(&talk->command, TPM_RH_PLATFORM, TPM_ROOT_INDEX,
                       ATTRIBUTES | TPMA_NV_PLATFORMCREATE, TPM_ROOT_BYTES);
    if (!ask(talk)) {
        return false;
    }
    if (is_closed(talk->code)) {
        tpm_make_nv_define(&talk->command, TPM_RH_OWNER, TPM_ROOT_INDEX, ATTRIBUTES,
                           TPM_ROOT_BYTES);
        if (!ask(talk)) {
            return false;
        }
    }
    if (is_closed(talk->code)) {
        return fail(talk, "platform and owner have an authorization of their own: "
                          "no index can be defined");
    }
    if (talk->code != TPM_RC_SUCCESS) {
        return fail(talk, "the index cannot be defined");
    }
    return parsed(talk, tpm_parse_nothing(&talk->response)) && read_public(talk, &exists) &&
           (exists || fail(talk, "the index is not there after it was defined"));
}

/* So that the guest cannot delete an index of the platform's. */
static bool close_platform(struct talk *talk, bool *was_open)
{
    tpm_make_hierarchy_off(&talk->command, TPM_RH_PLATFORM);
    if (!ask(talk)) {
        return false;
    }
    *was_open = talk->code == TPM_RC_SUCCESS;
    if (*was_open) {
        return parsed(talk, tpm_parse_nothing(&talk->response));
    }
    return is_closed(talk->code) || fail(talk, "the platform hierarchy cannot be closed");
}

static bool is_ours(struct talk *talk, bool platform_was_open)
{
    const struct tpm_nv_public *public = &talk->public;
    bool same = public->index == TPM_ROOT_INDEX && public->name_algorithm == TPM_ALG_SHA256 &&
                (public->attributes & ~STATE_ATTRIBUTES) == ATTRIBUTES &&
                public->policy_bytes == 0 && public->data_bytes == TPM_ROOT_BYTES;

    talk->code = TPM_RC_SUCCESS; /* no command's fault */
    if (!same) {
        return fail(talk, "the index is not one of ours, by its attributes or its size");
    }
    if (platform_was_open && (public->attributes & TPMA_NV_PLATFORMCREATE) == 0) {
        return fail(talk, "the index is the owner's where it should be the platform's");
    }
    if ((public->attributes & TPMA_NV_READLOCKED) != 0) {
        return fail(talk, "the index is locked since before this boot: reset the machine");
    }
    return true;
}

static bool write_secret(struct talk *talk, const uint8_t *fresh)
{
    uint8_t data[TPM_ROOT_BYTES];

    if (fresh == NULL) {
        return fail(talk, "there are no random numbers to make a secret of");
    }
    tpm_make_get_random(&talk->command, sizeof(data));
    bool ok = ask_and_succeed(talk, "it has no random numbers") &&
              parsed(talk, tpm_parse_random(&talk->response, data, sizeof(data)));
    if (ok) {
        for (unsigned i = 0; i < sizeof(data); i++) {
            data[i] ^= fresh[i];
        }
        tpm_make_nv_write(&talk->command, TPM_ROOT_INDEX, data, sizeof(data));
        ok = done(talk, "the index cannot be written");
        talk->is_new = true;
    }
    wipe(data, sizeof(data));
    return ok;
}

/*
 * An index of ours that was never written, or not locked, was left so when the power failed during
 * the boot that defined it: no guest had run.  Written it is once only: nothing is overwritten.
 */
static bool complete(struct talk *talk, const uint8_t *fresh)
{
    if ((talk->public.attributes & TPMA_NV_WRITTEN) == 0 && !write_secret(talk, fresh)) {
        return false;
    }
    if ((talk->public.attributes & TPMA_NV_WRITELOCKED) != 0) {
        return true;
    }
    tpm_make_nv_write_lock(&talk->command, TPM_ROOT_INDEX);
    return done(talk, "the index cannot be locked against writing");
}

/* A secret that can still be read behind us would be the guest's, too. */
static bool read_and_lock(struct talk *talk, uint8_t *secret)
{
    tpm_make_nv_read(&talk->command, TPM_ROOT_INDEX, TPM_ROOT_BYTES);
    if (!ask_and_succeed(talk, "the index cannot be read") ||
        !parsed(talk, tpm_parse_nv_read(&talk->response, secret, TPM_ROOT_BYTES))) {
        return false;
    }
    tpm_make_nv_read_lock(&talk->command, TPM_ROOT_INDEX);
    if (!done(talk, "the index cannot be locked against reading")) {
        return false;
    }
    tpm_make_nv_read(&talk->command, TPM_ROOT_INDEX, TPM_ROOT_BYTES);
    return ask(talk) &&
           (talk->code == TPM_RC_NV_LOCKED || fail(talk, "the lock against reading does not hold"));
}

static bool get_secret(struct talk *talk, const uint8_t *fresh, uint8_t *secret, bool *is_2)
{
    bool exists, was_open;

    return start(talk, is_2) && read_public(talk, &exists) && (exists || define(talk)) &&
           close_platform(talk, &was_open) && is_ours(talk, was_open) && complete(talk, fresh) &&
           read_and_lock(talk, secret);
}

static enum tpm_root tell(const struct talk *talk)
{
    if (talk->why != NULL && talk->status != STATUS_OK) {
        log_warn("TPM: %s (%s): no root secret from it", talk->why, status_text(talk->status));
        return TPM_ROOT_UNUSABLE;
    }
    if (talk->why != NULL && talk->code != TPM_RC_SUCCESS) {
        log_warn("TPM: %s (response 0x%x): no root secret from it", talk->why, talk->code);
        return TPM_ROOT_UNUSABLE;
    }
    if (talk->why != NULL) {
        log_warn("TPM: %s: no root secret from it", talk->why);
        return TPM_ROOT_UNUSABLE;
    }
    bool is_platforms = (talk->public.attributes & TPMA_NV_PLATFORMCREATE) != 0;
    log_info("TPM: %sroot secret in NV index 0x%x, which %s", talk->is_new ? "new " : "",
             TPM_ROOT_INDEX,
             is_platforms ? "the guest cannot replace"
                          : "whoever has the owner's authorization can replace");
    return TPM_ROOT_FOUND;
}

enum tpm_root tpm_root_secret(const uint8_t *fresh, uint8_t secret[static TPM_ROOT_BYTES])
{
    struct talk talk = {.start = hw_rdtsc(), .status = tpm_link_open()};
    bool is_2 = true, found = false;

    if (talk.status == STATUS_UNSUPPORTED) {
        talk.why = "its command buffer is not behind its registers";
    } else if (talk.status == STATUS_NOT_FOUND) {
        is_2 = false;
    } else if (talk.status != STATUS_OK) {
        talk.why = "it does not let us in";
    } else {
        found = get_secret(&talk, fresh, secret, &is_2);
    }
    tpm_link_close();
    enum tpm_root result = is_2 ? tell(&talk) : TPM_ROOT_NO_TPM;
    if (!found) {
        wipe(secret, TPM_ROOT_BYTES);
    }
    wipe(&talk, sizeof(talk));
    return result;
}
