/* What the tests of cached walks share: a guest with two sets of tables, and the cache. */
#ifndef TESTS_CACHE_MODEL_H
#define TESTS_CACHE_MODEL_H

#include "gwalk_model.h"

#define FLAGS 0x27ULL /* P, W, U, A */

static struct gwalk_cache cache;

static inline void put_entry(uint64_t at, uint64_t value)
{
    memcpy(guest_at(at), &value, paging.cr4 & 1 << 5 ? 8 : 4);
}

/* Code pages 16 .. 23 of the guest, each with bytes of its own; two sets of tables. */
static inline void start_code(enum guest_mode mode)
{
    start_guest();
    memset(&cache, 0, sizeof cache);
    set_mode(mode, 0x1000);
    for (uint64_t page = 16; page < 24; page++) {
        memset(fake_ram(host_of(page << 12), PAGE_BYTES), (int)(page * 3), PAGE_BYTES);
    }
    uint64_t levels = mode == NO_PAGING ? 0 : mode < LEVEL_4 ? 2 : mode == LEVEL_4 ? 4 : 5;
    for (uint64_t level = 0; level < levels; level++) {
        uint64_t table = 0x1000 + level * 0x1000;
        put_entry(table, (level + 1 == levels ? 0x10000 : table + 0x1000) | FLAGS);
        put_entry(table + 0x5000, (level + 1 == levels ? 0x11000 : table + 0x6000) | FLAGS);
    }
    paging.pdpte[0] = 0x1001;
}

static inline uint64_t last_table(void)
{
    return (paging.efer & 0x400) == 0 ? 0x2000 : (paging.cr4 & 1 << 12) != 0 ? 0x5000 : 0x4000;
}

#endif
