/* State of one walk of a guest's tables, shared by gwalk.c and gwalk_copy.c. */
#ifndef LIBEPT_WALK_H
#define LIBEPT_WALK_H

#include <ept/gwalk.h>

/* The entries that a walk used. */
struct path {
    unsigned count;
    struct {
        struct gpa gpa;
        struct hpa hpa;
        uint64_t entry;
        bool writable; /* in the nested map */
    } step[GWALK_LEVELS_MAX];
};

/* What walks for one access share. */
struct walker {
    const struct ept *ept;
    /* The nested page used last, [start, start + bytes): most walks stay within one large page. */
    uint64_t start, bytes;
    uint64_t hpa; /* of start */
    unsigned perms;
    struct path path; /* of the last walk */
};

static inline void walker_init(struct walker *walker, const struct ept *ept)
{
    walker->ept = ept;
    walker->start = 0;
    walker->bytes = 0;
}

/* Looks the page up and makes it the one used last; false: not mapped. */
bool gwalk_nested_fill(struct walker *walker, uint64_t gpa);

/* False when the map does not give these rights. */
static inline bool nested_translate(struct walker *walker, uint64_t gpa, unsigned perms,
                                    struct hpa *hpa)
{
    if (gpa - walker->start >= walker->bytes && !gwalk_nested_fill(walker, gpa)) {
        return false;
    }
    hpa->v = walker->hpa + (gpa - walker->start);
    return (walker->perms & perms) == perms;
}

/* As gwalk_translate().  With GWALK_OK the path's entries have their flags set since. */
enum gwalk_status gwalk_walk(const struct gwalk_paging *paging, struct walker *walker,
                             uint64_t linear, unsigned access, struct gwalk_result *result);

/* Also checks the nested map's rights to the page, and gives the host-physical address. */
enum gwalk_status gwalk_page(const struct gwalk_paging *paging, struct walker *walker,
                             uint64_t linear, unsigned access, struct hpa *hpa,
                             struct gwalk_result *result);

#endif
