#include "elf_file.h"

#include <elf.h>
#include <string.h>

#define PAGE_BYTES 4096U

/* What is used of program and section headers, of either width. */
struct segment {
    uint32_t type;
    uint64_t offset, address, file_bytes, memory_bytes;
};

struct section {
    uint32_t name, type;
    uint64_t address, offset, bytes;
};

static bool in_file(const struct verify_elf *elf, uint64_t offset, uint64_t bytes)
{
    return offset <= elf->bytes && bytes <= elf->bytes - offset;
}

/* Tables need not be aligned in the file, so headers are copied out of it. */
static struct segment segment_at(const struct verify_elf *elf, unsigned index)
{
    const uint8_t *table = elf->file + elf->segments;
    Elf64_Phdr wide;
    Elf32_Phdr narrow;

    if (elf->is_64bit) {
        memcpy(&wide, table + index * sizeof(wide), sizeof(wide));
        return (struct segment){wide.p_type, wide.p_offset, wide.p_vaddr, wide.p_filesz,
                                wide.p_memsz};
    }
    memcpy(&narrow, table + index * sizeof(narrow), sizeof(narrow));
    return (struct segment){narrow.p_type, narrow.p_offset, narrow.p_vaddr, narrow.p_filesz,
                            narrow.p_memsz};
}

static struct section section_at(const struct verify_elf *elf, unsigned index)
{
    const uint8_t *table = elf->file + elf->sections;
    Elf64_Shdr wide;
    Elf32_Shdr narrow;

    if (elf->is_64bit) {
        memcpy(&wide, table + index * sizeof(wide), sizeof(wide));
        return (struct section){wide.sh_name, wide.sh_type, wide.sh_addr, wide.sh_offset,
                                wide.sh_size};
    }
    memcpy(&narrow, table + index * sizeof(narrow), sizeof(narrow));
    return (struct section){narrow.sh_name, narrow.sh_type, narrow.sh_addr, narrow.sh_offset,
                            narrow.sh_size};
}

static const char *read_ident(struct verify_elf *elf)
{
    const uint8_t *ident = elf->file;

    if (elf->bytes < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG) != 0) {
        return "not an ELF file";
    }
    if ((ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64) ||
        ident[EI_DATA] != ELFDATA2LSB || ident[EI_VERSION] != EV_CURRENT) {
        return "ELF class, byte order or version is not x86's";
    }
    elf->is_64bit = ident[EI_CLASS] == ELFCLASS64;
    if (!in_file(elf, 0, elf->is_64bit ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr))) {
        return "ELF header is cut short";
    }
    return NULL;
}

/* The header of either width as the wide one. */
static Elf64_Ehdr read_header(const struct verify_elf *elf)
{
    Elf64_Ehdr wide;
    Elf32_Ehdr narrow;

    if (elf->is_64bit) {
        memcpy(&wide, elf->file, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, elf->file, sizeof(narrow));
    return (Elf64_Ehdr){.e_type = narrow.e_type,
                        .e_machine = narrow.e_machine,
                        .e_phoff = narrow.e_phoff,
                        .e_shoff = narrow.e_shoff,
                        .e_phentsize = narrow.e_phentsize,
                        .e_phnum = narrow.e_phnum,
                        .e_shentsize = narrow.e_shentsize,
                        .e_shnum = narrow.e_shnum,
                        .e_shstrndx = narrow.e_shstrndx};
}

static const char *check_kind(const struct verify_elf *elf, const Elf64_Ehdr *header)
{
    if (header->e_machine != (elf->is_64bit ? EM_X86_64 : EM_386)) {
        return "not a program for x86 of the ELF class's width";
    }
    if (header->e_type == ET_DYN) {
        return "position-independent program or library: a PAL has a fixed address";
    }
    return header->e_type == ET_EXEC ? NULL : "not a program: link it first";
}

static const char *read_tables(struct verify_elf *elf, const Elf64_Ehdr *header)
{
    size_t segment_bytes = elf->is_64bit ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    size_t section_bytes = elf->is_64bit ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);

    if (header->e_phnum == 0 || header->e_phnum == PN_XNUM ||
        header->e_phentsize != segment_bytes ||
        !in_file(elf, header->e_phoff, header->e_phnum * segment_bytes)) {
        return "program headers are missing or not inside the file";
    }
    if (header->e_shnum == 0 || header->e_shentsize != section_bytes ||
        !in_file(elf, header->e_shoff, header->e_shnum * section_bytes)) {
        return "section headers are missing (stripped?) or not inside the file";
    }
    if (header->e_shstrndx >= header->e_shnum) {
        return "section names are missing";
    }
    elf->segments = header->e_phoff;
    elf->segment_count = header->e_phnum;
    elf->sections = header->e_shoff;
    elf->section_count = header->e_shnum;
    elf->names = header->e_shstrndx;
    return NULL;
}

/* No segment may leave the file or wrap, so that later sums cannot. */
static const char *check_segments(const struct verify_elf *elf)
{
    uint64_t end = elf->is_64bit ? UINT64_MAX : UINT32_MAX;

    for (unsigned i = 0; i < elf->segment_count; i++) {
        struct segment segment = segment_at(elf, i);
        if (segment.type != PT_LOAD) {
            continue;
        }
        if (!in_file(elf, segment.offset, segment.file_bytes)) {
            return "a segment is not inside the file";
        }
        if (segment.file_bytes > segment.memory_bytes) {
            return "a segment has more bytes in the file than in memory";
        }
        if (segment.memory_bytes > end - segment.address) {
            return "a segment wraps around the end of the addresses";
        }
    }
    return NULL;
}

const char *verify_elf_open(struct verify_elf *elf, const uint8_t *file, size_t bytes)
{
    *elf = (struct verify_elf){.file = file, .bytes = bytes};

    const char *wrong = read_ident(elf);
    if (wrong != NULL) {
        return wrong;
    }
    Elf64_Ehdr header = read_header(elf);
    wrong = check_kind(elf, &header);
    if (wrong == NULL) {
        wrong = read_tables(elf, &header);
    }
    return wrong == NULL ? check_segments(elf) : wrong;
}

const char *verify_elf_section(const struct verify_elf *elf, const char *name, uint64_t *address,
                               uint64_t *bytes)
{
    struct section names = section_at(elf, elf->names);
    size_t size = strlen(name) + 1;
    bool found = false;

    if (names.type != SHT_STRTAB || !in_file(elf, names.offset, names.bytes)) {
        return "section names are not inside the file";
    }
    for (unsigned i = 0; i < elf->section_count; i++) {
        struct section section = section_at(elf, i);
        if (section.name > names.bytes || size > names.bytes - section.name ||
            memcmp(elf->file + names.offset + section.name, name, size) != 0) {
            continue;
        }
        if (found) {
            return "two sections have the same name";
        }
        found = true;
        *address = section.address;
        *bytes = section.bytes;
    }
    return found ? NULL : "section is missing";
}

const char *verify_elf_memory(const struct verify_elf *elf, uint64_t address, uint64_t bytes,
                              struct verify_memory *memory)
{
    for (unsigned i = 0; i < elf->segment_count; i++) {
        struct segment segment = segment_at(elf, i);
        if (segment.type != PT_LOAD || address < segment.address ||
            address - segment.address > segment.memory_bytes ||
            bytes > segment.memory_bytes - (address - segment.address)) {
            continue;
        }
        uint64_t skipped = address - segment.address;
        uint64_t left = skipped < segment.file_bytes ? segment.file_bytes - skipped : 0;
        memory->data_bytes = bytes < left ? bytes : left;
        memory->data = memory->data_bytes > 0 ? elf->file + segment.offset + skipped : elf->file;
        memory->zero_bytes = bytes - memory->data_bytes;
        return NULL;
    }
    return "no segment has all of the memory";
}

/* Loaders map whole pages, so a segment that shares one could replace what is in it. */
static bool touches(const struct segment *segment, uint64_t address, uint64_t bytes)
{
    uint64_t first = segment->address & ~(uint64_t)(PAGE_BYTES - 1);
    uint64_t last = segment->address + segment->memory_bytes - 1;

    return segment->type == PT_LOAD && segment->memory_bytes > 0 && bytes > 0 &&
           first <= address + (bytes - 1) && (last | (PAGE_BYTES - 1)) >= address;
}

const char *verify_elf_pages(const struct verify_elf *elf, uint64_t address, uint64_t bytes,
                             struct verify_memory *memory)
{
    unsigned owners = 0;
    const char *wrong = verify_elf_memory(elf, address, bytes, memory);

    if (wrong != NULL) {
        return wrong;
    }
    for (unsigned i = 0; i < elf->segment_count; i++) {
        struct segment segment = segment_at(elf, i);
        owners += touches(&segment, address, bytes);
    }
    return owners <= 1 ? NULL : "two segments share a page of the memory";
}
