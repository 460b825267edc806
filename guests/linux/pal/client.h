/*
 * A client of TrustVisor: builds PALs out of the functions of code.h, registers and calls them.
 * The pages of a PAL, in this order: DATA (struct pal_data), CODE, PARAM, STACK.
 */
#ifndef PAL_CLIENT_H
#define PAL_CLIENT_H

#include "code.h"
#include "say.h"

struct pal {
    struct tv_pal_sections sections;
    struct tv_pal_params params;
    struct pal_data *data;
    uint8_t *code, *param, *stack;
    unsigned code_pages, param_pages, pages; /* of all: from data on */
    uintptr_t entry;
};

#define PAL_STACK_PAGES 1U

/* Copies the code to new pages and fills the sections; no parameters yet, nothing registered. */
void pal_make(struct pal *pal, const void *function, unsigned param_pages);
void pal_add_integers(struct pal *pal, unsigned count);
void pal_add_pointer(struct pal *pal, unsigned words);
/* Gives the pages back. */
void pal_free(struct pal *pal);

/* The hypercalls.  The one with must_ is a check. */
enum tv_error pal_reg(const struct pal *pal);
enum tv_error pal_unreg(const struct pal *pal);
void pal_must_reg(const struct pal *pal);
void pal_must_unreg(const struct pal *pal);
/* Unregisters, checks that the pages are wiped, and gives them back. */
void pal_end(struct pal *pal);
void pal_check_wiped(const struct pal *pal);

/* Calls and fills the frame. */
void pal_call(const struct pal *pal, struct pal_frame *frame, unsigned count,
              const uintptr_t *arguments);
/* A call that must succeed and leave everything intact: what the PAL returned. */
uintptr_t pal_value(const struct pal *pal, unsigned count, const uintptr_t *arguments);
uintptr_t pal_value1(const struct pal *pal, uintptr_t a);
uintptr_t pal_value2(const struct pal *pal, uintptr_t a, uintptr_t b);
/* A call that must fail: how. */
enum tv_error pal_failure(const struct pal *pal, unsigned count, const uintptr_t *arguments);
enum tv_error pal_failure2(const struct pal *pal, uintptr_t a, uintptr_t b);

/* A hypercall by number, as nacre_call(). */
enum tv_error hypercall(uint32_t number, uintptr_t cx, uintptr_t dx, uintptr_t si, uintptr_t di);

/* Pseudo-random numbers, the same in every run. */
uint32_t random_next(uint32_t *state);
uintptr_t random_word(uint32_t *state);

#endif
