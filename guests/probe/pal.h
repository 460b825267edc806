/*
 * A hostile operating system's processes: address spaces with pages of their own in front of the
 * kernel's identity map, ring 3 code that is run for one result, and PALs in them.
 *
 * Page number n of a process is linear USER + n * 4096 and, until user_set() changes it, a physical
 * page that no other process has.  Several CPUs may run in one process, each with a copy of its
 * struct user.
 */
#ifndef PROBE_PAL_H
#define PROBE_PAL_H

#include "layout.h"
#include "trap.h"
#include "window.h"

#include <tv/abi.h>

#define USER_PAGES 512
#define USER_COUNT (MAX_CPUS + 1) /* one for each CPU, and another */

/* Pages of a process. */
#define PAGE_STUBS 0
#define PAGE_STACK 1
#define PAGE_ARGS 2
#define PAGE_BUFFER 3 /* pointer parameters */
#define PAGE_ABSENT 4
#define PAGE_FREE 5 /* to 15: for a probe to map something there */
/* Of a PAL: code, data, parameters, stack. */
#define PAL_PAGE(slot) (16U + 4 * (slot))
#define PAL_DATA(slot) (PAL_PAGE(slot) + 1)
#define PAL_PARAM(slot) (PAL_PAGE(slot) + 2)
#define PAL_STACK(slot) (PAL_PAGE(slot) + 3)
#define PAL_SLOTS 124U
#define PAL_PAGES 4U

enum user_kind { RING0, USER64, USER32, USER16 };

struct user {
    struct frame frame; /* registers to run with, then those of the end */
    uint64_t *root, *pointers, *directory, *table;
    unsigned number;
};

/* A process as new; number below USER_COUNT.  user_of(): the calling CPU's. */
void user_new(struct user *user, unsigned number);
uint64_t user_linear(unsigned page);
uint64_t user_physical(const struct user *user, unsigned page);
void *user_at(const struct user *user, unsigned page); /* through the identity map */
/* Maps another physical page there, PTE_P and others in flags; another CPU's caches stay. */
void user_set(const struct user *user, unsigned page, uint64_t physical, uint64_t flags);
void user_reset(const struct user *user, unsigned page);

/* Registers for a stub: user->frame can be changed before user_run(). */
void user_start(struct user *user, enum user_kind kind, unsigned stub);
int user_run(struct user *user); /* the exception, or NO_FAULT */

/* Results are RAX, or one of these with a number added. */
#define FAILED BIT(40)  /* CF was set: enum tv_error */
#define FAULTED BIT(41) /* vector */
uint64_t user_vmcall(struct user *user, enum user_kind kind, uint32_t number,
                     const uint64_t args[4]); /* CX DX SI DI */
uint64_t user_load(struct user *user, enum user_kind kind, uint64_t linear);
uint64_t user_store(struct user *user, enum user_kind kind, uint64_t linear, uint32_t value);
uint64_t user_jump(struct user *user, enum user_kind kind, uint64_t linear);
/* Like a C function with integers operation and value and a pointer to two words. */
uint64_t user_call(struct user *user, unsigned slot, uint64_t operation, uint64_t value);
uint64_t user_call_with(struct user *user, enum user_kind kind, uint64_t entry,
                        const uint64_t args[3]);

/* The arguments of REG in the process: one PAL in slot, which pal_ask_more() adds a section to. */
struct tv_pal_sections *pal_ask(const struct user *user, enum user_kind kind, unsigned slot);
void pal_ask_more(struct tv_pal_sections *sections, uint32_t type, uint64_t start, uint32_t pages);
uint64_t pal_ask_now(struct user *user, enum user_kind kind, unsigned slot);
uint64_t pal_register(struct user *user, unsigned slot); /* 64-bit, new code, empty data */
uint64_t pal_unregister(struct user *user, unsigned slot);
/* The PAL in slot computes; after that its secret is as before. */
bool pal_works(struct user *user, unsigned slot, uint64_t secret);

/* Skips the probe where there are no PALs. */
bool pal_ready(void);
/* The same, and on more than two CPUs: for what one CPU does for long while an emulator runs all.
 */
bool pal_ready_for_long(void);
/* How often to repeat something: fewer times with many CPUs. */
unsigned pal_rounds(unsigned count);

#endif
