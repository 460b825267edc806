/*
 * Memory of a caller and of the PAL that it calls, as marshalling sees it: by linear address, each
 * in its own address space.
 *
 * Whoever links libtv's marshalling provides these functions; in the image that is
 * libtv/memory.c, in tests and proofs an array.  Calls are made on the CPU of the call, without a
 * lock, while the PAL does not run.  Each byte of the caller's is read at most once, so that
 * another CPU cannot change it between a check and its use.
 *
 * They return TV_OK or TV_ERROR_ADDRESS: the caller's own page tables do not allow the access, or
 * the page is no memory of the guest.  A copy that fails may have copied a part.  PAL addresses are
 * those that registration checked: they cannot fail.
 */
#ifndef TV_MEMORY_H
#define TV_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <tv/abi.h>

struct tv_memory; /* one caller and one PAL; who implements the functions defines it */

enum tv_error tv_memory_read_caller(struct tv_memory *memory, uint64_t caller, void *to,
                                    size_t bytes);
/* Reads nothing: may the caller write all of [caller, caller + bytes) now? */
enum tv_error tv_memory_check_writable(struct tv_memory *memory, uint64_t caller, uint64_t bytes);

void tv_memory_write_pal(struct tv_memory *memory, uint64_t pal, const void *from, size_t bytes);
void tv_memory_zero_pal(struct tv_memory *memory, uint64_t pal, uint64_t bytes);

/*
 * Addresses that a PAL chose: TV_ERROR_ADDRESS if it may not read, or write, all of them itself.
 * Of a write nothing is done then.
 */
enum tv_error tv_memory_read_of_pal(struct tv_memory *memory, uint64_t pal, void *to, size_t bytes);
enum tv_error tv_memory_write_of_pal(struct tv_memory *memory, uint64_t pal, const void *from,
                                     size_t bytes);

enum tv_error tv_memory_copy_in(struct tv_memory *memory, uint64_t pal, uint64_t caller,
                                uint64_t bytes);
enum tv_error tv_memory_copy_out(struct tv_memory *memory, uint64_t caller, uint64_t pal,
                                 uint64_t bytes);

#endif
