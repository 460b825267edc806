/* A counter that only goes up: its value leaves the PAL as a sealed blob alone. */
#include "counter.h"

#include <nacre/pal.h>

/*
 * The NV memory holds the newest count, which no old file can bring back.  A file that is one step
 * behind is from a program that ended before it had saved: the count goes on from the NV memory.
 */
static uint32_t check_nv(uint64_t *count)
{
    uint8_t content[TV_NV_BYTES];
    uint64_t newest;
    enum tv_error error = pal_nv_read(content);

    if (error != TV_OK) {
        return error;
    }
    memcpy(&newest, content, sizeof(newest));
    if (*count > newest) { /* counted without --nv, or the NV memory is an older one itself */
        return COUNTER_NEWER;
    }
    if (newest - *count > 1) {
        return COUNTER_OLDER;
    }
    *count = newest;
    return TV_OK;
}

static uint32_t write_nv(uint64_t count)
{
    uint8_t content[TV_NV_BYTES] = {0};

    memcpy(content, &count, sizeof(count));
    return pal_nv_write(content);
}

static uint32_t counter(uint32_t flags, uint8_t *blob, uint64_t *shown)
{
    uint64_t count = 0; /* of 64 bits: nobody can call until it is zero again */
    uint32_t bytes = sizeof(count), error = TV_OK;

    if ((flags & COUNTER_FIRST) == 0) {
        error = pal_unseal(blob, COUNTER_BLOB_BYTES, &count, &bytes);
    }
    if (error == TV_OK && (flags & COUNTER_NV) != 0) {
        error = check_nv(&count);
    }
    if (error != TV_OK) {
        return error;
    }
    count++;
    error = pal_seal(&count, sizeof(count), blob);
    if (error == TV_OK && (flags & COUNTER_NV) != 0) {
        error = write_nv(count);
    }
    *shown = count;
    return error;
}

PAL(counter, PAL_INTEGER, PAL_IN_OUT(COUNTER_BLOB_BYTES), PAL_OUT(sizeof(uint64_t)));
