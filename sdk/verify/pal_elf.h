/*
 * The PAL in a program file, and its measurement.  Pure: works on the file's bytes, which may be
 * anything; nothing beyond them is read.  Texts returned are reasons for people.
 */
#ifndef VERIFY_PAL_ELF_H
#define VERIFY_PAL_ELF_H

#include <nacre/pal_file.h>
#include <stddef.h>
#include <tv/measure.h>

struct pal_file {
    struct pal_description description;
    const uint8_t *code, *data; /* in the file's bytes */
    size_t code_bytes, data_bytes;
};

/* NULL: *pal is filled; else what is wrong with the file. */
const char *pal_file_read(const uint8_t *file, size_t bytes, struct pal_file *pal);

/* The SHA-256 identity, and register 0 of the SHA-1 bank (docs/pal.md, Measurement). */
void pal_file_measure(const struct pal_file *pal, struct tv_measurement *measurement);

#endif
