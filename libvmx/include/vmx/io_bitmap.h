/*
 * I/O bitmaps (SDM vol. 3, "I/O-Bitmap Addresses"): pure operations on the two 4-KiB pages, A for
 * ports 0-7FFFH and B for 8000H-FFFFH.  The pages belong to the caller; all-zero lets all ports
 * through.
 */
#ifndef VMX_IO_BITMAP_H
#define VMX_IO_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

/* Ports [first, first + count); CHECKs first + count <= 10000H. */
void vmx_io_intercept(void *bitmap_a, void *bitmap_b, uint32_t first, uint32_t count,
                      bool intercept);
bool vmx_io_exits(const void *bitmap_a, const void *bitmap_b, uint16_t port);

/* Exit qualification for I/O instructions (SDM table of that name), decoded. */
struct vmx_io_access {
    uint16_t port;
    unsigned bytes; /* 1, 2 or 4 */
    bool in, string, rep;
};
struct vmx_io_access vmx_io_decode(uint64_t qualification);

#endif
