#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 65536U

/* Makes room for more; its size is not asked for: it may be a pipe. */
static const char *grow(struct verify_file *file, size_t *room, size_t limit)
{
    size_t wanted = *room == 0 ? FIRST_BYTES : 2 * *room;
    wanted = wanted <= limit ? wanted : limit + 1;
    uint8_t *bytes = realloc(file->bytes, wanted);

    if (bytes == NULL) {
        return "not enough memory";
    }
    file->bytes = bytes;
    *room = wanted;
    return NULL;
}

static const char *read_all(struct verify_file *file, FILE *stream, size_t limit)
{
    size_t room = 0, got;

    do {
        const char *wrong = grow(file, &room, limit);
        if (wrong != NULL) {
            return wrong;
        }
        got = fread(file->bytes + file->count, 1, room - file->count, stream);
        file->count += got;
    } while (file->count == room && file->count <= limit);
    if (ferror(stream)) {
        return strerror(errno);
    }
    return file->count > limit ? "file is too large" : NULL;
}

const char *verify_file_read(struct verify_file *file, const char *path, size_t limit)
{
    *file = (struct verify_file){NULL, 0};
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return strerror(errno);
    }
    const char *wrong = read_all(file, stream, limit);
    (void)fclose(stream);
    return wrong;
}
