/*
 * Pool of physical 4-KiB pages.  The caller owns the pages and the bitmap and keeps them for as
 * long as the pool lives.  The pool never touches the pages themselves.  Calls are serialised by
 * the caller.  Running out is reported and changes nothing.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "addr.h"
#include "status.h"

#include <stdint.h>

struct pool {
    struct hpa base;     /* first page */
    uint64_t page_count; /* pages managed */
    uint64_t free_pages;
    uint64_t next;    /* where the search starts: pages are handed out round-robin */
    uint64_t *bitmap; /* one bit a page, 1 = in use; pool_bitmap_words(page_count) words */
};

uint64_t pool_bitmap_words(uint64_t page_count);

/* base page-aligned.  Marks all pages free. */
void pool_init(struct pool *pool, struct hpa base, uint64_t page_count, uint64_t *bitmap);

/* STATUS_NO_MEMORY when full.  The content of the page is undefined. */
enum status pool_alloc(struct pool *pool, struct hpa *page);

/* count contiguous pages, the first one aligned to count (a power of two). */
enum status pool_alloc_contiguous(struct pool *pool, uint64_t count, struct hpa *page);

/* CHECKs that the page belongs to the pool and is in use: a double free is a bug of ours. */
void pool_free(struct pool *pool, struct hpa page);

#endif
