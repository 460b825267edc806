/* State of one walk of a guest's tables, shared by gwalk.c and gwalk_copy.c. */
#ifndef LIBEPT_WALK_H
#define LIBEPT_WALK_H

#include <ept/gwalk.h>

/* The nested page used last: most walks stay within one large page. */
struct nested {
    const struct ept *ept;
    uint64_t start, bytes; /* [start, start + bytes) */
    uint64_t hpa;          /* of start */
    unsigned perms;
};

static inline void gwalk_nested_init(struct nested *nested, const struct ept *ept)
{
    *nested = (struct nested){.ept = ept};
}

/* Looks the page up and makes it the one used last; false: not mapped. */
bool gwalk_nested_fill(struct nested *nested, uint64_t gpa);

/* False when the map does not give these rights. */
static inline bool gwalk_nested_translate(struct nested *nested, uint64_t gpa, unsigned perms,
                                    struct hpa *hpa)
{
    if (gpa - nested->start >= nested->bytes && !gwalk_nested_fill(nested, gpa)) {
        return false;
    }
    hpa->v = nested->hpa + (gpa - nested->start);
    return (nested->perms & perms) == perms;
}

/* As gwalk_translate(). */
enum gwalk_status gwalk_walk(const struct gwalk_paging *paging, struct nested *nested, uint64_t linear,
                       unsigned access, struct gwalk_result *result);

#endif
