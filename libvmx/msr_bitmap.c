/* The MSR bitmap page (SDM vol. 3, "MSR-Bitmap Address"): four bitmaps of 1 KiB. */
#include <base/check.h>
#include <stddef.h>
#include <vmx/msr_bitmap.h>

#define RANGE_MSRS 0x2000U
#define HIGH_RANGE 0xc0000000U
#define READ_LOW_OFFSET 0
#define READ_HIGH_OFFSET 1024
#define WRITE_OFFSET 2048 /* the write bitmaps lie this far behind the read bitmaps */

static bool is_covered(uint32_t msr)
{
    return msr < RANGE_MSRS || msr - HIGH_RANGE < RANGE_MSRS;
}

static unsigned byte_offset(uint32_t msr)
{
    unsigned range = msr < RANGE_MSRS ? READ_LOW_OFFSET : READ_HIGH_OFFSET;
    return range + (msr % RANGE_MSRS) / 8;
}

void vmx_msr_intercept(void *bitmap, uint32_t msr, enum vmx_msr_access access, bool intercept)
{
    CHECK(is_covered(msr));
    uint8_t bit = (uint8_t)(1U << (msr % 8));
    for (unsigned kind = 0; kind < 2; kind++) { /* read, write */
        if (access & 1U << kind) {
            uint8_t *byte = (uint8_t *)bitmap + (size_t)kind * WRITE_OFFSET + byte_offset(msr);
            *byte = (uint8_t)(intercept ? *byte | bit : *byte & ~bit);
        }
    }
}

bool vmx_msr_exits(const void *bitmap, uint32_t msr, enum vmx_msr_access access)
{
    if (!is_covered(msr)) {
        return true;
    }
    unsigned kind = access == VMX_MSR_WRITE ? WRITE_OFFSET : 0;
    return (((const uint8_t *)bitmap)[kind + byte_offset(msr)] >> (msr % 8) & 1) != 0;
}
