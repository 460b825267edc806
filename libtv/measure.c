#include <tv/measure.h>

#include <string.h>

void tv_measure_begin(struct tv_measure *measure)
{
    br_sha1_init(&measure->sha1);
    br_sha256_init(&measure->sha256);
}

void tv_measure_add(struct tv_measure *measure, const void *data, size_t bytes)
{
    br_sha1_update(&measure->sha1, data, bytes);
    br_sha256_update(&measure->sha256, data, bytes);
}

static void add_little_endian(struct tv_measure *measure, uint64_t value, size_t bytes)
{
    uint8_t data[sizeof(value)];
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)(value >> (8 * i));
    }
    tv_measure_add(measure, data, bytes);
}

void tv_measure_section_header(struct tv_measure *measure, uint32_t type, uint64_t start,
                               uint64_t bytes)
{
    add_little_endian(measure, type, sizeof(type));
    if (type != TV_SECTION_PARAM && type != TV_SECTION_STACK) {
        add_little_endian(measure, start, sizeof(start));
    }
    add_little_endian(measure, bytes, sizeof(bytes));
}

/* The contexts of what was added serve for the second digest too: a hypervisor's stack is small. */
void tv_measure_extend(struct tv_measure *measure, struct tv_measurement *measurement)
{
    struct tv_measurement digest;
    br_sha1_out(&measure->sha1, digest.sha1);
    br_sha256_out(&measure->sha256, digest.sha256);

    tv_measure_begin(measure);
    br_sha1_update(&measure->sha1, measurement->sha1, sizeof(measurement->sha1));
    br_sha1_update(&measure->sha1, digest.sha1, sizeof(digest.sha1));
    br_sha1_out(&measure->sha1, measurement->sha1);
    br_sha256_update(&measure->sha256, measurement->sha256, sizeof(measurement->sha256));
    br_sha256_update(&measure->sha256, digest.sha256, sizeof(digest.sha256));
    br_sha256_out(&measure->sha256, measurement->sha256);
}

void tv_measure_description(struct tv_measurement *measurement, uint32_t width, uint32_t flags,
                            uint64_t entry, uint32_t count,
                            const struct tv_pal_parameter *parameters)
{
    const struct {
        uint32_t version, width, flags, parameters;
        uint64_t entry;
    } head = {TV_PAL_VERSION, width, flags, count, entry};
    struct tv_measure measure;
    struct tv_measurement both = *measurement;

    tv_measure_begin(&measure);
    tv_measure_add(&measure, &head, sizeof(head));
    tv_measure_add(&measure, parameters, count * sizeof(*parameters));
    tv_measure_extend(&measure, &both);
    memcpy(measurement->sha256, both.sha256, sizeof(both.sha256));
}
