/*
 * The stacks of all CPUs: every address of the area belongs to one stack or to its guard page, no
 * two stacks share a byte, and below each one lies a guard page that no stack covers.  The boot
 * stack is in the image; where, is the linker's business, and here only that no other address is
 * taken for it.
 *
 * sources: platform/x86_64/stacks.c
 * options: --unwind 5
 */
#include "proof.h"

#include "layout.h"

static struct stack_range any_stack(unsigned *cpu, enum stack_kind *kind)
{
    unsigned number = nondet_unsigned();
    *cpu = nondet_unsigned();
    proof_assume(*cpu < CONFIG_MAX_CPUS && number < STACK_PER_CPU_COUNT);
    *kind = (enum stack_kind)number;
    return stack_range(*cpu, *kind);
}

static bool is_in(uint64_t address, uint64_t start, uint64_t end)
{
    return start <= address && address < end;
}

int main(void)
{
    unsigned cpu, other_cpu, found_cpu = 0;
    enum stack_kind kind, other_kind, found_kind = STACK_MAIN;
    struct stack_range stack = any_stack(&cpu, &kind);
    struct stack_range other = any_stack(&other_cpu, &other_kind);
    uint64_t guard = stack.bottom - PAGE_BYTES, address = nondet_u64();
    bool in_guard = false;

    proof_assert(addr_is_aligned(stack.bottom, PAGE_BYTES) && stack.top > stack.bottom);
    proof_assert(guard >= STACKS_VIRTUAL && stack.top > guard);
    if (cpu != other_cpu || kind != other_kind) {
        proof_assert(stack.top <= other.bottom - PAGE_BYTES || other.top <= guard);
    }

    bool found = stack_find(address, &found_cpu, &found_kind, &in_guard);
    if (is_in(address, guard, stack.top)) {
        proof_assert(found && found_cpu == cpu && found_kind == kind);
        proof_assert(in_guard == (address < stack.bottom));
    }
    if (found && found_kind == STACK_BOOT) {
        proof_assert(is_in(address, (uint64_t)boot_guard, (uint64_t)boot_stack_top));
        proof_assert(in_guard == (address < (uint64_t)boot_stack));
    } else if (found) {
        proof_assert(found_cpu < CONFIG_MAX_CPUS && found_kind < STACK_PER_CPU_COUNT);
        struct stack_range hit = stack_range(found_cpu, found_kind);
        proof_assert(in_guard ? is_in(address, hit.bottom - PAGE_BYTES, hit.bottom)
                              : is_in(address, hit.bottom, hit.top));
    }
    proof_reached();
    return 0;
}
