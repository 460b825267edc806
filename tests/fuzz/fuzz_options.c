/*
 * Nacre's own command line: any string is understood or refused with one line that is terminated,
 * printable and names what is wrong.
 *
 * sources: apps/common/options.c libbase/status.c
 * seeds: 636f6e736f6c653d73657269616c3a307833663820626f6f743d636861696e2064726976653d30783830,
 *     6c6f673d6465627567206d656d3d3531324d2070616e69633d7265736574,
 *     2f626f6f742f6e616372652e656c6620636f6e736f6c653d6e6f6e65
 */
#include "fuzz.h"
#include "options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct app_options options;
    char message[OPTIONS_MESSAGE_BYTES];
    char *line = malloc(size + 1);

    FUZZ_CHECK(line != NULL);
    memcpy(line, data, size);
    line[size] = '\0';
    memset(message, 'x', sizeof(message));
    const char *words = options_skip_path(line);
    FUZZ_CHECK(words >= line && words <= line + size);
    enum status status = options_parse(words, &options, message);
    FUZZ_CHECK(memchr(message, '\0', sizeof(message)) != NULL);
    FUZZ_CHECK((status == STATUS_OK) == (message[0] == '\0'));
    FUZZ_CHECK(strchr(message, '\n') == NULL);
    FUZZ_CHECK(options.log < LOG_LEVEL_COUNT && options.boot <= APP_BOOT_CHAIN);
    if (status == STATUS_OK) {
        FUZZ_CHECK(options.memory_limit_bytes >= OPTIONS_MIN_MEMORY_BYTES);
    }
    (void)options_boot(&options, true);
    (void)options_drive(&options, 0x80);
    free(line);
    return 0;
}
