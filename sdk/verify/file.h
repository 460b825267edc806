/* Whole files in memory. */
#ifndef VERIFY_FILE_H
#define VERIFY_FILE_H

#include <stddef.h>
#include <stdint.h>

struct verify_file {
    uint8_t *bytes; /* free() it */
    size_t count;
};

/* NULL, or why it cannot be had; a file of more than limit bytes is refused. */
const char *verify_file_read(struct verify_file *file, const char *path, size_t limit);

#endif
