#include "linux.h"

#include "linux_layout.h"

_Static_assert(LINUX_HEADER_BYTES == HDR_MAX_END, "boot.rst: the setup header ends before 0x290");

#define SECTOR_BYTES 512ULL
#define PROTOCOL_2_10 0x020a
#define BELOW_4G (1ULL << 32)

const char *linux_error_text(enum linux_error error)
{
    switch (error) {
    case LINUX_OK:
        return "ok";
    case LINUX_SHORT:
        return "kernel module is too short for a Linux header; the file is incomplete";
    case LINUX_NO_SIGNATURE:
        return "kernel module has no 0xAA55 at 0x1fe: not a bzImage; name the kernel first";
    case LINUX_NO_MAGIC:
        return "kernel module has no HdrS at 0x202: a boot sector, but not Linux";
    case LINUX_OLD:
        return "kernel has a boot protocol before 2.10 (Linux 2.6.31); use a newer kernel";
    case LINUX_NOT_HIGH:
        return "kernel is a zImage (LOADED_HIGH is clear); use a bzImage";
    case LINUX_BAD_HEADER:
        return "kernel header has impossible sizes or addresses; the file is damaged";
    case LINUX_TRUNCATED:
        return "kernel module is shorter than its header says; the file is truncated";
    case LINUX_BAD_MODULES:
        return "kernel and initrd modules overlap or wrap; the boot loader is at fault";
    case LINUX_CMDLINE_LONG:
        return "kernel command line is longer than the kernel takes; shorten it";
    case LINUX_NO_KERNEL_ROOM:
        return "no free RAM for the kernel below 4 GiB; give the guest more memory";
    case LINUX_NO_INITRD_ROOM:
        return "no free RAM for the initrd where the kernel can reach it; give more memory";
    case LINUX_NO_LOW_ROOM:
        return "no 8 KiB of free RAM below 4 GiB for the boot parameters";
    case LINUX_MAP_LONG:
        return "memory map has more than the 128 ranges that Linux's zero page holds";
    case LINUX_FAULT:
        return "kernel, initrd or their destination is not in RAM";
    case LINUX_ERROR_COUNT:
        break;
    }
    return "unknown error";
}

static enum linux_error check_identity(const uint8_t *header, uint64_t module_bytes)
{
    if (module_bytes < LINUX_HEADER_BYTES) {
        return LINUX_SHORT;
    }
    if (header_u16(header, HDR_BOOT_FLAG) != 0xaa55) {
        return LINUX_NO_SIGNATURE;
    }
    if (header_u32(header, HDR_HEADER) != 0x53726448) { /* "HdrS" */
        return LINUX_NO_MAGIC;
    }
    if (header_u16(header, HDR_VERSION) < PROTOCOL_2_10) {
        return LINUX_OLD;
    }
    if ((header[HDR_LOADFLAGS] & LOADFLAGS_LOADED_HIGH) == 0) {
        return LINUX_NOT_HIGH;
    }
    return LINUX_OK;
}

enum linux_error linux_inspect(const uint8_t *header, uint64_t module_bytes,
                               struct linux_image *image)
{
    enum linux_error error = check_identity(header, module_bytes);

    if (error != LINUX_OK) {
        return error;
    }
    uint64_t sectors = header[HDR_SETUP_SECTS] == 0 ? 4 : header[HDR_SETUP_SECTS];
    uint64_t init_bytes = header_u32(header, HDR_INIT_SIZE);
    *image = (struct linux_image){
        .version = header_u16(header, HDR_VERSION),
        .header_end = HDR_HEADER + header[HDR_JUMP_LENGTH],
        .setup_bytes = (sectors + 1) * SECTOR_BYTES,
        .kernel_bytes = header_u32(header, HDR_SYSSIZE) * 16ULL,
        .pref_address = header_u64(header, HDR_PREF_ADDRESS),
        .kernel_alignment = header_u32(header, HDR_KERNEL_ALIGNMENT),
        .relocatable = header[HDR_RELOCATABLE_KERNEL] != 0,
        .initrd_max = header_u32(header, HDR_INITRD_ADDR_MAX) + 1ULL,
        .cmdline_max_bytes = header_u32(header, HDR_CMDLINE_SIZE),
    };
    image->span_bytes = init_bytes > image->kernel_bytes ? init_bytes : image->kernel_bytes;
    if (image->header_end < HDR_MIN_END || image->header_end > HDR_MAX_END ||
        image->kernel_bytes == 0 || image->pref_address >= BELOW_4G ||
        image->span_bytes > BELOW_4G - image->pref_address) {
        return LINUX_BAD_HEADER;
    }
    uint64_t alignment = image->kernel_alignment;
    if (image->relocatable && (alignment == 0 || (alignment & (alignment - 1)) != 0)) {
        return LINUX_BAD_HEADER;
    }
    if (image->setup_bytes >= module_bytes ||
        image->kernel_bytes > module_bytes - image->setup_bytes) {
        return LINUX_TRUNCATED;
    }
    return LINUX_OK;
}
