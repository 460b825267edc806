/*
 * x87, SSE, AVX and the other extended state of the calling CPU, as the XSAVE feature set sees it
 * (SDM vol. 1, chapter "Managing State Using the XSAVE Feature Set").  The hypervisor itself uses
 * none of these registers: what they hold is the guest's, or isolated code's.
 *
 * CR4.OSXSAVE is set, or each of these is #UD.  Areas are in the standard format, on
 * HW_XSAVE_ALIGNMENT, and as long as CPUID.(0DH) says for the components; a component outside XCR0
 * is a bug of ours.  No locks.
 */
#ifndef HW_XSAVE_H
#define HW_XSAVE_H

#include <stdint.h>

#define HW_XSAVE_ALIGNMENT 64

/* XSAVE64, XRSTOR64: the 64-bit forms, which keep 64-bit x87 instruction and data pointers. */
void hw_xsave(void *area, uint64_t components);
void hw_xrstor(const void *area, uint64_t components);

/* Extended control register; index 0 is XCR0.  hw_xsetbv_safe() of hw/cpu.h sets it. */
uint64_t hw_xgetbv(uint32_t index);

#endif
