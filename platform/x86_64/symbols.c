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

const char *symbol_find(uint64_t address, uint64_t *offset)
{
    if (address < (uint64_t)image_start || address >= (uint64_t)text_end ||
        nacre_symtab_count == 0) {
        return NULL;
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
    if (nacre_symtab[low].offset > wanted) {
        return NULL;
    }
    *offset = wanted - nacre_symtab[low].offset;
    return &nacre_symtab_names[nacre_symtab[low].name];
}
