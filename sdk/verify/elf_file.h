/*
 * Reading an ELF file of an x86 program, 32-bit or 64-bit, that lies in memory: sections by name,
 * and what its segments bring to an address.
 *
 * The file is anybody's: each offset, size and sum is checked before it is used, and no answer
 * points outside the file.  Functions return NULL, or what is wrong with the file.  There is no
 * state but struct verify_elf, which points into the file: keep both.
 */
#ifndef VERIFY_ELF_FILE_H
#define VERIFY_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct verify_elf {
    const uint8_t *file;
    uint64_t bytes;
    bool is_64bit;
    uint64_t segments, sections; /* offsets of the tables, which are in the file */
    unsigned segment_count, section_count;
    unsigned names; /* index of the section with the sections' names */
};

/* What a program has at an address when it starts: bytes of the file and then zeros. */
struct verify_memory {
    const uint8_t *data;
    uint64_t data_bytes, zero_bytes;
};

/* A program for a fixed address, little endian; position-independent ones are refused. */
const char *verify_elf_open(struct verify_elf *elf, const uint8_t *file, size_t bytes);

/* The one section with this name. */
const char *verify_elf_section(const struct verify_elf *elf, const char *name, uint64_t *address,
                               uint64_t *bytes);

/* Memory at [address, address + bytes): all of it belongs to one segment. */
const char *verify_elf_memory(const struct verify_elf *elf, uint64_t address, uint64_t bytes,
                              struct verify_memory *memory);

/* The same where no other segment has a part of the same pages. */
const char *verify_elf_pages(const struct verify_elf *elf, uint64_t address, uint64_t bytes,
                             struct verify_memory *memory);

#endif
