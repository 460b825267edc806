/*
 * What the fuzz targets share.  A target's LLVMFuzzerTestOneInput() takes any bytes, runs the code
 * on them, and FUZZ_CHECKs what must hold whatever they are; sanitizers watch every access, so
 * inputs that have an end are copied to a heap block of exactly their size.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    ((condition) ? (void)0                                                                         \
                 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

/* The input, taken from its beginning; 0 once it has come to its end. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint64_t fuzz_take(struct fuzz_input *input, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes && input->left > 0; i++) {
        value |= (uint64_t)*input->at++ << 8 * i;
        input->left--;
    }
    return value;
}

/* What is left of the input, in a block of exactly that size (at least 1); free() it. */
static inline uint8_t *fuzz_copy(const struct fuzz_input *input)
{
    uint8_t *copy = malloc(input->left > 0 ? input->left : 1);
    FUZZ_CHECK(copy != NULL);
    if (input->left > 0) {
        memcpy(copy, input->at, input->left);
    }
    return copy;
}

/* Makes the sum of the bytes 0 through the byte at `checksum`, as firmware tables have it. */
static inline void fuzz_seal(uint8_t *bytes, size_t count, size_t checksum)
{
    unsigned sum = 0;
    if (checksum >= count) {
        return;
    }
    bytes[checksum] = 0;
    for (size_t i = 0; i < count; i++) {
        sum += bytes[i];
    }
    bytes[checksum] = (uint8_t)-sum;
}

#endif
