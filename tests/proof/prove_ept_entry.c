/*
 * The arithmetic that every walk and change of an EPT rests on: an address is put together again
 * from its indices, no index leaves its table, a slot's end and leaf are where the level says, and
 * a hidden page's entry is one that no processor translates with.
 *
 * sources: libept/map.c
 * options: --unwind 5
 */
#include "proof.h"

#include "entry.h"

#define ADDRESS_END (1ULL << 48)

static unsigned any_level(void)
{
    unsigned level = nondet_unsigned();
    proof_assume(level >= 1 && level <= LEVEL_COUNT);
    return level;
}

static void indices_make_the_address(uint64_t address)
{
    uint64_t sum = address & PAGE_MASK;
    for (unsigned level = 1; level <= LEVEL_COUNT; level++) {
        sum += entry_index(address, level) * entry_bytes(level);
    }
    proof_assert(sum == address);
}

static void entries_stay_in_their_table(uint64_t address, unsigned level)
{
    struct hpa table = hpa(nondet_u64());
    proof_assume(addr_is_aligned(table.v, PAGE_BYTES) && table.v < ADDRESS_END);
    uint64_t at = entry_address(table, entry_index(address, level)).v;
    proof_assert(at >= table.v && at + sizeof(uint64_t) <= table.v + PAGE_BYTES);
    proof_assert(addr_is_aligned(at, sizeof(uint64_t)));
    /* What is stored comes back, and no attribute leaks into the address. */
    uint64_t attributes = nondet_u64() & ENTRY_ATTRIBUTES;
    uint64_t page = address & ~(entry_bytes(level) - 1);
    uint64_t leaf = entry_leaf(page, level, attributes);
    proof_assert(entry_leaf_address(leaf, level) == page);
    proof_assert((leaf & ENTRY_ATTRIBUTES) == attributes && entry_is_leaf(leaf, level));
    proof_assert(entry_is_table(entry_table(table), LEVEL_COUNT));
    proof_assert((entry_table(table) & ENTRY_ADDRESS) == table.v);
}

/* What is hidden is not present to any processor, is not taken for unused, and comes back. */
static void hidden_entries_keep_their_page(void)
{
    uint64_t page = nondet_u64() & ENTRY_ADDRESS;
    unsigned tag = nondet_unsigned();
    proof_assume(tag <= EPT_TAG_MAX);
    uint64_t flags = nondet_u64() & bits_mask(8, 12); /* A, D and what a leaf may also have */
    uint64_t leaf = entry_leaf(page, 1, EPT_RWX | (nondet_u64() & ENTRY_TYPE)) | flags;
    uint64_t entry = entry_hidden(leaf, tag);
    /* Bits 2:0, and bit 10 with mode-based execute control; bit 63 is about #VE. */
    proof_assert((entry & (ENTRY_PERMS | BIT(10) | BIT(63))) == 0);
    proof_assert(!entry_is_present(entry) && entry_is_hidden(entry) && entry != 0);
    proof_assert(entry_tag(entry) == tag && (entry & ENTRY_ADDRESS) == page);
    proof_assert((entry & ENTRY_TYPE) == (leaf & ENTRY_TYPE));
    proof_assert(!entry_is_hidden(leaf) && !entry_is_hidden(0));
    proof_assert(!entry_is_hidden(entry_table(hpa(page))));
}

static void slots_cut_the_range(uint64_t address, unsigned level)
{
    uint64_t end = nondet_u64();
    proof_assume(address < end && end <= ADDRESS_END);
    struct slot slot = {.level = level, .index = entry_index(address, level)};
    uint64_t slot_stop = slot_end(&slot, address, end);
    proof_assert(slot_stop > address && slot_stop <= end);
    proof_assert((address ^ (slot_stop - 1)) < entry_bytes(level)); /* one entry covers it all */
    proof_assert(slot_stop == end || addr_is_aligned(slot_stop, entry_bytes(level)));
    if (slot_is_within(&slot, address, end)) {
        proof_assert(slot_stop == address + entry_bytes(level));
    }
}

/* The count of missing tables never falls short of what one byte needs, nor exceeds all tables. */
static void tables_are_counted(uint64_t address, unsigned level)
{
    uint64_t end = nondet_u64();
    unsigned leaf_level = nondet_unsigned();
    proof_assume(leaf_level >= 1 && leaf_level <= 3 && address < end);
    proof_assume((address & ~(entry_bytes(level) - 1)) == ((end - 1) & ~(entry_bytes(level) - 1)));
    proof_assume(addr_is_aligned(address, PAGE_BYTES) && addr_is_aligned(end, PAGE_BYTES));
    uint64_t tables = ept_tables_below(address, end, level, leaf_level), most = 0;
    for (unsigned below = 1; below < level; below++) {
        most += entry_bytes(level) / entry_bytes(below + 1);
    }
    proof_assert(tables <= most);
    bool is_one_leaf = level <= leaf_level && addr_is_aligned(address, entry_bytes(level)) &&
                       end - address == entry_bytes(level);
    proof_assert(is_one_leaf || level == 1 || tables > 0);
}

int main(void)
{
    uint64_t address = nondet_u64();
    unsigned level = any_level();

    proof_assume(address < ADDRESS_END);
    proof_assert(entry_index(address, level) < TABLE_ENTRIES);
    indices_make_the_address(address);
    entries_stay_in_their_table(address, level);
    hidden_entries_keep_their_page();
    slots_cut_the_range(address, level);
    tables_are_counted(address, level);
    proof_reached();
    return 0;
}
