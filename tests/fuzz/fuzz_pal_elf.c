/*
 * Program files as nacre-verify gets them: a small good one of either width with some of its words
 * overwritten, or any bytes.  Nothing beyond the file is read; a PAL that is found lies in it.
 *
 * sources: sdk/verify/pal_elf.c libtv/measure.c crypto
 * include: sdk/include libtv/include
 * seeds: 00,01,02,0000000000,0110ff00000000000000,0120ffffffffffffffff
 */
#include "fuzz.h"

#include "../../sdk/verify/pal_elf.h"

#include <elf.h>

#define PAGE PAL_PAGE_BYTES
#define NAMES "\0.pal_descriptor"
/* Places in the good file; its PAL has one page of code and one of data. */
#define SEGMENTS_AT 64U
#define SECTIONS_AT 256U
#define NAMES_AT 512U
#define DESCRIPTION_AT 600U
#define CODE_AT PAGE
#define FILE_BYTES (3U * PAGE)

static uint8_t good[2][FILE_BYTES];

static void make_description(uint32_t word_bytes, uint8_t *to)
{
    struct pal_description is = {.magic = PAL_FILE_MAGIC,
                                 .version = PAL_FILE_VERSION,
                                 .word_bytes = word_bytes,
                                 .parameter_count = 1,
                                 .entry.value = PAL_CODE_START + 16,
                                 .code_start.value = PAL_CODE_START,
                                 .code_end.value = PAL_CODE_START + PAGE,
                                 .data_start.value = PAL_CODE_START + PAGE,
                                 .data_end.value = PAL_CODE_START + 2 * PAGE,
                                 .hook.value = PAL_CODE_START + PAGE + 8,
                                 .param_pages = 1,
                                 .stack_pages = 1,
                                 .parameter = {{TV_PARAM_INTEGER, 0, 0}}};

    memcpy(to, &is, sizeof(is));
}

static void make_64(uint8_t *file)
{
    Elf64_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB},
                         .e_machine = EM_X86_64,
                         .e_phoff = SEGMENTS_AT,
                         .e_phnum = 1,
                         .e_shoff = SECTIONS_AT,
                         .e_shnum = 2,
                         .e_shstrndx = 1};
    const Elf64_Phdr segment = {
        .p_type = PT_LOAD, .p_vaddr = PAL_CODE_START, .p_offset = CODE_AT, .p_filesz = 2 * PAGE};
    const Elf64_Shdr sections[] = {{.sh_name = 1,
                                    .sh_type = SHT_PROGBITS,
                                    .sh_offset = DESCRIPTION_AT,
                                    .sh_size = sizeof(struct pal_description)},
                                   {.sh_type = SHT_STRTAB, .sh_offset = NAMES_AT}};

    memcpy(file, &header, sizeof(header));
    memcpy(file + SEGMENTS_AT, &segment, sizeof(segment));
    memcpy(file + SECTIONS_AT, sections, sizeof(sections));
}

static void make_32(uint8_t *file)
{
    Elf32_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB},
                         .e_machine = EM_386,
                         .e_phoff = SEGMENTS_AT,
                         .e_phnum = 1,
                         .e_shoff = SECTIONS_AT,
                         .e_shnum = 2,
                         .e_shstrndx = 1};
    const Elf32_Phdr segment = {
        .p_type = PT_LOAD, .p_vaddr = PAL_CODE_START, .p_offset = CODE_AT, .p_filesz = 2 * PAGE};
    const Elf32_Shdr sections[] = {{.sh_name = 1,
                                    .sh_type = SHT_PROGBITS,
                                    .sh_offset = DESCRIPTION_AT,
                                    .sh_size = sizeof(struct pal_description)},
                                   {.sh_type = SHT_STRTAB, .sh_offset = NAMES_AT}};

    memcpy(file, &header, sizeof(header));
    memcpy(file + SEGMENTS_AT, &segment, sizeof(segment));
    memcpy(file + SECTIONS_AT, sections, sizeof(sections));
}

/* The good files must be good, or nothing interesting is tried. */
static void make_good(void)
{
    struct pal_file pal;

    make_64(good[0]);
    make_32(good[1]);
    for (unsigned i = 0; i < 2; i++) {
        memcpy(good[i] + NAMES_AT, NAMES, sizeof(NAMES));
        make_description(i == 0 ? 8 : 4, good[i] + DESCRIPTION_AT);
        FUZZ_CHECK(pal_file_read(good[i], FILE_BYTES, &pal) == NULL);
    }
}

static void try_file(const uint8_t *file, size_t bytes)
{
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
    struct tv_measurement measurement;
    struct pal_file pal;

    FUZZ_CHECK(copy != NULL);
    memcpy(copy, file, bytes);
    if (pal_file_read(copy, bytes, &pal) == NULL) {
        FUZZ_CHECK(pal.code >= copy && pal.code_bytes <= bytes);
        FUZZ_CHECK(pal.code + pal.code_bytes <= copy + bytes);
        FUZZ_CHECK(pal.data >= copy && pal.data + pal.data_bytes <= copy + bytes);
        if (pal.description.param_pages + pal.description.stack_pages < 16) { /* takes time */
            pal_file_measure(&pal, &measurement);
        }
    }
    free(copy);
}

/* Groups of ten bytes: where in the first part of the file, and eight bytes to put there. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[FILE_BYTES];
    static bool is_ready;

    if (!is_ready) {
        make_good();
        is_ready = true;
    }
    if (size == 0 || data[0] % 3 == 2) {
        try_file(data, size);
        return 0;
    }
    memcpy(file, good[data[0] % 3], sizeof(file));
    for (size_t i = 1; i + 10 <= size; i += 10) {
        size_t at = ((size_t)data[i] | (size_t)data[i + 1] << 8) % 900;
        memcpy(file + at, data + i + 2, 8);
    }
    try_file(file, sizeof(file) - (size % 7 == 3 ? PAGE : 0));
    return 0;
}
