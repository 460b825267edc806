/* A counter that only goes up: its value leaves the PAL as a sealed blob alone. */
#include "counter.h"

#include <nacre/pal.h>

/*
 * The NV memory holds the newest count, which no old file can bring back.  A file that is one step
 * behind is from a program that ended before it had saved: the count goes on from the NV memory.
 */
static uint32_t check_nv(uint32_t *count)
{
    uint8_t content[TV_NV_BYTES];
    uint32_t newest;
    enum tv_error error = pal_nv_read(content);

    if (error != TV_OK) {
        return error;
    }
    memcpy(&newest, content, sizeof(newest));
    if (*count > newest || newest - *count > 1) {
        return COUNTER_STALE;
    }
    *count = newest;
    return TV_OK;
}

static uint32_t write_nv(uint32_t count)
{
    uint8_t content[TV_NV_BYTES] = {0};

    memcpy(content, &count, sizeof(count));
    return pal_nv_write(content);
}

static uint32_t counter(uint32_t flags, uint8_t *blob, uint32_t *shown)
{
    uint32_t count = 0, bytes = sizeof(count), error = TV_OK;

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

PAL(counter, PAL_INTEGER, PAL_IN_OUT(COUNTER_BLOB_BYTES), PAL_OUT(sizeof(uint32_t)));
