/*
 * Bounded reads of what the firmware left in memory.  Boot CPU only.
 */
#ifndef LIBSMP_FIRMWARE_H
#define LIBSMP_FIRMWARE_H

#include <base/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The areas of a PC where root structures are searched for. */
#define FIRMWARE_BIOS_START 0xe0000
#define FIRMWARE_BIOS_MP_START 0xf0000
#define FIRMWARE_BIOS_END 0x100000

/*
 * Copies bytes from a physical address that the firmware named.  STATUS_FAULT: not RAM, and not
 * below 4 GiB, where reserved memory and ROM are.
 */
enum status smp_firmware_read(uint64_t address, void *to, size_t bytes);

/* Physical address of the extended BIOS data area (BIOS data area, word 0x40E); 0 if none. */
uint64_t smp_firmware_ebda(void);

/*
 * Moves *address to the first 16-byte boundary at or after it, below end, where these characters
 * stand; false: there is none.
 */
bool smp_firmware_scan(uint64_t *address, uint64_t end, const char *signature);

/* Little-endian fields at any alignment. */
static inline uint16_t smp_firmware_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t smp_firmware_get32(const uint8_t *at)
{
    return smp_firmware_get16(at) | (uint32_t)smp_firmware_get16(at + 2) << 16;
}

static inline uint64_t smp_firmware_get64(const uint8_t *at)
{
    return smp_firmware_get32(at) | (uint64_t)smp_firmware_get32(at + 4) << 32;
}

#endif
