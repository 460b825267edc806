/*
 * The BIOS memory calls that the guest makes of us: whatever its registers hold, nothing is written
 * outside the guest's own memory, and carry tells whether there was an answer.
 *
 * sources: apps/common/int15.c apps/common/memmap.c fake
 * seeds: 20e80000 00000000 14000000 50414d53 00010000 f07b0000 00500000 00000000 00
 */
#include "fuzz.h"
#include "int15.h"

#include <fake/machine.h>

#define MIB (1ULL << 20)
#define ROM 0xf0000ULL
#define ROM_BYTES 0x10000U
#define REAL_MODE_END 0x10fff0ULL
#define HIGH_BYTES 0x20000U

static struct memmap map;
static uint8_t *low, *high;
static uint8_t kept[HIGH_BYTES];

static void start(void)
{
    fake_machine_reset(NULL);
    low = fake_ram(0, 0xa0000);
    high = fake_ram(MIB, HIGH_BYTES);
    FUZZ_CHECK(low != NULL && high != NULL);
}

static void build_map(unsigned shape)
{
    map.count = 0;
    (void)memmap_set(&map, 0, 0x9fc00, HW_MEMORY_RAM);
    (void)memmap_set(&map, 0x9fc00, 0xa0000, HW_MEMORY_RESERVED);
    (void)memmap_set(&map, ROM, ROM + ROM_BYTES, HW_MEMORY_RESERVED);
    (void)memmap_set(&map, MIB, 128 * MIB, shape & 1 ? HW_MEMORY_RAM : HW_MEMORY_RESERVED);
    for (unsigned i = 0; i < shape >> 4; i++) {
        (void)memmap_set(&map, (4 + 2 * i) * MIB, (5 + 2 * i) * MIB, HW_MEMORY_NVS);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    if (low == NULL) {
        start();
    }
    struct int15_regs regs;
    regs.eax = (uint32_t)fuzz_take(&input, 4);
    regs.ebx = (uint32_t)fuzz_take(&input, 4);
    regs.ecx = (uint32_t)fuzz_take(&input, 4);
    regs.edx = (uint32_t)fuzz_take(&input, 4);
    regs.edi = (uint32_t)fuzz_take(&input, 4);
    regs.esp = (uint32_t)fuzz_take(&input, 4);
    regs.es_base = fuzz_take(&input, 8);
    regs.ss_base = fuzz_take(&input, 8);
    unsigned shape = (unsigned)fuzz_take(&input, 1);
    build_map(shape);
    memcpy(kept, high, sizeof(kept));
    uint64_t flags = regs.ss_base + ((regs.esp + 4) & 0xffff);
    enum status status = int15_handle(&map, &regs);
    /* FFFF:FFFF is the last byte that real mode reaches; above 1 MiB only if the map says RAM. */
    size_t reach = shape & 1 ? REAL_MODE_END - MIB : 0;
    FUZZ_CHECK(memcmp(kept + reach, high + reach, sizeof(kept) - reach) == 0);
    if (status == STATUS_OK && flags < 0xa0000) {
        bool failed = (low[flags] & 1) != 0;
        FUZZ_CHECK(!failed || (regs.eax >> 8 & 0xff) == 0x86);
    }
    return 0;
}
