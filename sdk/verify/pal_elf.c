#include "pal_elf.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#define SECTION_NAME ".pal_descriptor"

/* What both classes of ELF files have, as wide as the wider one. */
struct elf {
    const uint8_t *file;
    size_t bytes;
    bool is_64bit;
    uint64_t segments, sections;
    unsigned segment_count, section_count, name_section;
};

struct part {
    uint32_t type, name;
    uint64_t address, offset, bytes;
};

static bool is_inside(const struct elf *elf, uint64_t offset, uint64_t bytes)
{
    return offset <= elf->bytes && bytes <= elf->bytes - offset;
}

static bool get(const struct elf *elf, uint64_t offset, void *to, size_t bytes)
{
    if (!is_inside(elf, offset, bytes)) {
        return false;
    }
    memcpy(to, elf->file + offset, bytes);
    return true;
}

static const char *read_header(struct elf *elf)
{
    uint8_t ident[EI_NIDENT];
    uint16_t machine;

    if (!get(elf, 0, ident, sizeof(ident)) || memcmp(ident, ELFMAG, SELFMAG) != 0) {
        return "not an ELF file";
    }
    elf->is_64bit = ident[EI_CLASS] == ELFCLASS64;
    if ((!elf->is_64bit && ident[EI_CLASS] != ELFCLASS32) || ident[EI_DATA] != ELFDATA2LSB) {
        return "not an ELF file for x86";
    }
    if (elf->is_64bit) {
        Elf64_Ehdr header;
        if (!get(elf, 0, &header, sizeof(header))) {
            return "truncated";
        }
        elf->segments = header.e_phoff;
        elf->sections = header.e_shoff;
        elf->segment_count = header.e_phnum;
        elf->section_count = header.e_shnum;
        elf->name_section = header.e_shstrndx;
        machine = header.e_machine;
    } else {
        Elf32_Ehdr header;
        if (!get(elf, 0, &header, sizeof(header))) {
            return "truncated";
        }
        elf->segments = header.e_phoff;
        elf->sections = header.e_shoff;
        elf->segment_count = header.e_phnum;
        elf->section_count = header.e_shnum;
        elf->name_section = header.e_shstrndx;
        machine = header.e_machine;
    }
    return machine == (elf->is_64bit ? EM_X86_64 : EM_386) ? NULL : "not an ELF file for x86";
}

static bool get_section(const struct elf *elf, unsigned index, struct part *part)
{
    if (elf->is_64bit) {
        Elf64_Shdr header;
        if (!get(elf, elf->sections + index * sizeof(header), &header, sizeof(header))) {
            return false;
        }
        *part = (struct part){header.sh_type, header.sh_name, header.sh_addr, header.sh_offset,
                              header.sh_size};
    } else {
        Elf32_Shdr header;
        if (!get(elf, elf->sections + index * sizeof(header), &header, sizeof(header))) {
            return false;
        }
        *part = (struct part){header.sh_type, header.sh_name, header.sh_addr, header.sh_offset,
                              header.sh_size};
    }
    return true;
}

/* bytes: those in the file. */
static bool get_segment(const struct elf *elf, unsigned index, struct part *part)
{
    if (elf->is_64bit) {
        Elf64_Phdr header;
        if (!get(elf, elf->segments + index * sizeof(header), &header, sizeof(header))) {
            return false;
        }
        *part = (struct part){header.p_type, 0, header.p_vaddr, header.p_offset, header.p_filesz};
    } else {
        Elf32_Phdr header;
        if (!get(elf, elf->segments + index * sizeof(header), &header, sizeof(header))) {
            return false;
        }
        *part = (struct part){header.p_type, 0, header.p_vaddr, header.p_offset, header.p_filesz};
    }
    return true;
}

static bool find_descriptor(const struct elf *elf, struct part *part)
{
    struct part names;
    char name[sizeof(SECTION_NAME)];

    if (!get_section(elf, elf->name_section, &names)) {
        return false;
    }
    for (unsigned i = 0; i < elf->section_count; i++) {
        if (get_section(elf, i, part) && names.offset <= elf->bytes &&
            get(elf, names.offset + part->name, name, sizeof(name)) &&
            memcmp(name, SECTION_NAME, sizeof(name)) == 0 && part->type != SHT_NOBITS) {
            return true;
        }
    }
    return false;
}

/* Where the file has [start, end) of the program's memory; NULL: not all of it. */
static const uint8_t *find_memory(const struct elf *elf, uint64_t start, uint64_t end)
{
    struct part part;

    for (unsigned i = 0; i < elf->segment_count; i++) {
        if (!get_segment(elf, i, &part) || part.type != PT_LOAD || start < part.address) {
            continue;
        }
        uint64_t offset = start - part.address;
        if (offset <= part.bytes && end - start <= part.bytes - offset &&
            part.offset <= elf->bytes && is_inside(elf, part.offset + offset, end - start)) {
            return elf->file + part.offset + offset;
        }
    }
    return NULL;
}

/* PALs under Nacre start without a hook: with one it would be another program. */
static bool is_hook_zero(const struct pal_file *pal)
{
    uint64_t offset = pal->description.hook.value - pal->description.data_start.value;

    for (unsigned i = 0; i < pal->description.word_bytes; i++) {
        if (pal->data[offset + i] != 0) {
            return false;
        }
    }
    return true;
}

const char *pal_file_read(const uint8_t *file, size_t bytes, struct pal_file *pal)
{
    struct elf elf = {.file = file, .bytes = bytes};
    const struct pal_description *description = &pal->description;
    struct part part;
    const char *wrong = read_header(&elf);

    if (wrong != NULL) {
        return wrong;
    }
    if (!find_descriptor(&elf, &part)) {
        return "no PAL in it (no section " SECTION_NAME ")";
    }
    if (part.bytes < sizeof(pal->description) ||
        !get(&elf, part.offset, &pal->description, sizeof(pal->description))) {
        return "truncated";
    }
    if (!pal_is_whole(description, elf.is_64bit ? 8 : 4)) {
        return "the description of its PAL is wrong; it was not linked with -no-pie and pal.lds";
    }
    pal->code_bytes = (size_t)(description->code_end.value - description->code_start.value);
    pal->data_bytes = (size_t)(description->data_end.value - description->data_start.value);
    pal->code = find_memory(&elf, description->code_start.value, description->code_end.value);
    pal->data = find_memory(&elf, description->data_start.value, description->data_end.value);
    if (pal->code == NULL || pal->data == NULL) {
        return "not all of its PAL is in the file";
    }
    return is_hook_zero(pal) ? NULL : "the hook of its PAL is not zero";
}

/* contents: NULL for zeros. */
static void add_section(struct tv_measurement *measurement, enum tv_section_type type,
                        uint64_t start, const uint8_t *contents, uint64_t bytes)
{
    static const uint8_t zeros[PAL_PAGE_BYTES];
    struct tv_measure measure;

    tv_measure_begin(&measure);
    tv_measure_section_header(&measure, type, start, bytes);
    if (contents != NULL) {
        tv_measure_add(&measure, contents, (size_t)bytes);
    } else {
        for (uint64_t done = 0; done < bytes; done += sizeof(zeros)) {
            tv_measure_add(&measure, zeros, sizeof(zeros));
        }
    }
    tv_measure_extend(&measure, measurement);
}

void pal_file_measure(const struct pal_file *pal, struct tv_measurement *measurement)
{
    const struct pal_description *description = &pal->description;

    memset(measurement, 0, sizeof(*measurement));
    tv_measure_description(measurement, description->word_bytes, description->flags,
                           description->entry.value, description->parameter_count,
                           description->parameter);
    add_section(measurement, TV_SECTION_CODE, description->code_start.value, pal->code,
                pal->code_bytes);
    add_section(measurement, TV_SECTION_DATA, description->data_start.value, pal->data,
                pal->data_bytes);
    add_section(measurement, TV_SECTION_PARAM, 0, NULL,
                (uint64_t)description->param_pages * PAL_PAGE_BYTES);
    add_section(measurement, TV_SECTION_STACK, 0, NULL,
                (uint64_t)description->stack_pages * PAL_PAGE_BYTES);
}
