#include "region.h"

#include "layout.h"
#include "memory_map.h"

#include <stdlib.h>
#include <string.h>

#define POOL_PAGES_PER_CPU 8ULL /* VMXON region, VMCS, and what libraries add */
#define POOL_PAGES_FIXED 16ULL  /* bitmaps, EPT root */
#define FOUR_GIB (4ULL << 30)

/* Tables for identity maps by 2-MiB pages up to the end of RAM, and a share for each CPU. */
static uint64_t region_size(uint64_t ram_end)
{
    uint64_t gibs = (ram_end + PAGE_1G_BYTES - 1) / PAGE_1G_BYTES;
    if (gibs < 4) {
        gibs = 4;
    }
    uint64_t pages = gibs + gibs / 512 + POOL_PAGES_FIXED + CONFIG_SPARE_TABLE_PAGES +
                     CONFIG_MAX_CPUS * POOL_PAGES_PER_CPU;
    return addr_align_up(REGION_PRIVATE_BYTES + pages * PAGE_BYTES, PAGE_2M_BYTES);
}

/* The value of the last word "region=..." of the command line; NULL if there is none. */
static const char *told(const char *cmdline)
{
    const char *value = NULL;

    for (const char *at = cmdline; *at != '\0'; at += strcspn(at, " \t")) {
        at += strspn(at, " \t");
        if (strncmp(at, "region=", strlen("region=")) == 0) {
            value = at + strlen("region=");
        }
    }
    return value;
}

static const char *take_told_place(struct hw_boot_info *info, const char *value,
                                   const struct hw_memory_range *avoid, unsigned avoid_count)
{
    char *end;
    uint64_t start = strtoul(value, &end, 0);

    if (end == value || (*end != ' ' && *end != '\t' && *end != '\0') ||
        !addr_is_aligned(start, PAGE_2M_BYTES) || start == 0) {
        return "region= wants an address that is a multiple of 2 MiB";
    }
    if (start >= FOUR_GIB || info->region_bytes > FOUR_GIB - start ||
        !memory_map_is_free(info, start, info->region_bytes, avoid, avoid_count)) {
        return "region= names memory that is not free RAM below 4 GiB; choose another place";
    }
    info->region = hpa(start);
    return NULL;
}

const char *region_choose(struct hw_boot_info *info, const struct hw_memory_range *avoid,
                          unsigned avoid_count)
{
    uint64_t ram_end = memory_map_ram_end(info);
    const char *value = told(info->cmdline);

    if (ram_end > CONFIG_MAX_PHYS_BYTES) {
        return "more memory than supported; raise CONFIG_MAX_PHYS_BYTES in config/config.h";
    }
    info->region_bytes = region_size(ram_end);
    if (value != NULL) {
        return take_told_place(info, value, avoid, avoid_count);
    }
    info->region =
        hpa(memory_map_find(info, info->region_bytes, PAGE_2M_BYTES, avoid, avoid_count));
    return info->region.v != 0
               ? NULL
               : "too little memory: no free range for the hypervisor below 4 GiB; add memory";
}
