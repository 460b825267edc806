/* Offsets of struct boot_params that we read or write (Linux boot.rst, zero-page.rst); private. */
#ifndef APPS_LINUX_LAYOUT_H
#define APPS_LINUX_LAYOUT_H

#include <stdint.h>

/* Fields before the setup header. */
#define ZP_EXT_MEM_K 0x002 /* u16, screen_info */
#define ZP_VIDEO_MODE 0x006
#define ZP_VIDEO_COLS 0x007
#define ZP_VIDEO_LINES 0x00e
#define ZP_VIDEO_IS_VGA 0x00f
#define ZP_VIDEO_POINTS 0x010 /* u16 */
#define ZP_ACPI_RSDP_ADDR 0x070
#define ZP_ALT_MEM_K 0x1e0
#define ZP_E820_ENTRIES 0x1e8
#define ZP_E820_TABLE 0x2d0
#define ZP_E820_MAX 128
#define ZP_BYTES 4096

/* The setup header; the same offsets in the image and in the zero page. */
#define HDR_START 0x1f1
#define HDR_SETUP_SECTS 0x1f1
#define HDR_SYSSIZE 0x1f4
#define HDR_BOOT_FLAG 0x1fe
#define HDR_JUMP_LENGTH 0x201
#define HDR_HEADER 0x202
#define HDR_VERSION 0x206
#define HDR_TYPE_OF_LOADER 0x210
#define HDR_LOADFLAGS 0x211
#define HDR_CODE32_START 0x214
#define HDR_RAMDISK_IMAGE 0x218
#define HDR_RAMDISK_SIZE 0x21c
#define HDR_CMD_LINE_PTR 0x228
#define HDR_INITRD_ADDR_MAX 0x22c
#define HDR_KERNEL_ALIGNMENT 0x230
#define HDR_RELOCATABLE_KERNEL 0x234
#define HDR_CMDLINE_SIZE 0x238
#define HDR_PREF_ADDRESS 0x258
#define HDR_INIT_SIZE 0x260
#define HDR_MIN_END 0x264 /* behind init_size */
#define HDR_MAX_END 0x290 /* edd_mbr_sig_buffer follows */

#define LOADFLAGS_LOADED_HIGH 0x01
#define LOADFLAGS_QUIET_FLAG 0x20
#define LOADFLAGS_CAN_USE_HEAP 0x80

#define TYPE_OF_LOADER_UNDEFINED 0xff

static inline uint16_t header_u16(const uint8_t *header, unsigned offset)
{
    return (uint16_t)(header[offset] | header[offset + 1] << 8);
}

static inline uint32_t header_u32(const uint8_t *header, unsigned offset)
{
    return header_u16(header, offset) | (uint32_t)header_u16(header, offset + 2) << 16;
}

static inline uint64_t header_u64(const uint8_t *header, unsigned offset)
{
    return header_u32(header, offset) | (uint64_t)header_u32(header, offset + 4) << 32;
}

#endif
