/*
 * Inside libtv: what belongs to one PAL beside its entry in the registry, and to one CPU.
 *
 * Who may touch a context is decided by its state.  FREE <-> others happens in a stopped world
 * only. A CPU that changed IDLE into RUNNING, or IDLE or ENDED into CHANGING, by compare-and-swap
 * owns the context (and the PAL's memory) until it stores another state.  No lock, so calls of
 * different PALs never wait for one another.  The registry itself changes in a stopped world only,
 * and a CPU is never stopped in the middle of an exit: an exit handler reads it without a lock.
 */
#ifndef LIBTV_CONTEXT_H
#define LIBTV_CONTEXT_H

#include <tv/tv.h>

enum {
    TV_FREE,
    TV_BUILDING, /* registered, being measured by the CPU that registers it */
    TV_IDLE,     /* can be called */
    TV_RUNNING,
    TV_CHANGING, /* being wiped, shared or removed */
    TV_ENDED     /* by an error: wiped, waits for its removal */
};

static inline unsigned tv_slot(const struct tv *tv, const struct tv_pal *pal)
{
    return (unsigned)(pal - tv->registry.pal);
}

static inline struct tv_context *tv_context_of(struct tv *tv, const struct tv_pal *pal)
{
    return &tv->context[tv_slot(tv, pal)];
}

static inline uint32_t tv_state(const struct tv_context *context)
{
    return __atomic_load_n(&context->state, __ATOMIC_ACQUIRE);
}

static inline void tv_set_state(struct tv_context *context, uint32_t state)
{
    __atomic_store_n(&context->state, state, __ATOMIC_RELEASE);
}

/* Takes the context if it is in state from. */
static inline bool tv_take(struct tv_context *context, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&context->state, &from, to, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

/* As much of left as lies in one page. */
static inline uint64_t tv_to_page_end(uint64_t linear, uint64_t left)
{
    uint64_t in_page = PAGE_BYTES - (linear & PAGE_MASK);
    return left < in_page ? left : in_page;
}

static inline bool tv_is_private(enum tv_section_type type)
{
    return type != TV_SECTION_SHARED_CODE;
}

static inline bool tv_is_writable(enum tv_section_type type)
{
    return type == TV_SECTION_DATA || type == TV_SECTION_PARAM || type == TV_SECTION_STACK;
}

#endif
