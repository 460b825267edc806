/*
 * A TPM that answers as it likes: right, right but for a byte, with an error, or with any bytes.
 * A secret is taken only if it is what NV_Read gave, the index was locked after that, and reading
 * it once more was refused for the lock; else it is zero.
 *
 * sources: libtpm/root.c libtpm/make.c libtpm/parse.c libbase/log.c libbase/status.c
 * include: libtpm/include libtpm platform/include
 * seeds: 00000000000000000000000000000000,000300008b,00000000000001
 */
#include "fuzz.h"

#include "command.h"

#include <base/check.h>
#include <base/log.h>
#include <hw/cpu.h>
#include <tpm/link.h>
#include <tpm/root.h>

enum how { RIGHT, CHANGED, ERROR, ANY, LINK_FAILS, HOWS };
enum { NV_READ = 0x14e, NV_READ_LOCK = 0x14f, NV_READ_PUBLIC = 0x169, GET_RANDOM = 0x17b };

static struct fuzz_input input;
static uint64_t now;
static bool is_read, is_locked, is_refused;
static uint8_t given[TPM_ROOT_BYTES];

uint64_t hw_rdtsc(void)
{
    return now += 1000;
}

uint64_t hw_tsc_hz(void)
{
    return 1000000000;
}

void hw_delay_us(uint32_t us)
{
    now += us * 1000ULL;
}

void base_log_sink(const char *line, size_t line_bytes)
{
    FUZZ_CHECK(line_bytes > 0 && line[line_bytes - 1] == '\n');
}

_Noreturn void base_check_failed(const char *file, unsigned line, const char *expression)
{
    fprintf(stderr, "%s:%u: CHECK(%s)\n", file, line, expression);
    abort();
}

static size_t from_hex(const char *hex, uint8_t *bytes)
{
    size_t count = strlen(hex) / 2;
    for (size_t i = 0; i < count; i++) {
        unsigned byte = 0;
        FUZZ_CHECK(sscanf(hex + 2 * i, "%2x", &byte) == 1);
        bytes[i] = (uint8_t)byte;
    }
    return count;
}

/* As a TPM with a complete index of ours answers; parameters of 32 bytes are 01 and zeros. */
static size_t right_answer(uint32_t code, uint8_t *to)
{
    switch (code) {
    case NV_READ:
        if (is_locked) {
            return from_hex("80010000000a00000148", to);
        }
        memset(to, 0, 53);
        from_hex("8002"
                 "00000035"
                 "00000000"
                 "00000022"
                 "0020"
                 "01",
                 to);
        return 53;
    case NV_READ_PUBLIC:
        memset(to, 0, 62);
        from_hex("8001"
                 "0000003e"
                 "00000000"
                 "000e"
                 "01804e43"
                 "000b"
                 "e2043804"
                 "0000"
                 "0020"
                 "0022",
                 to);
        return 62;
    case GET_RANDOM:
        memset(to, 0, 44);
        from_hex("8001"
                 "0000002c"
                 "00000000"
                 "0020"
                 "01",
                 to);
        return 44;
    case 0x144: /* Startup */
        return from_hex("80010000000a00000100", to);
    default:
        return from_hex("8002"
                        "00000013"
                        "00000000"
                        "00000000"
                        "0000"
                        "01"
                        "0000",
                        to);
    }
}

static size_t answer(enum how how, uint32_t code, uint8_t *to, size_t room)
{
    size_t bytes = right_answer(code, to);
    if (how == CHANGED) {
        size_t at = fuzz_take(&input, 1) % bytes;
        to[at] = (uint8_t)fuzz_take(&input, 1);
    } else if (how == ERROR) {
        bytes = from_hex("80010000000a00000000", to);
        to[8] = (uint8_t)fuzz_take(&input, 1);
        to[9] = (uint8_t)fuzz_take(&input, 1);
    } else if (how == ANY) {
        bytes = fuzz_take(&input, 1) % (room + 1);
        for (size_t i = 0; i < bytes; i++) {
            to[i] = (uint8_t)fuzz_take(&input, 1);
        }
    }
    return bytes;
}

enum status tpm_link_open(void)
{
    return STATUS_OK;
}

void tpm_link_close(void)
{
}

enum status tpm_link_exchange(const uint8_t *command, size_t command_bytes, uint8_t *response,
                              size_t room_bytes, size_t *response_bytes)
{
    FUZZ_CHECK(command_bytes >= 10 && command[5] == command_bytes);
    uint32_t code = (uint32_t)command[8] << 8 | command[9];
    enum how how = (enum how)(fuzz_take(&input, 1) % HOWS);
    if (how == LINK_FAILS) {
        return STATUS_HARDWARE;
    }
    *response_bytes = answer(how, code, response, room_bytes);
    bool has_code = *response_bytes >= 10;
    uint32_t result = has_code ? (uint32_t)response[8] << 8 | response[9] : 0xffff;
    if (code == NV_READ && result == 0 && *response_bytes >= 48) {
        memcpy(given, response + 16, sizeof(given));
        is_read = true;
    }
    is_refused = code == NV_READ && is_locked && result == TPM_RC_NV_LOCKED;
    is_locked = is_locked || (code == NV_READ_LOCK && is_read && result == 0);
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t fresh[TPM_ROOT_BYTES] = {0}, secret[TPM_ROOT_BYTES];
    static const uint8_t nothing[TPM_ROOT_BYTES];

    input = (struct fuzz_input){data, size};
    is_read = is_locked = is_refused = false;
    uint64_t start = now;
    memset(secret, 0xa5, sizeof(secret));
    enum tpm_root outcome = tpm_root_secret(fresh, secret);
    FUZZ_CHECK(now - start < (TPM_ROOT_LIMIT_MS + 1000) * 1000000ULL);
    if (outcome == TPM_ROOT_FOUND) {
        FUZZ_CHECK(is_read && is_locked && is_refused);
        FUZZ_CHECK(memcmp(secret, given, sizeof(secret)) == 0);
    } else {
        FUZZ_CHECK(memcmp(secret, nothing, sizeof(secret)) == 0);
    }
    return 0;
}
