/*
 * Backed memory: sparse private mappings, one for each range; and the start of the hypervisor's
 * region as an alias of this program's own image, so that addresses of its static objects exist in
 * the machine too, as they do on the real one.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SCRATCH_BYTES (8ULL << 20)

/* Laid out by the linker around all that the program loads. */
extern char __executable_start[], _end[];

static uint64_t image_bytes(void)
{
    uint64_t bytes = (uint64_t)(_end - __executable_start);
    return addr_align_up(bytes, PAGE_2M_BYTES);
}

static struct ram_range *range_of(uint64_t address, uint64_t bytes)
{
    for (unsigned i = 0; i < fake_m.range_count; i++) {
        struct ram_range *range = &fake_m.ranges[i];
        if (address >= range->start && address - range->start < range->bytes &&
            bytes <= range->bytes - (address - range->start)) {
            return range;
        }
    }
    return NULL;
}

void *fake_backing(uint64_t address, uint64_t bytes)
{
    const struct ram_range *range = range_of(address, bytes);
    return range ? range->host + (address - range->start) : NULL;
}

void *fake_ram(uint64_t address, uint64_t bytes)
{
    return fake_backing(address, bytes);
}

static void range_add(uint64_t start, uint64_t bytes, uint32_t type)
{
    void *host = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (host == MAP_FAILED) {
        fake_misuse("no address space for %llu bytes", (unsigned long long)bytes);
    }
    fake_m.ranges[fake_m.range_count++] =
        (struct ram_range){.start = start, .bytes = bytes, .type = type, .host = host};
}

static void region_layout(void)
{
    const struct fake_config *config = &fake_m.config;
    fake_m.image_bytes = image_bytes();
    uint64_t total = fake_m.image_bytes + SCRATCH_BYTES + config->pool_bytes;
    fake_m.region_start = config->region_end - total;
    fake_m.scratch_next = fake_m.region_start + fake_m.image_bytes;
    fake_m.scratch_end = fake_m.scratch_next + SCRATCH_BYTES;
    const struct ram_range *range = range_of(fake_m.region_start, total);
    if (total > config->region_end || !addr_is_aligned(fake_m.region_start, PAGE_2M_BYTES) ||
        !range || range->type != HW_MEMORY_RAM) {
        fake_misuse("the region of %llu bytes does not fit below region_end",
                    (unsigned long long)total);
    }
}

void fake_ram_reset(void)
{
    for (unsigned i = 0; i < fake_m.range_count; i++) {
        if (!fake_m.ranges[i].is_image) {
            munmap(fake_m.ranges[i].host, fake_m.ranges[i].bytes);
        }
    }
    fake_m.range_count = 0;
    for (unsigned i = 0; i < fake_m.config.range_count; i++) {
        const struct fake_range *range = &fake_m.config.ranges[i];
        range_add(range->start, range->bytes, range->type);
    }
    region_layout();
    /* First in the search order: it hides the RAM behind it. */
    memmove(&fake_m.ranges[1], &fake_m.ranges[0], fake_m.range_count * sizeof fake_m.ranges[0]);
    fake_m.ranges[0] = (struct ram_range){
        .start = fake_m.region_start,
        .bytes = (uint64_t)(_end - __executable_start),
        .type = HW_MEMORY_RAM,
        .host = (uint8_t *)__executable_start,
        .is_image = true,
    };
    fake_m.range_count++;
}

void *fake_region_alloc(uint64_t bytes, uint64_t alignment)
{
    uint64_t start = addr_align_up(fake_m.scratch_next, alignment);
    if (start + bytes > fake_m.scratch_end) {
        fake_misuse("fake_region_alloc: %llu bytes do not fit", (unsigned long long)bytes);
    }
    fake_m.scratch_next = start + bytes;
    return memset(fake_backing(start, bytes), 0, bytes);
}

void *hw_region_pointer(struct hpa from, uint64_t bytes)
{
    int result;
    if (fake_enter(FAKE_REGION_POINTER, &result)) {
        return NULL;
    }
    if (from.v < fake_m.region_start || from.v >= fake_m.config.region_end ||
        bytes > fake_m.config.region_end - from.v) {
        return NULL;
    }
    return fake_backing(from.v, bytes);
}

struct hpa hw_region_address(const void *pointer)
{
    fake_count(FAKE_REGION_ADDRESS);
    const uint8_t *byte = pointer;
    for (unsigned i = 0; i < fake_m.range_count; i++) {
        const struct ram_range *range = &fake_m.ranges[i];
        if (byte >= range->host && byte < range->host + range->bytes) {
            uint64_t address = range->start + (uint64_t)(byte - range->host);
            CHECK(address >= fake_m.region_start && address < fake_m.config.region_end);
            return hpa(address);
        }
    }
    fake_end(FAKE_END_CHECK, "hw_region_address(%p): neither in the region nor a static object",
             pointer);
}
