/* The caller's memory through its own page tables and our map of the guest, the PAL's through its
 * space (<tv/memory.h>). */
#include "caller.h"
#include "context.h"

#include <base/check.h>
#include <hw/mem.h>

static uint64_t to_page_end(uint64_t linear, uint64_t left)
{
    uint64_t in_page = PAGE_BYTES - (linear & PAGE_MASK);
    return left < in_page ? left : in_page;
}

/* One page of the caller's, with the caller's rights in its tables and ours in the guest map. */
static enum tv_error caller_page(struct tv_memory *memory, uint64_t linear, unsigned access,
                                 struct hpa *page)
{
    struct gwalk_result result;
    enum gwalk_status status = gwalk_find_cached(&memory->walks, &memory->paging, memory->guest_map,
                                                 linear, access, page, &result);
    return status == GWALK_OK ? TV_OK : TV_ERROR_ADDRESS;
}

enum tv_error tv_memory_read_caller(struct tv_memory *memory, uint64_t caller, void *to,
                                    size_t bytes)
{
    struct gwalk_result result;
    enum gwalk_status status = gwalk_read_cached(&memory->walks, &memory->paging, memory->guest_map,
                                                 caller, to, bytes, 0, &result);
    return status == GWALK_OK ? TV_OK : TV_ERROR_ADDRESS;
}

enum tv_error tv_memory_write_caller(struct tv_memory *memory, uint64_t caller, const void *from,
                                     size_t bytes)
{
    struct gwalk_result result;
    enum gwalk_status status = gwalk_write_cached(
        &memory->walks, &memory->paging, memory->guest_map, caller, from, bytes, 0, &result);
    return status == GWALK_OK ? TV_OK : TV_ERROR_ADDRESS;
}

enum tv_error tv_memory_check_writable(struct tv_memory *memory, uint64_t caller, uint64_t bytes)
{
    uint64_t done = 0;
    while (done < bytes) {
        struct hpa page;
        uint8_t probe;
        if (caller_page(memory, caller + done, GWALK_WRITE, &page) != TV_OK ||
            hw_phys_read(page, &probe, 1) != STATUS_OK) { /* a device is no memory to copy to */
            return TV_ERROR_ADDRESS;
        }
        done += to_page_end(caller + done, bytes - done);
    }
    return TV_OK;
}

/* Parameters and stack of most calls are in the two pages that are remembered. */
static struct hpa pal_address(const struct tv_memory *memory, uint64_t linear)
{
    const struct tv_context *context = memory->context;
    uint64_t page = linear & ~PAGE_MASK;

    if (page == context->param_linear) {
        return hpa(context->param_page.v | (linear & PAGE_MASK));
    }
    if (page == context->stack_linear) {
        return hpa(context->stack_page.v | (linear & PAGE_MASK));
    }
    for (unsigned i = 0; i < memory->pal->section_count; i++) {
        const struct tv_section *section = &memory->pal->section[i];
        if (linear - section->start < section->pages * PAGE_BYTES) {
            return tv_space_page(&context->space,
                                 gpa(context->section_gpa[i].v + (linear - section->start)));
        }
    }
    CHECK(!"an address in the PAL, as planned at its registration");
    return hpa(0);
}

void tv_memory_write_pal(struct tv_memory *memory, uint64_t pal, const void *from, size_t bytes)
{
    const uint8_t *at = from;
    while (bytes > 0) {
        uint64_t part = to_page_end(pal, bytes);
        enum status status = hw_phys_write(pal_address(memory, pal), at, part);
        CHECK(status == STATUS_OK);
        pal += part;
        at += part;
        bytes -= part;
    }
}

void tv_memory_zero_pal(struct tv_memory *memory, uint64_t pal, uint64_t bytes)
{
    while (bytes > 0) {
        uint64_t part = to_page_end(pal, bytes);
        enum status status = hw_phys_zero(pal_address(memory, pal), part);
        CHECK(status == STATUS_OK);
        pal += part;
        bytes -= part;
    }
}

/* Both sides can cross a page border, at different offsets. */
static enum tv_error copy(struct tv_memory *memory, uint64_t caller, uint64_t pal, uint64_t bytes,
                          bool in)
{
    while (bytes > 0) {
        struct hpa page;
        enum tv_error error = caller_page(memory, caller, in ? 0 : GWALK_WRITE, &page);
        if (error != TV_OK) {
            return error;
        }
        uint64_t part = to_page_end(caller, to_page_end(pal, bytes));
        struct hpa own = pal_address(memory, pal);
        if (hw_phys_move(in ? own : page, in ? page : own, part) != STATUS_OK) {
            return TV_ERROR_ADDRESS;
        }
        caller += part;
        pal += part;
        bytes -= part;
    }
    return TV_OK;
}

enum tv_error tv_memory_copy_in(struct tv_memory *memory, uint64_t pal, uint64_t caller,
                                uint64_t bytes)
{
    return copy(memory, caller, pal, bytes, true);
}

enum tv_error tv_memory_copy_out(struct tv_memory *memory, uint64_t caller, uint64_t pal,
                                 uint64_t bytes)
{
    return copy(memory, caller, pal, bytes, false);
}
