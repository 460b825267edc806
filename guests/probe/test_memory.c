/* What the guest's memory is, and what it is not. */
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"
#include "window.h"

#define TYPE_RAM 1

static bool is_ram(uint64_t address)
{
    for (unsigned i = 0; i < boot_ranges(); i++) {
        struct range range = boot_range(i);
        if (range.type == TYPE_RAM && address >= range.start && address < range.end) {
            return true;
        }
    }
    return false;
}

/* REQ-BOOT-2, REQ-BOOT-5: no page of RAM that the map names is refused; 4 GiB and above by window.
 */
static void ram(void)
{
    for (unsigned i = 0; i < boot_ranges(); i++) {
        struct range range = boot_range(i);
        if (range.type != TYPE_RAM) {
            continue;
        }
        REQUIRE(range.end > range.start, "range %u is empty", i);
        for (uint64_t at = (range.start + PAGE - 1) & ~(PAGE - 1); at + PAGE <= range.end;
             at += at < 0x200000 ? PAGE : PAGE * 16) {
            bool high = at >= BIT(32);
            uint64_t linear = high ? window_map(0, at, PTE_NORMAL) : at;
            REQUIRE(try(load, linear, 0) == NO_FAULT, "RAM at %llx cannot be read",
                    (unsigned long long)at);
        }
    }
}

/* The last byte before the region and the first one behind it are the guest's. */
static void around(const struct region *region)
{
    REQUIRE(is_ram(region->start - 1), "no RAM below the region");
    EXPECT(NO_FAULT, load, region->start - 1, 0);
    uint8_t old = *(volatile uint8_t *)(region->start - 1);
    EXPECT(NO_FAULT, store, region->start - 1, 0x5a);
    REQUIRE(*(volatile uint8_t *)(region->start - 1) == 0x5a, "a store below the region is lost");
    *(volatile uint8_t *)(region->start - 1) = old;
    EXPECT(NO_FAULT, load, region->end, 0);
}

/* Documented (violation.c): #GP at the instruction, and the machine goes on (REQ-EPT-5). */
static void hidden(void)
{
    struct region region;

    REQUIRE(region_find(&region), "the memory map has no range that is refused");
    print("PROBE: note region %llx-%llx\n", (unsigned long long)region.start,
          (unsigned long long)region.end);
    around(&region);
    for (uint64_t at = region.start; at < region.end; at += PAGE) {
        REQUIRE(!is_ram(at), "the map calls %llx RAM", (unsigned long long)at);
        uint64_t offset = random_next() % PAGE;
        EXPECT(GP, load, at + offset, 0);
        EXPECT(GP, store, at + offset, 0x5a);
        int vector = try(fetch, at + offset, 0);
        REQUIRE(vector == GP && cpu_self()->try.fault_rip == at + offset,
                "code at %llx: exception %d", (unsigned long long)(at + offset), vector);
    }
    for (uint64_t at = region.start; at < region.start + PAGE; at++) {
        EXPECT(GP, load, at, 0);
        EXPECT(GP, store, at, 0xff);
    }
    EXPECT(GP, load, region.end - 1, 0);
    EXPECT(GP, store32, region.start - 2, 0); /* half of it in the region */
    EXPECT(GP, store32, region.end - 2, 0);
    expect("load at CPL 3", try_user(insn_load, region.start, 0), GP, insn_load);
}

/* Other views of the same memory: through a page table of the guest's, at another address. */
static void hidden_by_table(void)
{
    struct region region;

    REQUIRE(region_find(&region), "no region");
    EXPECT(GP, load, window_map(1, region.start + 0x3000, PTE_NORMAL), 0);
    EXPECT(GP, store, window_map(1, region.start + 0x3000, PTE_NORMAL | PTE_UC), 0);
    uint64_t old = window_table(region.start | PTE_NORMAL); /* the page walk itself */
    EXPECT(GP, load, WINDOW, 0);
    EXPECT(GP, store, WINDOW + PAGE, 0);
    (void)window_table(old);
    EXPECT(NO_FAULT, load, window_map(1, spare_page(0), PTE_NORMAL), 0);
    uint64_t cr3 = read_cr3();
    EXPECT(NO_FAULT, write_cr3, cr3, 0);
}

/*
 * 64-bit devices above RAM, further apart than there are tables (CONFIG_SPARE_TABLE_PAGES): the
 * first ones are dropped and come again.
 */
static void above_ram(void)
{
    unsigned bits = cpuid(0x80000008, 0).eax & 0xff;
    uint64_t top = 1ULL << (bits > 39 ? 39 : bits), start = rdtsc();

    for (uint64_t at = BIT(33); at < top - BIT(31); at += BIT(30) + BIT(21)) {
        EXPECT(NO_FAULT, load, window_map(2, at, PTE_NORMAL | PTE_UC), 0);
        EXPECT(NO_FAULT, store, window_map(3, at + PAGE, PTE_NORMAL | PTE_UC), 1);
    }
    EXPECT(NO_FAULT, load, window_map(2, BIT(33), PTE_NORMAL | PTE_UC), 0);
    EXPECT(NO_FAULT, load, window_map(2, top - PAGE, PTE_NORMAL | PTE_UC), 0);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t at = BIT(33) + random_next() % (top - BIT(33));
        EXPECT(NO_FAULT, load, window_map(2, at & ~(PAGE - 1), PTE_NORMAL), 0);
    }
    EXPECT(PF, load, window_map(2, BIT(bits), PTE_NORMAL), 0); /* a reserved bit of the entry */
    (void)window_map(2, spare_page(0), PTE_NORMAL);
    (void)window_map(3, spare_page(0), PTE_NORMAL);
    print("PROBE: note pages above RAM took %llu ticks\n", (unsigned long long)(rdtsc() - start));
}

const struct probe memory_probes[] = {
    {"memory-ram", ram, ANYWHERE},
    {"memory-hidden", hidden, ON_NACRE},
    {"memory-hidden-table", hidden_by_table, ON_NACRE},
    {"memory-above", above_ram, ANYWHERE},
    {0},
};
