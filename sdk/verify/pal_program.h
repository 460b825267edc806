/*
 * The PAL of a program file, as <nacre/pal_file.h> describes it, and its measurements as the
 * hypervisor computes them when the program registers it (docs/pal-interface.md, Measurement).
 *
 * The file is anybody's; functions return NULL, or what is wrong with it.
 */
#ifndef VERIFY_PAL_PROGRAM_H
#define VERIFY_PAL_PROGRAM_H

#include "elf_file.h"

#include <nacre/pal_file.h>
#include <tv/measure.h>

#define VERIFY_SECTIONS 4U

struct verify_section {
    uint32_t type;  /* enum tv_section_type */
    uint64_t start; /* of CODE and DATA */
    uint64_t bytes;
    struct verify_memory memory;
};

/* Points into the file. */
struct verify_pal {
    struct pal_description description;
    unsigned section_count;
    struct verify_section section[VERIFY_SECTIONS];
};

const char *verify_pal_read(struct verify_pal *pal, const uint8_t *file, size_t bytes);

void verify_pal_measure(const struct verify_pal *pal, struct tv_measurement *measurement);

#endif
