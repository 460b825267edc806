#include "linux.h"

#include "linux_layout.h"

#include <base/addr.h>
#include <string.h>

#define BELOW_4G (1ULL << 32)
#define LOWEST PAGE_BYTES /* vectors and BIOS data */
#define HIGH_MEMORY (1ULL << 20)
/* Below the EBDA of any BIOS, where loaders traditionally put the parameters. */
#define LOW_END 0x98000ULL

static struct memmap_hole hole_at(uint64_t start, uint64_t bytes)
{
    return (struct memmap_hole){start, start + bytes};
}

static bool holes_overlap(struct memmap_hole a, struct memmap_hole b)
{
    return a.start < b.end && b.start < a.end && a.start < a.end && b.start < b.end;
}

static enum linux_error plan_kernel(const struct linux_image *image, const struct memmap *map,
                                    uint64_t *kernel_to)
{
    uint64_t end = image->pref_address + image->span_bytes;

    if (image->pref_address >= HIGH_MEMORY &&
        memmap_is(map, image->pref_address, end, HW_MEMORY_RAM)) {
        *kernel_to = image->pref_address;
        return LINUX_OK;
    }
    /* Not lower: a kernel that finds itself below its preferred address unpacks to that anyway. */
    uint64_t low = image->pref_address > HIGH_MEMORY ? image->pref_address : HIGH_MEMORY;
    struct memmap_search search = {.bytes = image->span_bytes,
                                   .alignment = image->kernel_alignment,
                                   .low = low,
                                   .high = BELOW_4G};
    if (image->relocatable && memmap_find_high(map, &search, kernel_to) == STATUS_OK) {
        return LINUX_OK;
    }
    return LINUX_NO_KERNEL_ROOM;
}

/* An initrd that already lies well stays: copying it is most of what a boot costs us. */
static enum linux_error plan_initrd(const struct linux_image *image,
                                    const struct linux_request *request, uint64_t kernel_to,
                                    uint64_t *initrd_to)
{
    struct memmap_hole target = hole_at(kernel_to, image->span_bytes);
    struct memmap_hole now = hole_at(request->initrd, request->initrd_bytes);

    *initrd_to = request->initrd;
    if (request->initrd_bytes == 0 ||
        (addr_is_aligned(now.start, PAGE_BYTES) && now.start >= HIGH_MEMORY &&
         now.end <= image->initrd_max && !holes_overlap(now, target) &&
         memmap_is(request->map, now.start, now.end, HW_MEMORY_RAM))) {
        return LINUX_OK;
    }
    /* The kernel moves after the initrd, so its module must survive the initrd's move. */
    struct memmap_hole holes[] = {target, hole_at(request->kernel, request->kernel_bytes)};
    struct memmap_search search = {.bytes = request->initrd_bytes,
                                   .alignment = PAGE_BYTES,
                                   .low = HIGH_MEMORY,
                                   .high = image->initrd_max,
                                   .holes = holes,
                                   .hole_count = 2};
    if (memmap_find_high(request->map, &search, initrd_to) != STATUS_OK) {
        return LINUX_NO_INITRD_ROOM;
    }
    return LINUX_OK;
}

/* Written last, so only the final places of kernel and initrd are in the way. */
static enum linux_error plan_low(const struct linux_image *image,
                                 const struct linux_request *request, struct linux_plan *plan)
{
    struct memmap_hole holes[] = {hole_at(plan->kernel_to, image->span_bytes),
                                  hole_at(plan->initrd_to, request->initrd_bytes)};

    struct memmap_search search = {LINUX_LOW_BYTES, PAGE_BYTES, LOWEST, LOW_END, holes, 2};

    if (memmap_find_high(request->map, &search, &plan->low) == STATUS_OK) {
        return LINUX_OK;
    }
    search.high = BELOW_4G;
    if (memmap_find_high(request->map, &search, &plan->low) == STATUS_OK) {
        return LINUX_OK;
    }
    return LINUX_NO_LOW_ROOM;
}

static bool wraps(uint64_t start, uint64_t bytes)
{
    return bytes > UINT64_MAX - start;
}

enum linux_error linux_plan(const struct linux_image *image, const struct linux_request *request,
                            struct linux_plan *plan)
{
    size_t cmdline_bytes = strlen(request->cmdline);

    if (request->initrd_bytes >= BELOW_4G) { /* ramdisk_size has 32 bits */
        return LINUX_NO_INITRD_ROOM;
    }
    if (wraps(request->kernel, request->kernel_bytes) ||
        wraps(request->initrd, request->initrd_bytes) ||
        holes_overlap(hole_at(request->kernel, request->kernel_bytes),
                      hole_at(request->initrd, request->initrd_bytes))) {
        return LINUX_BAD_MODULES;
    }
    if (cmdline_bytes > image->cmdline_max_bytes ||
        cmdline_bytes >= LINUX_LOW_BYTES - LINUX_LOW_CMDLINE) {
        return LINUX_CMDLINE_LONG;
    }
    if (request->map->count > ZP_E820_MAX) {
        return LINUX_MAP_LONG;
    }
    enum linux_error error = plan_kernel(image, request->map, &plan->kernel_to);
    if (error == LINUX_OK) {
        error = plan_initrd(image, request, plan->kernel_to, &plan->initrd_to);
    }
    if (error == LINUX_OK) {
        error = plan_low(image, request, plan);
    }
    return error;
}
