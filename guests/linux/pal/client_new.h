/* A client of Nacre's own interface: PALs with a number, TV_PAL_REGISTER and the calls after it. */
#ifndef PAL_CLIENT_NEW_H
#define PAL_CLIENT_NEW_H

#include "client.h"

struct new_pal {
    struct pal base; /* its pages; nothing of it is registered */
    struct tv_pal_section sections[TV_PAL_SECTIONS_MAX + 1];
    struct tv_pal_parameter parameters[TV_PARAMS_MAX + 1];
    struct tv_pal_register request;
};

void new_make(struct new_pal *pal, const void *function, unsigned param_pages, uint32_t flags);
void new_add_section(struct new_pal *pal, enum tv_section_type type, const void *start,
                     unsigned pages);
void new_add_integers(struct new_pal *pal, unsigned count);
void new_add_pointer(struct new_pal *pal, enum tv_direction direction, uint64_t bytes);

enum tv_error new_register(struct new_pal *pal);
void new_must_register(struct new_pal *pal);
enum tv_error new_unregister(const struct new_pal *pal);
/* Unregisters, checks that the pages are wiped, and gives them back. */
void new_end(struct new_pal *pal);

/* The whole answer; EAX and the structure must say the same. */
struct tv_pal_call new_call(const struct new_pal *pal, unsigned count, const uint64_t *arguments);
/* A call that must succeed: its result. */
uint64_t new_value(const struct new_pal *pal, unsigned count, const uint64_t *arguments);

#endif
