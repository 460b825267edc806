#include "mb2.h"

#include "memory_map.h"

#include <string.h>

/* Multiboot 2 specification, section "Boot information". */
enum {
    TAG_END = 0,
    TAG_CMDLINE = 1,
    TAG_MODULE = 3,
    TAG_BIOS_DEVICE = 5,
    TAG_MMAP = 6,
    TAG_ACPI_OLD = 14,
    TAG_ACPI_NEW = 15
};

struct tag {
    uint32_t type, size;
};
struct tag_module {
    struct tag tag;
    uint32_t start, end;
    char string[];
};
struct tag_bios_device {
    struct tag tag;
    uint32_t drive, partition, subpartition;
};
struct tag_mmap {
    struct tag tag;
    uint32_t entry_bytes, entry_version;
};
struct mmap_entry {
    uint64_t base, bytes;
    uint32_t type, reserved;
};

static bool copy_string(char to[CONFIG_CMDLINE_BYTES], const char *from, uint64_t bytes)
{
    uint64_t length = strnlen(from, bytes);
    if (length >= CONFIG_CMDLINE_BYTES) {
        return false;
    }
    memcpy(to, from, length);
    to[length] = '\0';
    return true;
}

static const char *parse_module(const struct tag *tag, struct hw_boot_info *info)
{
    const struct tag_module *module = (const struct tag_module *)tag;

    if (tag->size < sizeof(*module) || module->end < module->start) {
        return "the boot loader's module list is malformed";
    }
    if (info->module_count == CONFIG_MAX_MODULES) {
        return "too many modules; load fewer or raise CONFIG_MAX_MODULES";
    }
    struct hw_module *to = &info->modules[info->module_count];
    for (unsigned i = 0; i < info->module_count; i++) {
        const struct hw_module *other = &info->modules[i];
        if (module->start < other->start.v + other->bytes && other->start.v < module->end) {
            return "two modules overlap";
        }
    }
    to->start = hpa(module->start);
    to->bytes = module->end - module->start;
    if (!copy_string(to->string, module->string, tag->size - sizeof(*module))) {
        return "a module's command line is too long (see CONFIG_CMDLINE_BYTES)";
    }
    info->module_count++;
    return NULL;
}

static const char *parse_mmap(const struct tag *tag, struct hw_boot_info *info)
{
    const struct tag_mmap *map = (const struct tag_mmap *)tag;

    if (tag->size < sizeof(*map) || map->entry_bytes < sizeof(struct mmap_entry) ||
        map->entry_bytes % 8 != 0) {
        return "the boot loader's memory map is malformed";
    }
    for (uint64_t at = sizeof(*map); at + map->entry_bytes <= tag->size; at += map->entry_bytes) {
        const struct mmap_entry *entry = (const struct mmap_entry *)((const char *)tag + at);
        uint64_t end = entry->base + entry->bytes;
        uint32_t type = entry->type;
        if (end < entry->base) {
            return "the firmware's memory map wraps around";
        }
        if (type < HW_MEMORY_RAM || type > HW_MEMORY_BAD) {
            type = HW_MEMORY_RESERVED;
        }
        if (!memory_map_add(info, entry->base, end, type)) {
            return "the firmware's memory map is too long (see CONFIG_MAX_MEMORY_RANGES)";
        }
    }
    return NULL;
}

static const char *parse_tag(const struct tag *tag, struct hw_boot_info *info)
{
    switch (tag->type) {
    case TAG_CMDLINE:
        return copy_string(info->cmdline, (const char *)(tag + 1), tag->size - sizeof(*tag))
                   ? NULL
                   : "the command line is too long (see CONFIG_CMDLINE_BYTES)";
    case TAG_MODULE:
        return parse_module(tag, info);
    case TAG_MMAP:
        return parse_mmap(tag, info);
    case TAG_BIOS_DEVICE:
        if (tag->size >= sizeof(struct tag_bios_device)) {
            info->bios_drive = ((const struct tag_bios_device *)tag)->drive;
        }
        return NULL;
    default:
        return NULL;
    }
}

const char *mb2_parse(const void *information, uint64_t limit_bytes, struct hw_boot_info *info)
{
    uint32_t total;

    memset(info, 0, sizeof(*info));
    info->bios_drive = ~0U;
    memcpy(&total, information, sizeof(total));
    if (total > limit_bytes || total < 16) {
        return "the boot loader's information is malformed";
    }
    for (uint64_t at = 8; at + sizeof(struct tag) <= total;) {
        const struct tag *tag = (const struct tag *)((const char *)information + at);
        if (tag->size < sizeof(*tag) || tag->size > total - at) {
            return "the boot loader's information is malformed";
        }
        if (tag->type == TAG_END) {
            return info->memory_count > 0 ? NULL : "the boot loader gave no memory map";
        }
        const char *error = parse_tag(tag, info);
        if (error != NULL) {
            return error;
        }
        at += addr_align_up(tag->size, 8);
    }
    return "the boot loader's information has no end";
}
