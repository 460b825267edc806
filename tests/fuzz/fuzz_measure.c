/*
 * Measurements: however a message is cut into parts, it extends a measurement as the whole does,
 * and a message of one more byte does not.
 *
 * sources: libtv/measure.c crypto
 */
#include "fuzz.h"

#include <tv/measure.h>

static struct tv_measurement measured(const uint8_t *bytes, size_t count,
                                      struct fuzz_input *lengths)
{
    struct tv_measurement measurement = {{0}, {0}};
    struct tv_measure measure;
    tv_measure_begin(&measure);
    while (count > 0) {
        size_t part = lengths ? fuzz_take(lengths, 1) + 1 : count;
        part = part < count ? part : count;
        tv_measure_add(&measure, bytes, part);
        bytes += part;
        count -= part;
    }
    tv_measure_extend(&measure, &measurement);
    return measurement;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size}, lengths = input;
    uint8_t *bytes = fuzz_copy(&input);
    struct tv_measurement whole = measured(bytes, size, NULL);
    struct tv_measurement parts = measured(bytes, size, &lengths);
    FUZZ_CHECK(memcmp(&whole, &parts, sizeof(whole)) == 0);
    if (size > 0) {
        struct tv_measurement shorter = measured(bytes, size - 1, NULL);
        FUZZ_CHECK(memcmp(&whole, &shorter, sizeof(whole)) != 0);
    }
    free(bytes);
    return 0;
}
