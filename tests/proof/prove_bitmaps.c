/*
 * The I/O and MSR bitmaps: no port and no MSR makes the code leave its 4-KiB pages, what is
 * switched is what was asked for, and every other port and MSR stays as it was.
 *
 * sources: libvmx/io_bitmap.c libvmx/msr_bitmap.c
 * options: --unwind 5 --arrays-uf-always
 */
#include "proof.h"

#include <vmx/io_bitmap.h>
#include <vmx/msr_bitmap.h>

#define PORTS_MAX 4 /* intercepted at once: each further one is one more turn of the same loop */

static uint8_t bitmap_a[4096], bitmap_b[4096], msr_bitmap[4096];

static void io_bitmap(void)
{
    uint32_t first = nondet_u32(), count = nondet_u32();
    uint16_t port = nondet_u16();
    bool intercept = nondet_bool();

    proof_assume(count <= PORTS_MAX && first <= 0x10000 - count);
    bool before = vmx_io_exits(bitmap_a, bitmap_b, port);
    vmx_io_intercept(bitmap_a, bitmap_b, first, count, intercept);
    bool named = port >= first && port < first + count;
    proof_assert(vmx_io_exits(bitmap_a, bitmap_b, port) == (named ? intercept : before));
    /* SDM "I/O-Bitmap Addresses": bit of the port in A for 0-7FFFH, in B for the rest. */
    const uint8_t *page = port < 0x8000 ? bitmap_a : bitmap_b;
    proof_assert(!named || (page[port % 0x8000 / 8] >> port % 8 & 1) == intercept);
}

static void msr_page(void)
{
    uint32_t msr = nondet_u32(), other = nondet_u32();
    bool intercept = nondet_bool(), write = nondet_bool(), other_write = nondet_bool();
    enum vmx_msr_access access = write ? VMX_MSR_WRITE : VMX_MSR_READ;
    enum vmx_msr_access other_access = other_write ? VMX_MSR_WRITE : VMX_MSR_READ;

    proof_assume(msr < 0x2000 || (msr >= 0xc0000000 && msr < 0xc0002000));
    bool before = vmx_msr_exits(msr_bitmap, other, other_access);
    vmx_msr_intercept(msr_bitmap, msr, access, intercept);
    bool named = msr == other && write == other_write;
    proof_assert(vmx_msr_exits(msr_bitmap, other, other_access) == (named ? intercept : before));
    /* SDM "MSR-Bitmap Address": read low, read high, write low, write high, 1 KiB each. */
    unsigned page = (write ? 2048 : 0) + (msr >= 0xc0000000 ? 1024 : 0);
    proof_assert((msr_bitmap[page + msr % 0x2000 / 8] >> msr % 8 & 1) == intercept);
}

int main(void)
{
    __CPROVER_havoc_object(bitmap_a); /* any content before */
    __CPROVER_havoc_object(bitmap_b);
    __CPROVER_havoc_object(msr_bitmap);
    io_bitmap();
    msr_page();
    proof_reached();
    return 0;
}
