/* One access to guest memory, made with the cache and without it, and what it may change. */
#ifndef TESTS_CACHE_ACCESS_H
#define TESTS_CACHE_ACCESS_H

#include "cache_model.h"

#define GUEST_BYTES (GUEST_PAGES * PAGE_BYTES)
#define DIRTY 0x40ULL
#define ACCESSED 0x20ULL

static uint8_t before[GUEST_BYTES], after[GUEST_BYTES];

static inline void *memory(void)
{
    return fake_ram(HOST_BASE, GUEST_BYTES);
}

static inline uint64_t entry_at(uint64_t at)
{
    uint64_t entry = 0;
    memcpy(&entry, guest_at(at), paging.cr4 & 1 << 5 ? 8 : 4);
    return entry;
}

struct outcome {
    enum gwalk_status status;
    struct gwalk_result result;
    uint8_t data[128];
};

static inline void access_once(struct outcome *outcome, bool cached, bool write, uint64_t linear,
                               size_t bytes, unsigned access)
{
    *outcome = (struct outcome){.status = GWALK_OK};
    memset(outcome->data, write ? 0x5a : 0xcc, sizeof outcome->data);
    struct gwalk_result *result = &outcome->result;
    void *data = outcome->data;
    if (write) {
        outcome->status =
            cached ? gwalk_write_cached(&cache, &paging, &ept, linear, data, bytes, access, result)
                   : gwalk_write(&paging, &ept, linear, data, bytes, access, result);
    } else {
        outcome->status =
            cached ? gwalk_read_cached(&cache, &paging, &ept, linear, data, bytes, access, result)
                   : gwalk_read(&paging, &ept, linear, data, bytes, access, result);
    }
}

/* REQ-EPT-7: both on the same memory: same status, bytes, fault, and all of memory the same after.
 */
static inline enum gwalk_status check_access(bool write, uint64_t linear, size_t bytes,
                                             unsigned access)
{
    struct outcome a, b;
    memcpy(before, memory(), GUEST_BYTES);
    access_once(&a, true, write, linear, bytes, access);
    memcpy(after, memory(), GUEST_BYTES);
    memcpy(memory(), before, GUEST_BYTES);
    access_once(&b, false, write, linear, bytes, access);
    assert_int_equal(a.status, b.status);
    assert_memory_equal(after, memory(), GUEST_BYTES);
    assert_memory_equal(a.data, b.data, sizeof a.data);
    if (a.status != GWALK_OK) {
        assert_true(a.result.linear == b.result.linear);
        assert_int_equal(a.result.error_code, b.result.error_code);
        assert_true(a.status != GWALK_NESTED || a.result.gpa.v == b.result.gpa.v);
    }
    return a.status;
}

#endif
