/*
 * Quotes that make_quotes made: each bit of them is changed, they are cut and made longer, and each
 * time they must be refused:
 *
 *     change_quotes SHA256 SHA1 NONCE32 NONCE20 KEY RSA EVIDENCE COMPOSITE SIGNATURE
 *         FIRST
 *
 * The last line is how many changes were tried.
 */
#include "file.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 1024U

/* One quote, of any interface, of which buffer holds the part that is changed. */
struct quote {
    struct verify_expected expected;
    struct verify_p256 p256;
    struct verify_rsa rsa;
    struct verify_file composite, signature;
};

typedef const char *check(const struct quote *quote, const uint8_t *bytes, size_t count);

static unsigned long tried;

static void die(const char *what)
{
    fprintf(stderr, "change_quotes: %s\n", what);
    exit(2);
}

static void take_hex(const char *text, uint8_t *bytes, size_t count)
{
    size_t got;
    if (!verify_hex(text, bytes, count, &got) || got != count) {
        die("wrong digits");
    }
}

static struct verify_file load(const char *path)
{
    struct verify_file file;
    if (verify_file_read(&file, path, ROOM - 1) != NULL) {
        die(path);
    }
    return file;
}

static const char *check_evidence(const struct quote *quote, const uint8_t *bytes, size_t count)
{
    struct verify_statement statement;
    return verify_evidence(&statement, &quote->expected, &quote->p256, bytes, count);
}

static const char *check_composite(const struct quote *quote, const uint8_t *bytes, size_t count)
{
    struct verify_statement statement;
    const struct verify_old_quote old = {bytes, quote->signature.bytes, count,
                                         quote->signature.count};
    return verify_old_quote(&statement, &quote->expected, &quote->rsa, &old);
}

static const char *check_signature(const struct quote *quote, const uint8_t *bytes, size_t count)
{
    struct verify_statement statement;
    const struct verify_old_quote old = {quote->composite.bytes, bytes, quote->composite.count,
                                         count};
    return verify_old_quote(&statement, &quote->expected, &quote->rsa, &old);
}

static const char *check_first(const struct quote *quote, const uint8_t *bytes, size_t count)
{
    struct verify_statement statement;
    return verify_first_quote(&statement, &quote->expected, &quote->rsa, bytes, count);
}

/* The block has exactly the bytes, so that a sanitizer sees what is read beyond. */
static void must_refuse(const struct quote *quote, check *function, const uint8_t *bytes,
                        size_t count, const char *what)
{
    uint8_t *copy = malloc(count > 0 ? count : 1);
    if (copy == NULL) {
        die("no memory");
    }
    memcpy(copy, bytes, count);
    tried++;
    if (function(quote, copy, count) == NULL) {
        fprintf(stderr, "accepted: %s, %zu bytes, change %lu\n", what, count, tried);
        exit(1);
    }
    free(copy);
}

static void change(const struct quote *quote, check *function, const struct verify_file *file,
                   const char *what)
{
    uint8_t bytes[ROOM] = {0};
    memcpy(bytes, file->bytes, file->count);
    if (function(quote, bytes, file->count) != NULL) {
        die("what was not changed is refused");
    }
    for (size_t bit = 0; bit < 8 * file->count; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        must_refuse(quote, function, bytes, file->count, what);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t count = 0; count <= sizeof(bytes); count++) {
        if (count != file->count) {
            must_refuse(quote, function, bytes, count, what);
        }
    }
}

int main(int argc, char **argv)
{
    static struct quote own, old;
    if (argc != 11) {
        die("usage: see the source");
    }
    struct verify_file key = load(argv[5]), rsa = load(argv[6]), evidence = load(argv[7]);
    take_hex(argv[1], own.expected.identity, 32);
    take_hex(argv[2], old.expected.identity, 20);
    take_hex(argv[3], own.expected.nonce, 32);
    take_hex(argv[4], old.expected.nonce, 20);
    old.composite = load(argv[8]);
    old.signature = load(argv[9]);
    struct verify_file first = load(argv[10]);
    if (verify_key_p256(&own.p256, key.bytes, key.count) != NULL ||
        verify_key_rsa(&old.rsa, rsa.bytes, rsa.count) != NULL) {
        die("wrong keys");
    }
    change(&own, check_evidence, &evidence, "evidence");
    change(&old, check_composite, &old.composite, "composite");
    change(&old, check_signature, &old.signature, "signature");
    change(&old, check_first, &first, "first");
    printf("%lu\n", tried);
    return 0;
}
