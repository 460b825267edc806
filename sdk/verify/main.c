/* nacre-verify: is this quote by Nacre, of this PAL, with my nonce? */
#include "file.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM_MAX (1UL << 30)
#define QUOTE_MAX (1UL << 20) /* files that are not longer are refused with a better reason */

enum { VERIFIED = 0, REFUSED = 1, WRONG = 2 };

/* What comes from files, for as long as the program runs. */
struct inputs {
    struct verify_file program, key, quote, composite;
    struct verify_pal pal;
    struct tv_measurement measurement;
};

static int wrong_file(const char *path, const char *reason)
{
    fprintf(stderr, "nacre-verify: %s: %s\n", path, reason);
    return WRONG;
}

static int read_file(struct verify_file *file, const char *path, size_t limit)
{
    const char *wrong = verify_file_read(file, path, limit);

    return wrong == NULL ? VERIFIED : wrong_file(path, wrong);
}

static int read_program(struct inputs *inputs, const char *path)
{
    int status = read_file(&inputs->program, path, PROGRAM_MAX);

    if (status != VERIFIED) {
        return status;
    }
    const char *wrong = verify_pal_read(&inputs->pal, inputs->program.bytes, inputs->program.count);
    if (wrong != NULL) {
        return wrong_file(path, wrong);
    }
    verify_pal_measure(&inputs->pal, &inputs->measurement);
    return VERIFIED;
}

/* Hexadecimal digits, or else a file with the bytes. */
static int read_data(struct verify_expected *expected, const char *text)
{
    size_t count;
    struct verify_file file;

    expected->has_data = true;
    if (verify_hex(text, expected->data, sizeof(expected->data), &count)) {
        return VERIFIED;
    }
    int status = read_file(&file, text, sizeof(expected->data));
    if (status == VERIFIED) {
        memset(expected->data, 0, sizeof(expected->data));
        memcpy(expected->data, file.bytes, file.count);
    }
    free(file.bytes);
    return status;
}

/* The rest of what is expected, and the quote. */
static int read_inputs(struct verify_options *options, struct inputs *inputs)
{
    int status = VERIFIED;

    if (options->program != NULL) {
        status = read_program(inputs, options->program);
        if (options->mode == VERIFY_EVIDENCE) {
            memcpy(options->expected.identity, inputs->measurement.sha256,
                   sizeof(inputs->measurement.sha256));
        } else {
            memcpy(options->expected.identity, inputs->measurement.sha1,
                   sizeof(inputs->measurement.sha1));
        }
    }
    if (status == VERIFIED && options->data != NULL) {
        status = read_data(&options->expected, options->data);
    }
    if (status == VERIFIED) {
        status = read_file(&inputs->key, options->key, QUOTE_MAX);
    }
    if (status == VERIFIED && options->composite != NULL) {
        status = read_file(&inputs->composite, options->composite, QUOTE_MAX);
    }
    return status == VERIFIED ? read_file(&inputs->quote, options->quote, QUOTE_MAX) : status;
}

static const char *check_old(const struct verify_options *options, const struct inputs *inputs,
                             const struct verify_rsa *key, struct verify_statement *statement)
{
    const struct verify_file *composite = &inputs->composite, *quote = &inputs->quote;

    if (options->mode == VERIFY_FIRST) {
        return verify_first_quote(statement, &options->expected, key, quote->bytes, quote->count);
    }
    const struct verify_old_quote old = {composite->bytes, quote->bytes, composite->count,
                                         quote->count};
    return verify_old_quote(statement, &options->expected, key, &old);
}

/* The reason to refuse the quote; *wrong_key is what is wrong with the key. */
static const char *check(const struct verify_options *options, const struct inputs *inputs,
                         struct verify_statement *statement, const char **wrong_key)
{
    const struct verify_file *key = &inputs->key, *quote = &inputs->quote;
    struct verify_p256 p256;
    struct verify_rsa rsa;

    if (options->mode != VERIFY_EVIDENCE) {
        *wrong_key = verify_key_rsa(&rsa, key->bytes, key->count);
        return *wrong_key == NULL ? check_old(options, inputs, &rsa, statement) : NULL;
    }
    *wrong_key = verify_key_p256(&p256, key->bytes, key->count);
    return *wrong_key == NULL
               ? verify_evidence(statement, &options->expected, &p256, quote->bytes, quote->count)
               : NULL;
}

static int verify(struct verify_options *options, struct inputs *inputs)
{
    struct verify_statement statement;
    const char *wrong_key;
    int status = read_inputs(options, inputs);

    if (status != VERIFIED) {
        return status;
    }
    const char *refused = check(options, inputs, &statement, &wrong_key);
    if (wrong_key != NULL) {
        return wrong_file(options->key, wrong_key);
    }
    if (refused != NULL) {
        fprintf(stderr, "nacre-verify: refused: %s\n", refused);
        return REFUSED;
    }
    verify_report_statement(options, options->program != NULL ? &inputs->pal : NULL, &statement);
    return VERIFIED;
}

static int run(struct verify_options *options, struct inputs *inputs)
{
    int status;

    switch (options->mode) {
    case VERIFY_HELP:
        (void)fputs(verify_help, stdout);
        return VERIFIED;
    case VERIFY_MEASURE:
        status = read_program(inputs, options->program);
        if (status == VERIFIED) {
            verify_report_measurement(&inputs->pal, &inputs->measurement);
        }
        return status;
    default:
        return verify(options, inputs);
    }
}

int main(int argc, char **argv)
{
    struct verify_options options;
    static struct inputs inputs;
    const char *wrong = verify_options_read(&options, argc, argv);

    if (wrong != NULL) {
        fprintf(stderr, "nacre-verify: %s (--help lists the options)\n", wrong);
        return WRONG;
    }
    int status = run(&options, &inputs);
    free(inputs.program.bytes);
    free(inputs.key.bytes);
    free(inputs.quote.bytes);
    free(inputs.composite.bytes);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "nacre-verify: standard output cannot be written\n");
        return WRONG;
    }
    return status;
}
