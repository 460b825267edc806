/* Function names for stack traces, from the table that the build makes of its own first link. */
#include "layout.h"
#include "traps.h"

#include <stddef.h>

struct symbol {
    uint32_t offset; /* from image_start, ascending */
    uint32_t name;   /* into nacre_symtab_names */
};

extern const struct symbol nacre_symtab[];
extern const uint32_t nacre_symtab_count;
extern const char nacre_symtab_names[];

static const struct {
    const char *name;
    uint32_t budget_bytes;
} libraries[STACK_LIBRARY_COUNT] = {
    [STACK_LIBBASE] = {"libbase", STACK_BUDGET_LIBBASE},
    [STACK_LIBEPT] = {"libept", STACK_BUDGET_LIBEPT},
    [STACK_LIBVMX] = {"libvmx", STACK_BUDGET_LIBVMX},
    [STACK_LIBSMP] = {"libsmp", STACK_BUDGET_LIBSMP},
    [STACK_LIBTPM] = {"libtpm", STACK_BUDGET_LIBTPM},
    [STACK_LIBTV] = {"libtv", STACK_BUDGET_LIBTV},
    [STACK_LIBC] = {"the C library", STACK_BUDGET_LIBC},
    [STACK_CRYPTO] = {"the crypto library", STACK_BUDGET_CRYPTO},
    [STACK_APP] = {"the hypapp", STACK_BUDGET_APP},
    [STACK_PLATFORM] = {"the platform", STACK_BUDGET_PLATFORM},
};

/* False: not in the image's text, or there is no table (the first link). */
static bool find(uint64_t address, uint32_t *found)
{
    if (address < (uint64_t)image_start || address >= (uint64_t)text_end ||
        nacre_symtab_count == 0) {
        return false;
    }
    uint32_t wanted = (uint32_t)(address - (uint64_t)image_start);
    uint32_t low = 0, high = nacre_symtab_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (nacre_symtab[middle].offset <= wanted) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *found = low;
    return nacre_symtab[low].offset <= wanted;
}

const char *symbol_find(uint64_t address, uint64_t *offset)
{
    uint32_t index;

    if (!find(address, &index)) {
        return NULL;
    }
    *offset = address - (uint64_t)image_start - nacre_symtab[index].offset;
    return &nacre_symtab_names[nacre_symtab[index].name];
}

const char *symbol_library(uint64_t address, uint32_t *budget_bytes)
{
    uint32_t index;

    if (!find(address, &index) || nacre_symtab_library[index] >= STACK_LIBRARY_COUNT) {
        return NULL;
    }
    *budget_bytes = libraries[nacre_symtab_library[index]].budget_bytes;
    return libraries[nacre_symtab_library[index]].name;
}
