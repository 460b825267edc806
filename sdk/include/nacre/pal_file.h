/*
 * What a program file says of the PAL in it: the description that the macro PAL() makes, that
 * pal_register() registers, and that nacre-verify reads out of the ELF file.
 *
 * The PAL is linked to a fixed address: its code and constants are the output section .pal_code,
 * its variables the output section .pal_data, each whole pages.  The description is the first thing
 * of the section .pal_descriptor, which is not part of the PAL.  Layout is the same for both
 * widths, little endian.
 *
 * Sections are registered, and so measured, in this order: CODE (.pal_code), DATA (.pal_data, at
 * least the hook), PARAM (param_pages), STACK (stack_pages).  PARAM and STACK are zero pages
 * wherever the process has room, below 4 GiB in 32-bit programs.
 */
#ifndef NACRE_PAL_FILE_H
#define NACRE_PAL_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <tv/abi.h>

#define PAL_FILE_MAGIC "NACREPA" /* 8 bytes with its NUL */
#define PAL_FILE_VERSION 1U
#define PAL_NAME_BYTES 32U

/* An address that the linker fills in; in 32-bit programs the upper half stays zero. */
union pal_address {
    const volatile void *pointer;
    uint64_t value;
};

/*
 * The hook is a function pointer, null in the file and under Nacre.  Simulation stores an address
 * of its own there after it has measured the PAL; PAL code that finds one calls it with the number
 * and the arguments instead of VMCALL.
 */
typedef enum tv_error pal_hook(uint32_t number, uintptr_t cx, uintptr_t dx, uintptr_t si,
                               uintptr_t di);

struct pal_description {
    char magic[8];
    uint32_t version;
    uint32_t flags;      /* TV_PAL_VECTOR */
    uint32_t word_bytes; /* 4 or 8: width of the program */
    uint32_t parameter_count;
    union pal_address entry;
    union pal_address code_start, code_end; /* page-aligned */
    union pal_address data_start, data_end; /* page-aligned; data_start is code_end */
    union pal_address hook;                 /* a word in DATA: see below */
    uint32_t param_pages, stack_pages;      /* at least 1 */
    char name[PAL_NAME_BYTES];              /* NUL-terminated; for messages, not measured */
    struct tv_pal_parameter parameter[TV_PARAMS_MAX];
};

_Static_assert(sizeof(union pal_address) == 8 && sizeof(struct pal_description) == 272,
               "the same in programs of both widths");

#define PAL_PAGE_BYTES 4096U
#define PAL_PAGES_MAX 16384U         /* of one PAL, in all sections */
#define PAL_CODE_START 0x10000000ULL /* of pal.lds */

/* As pal.lds and PAL() make it, for programs with words of this size. */
static inline bool pal_is_whole(const struct pal_description *description, uint32_t word_bytes)
{
    const uint64_t code = description->code_start.value, code_end = description->code_end.value;
    const uint64_t data = description->data_start.value, data_end = description->data_end.value;
    const uint64_t most = (uint64_t)PAL_PAGES_MAX * PAL_PAGE_BYTES;

    for (unsigned i = 0; i < sizeof(description->magic); i++) {
        if (description->magic[i] != PAL_FILE_MAGIC[i]) {
            return false;
        }
    }
    return description->version == PAL_FILE_VERSION && description->word_bytes == word_bytes &&
           description->parameter_count <= TV_PARAMS_MAX && code == PAL_CODE_START &&
           code < code_end && code_end - code <= most && code_end % PAL_PAGE_BYTES == 0 &&
           data == code_end && data < data_end && data_end - data <= most &&
           data_end % PAL_PAGE_BYTES == 0 && description->entry.value >= code &&
           description->entry.value < code_end && description->hook.value >= data &&
           description->hook.value <= data_end - word_bytes && description->param_pages > 0 &&
           description->param_pages <= PAL_PAGES_MAX && description->stack_pages > 0 &&
           description->stack_pages <= PAL_PAGES_MAX &&
           description->name[PAL_NAME_BYTES - 1] == '\0';
}

#endif
