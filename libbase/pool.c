#include <base/pool.h>

#include <base/check.h>
#include <stdbool.h>

#define WORD_BITS 64

static bool is_used(const struct pool *pool, uint64_t index)
{
    return (pool->bitmap[index / WORD_BITS] >> (index % WORD_BITS) & 1) != 0;
}

static void mark_used(struct pool *pool, uint64_t index)
{
    pool->bitmap[index / WORD_BITS] |= 1ULL << (index % WORD_BITS);
}

static struct hpa page_at(const struct pool *pool, uint64_t index)
{
    return hpa(pool->base.v + (index << PAGE_SHIFT));
}

uint64_t pool_bitmap_words(uint64_t page_count)
{
    return page_count / WORD_BITS + (page_count % WORD_BITS != 0);
}

void pool_init(struct pool *pool, struct hpa base, uint64_t page_count, uint64_t *bitmap)
{
    CHECK(addr_is_aligned(base.v, PAGE_BYTES));
    CHECK(page_count <= (UINT64_MAX - base.v) >> PAGE_SHIFT);
    *pool = (struct pool){.base = base,
                          .page_count = page_count,
                          .free_pages = page_count,
                          .next = 0,
                          .bitmap = bitmap};
    for (uint64_t word = 0; word < pool_bitmap_words(page_count); word++) {
        bitmap[word] = 0;
    }
    /* Bits past the last page stay in use, so that searches by word cannot hand them out. */
    if (page_count % WORD_BITS != 0) {
        bitmap[page_count / WORD_BITS] = ~0ULL << (page_count % WORD_BITS);
    }
}

enum status pool_alloc(struct pool *pool, struct hpa *page)
{
    if (pool->free_pages == 0) {
        return STATUS_NO_MEMORY;
    }
    uint64_t words = pool_bitmap_words(pool->page_count);
    uint64_t word = pool->next / WORD_BITS;
    /* The first word counts from next on; after one round its lower part is searched as well. */
    uint64_t candidates = ~pool->bitmap[word] & ~0ULL << (pool->next % WORD_BITS);
    while (candidates == 0) {
        word = word + 1 < words ? word + 1 : 0;
        candidates = ~pool->bitmap[word];
    }
    uint64_t index = word * WORD_BITS + (unsigned)__builtin_ctzll(candidates);
    mark_used(pool, index);
    pool->free_pages--;
    pool->next = index + 1 < pool->page_count ? index + 1 : 0;
    *page = page_at(pool, index);
    return STATUS_OK;
}

enum status pool_alloc_contiguous(struct pool *pool, uint64_t count, struct hpa *page)
{
    CHECK(count != 0 && (count & (count - 1)) == 0);
    if (count > pool->free_pages) {
        return STATUS_NO_MEMORY;
    }
    /* The alignment is that of the physical address, which base need not have. */
    uint64_t base_pages = pool->base.v >> PAGE_SHIFT;
    uint64_t first = addr_align_up(base_pages, count) - base_pages;
    for (; first < pool->page_count && count <= pool->page_count - first; first += count) {
        uint64_t used = 0;
        while (used < count && !is_used(pool, first + used)) {
            used++;
        }
        if (used < count) {
            continue;
        }
        for (uint64_t index = first; index < first + count; index++) {
            mark_used(pool, index);
        }
        pool->free_pages -= count;
        *page = page_at(pool, first);
        return STATUS_OK;
    }
    return STATUS_NO_MEMORY;
}

void pool_free(struct pool *pool, struct hpa page)
{
    CHECK(page.v >= pool->base.v && addr_is_aligned(page.v, PAGE_BYTES));
    uint64_t index = (page.v - pool->base.v) >> PAGE_SHIFT;
    CHECK(index < pool->page_count && is_used(pool, index));
    pool->bitmap[index / WORD_BITS] &= ~(1ULL << (index % WORD_BITS));
    pool->free_pages++;
}
