/* What the example programs share: files, and one clear line when something is wrong. */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include <errno.h>
#include <nacre/program.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn __attribute__((format(printf, 2, 3))) void end(int status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(status);
}

/* Reads exactly so many bytes; false: there is no such file. */
static inline bool read_file(const char *path, void *to, size_t bytes)
{
    FILE *file = fopen(path, "rb");
    char more;

    if (file == NULL && errno == ENOENT) {
        return false;
    }
    if (file == NULL) {
        end(1, "%s: %s", path, strerror(errno));
    }
    if (fread(to, 1, bytes, file) != bytes || fread(&more, 1, 1, file) != 0) {
        end(1, "%s: not a file of %zu bytes", path, bytes);
    }
    fclose(file);
    return true;
}

/* All or nothing: who loses power meanwhile has the old file. */
static inline void write_file(const char *path, const void *from, size_t bytes)
{
    char temporary[4096];

    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary)) {
        end(1, "%s: %s", path, strerror(ENAMETOOLONG));
    }
    FILE *file = fopen(temporary, "wb");
    if (file == NULL) {
        end(1, "%s: %s", temporary, strerror(errno));
    }
    if (fwrite(from, 1, bytes, file) != bytes || fflush(file) != 0 || fsync(fileno(file)) != 0 ||
        fclose(file) != 0 || rename(temporary, path) != 0) {
        int error = errno;
        (void)unlink(temporary);
        end(1, "%s: %s", path, strerror(error));
    }
}

/* Prints a line; that it was printed is part of success. */
static inline __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int printed = vprintf(format, arguments);
    va_end(arguments);
    if (printed < 0 || putchar('\n') == EOF || fflush(stdout) != 0) {
        end(1, "standard output: %s", strerror(errno));
    }
}

static inline struct pal *start(void)
{
    struct pal *pal;
    enum tv_error error = pal_register(&pal_description, &pal);

    if (error == TV_ERROR_SYSTEM) {
        end(1, "the PAL's memory: %s", strerror(errno));
    }
    if (error != TV_OK) {
        end(1, "the PAL: %s", tv_error_text(error));
    }
    return pal;
}

/* What PAL_CALL() said, and what the PAL's function returned: a value of enum tv_error too. */
static inline void must(enum tv_error error, uint64_t result)
{
    if (error != TV_OK || result != TV_OK) {
        end(1, "the PAL%s: %s", error == TV_OK ? " says" : "",
            tv_error_text(error != TV_OK ? error : (enum tv_error)result));
    }
}

#endif
