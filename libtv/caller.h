/* Who made a call: its registers, address space and memory. */
#ifndef LIBTV_CALLER_H
#define LIBTV_CALLER_H

#include <tv/tv.h>

/* Addresses and integers have the width of the calling code. */
uint64_t tv_argument(const struct vcpu *vcpu, enum vcpu_gpr gpr);

/* Linear address of a segment's offset: in 64-bit code there is no base. */
uint64_t tv_linear(const struct vcpu *vcpu, enum vcpu_seg seg, uint64_t offset);

/* Sets memory up for the caller; the PAL in it means nothing yet. */
void tv_caller_memory(const struct vcpu *vcpu, struct tv_memory *memory);

/* PALs belong to processes: TV_ERROR_NOT_USER outside ring 3, TV_ERROR_WIDTH for 16-bit code. */
enum tv_error tv_caller_check(const struct vcpu *vcpu);

/* The key of a PAL of this caller's. */
static inline struct tv_pal_key tv_caller_key(const struct tv_memory *memory, uint64_t entry)
{
    const struct gwalk_paging *paging = &memory->paging;
    return (struct tv_pal_key){.entry = entry,
                               .cr3 = tv_process_table(paging->cr3, paging->cr4, paging->efer),
                               .width = memory->width};
}

/* All or, if a page is not writable, nothing. */
enum tv_error tv_memory_write_caller(struct tv_memory *memory, uint64_t caller, const void *from,
                                     size_t bytes);

#endif
