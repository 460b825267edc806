/* I/O bitmaps (SDM vol. 3, "I/O-Bitmap Addresses") and the qualification of I/O exits. */
#include <base/bits.h>
#include <base/check.h>
#include <vmx/io_bitmap.h>

#define PORTS_PER_PAGE 0x8000U
#define PORTS 0x10000U

void vmx_io_intercept(void *bitmap_a, void *bitmap_b, uint32_t first, uint32_t count,
                      bool intercept)
{
    CHECK(first <= PORTS && count <= PORTS - first);
    for (uint32_t port = first; port < first + count; port++) {
        uint8_t *page = port < PORTS_PER_PAGE ? bitmap_a : bitmap_b;
        uint8_t *byte = &page[(port % PORTS_PER_PAGE) / 8];
        uint8_t bit = (uint8_t)(1U << (port % 8));
        *byte = (uint8_t)(intercept ? *byte | bit : *byte & ~bit);
    }
}

bool vmx_io_exits(const void *bitmap_a, const void *bitmap_b, uint16_t port)
{
    const uint8_t *page = port < PORTS_PER_PAGE ? bitmap_a : bitmap_b;
    return (page[(port % PORTS_PER_PAGE) / 8] >> (port % 8) & 1) != 0;
}

struct vmx_io_access vmx_io_decode(uint64_t qualification)
{
    return (struct vmx_io_access){
        .port = (uint16_t)(qualification >> 16),
        .bytes = (unsigned)bits_get(qualification, 0, 3) + 1,
        .in = (qualification & BIT(3)) != 0,
        .string = (qualification & BIT(4)) != 0,
        .rep = (qualification & BIT(5)) != 0,
    };
}
