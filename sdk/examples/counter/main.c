/* counter [--nv] FILE: counts up, keeps the count in FILE, and prints it. */
#include "../common.h"
#include "counter.h"

#include <inttypes.h>

int main(int arguments, char **argument)
{
    bool with_nv = arguments == 3 && strcmp(argument[1], "--nv") == 0;
    uint8_t blob[COUNTER_BLOB_BYTES] = {0};
    uint64_t count = 0, result;

    if (arguments != (with_nv ? 3 : 2) || argument[arguments - 1][0] == '-') {
        end(2, "usage: counter [--nv] FILE");
    }
    const char *path = argument[arguments - 1];
    uint32_t flags = with_nv ? COUNTER_NV : 0;
    if (!read_file(path, blob, sizeof(blob))) {
        flags |= COUNTER_FIRST;
    }
    struct pal *pal = start();
    enum tv_error error = PAL_CALL(pal, &result, flags, blob, &count);
    if (error == TV_OK && (result == COUNTER_OLDER || result == COUNTER_NEWER)) {
        end(1, "%s: %s than the NV memory knows", path,
            result == COUNTER_OLDER ? "older" : "newer");
    }
    must(error, result);
    write_file(path, blob, sizeof(blob));
    say("%" PRIu64, count);
    (void)pal_unregister(pal);
    return 0;
}
