/* Physical memory through the direct map (hw/mem.h). */
#include <hw/mem.h>

#include "layout.h"
#include "memory_map.h"

#include <base/check.h>
#include <string.h>

/* Fewer are copied by a loop: "rep movsq" takes some twenty cycles to begin. */
#define REP_BYTES 64U

typedef uint64_t __attribute__((aligned(1), may_alias)) any_word;

/*
 * memcpy() without the C library's single bytes before and after the words: most copies are an
 * entry of a page table or a few words of a guest's.  The empty statement keeps a word one access,
 * and the loop from becoming a call of memcpy().
 */
static inline void copy(void *to, const void *from, uint64_t bytes)
{
    uint64_t count = bytes / 8, done = 0;
    if (bytes >= REP_BYTES) {
        __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
        bytes %= 8;
    }
    uint8_t *at = to;
    const uint8_t *source = from;
    for (; done + 8 <= bytes; done += 8) {
        uint64_t word = *(const any_word *)(source + done);
        __asm__ volatile("" : "+r"(word) : : "memory");
        *(any_word *)(at + done) = word;
    }
    for (; done < bytes; done++) {
        uint8_t byte = source[done];
        __asm__ volatile("" : "+r"(byte) : : "memory");
        at[done] = byte;
    }
}

/* The rarer case of both by itself, so that the other needs no registers saved. */
static __attribute__((noinline)) enum status copy_checked(void *to, const void *from, uint64_t hpa,
                                                          uint64_t bytes)
{
    if (!memory_map_is_ram(hpa, bytes)) {
        return STATUS_FAULT;
    }
    copy(to, from, bytes);
    return STATUS_OK;
}

enum status hw_phys_read(struct hpa from, void *to, size_t bytes)
{
    if (!memory_map_is_main(from.v, bytes)) {
        return copy_checked(to, direct_pointer(from.v), from.v, bytes);
    }
    copy(to, direct_pointer(from.v), bytes);
    return STATUS_OK;
}

enum status hw_phys_write(struct hpa to, const void *from, size_t bytes)
{
    if (!memory_map_is_main(to.v, bytes)) {
        return copy_checked(direct_pointer(to.v), from, to.v, bytes);
    }
    copy(direct_pointer(to.v), from, bytes);
    return STATUS_OK;
}

enum status hw_phys_zero(struct hpa from, uint64_t bytes)
{
    if (!memory_map_is_ram(from.v, bytes)) {
        return STATUS_FAULT;
    }
    if (from.v % 8 == 0 && bytes % 8 == 0) {
        void *at = direct_pointer(from.v);
        uint64_t count = bytes / 8;
        __asm__ volatile("rep stosq" : "+D"(at), "+c"(count) : "a"(0ULL) : "memory");
        return STATUS_OK;
    }
    memset(direct_pointer(from.v), 0, bytes);
    return STATUS_OK;
}

/* Eight bytes at a time: kernels and initial RAM disks are moved with it. */
enum status hw_phys_move(struct hpa to, struct hpa from, uint64_t bytes)
{
    uint64_t count = bytes / 8, rest = bytes % 8;

    if ((!memory_map_is_main(from.v, bytes) && !memory_map_is_ram(from.v, bytes)) ||
        (!memory_map_is_main(to.v, bytes) && !memory_map_is_ram(to.v, bytes))) {
        return STATUS_FAULT;
    }
    if (to.v <= from.v || to.v >= from.v + bytes) {
        void *destination = direct_pointer(to.v);
        const void *source = direct_pointer(from.v);
        __asm__ volatile("rep movsq\n\t"
                         "movq %3, %2\n\t"
                         "rep movsb"
                         : "+D"(destination), "+S"(source), "+c"(count)
                         : "r"(rest)
                         : "memory");
    } else {
        void *destination = direct_pointer(to.v + bytes - 1);
        const void *source = direct_pointer(from.v + bytes - 1);
        __asm__ volatile("std\n\t"
                         "movq %3, %%rax\n\t"
                         "xchgq %%rax, %2\n\t"
                         "rep movsb\n\t"
                         "subq $7, %0\n\t"
                         "subq $7, %1\n\t"
                         "movq %%rax, %2\n\t"
                         "rep movsq\n\t"
                         "cld"
                         : "+D"(destination), "+S"(source), "+c"(count)
                         : "r"(rest)
                         : "rax", "memory");
    }
    return STATUS_OK;
}

/* Tables of ours are in the region; a guest's own page tables are anywhere in RAM. */
static volatile uint64_t *word(struct hpa address)
{
    CHECK(address.v % 8 == 0 && address.v < host_space.direct_end);
    return direct_pointer(address.v);
}

uint64_t hw_phys_read64(struct hpa address)
{
    return *word(address);
}

void hw_phys_write64(struct hpa address, uint64_t value)
{
    *word(address) = value;
}

bool hw_phys_cas64(struct hpa address, uint64_t *expected, uint64_t desired)
{
    return __atomic_compare_exchange_n(word(address), expected, desired, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

const volatile uint64_t *hw_phys_word(struct hpa address)
{
    return address.v % 8 == 0 && memory_map_is_ram(address.v, 8) ? direct_pointer(address.v) : NULL;
}

void *hw_phys_page(struct hpa page)
{
    bool is_page = page.v % PAGE_BYTES == 0 && memory_map_is_ram(page.v, PAGE_BYTES);
    return is_page ? direct_pointer(page.v) : NULL;
}

void *hw_region_pointer(struct hpa from, uint64_t bytes)
{
    uint64_t start = host_space.region.v + REGION_PRIVATE_BYTES;
    uint64_t end = host_space.region.v + host_space.region_bytes;

    if (from.v < start || from.v > end || bytes > end - from.v) {
        return NULL;
    }
    return direct_pointer(from.v);
}

struct hpa hw_region_address(const void *pointer)
{
    uint64_t address = (uint64_t)pointer;

    if (address >= IMAGE_VIRTUAL && address < (uint64_t)image_end) {
        return hpa(host_space.region.v + (address - IMAGE_VIRTUAL));
    }
    uint64_t physical = address - DIRECT_VIRTUAL;
    CHECK(address >= DIRECT_VIRTUAL && physical < host_space.direct_end);
    return hpa(physical);
}

uint32_t hw_mmio_read32(struct hpa address)
{
    CHECK(address.v % 4 == 0 && address.v < host_space.direct_end);
    return *(volatile uint32_t *)direct_pointer(address.v);
}

void hw_mmio_write32(struct hpa address, uint32_t value)
{
    CHECK(address.v % 4 == 0 && address.v < host_space.direct_end);
    *(volatile uint32_t *)direct_pointer(address.v) = value;
}

uint8_t hw_mmio_read8(struct hpa address)
{
    CHECK(address.v < host_space.direct_end);
    return *(volatile uint8_t *)direct_pointer(address.v);
}

void hw_mmio_write8(struct hpa address, uint8_t value)
{
    CHECK(address.v < host_space.direct_end);
    *(volatile uint8_t *)direct_pointer(address.v) = value;
}
