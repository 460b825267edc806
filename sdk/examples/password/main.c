/* password set|check FILE: the password is the first line of standard input. */
#include "../common.h"
#include "password.h"

static char line[PASSWORD_MOST + 2];

static uint32_t read_password(void)
{
    if (fgets(line, sizeof(line), stdin) == NULL) {
        end(1, "no password on standard input");
    }
    size_t bytes = strcspn(line, "\n");
    if (bytes > PASSWORD_MOST) {
        end(1, "the password has more than %u bytes", PASSWORD_MOST);
    }
    line[bytes] = '\0';
    return (uint32_t)bytes;
}

int main(int count, char **argument)
{
    bool is_set = count == 3 && strcmp(argument[1], "set") == 0;
    uint8_t blob[PASSWORD_BLOB_BYTES] = {0};
    uint32_t left = 0;
    uint64_t result;

    if (count != 3 || (!is_set && strcmp(argument[1], "check") != 0)) {
        end(2, "usage: password set|check FILE");
    }
    if (!is_set && !read_file(argument[2], blob, sizeof(blob))) {
        end(1, "%s: %s", argument[2], strerror(ENOENT));
    }
    uint32_t bytes = read_password();
    struct pal *pal = start();
    enum tv_error error =
        PAL_CALL(pal, &result, is_set ? PASSWORD_SET : PASSWORD_CHECK, line, bytes, blob, &left);
    if (error != TV_OK || (result != PASSWORD_WRONG && result != PASSWORD_LOCKED)) {
        must(error, result);
    }
    write_file(argument[2], blob, sizeof(blob));
    (void)pal_unregister(pal);
    if (result == PASSWORD_LOCKED) {
        end(1, "locked: too many wrong passwords");
    }
    if (result == PASSWORD_WRONG) {
        end(1, "wrong; tries left: %u", left);
    }
    say("%s", is_set ? "set" : "right");
    return 0;
}
