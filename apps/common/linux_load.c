#include "linux.h"

#include "linux_layout.h"

#include <hw/mem.h>
#include <string.h>

/* The descriptors that the 32-bit boot protocol asks for: flat, at 0x10 and 0x18. */
#define BOOT_CS 0x10
#define BOOT_DS 0x18
static const uint64_t GDT[] = {
    0, 0, 0x00cf9b000000ffff, /* code, execute/read, accessed (SDM "Segment Descriptors") */
    0x00cf93000000ffff,       /* data, read/write, accessed */
};
_Static_assert(sizeof(GDT) == BOOT_DS + 8, "boot.rst: __BOOT_CS 0x10, __BOOT_DS 0x18");
_Static_assert(LINUX_LOW_GDT >= ZP_BYTES && LINUX_LOW_CMDLINE >= LINUX_LOW_GDT + sizeof(GDT),
               "parts of the low block are apart");
_Static_assert(LINUX_LOW_BYTES - LINUX_LOW_CMDLINE > CONFIG_CMDLINE_BYTES,
               "every module string that the platform keeps fits");

/* Writes to the low block; the first failure sticks. */
struct writer {
    uint64_t base;
    enum status status;
};

static void put(struct writer *writer, uint64_t offset, const void *from, size_t bytes)
{
    if (writer->status == STATUS_OK) {
        writer->status = hw_phys_write(hpa(writer->base + offset), from, bytes);
    }
}

/* bytes of a little-endian value, at most 8. */
static void put_number(struct writer *writer, uint64_t offset, uint64_t value, size_t bytes)
{
    put(writer, offset, &value, bytes);
}

static bool has_word(const char *cmdline, const char *word)
{
    size_t bytes = strlen(word);

    for (const char *at = cmdline + strspn(cmdline, " "); *at != '\0'; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        if (length == bytes && memcmp(at, word, bytes) == 0) {
            return true;
        }
        at += length;
    }
    return false;
}

/* 80x25 VGA text, cursor at the top: what a BIOS leaves and the kernel's early console takes. */
static void put_screen(struct writer *writer, uint16_t extended_kib)
{
    put_number(writer, ZP_EXT_MEM_K, extended_kib, 2);
    put_number(writer, ZP_VIDEO_MODE, 3, 1);
    put_number(writer, ZP_VIDEO_COLS, 80, 1);
    put_number(writer, ZP_VIDEO_LINES, 25, 1);
    put_number(writer, ZP_VIDEO_IS_VGA, 1, 1);
    put_number(writer, ZP_VIDEO_POINTS, 16, 2);
}

static void put_map(struct writer *writer, const struct memmap *map)
{
    uint64_t megabyte_end = 0;

    for (unsigned i = 0; i < map->count; i++) {
        struct memmap_e820 entry = memmap_e820(map, i);
        put(writer, ZP_E820_TABLE + i * sizeof(entry), &entry, sizeof(entry));
        if (memmap_is(map, 1 << 20, map->ranges[i].end, HW_MEMORY_RAM)) {
            megabyte_end = map->ranges[i].end;
        }
    }
    put_number(writer, ZP_E820_ENTRIES, map->count, 1);
    uint64_t kib = megabyte_end == 0 ? 0 : (megabyte_end - (1 << 20)) >> 10;
    put_number(writer, ZP_ALT_MEM_K, kib > UINT32_MAX ? UINT32_MAX : kib, 4);
}

static void put_header(struct writer *writer, const uint8_t *header,
                       const struct linux_image *image, const struct linux_request *request,
                       const struct linux_plan *plan)
{
    uint8_t flags = header[HDR_LOADFLAGS] & (uint8_t)~LOADFLAGS_CAN_USE_HEAP;

    if (has_word(request->cmdline, "quiet")) { /* the real-mode part would have done that */
        flags |= LOADFLAGS_QUIET_FLAG;
    }
    put(writer, HDR_START, header + HDR_START, image->header_end - HDR_START);
    put_number(writer, HDR_TYPE_OF_LOADER, TYPE_OF_LOADER_UNDEFINED, 1);
    put_number(writer, HDR_LOADFLAGS, flags, 1);
    put_number(writer, HDR_CODE32_START, plan->kernel_to, 4);
    put_number(writer, HDR_RAMDISK_IMAGE, request->initrd_bytes == 0 ? 0 : plan->initrd_to, 4);
    put_number(writer, HDR_RAMDISK_SIZE, request->initrd_bytes, 4);
    put_number(writer, HDR_CMD_LINE_PTR, plan->low + LINUX_LOW_CMDLINE, 4);
    if (image->version >= 0x020e) {
        put_number(writer, ZP_ACPI_RSDP_ADDR, request->rsdp, 8);
    }
}

static enum status write_low(const uint8_t *header, const struct linux_image *image,
                             const struct linux_request *request, const struct linux_plan *plan)
{
    struct writer writer = {plan->low, hw_phys_zero(hpa(plan->low), LINUX_LOW_BYTES)};

    put_screen(&writer, memmap_int15_88(request->map));
    put_header(&writer, header, image, request, plan);
    put_map(&writer, request->map);
    put(&writer, LINUX_LOW_GDT, GDT, sizeof(GDT));
    put(&writer, LINUX_LOW_CMDLINE, request->cmdline, strlen(request->cmdline) + 1);
    return writer.status;
}

/* The initrd first: the plan keeps it off the kernel's module, not the kernel off the initrd's. */
static enum status move_modules(const struct linux_image *image,
                                const struct linux_request *request, const struct linux_plan *plan)
{
    if (plan->initrd_to != request->initrd) {
        enum status status =
            hw_phys_move(hpa(plan->initrd_to), hpa(request->initrd), request->initrd_bytes);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return hw_phys_move(hpa(plan->kernel_to), hpa(request->kernel + image->setup_bytes),
                        image->kernel_bytes);
}

enum linux_error linux_load(const struct linux_request *request, struct linux_entry *entry)
{
    uint8_t header[LINUX_HEADER_BYTES];
    struct linux_image image;
    struct linux_plan plan;

    if (request->kernel_bytes < sizeof(header)) {
        return LINUX_SHORT;
    }
    if (hw_phys_read(hpa(request->kernel), header, sizeof(header)) != STATUS_OK) {
        return LINUX_FAULT;
    }
    enum linux_error error = linux_inspect(header, request->kernel_bytes, &image);
    if (error == LINUX_OK) {
        error = linux_plan(&image, request, &plan);
    }
    if (error != LINUX_OK) {
        return error;
    }
    if (move_modules(&image, request, &plan) != STATUS_OK ||
        write_low(header, &image, request, &plan) != STATUS_OK) {
        return LINUX_FAULT;
    }
    *entry = (struct linux_entry){
        .eip = (uint32_t)plan.kernel_to,
        .esi = (uint32_t)plan.low,
        .gdt_base = (uint32_t)(plan.low + LINUX_LOW_GDT),
        .gdt_limit = sizeof(GDT) - 1,
        .cs = BOOT_CS,
        .ds = BOOT_DS,
    };
    return LINUX_OK;
}
