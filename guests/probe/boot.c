/* What the boot loader said (Linux zero-page.rst), and the way out. */
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"

#define ZP_RSDP 0x070
#define ZP_E820_ENTRIES 0x1e8
#define ZP_E820 0x2d0
#define ACPI_SLP_EN 0x2000 /* SLP_TYP 0: soft off on Bochs's and QEMU's PIIX4 */

extern uint64_t boot_params_address;

unsigned boot_ranges(void)
{
    return *(const uint8_t *)(boot_params_address + ZP_E820_ENTRIES);
}

struct range boot_range(unsigned index)
{
    const uint8_t *entry = (const uint8_t *)(boot_params_address + ZP_E820 + index * 20);
    struct range range;
    uint64_t bytes;

    memcpy(&range.start, entry, 8);
    memcpy(&bytes, entry + 8, 8);
    memcpy(&range.type, entry + 16, 4);
    range.end = range.start + bytes;
    return range;
}

uint64_t boot_rsdp(void)
{
    uint64_t given;

    memcpy(&given, (const void *)(boot_params_address + ZP_RSDP), 8);
    if (given != 0) {
        return given;
    }
    for (uint64_t at = 0xe0000; at < 0x100000; at += 16) {
        if (memcmp((const void *)at, "RSD PTR ", 8) == 0) {
            return at;
        }
    }
    return 0;
}

static uint32_t load32(uint64_t address)
{
    uint32_t value;
    memcpy(&value, (const void *)address, 4);
    return value;
}

/* PM1a_CNT_BLK of the FADT that the RSDT names; 0: none. */
static uint16_t pm1a_control(void)
{
    uint64_t rsdp = boot_rsdp();

    if (rsdp == 0) {
        return 0;
    }
    uint64_t rsdt = load32(rsdp + 16);
    uint32_t bytes = load32(rsdt + 4);
    for (uint32_t at = 36; at + 4 <= bytes && at < 4096; at += 4) {
        uint64_t table = load32(rsdt + at);
        if (memcmp((const void *)table, "FACP", 4) == 0) {
            return (uint16_t)load32(table + 64);
        }
    }
    return 0;
}

_Noreturn void power_off(void)
{
    uint16_t port = pm1a_control();

    if (port != 0) {
        out16(port, ACPI_SLP_EN);
        delay(1000000);
    }
    for (const char *at = "Shutdown"; *at != '\0'; at++) {
        out8(0x8900, (uint8_t)*at);
    }
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}
