/* The physical-memory calls of the contract (hw/mem.h), with its bounds. */
#include "internal.h"

#include <string.h>

/* What the copy calls may touch: RAM and ACPI's memory, below what the direct map covers. */
static bool is_memory(uint64_t address, uint64_t bytes)
{
    if (bytes > CONFIG_MAX_PHYS_BYTES || address > CONFIG_MAX_PHYS_BYTES - bytes) {
        return false;
    }
    while (bytes > 0) {
        uint64_t chunk = PAGE_BYTES - (address & PAGE_MASK);
        chunk = chunk < bytes ? chunk : bytes;
        const struct ram_range *range = NULL;
        for (unsigned i = 0; i < fake_m.range_count && !range; i++) {
            const struct ram_range *candidate = &fake_m.ranges[i];
            if (address >= candidate->start && address - candidate->start < candidate->bytes) {
                range = candidate;
            }
        }
        if (!range || (range->type != HW_MEMORY_RAM && range->type != HW_MEMORY_ACPI &&
                       range->type != HW_MEMORY_NVS)) {
            return false;
        }
        if (chunk > range->bytes - (address - range->start)) {
            chunk = range->bytes - (address - range->start);
        }
        address += chunk;
        bytes -= chunk;
    }
    return true;
}

static uint8_t *byte_at(uint64_t address)
{
    return fake_backing(address, 1);
}

/* Bytes from the address that one pointer reaches, at most `bytes`. */
static uint64_t run_at(uint64_t address, uint64_t bytes)
{
    uint64_t chunk = PAGE_BYTES - (address & PAGE_MASK);
    chunk = chunk < bytes ? chunk : bytes;
    while (!fake_backing(address, chunk)) {
        chunk--;
    }
    return chunk;
}

enum status hw_phys_read(struct hpa from, void *to, size_t bytes)
{
    int result;
    if (fake_enter(FAKE_PHYS_READ, &result)) {
        return (enum status)result;
    }
    if (!is_memory(from.v, bytes)) {
        return STATUS_FAULT;
    }
    for (size_t done = 0; done < bytes;) {
        uint64_t chunk = run_at(from.v + done, bytes - done);
        memcpy((uint8_t *)to + done, byte_at(from.v + done), chunk);
        done += chunk;
    }
    return STATUS_OK;
}

enum status hw_phys_write(struct hpa to, const void *from, size_t bytes)
{
    int result;
    if (fake_enter(FAKE_PHYS_WRITE, &result)) {
        return (enum status)result;
    }
    if (!is_memory(to.v, bytes)) {
        return STATUS_FAULT;
    }
    for (size_t done = 0; done < bytes;) {
        uint64_t chunk = run_at(to.v + done, bytes - done);
        memcpy(byte_at(to.v + done), (const uint8_t *)from + done, chunk);
        done += chunk;
    }
    return STATUS_OK;
}

enum status hw_phys_zero(struct hpa from, uint64_t bytes)
{
    int result;
    if (fake_enter(FAKE_PHYS_ZERO, &result)) {
        return (enum status)result;
    }
    if (!is_memory(from.v, bytes)) {
        return STATUS_FAULT;
    }
    for (uint64_t done = 0; done < bytes;) {
        uint64_t chunk = run_at(from.v + done, bytes - done);
        memset(byte_at(from.v + done), 0, chunk);
        done += chunk;
    }
    return STATUS_OK;
}

enum status hw_phys_move(struct hpa to, struct hpa from, uint64_t bytes)
{
    int result;
    if (fake_enter(FAKE_PHYS_MOVE, &result)) {
        return (enum status)result;
    }
    if (!is_memory(to.v, bytes) || !is_memory(from.v, bytes)) {
        return STATUS_FAULT;
    }
    bool forward = to.v <= from.v;
    for (uint64_t i = 0; i < bytes; i++) {
        uint64_t offset = forward ? i : bytes - 1 - i;
        *byte_at(to.v + offset) = *byte_at(from.v + offset);
    }
    return STATUS_OK;
}

static uint64_t *word_at(uint64_t address)
{
    CHECK(addr_is_aligned(address, 8));
    CHECK(is_memory(address, 8));
    return fake_backing(address, 8);
}

uint64_t hw_phys_read64(struct hpa address)
{
    fake_count(FAKE_PHYS_READ64);
    return __atomic_load_n(word_at(address.v), __ATOMIC_ACQUIRE);
}

void hw_phys_write64(struct hpa address, uint64_t value)
{
    fake_count(FAKE_PHYS_WRITE64);
    uint64_t old = __atomic_exchange_n(word_at(address.v), value, __ATOMIC_ACQ_REL);
    fake_log_write(address.v, old, value);
}

bool hw_phys_cas64(struct hpa address, uint64_t *expected, uint64_t desired)
{
    int result;
    uint64_t *word = word_at(address.v);
    if (fake_enter(FAKE_PHYS_CAS64, &result)) {
        *expected = __atomic_load_n(word, __ATOMIC_ACQUIRE);
        return false;
    }
    uint64_t old = *expected;
    if (!__atomic_compare_exchange_n(word, expected, desired, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        return false;
    }
    fake_log_write(address.v, old, desired);
    return true;
}

const volatile uint64_t *hw_phys_word(struct hpa address)
{
    bool is_word = addr_is_aligned(address.v, 8) && is_memory(address.v, 8);
    return is_word ? fake_backing(address.v, 8) : NULL;
}

void *hw_phys_page(struct hpa page)
{
    bool is_page = addr_is_aligned(page.v, PAGE_BYTES) && is_memory(page.v, PAGE_BYTES);
    return is_page ? fake_backing(page.v, PAGE_BYTES) : NULL;
}

uint64_t fake_read64(uint64_t address)
{
    uint64_t *word = fake_backing(address, 8);
    return word ? __atomic_load_n(word, __ATOMIC_ACQUIRE) : ~0ULL;
}
