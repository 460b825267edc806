/*
 * libtv's memory functions (<tv/memory.h>) on a process's own memory.  What a PAL may not touch
 * under Nacre its services refuse here too; the caller's own memory is taken as it is: a wrong
 * pointer is SIGSEGV where a debugger shows it.
 */
#include "simulation_memory.h"

#include <string.h>

static bool is_allowed(const struct tv_memory *memory, uint64_t at, uint64_t bytes, bool write)
{
    while (bytes > 0) {
        uint64_t part = 0;
        for (unsigned i = 0; i < memory->count && part == 0; i++) {
            const struct simulation_section *section = &memory->section[i];
            uint64_t offset = at - section->start;
            if (offset < section->bytes && (section->writable || !write)) {
                part = section->bytes - offset;
            }
        }
        if (part == 0) {
            return false;
        }
        part = part < bytes ? part : bytes;
        at += part;
        bytes -= part;
    }
    return true;
}

enum tv_error tv_memory_read_of_pal(struct tv_memory *memory, uint64_t pal, void *to, size_t bytes)
{
    if (!is_allowed(memory, pal, bytes, false)) {
        return TV_ERROR_ADDRESS;
    }
    memcpy(to, (const void *)(uintptr_t)pal, bytes);
    return TV_OK;
}

enum tv_error tv_memory_write_of_pal(struct tv_memory *memory, uint64_t pal, const void *from,
                                     size_t bytes)
{
    if (!is_allowed(memory, pal, bytes, true)) {
        return TV_ERROR_ADDRESS;
    }
    memcpy((void *)(uintptr_t)pal, from, bytes);
    return TV_OK;
}

enum tv_error tv_memory_read_caller(struct tv_memory *memory, uint64_t caller, void *to,
                                    size_t bytes)
{
    (void)memory;
    memcpy(to, (const void *)(uintptr_t)caller, bytes);
    return TV_OK;
}

enum tv_error tv_memory_check_writable(struct tv_memory *memory, uint64_t caller, uint64_t bytes)
{
    (void)memory;
    (void)caller;
    (void)bytes;
    return TV_OK;
}

void tv_memory_write_pal(struct tv_memory *memory, uint64_t pal, const void *from, size_t bytes)
{
    (void)memory;
    memcpy((void *)(uintptr_t)pal, from, bytes);
}

void tv_memory_zero_pal(struct tv_memory *memory, uint64_t pal, uint64_t bytes)
{
    (void)memory;
    memset((void *)(uintptr_t)pal, 0, (size_t)bytes);
}

enum tv_error tv_memory_copy_in(struct tv_memory *memory, uint64_t pal, uint64_t caller,
                                uint64_t bytes)
{
    tv_memory_write_pal(memory, pal, (const void *)(uintptr_t)caller, (size_t)bytes);
    return TV_OK;
}

enum tv_error tv_memory_copy_out(struct tv_memory *memory, uint64_t caller, uint64_t pal,
                                 uint64_t bytes)
{
    (void)memory;
    memcpy((void *)(uintptr_t)caller, (const void *)(uintptr_t)pal, (size_t)bytes);
    return TV_OK;
}
