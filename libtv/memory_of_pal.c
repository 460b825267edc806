/* Memory at addresses that a PAL chose (<tv/memory.h>): its sections and what is shared with it. */
#include "context.h"

#include <base/check.h>
#include <hw/mem.h>

/* Where the PAL's own space has an address that the PAL may use so. */
static bool find(const struct tv_memory *memory, uint64_t linear, bool write, struct gpa *found)
{
    const struct tv_context *context = memory->context;

    for (unsigned i = 0; i < memory->pal->section_count; i++) {
        const struct tv_section *section = &memory->pal->section[i];
        uint64_t offset = linear - section->start;
        if (offset < section->pages * PAGE_BYTES) {
            *found = gpa(context->section_gpa[i].v + offset);
            return !write || tv_is_writable(section->type);
        }
    }
    for (unsigned i = 0; i < context->share_count; i++) {
        const struct tv_share *share = &context->share[i];
        uint64_t offset = linear - share->start;
        if (offset < share->pages * PAGE_BYTES) {
            *found = gpa(share->gpa.v + offset);
            return true;
        }
    }
    return false;
}

/* Neighbours in linear addresses may be sections and shares far apart: page by page. */
static bool is_allowed(const struct tv_memory *memory, uint64_t linear, uint64_t bytes, bool write)
{
    struct gpa ignored;

    if (bytes > 0 && linear + (bytes - 1) < linear) {
        return false; /* wraps */
    }
    while (bytes > 0) {
        if (!find(memory, linear, write, &ignored)) {
            return false;
        }
        uint64_t part = tv_to_page_end(linear, bytes);
        linear += part;
        bytes -= part;
    }
    return true;
}

static struct hpa address_of(const struct tv_memory *memory, uint64_t linear, bool write)
{
    struct gpa own;
    bool is_there = find(memory, linear, write, &own);
    CHECK(is_there); /* is_allowed() said so, and only this CPU changes the PAL */
    struct hpa page = tv_space_page(&memory->context->space, gpa(own.v & ~PAGE_MASK));
    return hpa(page.v | (own.v & PAGE_MASK));
}

enum tv_error tv_memory_read_of_pal(struct tv_memory *memory, uint64_t pal, void *to, size_t bytes)
{
    uint8_t *at = to;

    if (!is_allowed(memory, pal, bytes, false)) {
        return TV_ERROR_ADDRESS;
    }
    while (bytes > 0) {
        uint64_t part = tv_to_page_end(pal, bytes);
        enum status status = hw_phys_read(address_of(memory, pal, false), at, part);
        CHECK(status == STATUS_OK);
        pal += part;
        at += part;
        bytes -= part;
    }
    return TV_OK;
}

enum tv_error tv_memory_write_of_pal(struct tv_memory *memory, uint64_t pal, const void *from,
                                     size_t bytes)
{
    const uint8_t *at = from;

    if (!is_allowed(memory, pal, bytes, true)) {
        return TV_ERROR_ADDRESS;
    }
    while (bytes > 0) {
        uint64_t part = tv_to_page_end(pal, bytes);
        enum status status = hw_phys_write(address_of(memory, pal, true), at, part);
        CHECK(status == STATUS_OK);
        pal += part;
        at += part;
        bytes -= part;
    }
    return TV_OK;
}
