/* Extended state of the calling CPU (hw/xsave.h). */
#include <hw/xsave.h>

void hw_xsave(void *area, uint64_t components)
{
    __asm__ volatile("xsave64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
                     : "memory");
}

void hw_xrstor(const void *area, uint64_t components)
{
    __asm__ volatile("xrstor64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
                     : "memory");
}

uint64_t hw_xgetbv(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}
