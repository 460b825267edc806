/*
 * What the hypervisor may touch at an address that a guest chose: when memory_map_is_ram() says
 * yes, the range does not wrap, is mapped, stays clear of the private part of the hypervisor's own
 * region, and each of its bytes is memory.
 *
 * sources: platform/x86_64/memory_map.c
 * options: --unwind 3 --max-field-sensitivity-array-size 128
 */
#include "proof.h"

#include "layout.h"
#include "memory_map.h"

/* Two make every step of the loop: a range that is passed over, left at its end, or enough. */
#define RANGES_MAX 2
#define MIB (1ULL << 20)

struct host_space host_space;

/* Sorted, not empty, not overlapping, as memory_map_add() keeps it. */
static void any_map(void)
{
    uint64_t last = 0;
    boot_info.memory_count = nondet_unsigned();
    proof_assume(boot_info.memory_count <= RANGES_MAX);
    for (unsigned i = 0; i < RANGES_MAX; i++) {
        struct hw_memory_range range = {nondet_u64(), nondet_u64(), nondet_u32()};
        proof_assume(range.start >= last && range.end > range.start);
        proof_assume(range.type >= HW_MEMORY_RAM && range.type <= HW_MEMORY_BAD);
        boot_info.memory[i] = range;
        last = range.end;
    }
}

static bool is_memory(uint64_t address)
{
    for (unsigned i = 0; i < boot_info.memory_count; i++) {
        const struct hw_memory_range *range = &boot_info.memory[i];
        if (address >= range->start && address < range->end) {
            return range->type != HW_MEMORY_BAD;
        }
    }
    return false;
}

int main(void)
{
    uint64_t start = nondet_u64(), bytes = nondet_u64(), offset = nondet_u64();

    any_map();
    host_space.region = hpa(nondet_u64());
    host_space.direct_end = nondet_u64();
    proof_assume(host_space.region.v <= (1ULL << 32) - REGION_PRIVATE_BYTES);
    proof_assume(host_space.direct_end <= CONFIG_MAX_PHYS_BYTES && offset < bytes);
    if (memory_map_is_ram(start, bytes)) {
        uint64_t address = start + offset, region = host_space.region.v;
        proof_assert(start + bytes > start);
        proof_assert(start + bytes <= host_space.direct_end);
        proof_assert(address < region || address >= region + REGION_PRIVATE_BYTES);
        proof_assert(is_memory(address) || start + bytes <= MIB);
    }
    proof_reached();
    return 0;
}
