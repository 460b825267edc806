/*
 * A synthetic bzImage: a setup header with plausible values and nothing else; offsets are those of
 * Linux's boot.rst, written down here a second time on purpose.
 */
#ifndef TESTS_APPS_LINUX_SAMPLE_H
#define TESTS_APPS_LINUX_SAMPLE_H

#include <stdint.h>
#include <string.h>

#define SAMPLE_SETUP_BYTES (5 * 512ULL) /* setup_sects 4 */
#define SAMPLE_KERNEL_BYTES 0x40000ULL
#define SAMPLE_BYTES (SAMPLE_SETUP_BYTES + SAMPLE_KERNEL_BYTES)
#define SAMPLE_PREF 0x1000000ULL
#define SAMPLE_SPAN 0x800000ULL
#define SAMPLE_HEADER_END 0x26c

static inline void sample_put(uint8_t *header, unsigned offset, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        header[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

/* header: the 0x290 bytes that linux_inspect() looks at. */
static inline void sample_header(uint8_t *header)
{
    memset(header, 0xcc, 0x290);
    sample_put(header, 0x1f1, 4, 1);                        /* setup_sects */
    sample_put(header, 0x1f4, SAMPLE_KERNEL_BYTES / 16, 4); /* syssize */
    sample_put(header, 0x1fe, 0xaa55, 2);                   /* boot_flag */
    sample_put(header, 0x200, 0x6aeb, 2);                   /* jump */
    memcpy(header + 0x202, "HdrS", 4);                      /* header */
    sample_put(header, 0x206, 0x20f, 2);                    /* version */
    sample_put(header, 0x211, 0x81, 1);                     /* loadflags */
    sample_put(header, 0x22c, 0x7fffffff, 4);               /* initrd_addr_max */
    sample_put(header, 0x230, 0x200000, 4);                 /* kernel_alignment */
    sample_put(header, 0x234, 1, 1);                        /* relocatable_kernel */
    sample_put(header, 0x238, 2047, 4);                     /* cmdline_size */
    sample_put(header, 0x258, SAMPLE_PREF, 8);              /* pref_address */
    sample_put(header, 0x260, SAMPLE_SPAN, 4);              /* init_size */
}

#endif
