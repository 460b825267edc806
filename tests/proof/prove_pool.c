/*
 * The page pool, from any state that its own calls can have left: a page that is handed out was
 * free, lies in the pool and is the only one that changed; giving it back restores the state; the
 * count of free pages stays that of the bitmap; and the search ends.
 *
 * sources: libbase/pool.c
 * options: --unwind 5
 */
#include "proof.h"

#include <base/pool.h>

#define WORDS 3
#define PAGES_MAX (64 * WORDS)

static uint64_t bitmap[WORDS];

static bool is_used(uint64_t index)
{
    return (bitmap[index / 64] >> (index % 64) & 1) != 0;
}

/*
 * The invariant: bits past the last page are set, and free_pages counts the clear ones.  Of the
 * count only what decides is assumed, whether it is 0; that it stays right follows from what is
 * proved: it moves by one exactly when one bit does.
 */
static struct pool any_pool(void)
{
    struct pool pool = {.base = hpa(nondet_u64()), .page_count = nondet_u64(), .bitmap = bitmap};
    proof_assume(addr_is_aligned(pool.base.v, PAGE_BYTES) && pool.base.v < 1ULL << 52);
    proof_assume(pool.page_count >= 1 && pool.page_count <= PAGES_MAX);
    pool.next = nondet_u64();
    proof_assume(pool.next < pool.page_count);
    for (unsigned word = 0; word < WORDS; word++) {
        uint64_t first = 64ULL * word;
        bitmap[word] = nondet_u64();
        if (first >= pool.page_count) {
            bitmap[word] = ~0ULL;
        } else if (pool.page_count - first < 64) {
            bitmap[word] |= ~0ULL << (pool.page_count - first);
        }
    }
    bool is_full = (bitmap[0] & bitmap[1] & bitmap[2]) == ~0ULL;
    pool.free_pages = nondet_u64();
    proof_assume(pool.free_pages <= pool.page_count && (pool.free_pages == 0) == is_full);
    return pool;
}

static void words_hold_all_pages(void)
{
    uint64_t pages = nondet_u64(), words = pool_bitmap_words(pages);
    proof_assert(words >= pages / 64 && words - pages / 64 <= 1);
    proof_assert(words > ~0ULL / 64 || words * 64 >= pages);
}

int main(void)
{
    struct pool pool = any_pool(), before = pool;
    uint64_t old_bitmap[WORDS] = {bitmap[0], bitmap[1], bitmap[2]};
    struct hpa page = hpa(~0ULL);

    words_hold_all_pages();
    enum status status = pool_alloc(&pool, &page);
    proof_assert((status == STATUS_OK) == (before.free_pages > 0));
    if (status == STATUS_OK) {
        uint64_t index = (page.v - pool.base.v) / PAGE_BYTES;
        proof_assert(addr_is_aligned(page.v, PAGE_BYTES) && page.v >= pool.base.v);
        proof_assert(index < pool.page_count && is_used(index));
        proof_assert(pool.next < pool.page_count);
        proof_assert(pool.free_pages == before.free_pages - 1);
        for (unsigned word = 0; word < WORDS; word++) {
            uint64_t changed = word == index / 64 ? 1ULL << (index % 64) : 0;
            proof_assert(bitmap[word] == (old_bitmap[word] | changed));
            proof_assert((old_bitmap[word] & changed) == 0);
        }
        pool_free(&pool, page);
    }
    proof_assert(pool.free_pages == before.free_pages);
    for (unsigned word = 0; word < WORDS; word++) {
        proof_assert(bitmap[word] == old_bitmap[word]);
    }
    proof_reached();
    return 0;
}
