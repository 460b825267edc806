/*
 * Program files that somebody gives to nacre-verify: any bytes, and a small program of either width
 * in which bytes were changed and which was cut.  What is accepted has the sections that the
 * description says, whole pages inside the file or zeros, and can be measured; its measurement is
 * that of its parts.
 *
 * sources: sdk/verify/elf_file.c sdk/verify/pal_program.c libtv/measure.c crypto
 * include: sdk/include
 * seeds: 00,01,02,0100000000,02000000000000
 */
#include "fuzz.h"

#include <config/config.h>
#include <elf.h>
#include <pal_program.h>

#define PAGE_BYTES 4096U
#define CODE 0x10000U
#define DATA 0x20000U
#define DESCRIPTION 0x30000U
#define DATA_BYTES 64U /* in the file; the rest of two pages is zeros */

static const char names[] = "\0.shstrtab\0.pal_descriptor";
enum { NAME_OF_NAMES = 1, NAME_OF_DESCRIPTION = 11 };

struct build {
    uint8_t *bytes;
    size_t count;
};

static size_t append(struct build *file, const void *from, size_t bytes)
{
    size_t at = file->count;
    file->bytes = realloc(file->bytes, at + bytes);
    FUZZ_CHECK(file->bytes != NULL);
    memcpy(file->bytes + at, from, bytes);
    file->count += bytes;
    return at;
}

static struct pal_description description_of(uint32_t word_bytes)
{
    return (struct pal_description){
        .magic = PAL_FILE_MAGIC,
        .version = PAL_FILE_VERSION,
        .word_bytes = word_bytes,
        .parameter_count = 2,
        .entry.value = CODE + 8,
        .code_start.value = CODE,
        .code_end.value = CODE + PAGE_BYTES,
        .data_start.value = DATA,
        .data_end.value = DATA + 2 * PAGE_BYTES,
        .hook.value = DATA + 8,
        .param_pages = 1,
        .stack_pages = 2,
        .name = "fuzz",
        .parameter = {[0 ... TV_PARAMS_MAX - 1] = {TV_PARAM_POINTER, TV_IN, 5}}};
}

static void add_segment(struct build *file, bool wide, uint64_t offset, uint64_t address,
                        uint64_t bytes, uint64_t memory)
{
    if (wide) {
        append(file,
               &(Elf64_Phdr){.p_type = PT_LOAD,
                             .p_offset = offset,
                             .p_vaddr = address,
                             .p_filesz = bytes,
                             .p_memsz = memory},
               sizeof(Elf64_Phdr));
    } else {
        append(file,
               &(Elf32_Phdr){.p_type = PT_LOAD,
                             .p_offset = (uint32_t)offset,
                             .p_vaddr = (uint32_t)address,
                             .p_filesz = (uint32_t)bytes,
                             .p_memsz = (uint32_t)memory},
               sizeof(Elf32_Phdr));
    }
}

static void add_section(struct build *file, bool wide, unsigned name, uint32_t type,
                        uint64_t address, uint64_t offset, uint64_t bytes)
{
    if (wide) {
        append(file,
               &(Elf64_Shdr){.sh_name = name,
                             .sh_type = type,
                             .sh_addr = address,
                             .sh_offset = offset,
                             .sh_size = bytes},
               sizeof(Elf64_Shdr));
    } else {
        append(file,
               &(Elf32_Shdr){.sh_name = name,
                             .sh_type = type,
                             .sh_addr = (uint32_t)address,
                             .sh_offset = (uint32_t)offset,
                             .sh_size = (uint32_t)bytes},
               sizeof(Elf32_Shdr));
    }
}

static void set_header(struct build *file, bool wide, uint64_t segments, uint64_t sections)
{
    const uint8_t ident[EI_NIDENT] = {
        0x7f, 'E', 'L', 'F', wide ? ELFCLASS64 : ELFCLASS32, ELFDATA2LSB, EV_CURRENT};
    Elf64_Ehdr wide_header = {.e_type = ET_EXEC,
                              .e_machine = EM_X86_64,
                              .e_phoff = segments,
                              .e_shoff = sections,
                              .e_phentsize = sizeof(Elf64_Phdr),
                              .e_phnum = 3,
                              .e_shentsize = sizeof(Elf64_Shdr),
                              .e_shnum = 3,
                              .e_shstrndx = 1};
    Elf32_Ehdr header = {.e_type = ET_EXEC,
                         .e_machine = EM_386,
                         .e_phoff = (uint32_t)segments,
                         .e_shoff = (uint32_t)sections,
                         .e_phentsize = sizeof(Elf32_Phdr),
                         .e_phnum = 3,
                         .e_shentsize = sizeof(Elf32_Shdr),
                         .e_shnum = 3,
                         .e_shstrndx = 1};
    memcpy(wide_header.e_ident, ident, sizeof(ident));
    memcpy(header.e_ident, ident, sizeof(ident));
    memcpy(file->bytes, wide ? (void *)&wide_header : (void *)&header,
           wide ? sizeof(wide_header) : sizeof(header));
}

/* Headers come first, where changes are wanted. */
static struct build make(bool wide)
{
    struct build file = {NULL, 0};
    const struct pal_description description = description_of(wide ? 8 : 4);
    uint8_t page[PAGE_BYTES] = {0x90};
    uint64_t tables = (wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
    uint64_t sections = tables + 3 * (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
    uint64_t at = sections + 3 * (wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr));
    uint64_t of_names = at + sizeof(description), of_code = of_names + sizeof(names);
    append(&file, page, tables);
    add_segment(&file, wide, at, DESCRIPTION, sizeof(description), sizeof(description));
    add_segment(&file, wide, of_code, CODE, PAGE_BYTES, PAGE_BYTES);
    add_segment(&file, wide, of_code + PAGE_BYTES, DATA, DATA_BYTES, 2 * PAGE_BYTES);
    add_section(&file, wide, 0, SHT_NULL, 0, 0, 0);
    add_section(&file, wide, NAME_OF_NAMES, SHT_STRTAB, 0, of_names, sizeof(names));
    add_section(&file, wide, NAME_OF_DESCRIPTION, SHT_PROGBITS, DESCRIPTION, at,
                sizeof(description));
    append(&file, &description, sizeof(description));
    append(&file, names, sizeof(names));
    append(&file, page, sizeof(page));
    append(&file, page + 1, DATA_BYTES);
    set_header(&file, wide, tables, sections);
    return file;
}

static void must_be_right(const struct verify_pal *pal, const uint8_t *file, size_t bytes)
{
    uint64_t pages = 0;
    FUZZ_CHECK(pal->section_count >= 3 && pal->section_count <= VERIFY_SECTIONS);
    for (unsigned i = 0; i < pal->section_count; i++) {
        const struct verify_section *section = &pal->section[i];
        const struct verify_memory *memory = &section->memory;
        FUZZ_CHECK(section->bytes > 0 && section->bytes % PAGE_BYTES == 0);
        FUZZ_CHECK(section->start % PAGE_BYTES == 0);
        FUZZ_CHECK(memory->data_bytes + memory->zero_bytes == section->bytes);
        FUZZ_CHECK(memory->data_bytes <= bytes);
        if (memory->data_bytes > 0) {
            FUZZ_CHECK(memory->data >= file && memory->data <= file + bytes);
            FUZZ_CHECK((size_t)(file + bytes - memory->data) >= memory->data_bytes);
        }
        pages += section->bytes / PAGE_BYTES;
    }
    FUZZ_CHECK(pages <= CONFIG_MAX_PAL_PAGES);
    FUZZ_CHECK(pal->description.entry.value - pal->section[0].start < pal->section[0].bytes);
}

static void add_u64(br_sha256_context *hash, uint64_t value, size_t bytes)
{
    br_sha256_update(hash, &value, bytes); /* the host is little endian */
}

/* M = SHA-256(M, digest) */
static void extend(uint8_t measured[32], br_sha256_context *hash)
{
    uint8_t digest[32];
    br_sha256_out(hash, digest);
    br_sha256_init(hash);
    br_sha256_update(hash, measured, 32);
    br_sha256_update(hash, digest, 32);
    br_sha256_out(hash, measured);
}

static void must_measure(const struct verify_pal *pal)
{
    static const uint8_t zeros[1000];
    struct tv_measurement measurement;
    uint8_t expected[32] = {0};
    br_sha256_context hash;
    br_sha256_init(&hash);
    add_u64(&hash, 1, 4);
    add_u64(&hash, pal->description.word_bytes, 4);
    add_u64(&hash, pal->description.flags, 4);
    add_u64(&hash, pal->description.parameter_count, 4);
    add_u64(&hash, pal->description.entry.value, 8);
    br_sha256_update(&hash, pal->description.parameter, 16UL * pal->description.parameter_count);
    extend(expected, &hash);
    for (unsigned i = 0; i < pal->section_count; i++) {
        const struct verify_section *section = &pal->section[i];
        br_sha256_init(&hash);
        add_u64(&hash, section->type, 4);
        if (section->type == TV_SECTION_CODE || section->type == TV_SECTION_DATA) {
            add_u64(&hash, section->start, 8);
        }
        add_u64(&hash, section->bytes, 8);
        br_sha256_update(&hash, section->memory.data, section->memory.data_bytes);
        for (uint64_t left = section->memory.zero_bytes; left > 0;) {
            uint64_t part = left % sizeof(zeros) > 0 ? left % sizeof(zeros) : sizeof(zeros);
            br_sha256_update(&hash, zeros, part);
            left -= part;
        }
        extend(expected, &hash);
    }
    verify_pal_measure(pal, &measurement);
    FUZZ_CHECK(memcmp(measurement.sha256, expected, sizeof(expected)) == 0);
}

/* True: accepted. */
static bool try_file(const uint8_t *file, size_t bytes)
{
    struct verify_pal pal;
    if (verify_pal_read(&pal, file, bytes) != NULL) {
        return false;
    }
    must_be_right(&pal, file, bytes);
    if (pal.section[pal.section_count - 1].bytes <= 16 * PAGE_BYTES) { /* else it takes too long */
        must_measure(&pal);
    }
    return true;
}

/* One byte, or a number of eight that is small, large, or about the file's size. */
static void change(struct fuzz_input *input, const struct build *file)
{
    size_t at = (size_t)fuzz_take(input, 2) % file->count;
    unsigned how = (unsigned)fuzz_take(input, 1) % 4;
    uint64_t value = fuzz_take(input, 1);
    if (how == 1) {
        value = ~value;
    } else if (how == 2) {
        value = file->count - value;
    }
    size_t bytes = how == 0 ? 1 : sizeof(value);
    memcpy(file->bytes + at, &value, bytes < file->count - at ? bytes : file->count - at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    unsigned kind = (unsigned)fuzz_take(&input, 1) % 3;
    if (kind == 0) {
        uint8_t *any = fuzz_copy(&input);
        (void)try_file(any, input.left);
        free(any);
        return 0;
    }
    struct build file = make(kind == 1);
    FUZZ_CHECK(try_file(file.bytes, file.count));
    size_t cut = (size_t)fuzz_take(&input, 2);
    if (cut != 0) {
        file.count = cut % file.count;
        file.bytes = realloc(file.bytes, file.count > 0 ? file.count : 1);
        FUZZ_CHECK(file.bytes != NULL);
    }
    bool changed = input.left > 0;
    while (input.left > 0 && file.count > 0) {
        change(&input, &file);
    }
    bool accepted = try_file(file.bytes, file.count);
    FUZZ_CHECK(changed || accepted == (cut == 0));
    free(file.bytes);
    return 0;
}
