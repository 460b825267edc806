#include "quote.h"

#include <string.h>

static const char *check_registers(const struct verify_statement *statement,
                                   const struct verify_expected *expected, size_t digest_bytes)
{
    if ((expected->selection & ~statement->selection) != 0) {
        return "a register that was asked for is not in the quote";
    }
    for (unsigned i = 0; i < TV_PCRS; i++) {
        if ((expected->selection >> i & 1) != 0 &&
            memcmp(statement->pcr[i], expected->pcr[i], digest_bytes) != 0) {
            return "a register has another value";
        }
    }
    return NULL;
}

const char *verify_statement(const struct verify_statement *statement,
                             const struct verify_expected *expected, size_t digest_bytes)
{
    if (statement->is_debug && !expected->allow_debug) {
        return "signed by a debug build (--allow-debug)";
    }
    if (statement->root == TV_ROOT_RANDOM && !expected->allow_random) {
        return "signed with a key made at random for one boot (--allow-random)";
    }
    if (statement->root == TV_ROOT_SIMULATED && !expected->allow_simulated) {
        return "simulated: everybody can make it (--allow-simulated)";
    }
    return check_registers(statement, expected, digest_bytes);
}
