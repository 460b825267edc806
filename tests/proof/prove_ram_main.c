/*
 * The short cut past memory_map_is_ram(), which prove_is_ram.c is about: when memory_map_is_main()
 * says yes, the range does not wrap, is mapped, stays clear of the private part of the hypervisor's
 * own region, and lies in one range of RAM.
 *
 * sources: platform/x86_64/memory_map.c
 * options: --unwind 3 --max-field-sensitivity-array-size 128
 */
#include "proof.h"

#include "layout.h"
#include "memory_map.h"

#define RANGES_MAX 2

struct host_space host_space;

static bool any_in_ram(uint64_t start, uint64_t end)
{
    bool found = false;
    for (unsigned i = 0; i < RANGES_MAX; i++) {
        const struct hw_memory_range *range = &boot_info.memory[i];
        found |= i < boot_info.memory_count && range->type == HW_MEMORY_RAM &&
                 start >= range->start && end <= range->end;
    }
    return found;
}

int main(void)
{
    uint64_t start = nondet_u64(), bytes = nondet_u64();

    boot_info.memory_count = nondet_unsigned();
    proof_assume(boot_info.memory_count <= RANGES_MAX);
    for (unsigned i = 0; i < RANGES_MAX; i++) {
        boot_info.memory[i] = (struct hw_memory_range){nondet_u64(), nondet_u64(), nondet_u32()};
    }
    host_space.region = hpa(nondet_u64());
    host_space.direct_end = nondet_u64();
    proof_assume(host_space.region.v <= (1ULL << 32) - REGION_PRIVATE_BYTES);
    memory_map_find_main();
    if (memory_map_is_main(start, bytes)) {
        uint64_t end = start + bytes, region = host_space.region.v;
        proof_assert(end > start && end <= host_space.direct_end);
        proof_assert(end <= region || start >= region + REGION_PRIVATE_BYTES);
        proof_assert(any_in_ram(start, end));
    }
    proof_reached();
    return 0;
}
