/* The command line of nacre-verify. */
#ifndef VERIFY_OPTIONS_H
#define VERIFY_OPTIONS_H

#include "quote.h"

enum verify_mode { VERIFY_HELP, VERIFY_MEASURE, VERIFY_EVIDENCE, VERIFY_OLD, VERIFY_FIRST };

struct verify_options {
    enum verify_mode mode;
    const char *program; /* of --pal and --measure; NULL: expected has the identity */
    const char *key, *composite, *data;
    const char *quote; /* the file that is checked: evidence, the old signature, the first quote */
    struct verify_expected expected;
};

/*
 * Reads hexadecimal digits, all of text; false if it is anything else or more than room bytes.
 * The rest of bytes becomes 0.
 */
bool verify_hex(const char *text, uint8_t *bytes, size_t room, size_t *count);

/* NULL, or what is wrong, in a buffer that the next call uses again. */
const char *verify_options_read(struct verify_options *options, int argc, char **argv);

extern const char verify_help[];

#endif
