/*
 * The boot loader's Multiboot 2 information (REQ-MEM-4): whatever it holds, nothing past its end is
 * read, and what is accepted is sorted, free of overlaps, bounded and NUL-terminated.
 *
 * sources: platform/x86_64/mb2.c platform/x86_64/memory_map.c
 * seeds: 00000000 00000000 06000000 28000000 18000000 00000000 0000000000000000
 *     00000a0000000000 01000000 00000000 00000000 08000000
 */
#include "fuzz.h"

#include "layout.h"
#include "mb2.h"
#include "memory_map.h"

struct host_space host_space;
static struct hw_boot_info info;

static bool is_terminated(const char *string)
{
    return memchr(string, '\0', CONFIG_CMDLINE_BYTES) != NULL;
}

static void check_accepted(uint64_t input_bytes)
{
    FUZZ_CHECK(info.memory_count > 0 && info.memory_count <= CONFIG_MAX_MEMORY_RANGES);
    for (unsigned i = 0; i < info.memory_count; i++) {
        const struct hw_memory_range *range = &info.memory[i];
        FUZZ_CHECK(range->start < range->end);
        FUZZ_CHECK(range->type >= HW_MEMORY_RAM && range->type <= HW_MEMORY_BAD);
        FUZZ_CHECK(i == 0 || info.memory[i - 1].end <= range->start);
    }
    FUZZ_CHECK(info.module_count <= CONFIG_MAX_MODULES && is_terminated(info.cmdline));
    for (unsigned i = 0; i < info.module_count; i++) {
        const struct hw_module *module = &info.modules[i];
        FUZZ_CHECK(module->start.v + module->bytes <= 1ULL << 32);
        FUZZ_CHECK(is_terminated(module->string) && strlen(module->string) < input_bytes);
        for (unsigned other = 0; other < i; other++) {
            const struct hw_module *before = &info.modules[other];
            FUZZ_CHECK(module->bytes == 0 || before->bytes == 0 ||
                       module->start.v >= before->start.v + before->bytes ||
                       before->start.v >= module->start.v + module->bytes);
        }
    }
}

/* A place that is found is RAM and clear of what was to be avoided. */
static void check_place(uint64_t bytes)
{
    struct hw_memory_range avoid[CONFIG_MAX_MODULES];
    for (unsigned i = 0; i < info.module_count; i++) {
        avoid[i].start = info.modules[i].start.v;
        avoid[i].end = info.modules[i].start.v + info.modules[i].bytes;
    }
    uint64_t place = memory_map_find(&info, bytes, PAGE_2M_BYTES, avoid, info.module_count);
    if (place == 0) {
        return;
    }
    FUZZ_CHECK(addr_is_aligned(place, PAGE_2M_BYTES) && place + bytes <= 1ULL << 32);
    for (unsigned i = 0; i < info.module_count; i++) {
        FUZZ_CHECK(avoid[i].start >= avoid[i].end || place >= avoid[i].end ||
                   avoid[i].start >= place + bytes);
    }
    bool is_ram = false;
    for (unsigned i = 0; i < info.memory_count; i++) {
        is_ram = is_ram || (info.memory[i].type == HW_MEMORY_RAM && info.memory[i].start <= place &&
                            place + bytes <= info.memory[i].end);
    }
    FUZZ_CHECK(is_ram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    if (size < 16) { /* the platform maps at least the fixed part */
        return 0;
    }
    uint8_t *copy = fuzz_copy(&input);
    bool honest =
        (data[4] & 1) == 0; /* word 4 is reserved: here it says whether to mend the size */
    if (honest) {
        uint32_t total = (uint32_t)size;
        memcpy(copy, &total, sizeof(total));
    }
    const char *error = mb2_parse(copy, size, &info);
    if (error == NULL) {
        check_accepted(size);
        check_place(PAGE_2M_BYTES);
        check_place(64 * PAGE_2M_BYTES);
    } else {
        FUZZ_CHECK(strlen(error) > 0 && strchr(error, '\n') == NULL);
    }
    free(copy);
    return 0;
}
