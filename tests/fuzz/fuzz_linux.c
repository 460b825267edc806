/*
 * A kernel module's header and the plan made from it: whatever the header, the modules and the
 * memory map say, what is accepted is put into RAM of the guest, and the pieces do not overlap.
 *
 * sources: apps/common/linux.c apps/common/linux_plan.c apps/common/memmap.c libbase/status.c
 */
#include "fuzz.h"
#include "linux.h"

#include "linux_layout.h"

#include <base/addr.h>

static uint8_t header[LINUX_HEADER_BYTES];
static struct memmap map;

struct piece {
    uint64_t start, bytes;
};

static bool is_apart(struct piece a, struct piece b)
{
    return a.bytes == 0 || b.bytes == 0 || a.start + a.bytes <= b.start ||
           b.start + b.bytes <= a.start;
}

static bool is_in_ram(struct piece piece)
{
    return memmap_is(&map, piece.start, piece.start + piece.bytes, HW_MEMORY_RAM);
}

/* A header that is one, then the input's bytes over some of its fields. */
static void build_header(struct fuzz_input *input)
{
    static const struct {
        unsigned offset, bytes;
    } fields[] = {{HDR_SETUP_SECTS, 1},
                  {HDR_SYSSIZE, 4},
                  {HDR_BOOT_FLAG, 2},
                  {HDR_JUMP_LENGTH, 1},
                  {HDR_HEADER, 4},
                  {HDR_VERSION, 2},
                  {HDR_LOADFLAGS, 1},
                  {HDR_INITRD_ADDR_MAX, 4},
                  {HDR_KERNEL_ALIGNMENT, 4},
                  {HDR_CMDLINE_SIZE, 4},
                  {HDR_RELOCATABLE_KERNEL, 1},
                  {HDR_PREF_ADDRESS, 8},
                  {HDR_INIT_SIZE, 4}};
    static const struct {
        unsigned offset, bytes;
        uint64_t value;
    } good[] = {{HDR_BOOT_FLAG, 2, 0xaa55},
                {HDR_HEADER, 4, 0x53726448},
                {HDR_VERSION, 2, 0x20f},
                {HDR_LOADFLAGS, 1, LOADFLAGS_LOADED_HIGH},
                {HDR_JUMP_LENGTH, 1, 0x66},
                {HDR_SYSSIZE, 4, 0x8000},
                {HDR_INIT_SIZE, 4, 0x1000000},
                {HDR_PREF_ADDRESS, 8, 0x1000000},
                {HDR_KERNEL_ALIGNMENT, 4, 1 << 21},
                {HDR_RELOCATABLE_KERNEL, 1, 1},
                {HDR_INITRD_ADDR_MAX, 4, 0x7fffffff},
                {HDR_CMDLINE_SIZE, 4, 2047}};

    memset(header, 0, sizeof(header));
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        memcpy(header + good[i].offset, &good[i].value, good[i].bytes);
    }
    for (unsigned i = (unsigned)fuzz_take(input, 1) % 4; i > 0; i--) {
        unsigned field = (unsigned)fuzz_take(input, 1) % (sizeof(fields) / sizeof(fields[0]));
        uint64_t value = fuzz_take(input, fields[field].bytes);
        memcpy(header + fields[field].offset, &value, fields[field].bytes);
    }
}

static void build_map(struct fuzz_input *input)
{
    map.count = 0;
    (void)memmap_set(&map, 0, 0x9fc00, HW_MEMORY_RAM);
    (void)memmap_set(&map, 1 << 20, fuzz_take(input, 5), HW_MEMORY_RAM);
    for (unsigned i = (unsigned)fuzz_take(input, 1) % 8; i > 0; i--) {
        uint64_t start = fuzz_take(input, 3) << 12, bytes = fuzz_take(input, 2) << 12;
        (void)memmap_set(&map, start, start + bytes, HW_MEMORY_RAM + i % 5);
    }
}

static void check_plan(const struct linux_image *image, const struct linux_request *request,
                       const struct linux_plan *plan)
{
    struct piece kernel = {plan->kernel_to, image->span_bytes};
    struct piece initrd = {plan->initrd_to, request->initrd_bytes};
    struct piece low = {plan->low, LINUX_LOW_BYTES};

    FUZZ_CHECK(is_in_ram(kernel) && kernel.start + kernel.bytes <= 1ULL << 32);
    FUZZ_CHECK(plan->kernel_to == image->pref_address || image->relocatable);
    FUZZ_CHECK(initrd.bytes == 0 || is_in_ram(initrd));
    FUZZ_CHECK(initrd.bytes == 0 || initrd.start + initrd.bytes <= image->initrd_max);
    FUZZ_CHECK(is_in_ram(low) && low.start + low.bytes <= 1ULL << 32);
    FUZZ_CHECK(is_apart(kernel, initrd) && is_apart(kernel, low) && is_apart(initrd, low));
    /* The initrd moves first: it must not land on the kernel's module. */
    struct piece module = {request->kernel, request->kernel_bytes};
    FUZZ_CHECK(plan->initrd_to == request->initrd || is_apart(initrd, module));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct linux_image image;
    struct linux_plan plan;

    build_header(&input);
    build_map(&input);
    struct linux_request request = {.map = &map, .cmdline = "console=ttyS0"};
    request.kernel = fuzz_take(&input, 4);
    request.kernel_bytes = fuzz_take(&input, 4);
    request.initrd = fuzz_take(&input, 5);
    request.initrd_bytes = fuzz_take(&input, 4);
    enum linux_error error = linux_inspect(header, request.kernel_bytes, &image);
    if (error == LINUX_OK) {
        FUZZ_CHECK(image.setup_bytes + image.kernel_bytes <= request.kernel_bytes);
        FUZZ_CHECK(image.header_end <= LINUX_HEADER_BYTES);
        error = linux_plan(&image, &request, &plan);
    }
    if (error == LINUX_OK) {
        check_plan(&image, &request, &plan);
    }
    FUZZ_CHECK(strlen(linux_error_text(error)) > 0);
    return 0;
}
