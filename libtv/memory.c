/* The caller's memory through its own page tables and our map of the guest, the PAL's through its
 * space (<tv/memory.h>). */
#include "caller.h"
#include "context.h"

#include <base/check.h>
#include <base/copy.h>
#include <hw/mem.h>

/* Copied here and not by the platform, whose way with many bytes takes longer to begin. */
#define FEW_BYTES 64U

static inline bool is_in_page(uint64_t linear, uint64_t bytes)
{
    return bytes - 1 < PAGE_BYTES - (linear & PAGE_MASK); /* not with 0 bytes */
}

/* A few bytes that the caller used before and may still use; NULL: a walk must tell. */
static inline void *kept(const struct tv_memory *memory, uint64_t linear, uint64_t bytes,
                         unsigned access)
{
    if (bytes > FEW_BYTES || !is_in_page(linear, bytes)) {
        return NULL;
    }
    return gwalk_kept(&memory->walks, &memory->paging, memory->guest_map, linear, access);
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

/*
 * The general ways of what follows.  They are not inline, so that the short ways need no registers
 * saved: those are most of what marshalling costs.
 */
static __attribute__((noinline)) enum tv_error read_any(struct tv_memory *memory, uint64_t caller,
                                                        void *to, size_t bytes)
{
    struct gwalk_result result;
    enum gwalk_status status = gwalk_read_cached(&memory->walks, &memory->paging, memory->guest_map,
                                                 caller, to, bytes, 0, &result);
    return status == GWALK_OK ? TV_OK : TV_ERROR_ADDRESS;
}

static __attribute__((noinline)) enum tv_error check_page(struct tv_memory *memory, uint64_t caller)
{
    struct hpa page;
    uint8_t probe;
    bool is_memory = caller_page(memory, caller, GWALK_WRITE, &page) == TV_OK &&
                     hw_phys_read(page, &probe, 1) == STATUS_OK; /* a device is none */
    return is_memory ? TV_OK : TV_ERROR_ADDRESS;
}

enum tv_error tv_memory_read_caller(struct tv_memory *memory, uint64_t caller, void *to,
                                    size_t bytes)
{
    const void *at = kept(memory, caller, bytes, 0);
    if (at == NULL) {
        return read_any(memory, caller, to, bytes);
    }
    copy_once(to, at, bytes);
    return TV_OK;
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
    while (bytes > 0) {
        if (kept(memory, caller, 1, GWALK_WRITE) == NULL && check_page(memory, caller) != TV_OK) {
            return TV_ERROR_ADDRESS;
        }
        uint64_t part = tv_to_page_end(caller, bytes);
        caller += part;
        bytes -= part;
    }
    return TV_OK;
}

/* Parameters and stack of most calls are in the two pages that are remembered; NULL: others. */
static inline const struct tv_page *remembered(const struct tv_context *context, uint64_t linear)
{
    uint64_t page = linear & ~PAGE_MASK;
    if (page == context->param.linear) {
        return &context->param;
    }
    return page == context->stack.linear ? &context->stack : NULL;
}

static struct hpa pal_address(const struct tv_memory *memory, uint64_t linear)
{
    const struct tv_context *context = memory->context;
    const struct tv_page *page = remembered(context, linear);

    if (page != NULL) {
        return hpa(page->hpa.v | (linear & PAGE_MASK));
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

/* A few bytes in them; NULL: the general way. */
static inline uint8_t *pal_pointer(const struct tv_memory *memory, uint64_t linear, uint64_t bytes)
{
    const struct tv_page *page = remembered(memory->context, linear);
    if (page == NULL || page->memory == NULL || bytes > FEW_BYTES || !is_in_page(linear, bytes)) {
        return NULL;
    }
    return page->memory + (linear & PAGE_MASK);
}

static __attribute__((noinline)) void write_any(struct tv_memory *memory, uint64_t pal,
                                                const void *from, size_t bytes)
{
    const uint8_t *at = from;
    while (bytes > 0) {
        uint64_t part = tv_to_page_end(pal, bytes);
        enum status status = hw_phys_write(pal_address(memory, pal), at, part);
        CHECK(status == STATUS_OK);
        pal += part;
        at += part;
        bytes -= part;
    }
}

void tv_memory_write_pal(struct tv_memory *memory, uint64_t pal, const void *from, size_t bytes)
{
    uint8_t *to = pal_pointer(memory, pal, bytes);
    if (to == NULL) {
        write_any(memory, pal, from, bytes);
        return;
    }
    copy_once(to, from, bytes);
}

void tv_memory_zero_pal(struct tv_memory *memory, uint64_t pal, uint64_t bytes)
{
    while (bytes > 0) {
        uint64_t part = tv_to_page_end(pal, bytes);
        enum status status = hw_phys_zero(pal_address(memory, pal), part);
        CHECK(status == STATUS_OK);
        pal += part;
        bytes -= part;
    }
}

static __attribute__((noinline)) enum tv_error copy_any(struct tv_memory *memory, uint64_t caller,
                                                        uint64_t pal, uint64_t bytes, bool in)
{
    struct hpa page, own = pal_address(memory, pal);
    if (caller_page(memory, caller, in ? 0 : GWALK_WRITE, &page) != TV_OK ||
        hw_phys_move(in ? own : page, in ? page : own, bytes) != STATUS_OK) {
        return TV_ERROR_ADDRESS;
    }
    return TV_OK;
}

/* Both sides can cross a page border, at different offsets. */
static inline enum tv_error copy(struct tv_memory *memory, uint64_t caller, uint64_t pal,
                                 uint64_t bytes, bool in)
{
    while (bytes > 0) {
        uint64_t part = tv_to_page_end(caller, tv_to_page_end(pal, bytes));
        uint8_t *own = pal_pointer(memory, pal, part);
        uint8_t *at = own != NULL ? kept(memory, caller, part, in ? 0 : GWALK_WRITE) : NULL;
        if (at != NULL) {
            copy_once(in ? own : at, in ? at : own, part);
        } else if (copy_any(memory, caller, pal, part, in) != TV_OK) {
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
