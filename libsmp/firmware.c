#include "firmware.h"

#include <hw/mem.h>
#include <string.h>

#define EBDA_SEGMENT_ADDRESS 0x40e
#define BASE_MEMORY_END 0xa0000
#define MMIO_END (1ULL << 32)

/*
 * Firmware tables stand in RAM, or in memory that the firmware reports as ACPI, NVS or reserved, or
 * in ROM: the last three are not RAM to the platform, and are read as if they were registers.
 */
static void read_registers(uint64_t address, uint8_t *to, size_t bytes)
{
    while (bytes > 0) {
        uint32_t word = hw_mmio_read32(hpa(address & ~3ULL));
        unsigned skip = (unsigned)(address & 3);
        size_t part = 4 - skip;
        if (part > bytes) {
            part = bytes;
        }
        word >>= 8 * skip;
        memcpy(to, &word, part);
        to += part;
        address += part;
        bytes -= part;
    }
}

enum status smp_firmware_read(uint64_t address, void *to, size_t bytes)
{
    if (address + bytes < address) {
        return STATUS_FAULT;
    }
    if (hw_phys_read(hpa(address), to, bytes) == STATUS_OK) {
        return STATUS_OK;
    }
    if (address + bytes > MMIO_END) {
        return STATUS_FAULT;
    }
    read_registers(address, to, bytes);
    return STATUS_OK;
}

uint64_t smp_firmware_ebda(void)
{
    uint8_t word[2];

    if (smp_firmware_read(EBDA_SEGMENT_ADDRESS, word, sizeof(word)) != STATUS_OK) {
        return 0;
    }
    uint64_t ebda = (uint64_t)smp_firmware_get16(word) << 4;
    /* Anything below the BIOS data area's own end, or in video memory, is no EBDA. */
    return ebda >= 0x500 && ebda < BASE_MEMORY_END ? ebda : 0;
}

bool smp_firmware_scan(uint64_t *address, uint64_t end, const char *signature)
{
    size_t bytes = strlen(signature);

    for (uint64_t at = addr_align_up(*address, 16); at < end; at += 16) {
        char found[16];
        if (smp_firmware_read(at, found, sizeof(found)) != STATUS_OK) {
            return false;
        }
        if (memcmp(found, signature, bytes) == 0) {
            *address = at;
            return true;
        }
    }
    return false;
}
