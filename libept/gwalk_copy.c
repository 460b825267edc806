/* Copies by linear address: translate and check every page, then copy. */
#include "walk.h"

#include <hw/mem.h>

#define PIECES_MAX (GWALK_COPY_MAX_BYTES / PAGE_BYTES + 1)

/* What is to be copied, and where its bytes are: one piece a page. */
struct copy {
    const struct gwalk_paging *paging;
    struct gwalk_result *result;
    struct walker walker;
    uint64_t linear, bytes;
    unsigned access;
    unsigned count;
    struct hpa piece[PIECES_MAX];
};

static uint64_t piece_bytes(uint64_t linear, uint64_t left)
{
    uint64_t in_page = PAGE_BYTES - (linear & PAGE_MASK);
    return left < in_page ? left : in_page;
}

static unsigned perms_for(unsigned access)
{
    if ((access & GWALK_WRITE) != 0) {
        return EPT_WRITE;
    }
    return (access & GWALK_EXECUTE) != 0 ? EPT_EXECUTE : EPT_READ;
}

enum gwalk_status gwalk_page(const struct gwalk_paging *paging, struct walker *walker,
                             uint64_t linear, unsigned access, struct hpa *hpa,
                             struct gwalk_result *result)
{
    enum gwalk_status status = gwalk_walk(paging, walker, linear, access, result);
    if (status == GWALK_OK && !nested_translate(walker, result->gpa.v, perms_for(access), hpa)) {
        status = GWALK_NESTED;
    }
    return status;
}

/* Both ends of a piece are memory; what is not is refused before anything is copied. */
static bool is_memory(struct hpa from, uint64_t bytes)
{
    uint8_t probe;
    return hw_phys_read(from, &probe, 1) == STATUS_OK &&
           hw_phys_read(hpa(from.v + bytes - 1), &probe, 1) == STATUS_OK;
}

static enum gwalk_status find_pieces(struct copy *copy)
{
    if (copy->bytes > GWALK_COPY_MAX_BYTES) {
        copy->result->linear = copy->linear;
        return GWALK_TOO_LONG;
    }
    for (uint64_t done = 0; done < copy->bytes;) {
        struct hpa *piece = &copy->piece[copy->count++];
        uint64_t linear = copy->linear + done;
        enum gwalk_status status =
            gwalk_page(copy->paging, &copy->walker, linear, copy->access, piece, copy->result);
        if (status != GWALK_OK) {
            return status;
        }
        uint64_t bytes = piece_bytes(linear, copy->bytes - done);
        if (!is_memory(*piece, bytes)) {
            return GWALK_NESTED;
        }
        done += bytes;
    }
    return GWALK_OK;
}

static void copy_init(struct copy *copy, const struct gwalk_paging *paging, const struct ept *ept,
                      struct gwalk_result *result)
{
    copy->paging = paging;
    copy->result = result;
    walker_init(&copy->walker, ept);
    copy->count = 0;
}

static enum gwalk_status read_pages(struct copy *copy, uint8_t *to)
{
    enum gwalk_status status = find_pieces(copy);
    uint64_t done = 0;
    for (unsigned i = 0; i < copy->count && status == GWALK_OK; i++) {
        uint64_t bytes = piece_bytes(copy->linear + done, copy->bytes - done);
        if (hw_phys_read(copy->piece[i], to + done, bytes) != STATUS_OK) {
            status = GWALK_NESTED;
        }
        done += bytes;
    }
    return status;
}

enum gwalk_status gwalk_read(const struct gwalk_paging *paging, const struct ept *ept,
                             uint64_t linear, void *to, size_t bytes, unsigned access,
                             struct gwalk_result *result)
{
    if (bytes == 0 || piece_bytes(linear, bytes) != bytes) {
        struct copy copy;
        copy_init(&copy, paging, ept, result);
        copy.linear = linear;
        copy.bytes = bytes;
        copy.access = access & ~GWALK_WRITE;
        return read_pages(&copy, to);
    }
    /* All in one page, as most are: no list of pieces. */
    struct walker walker;
    walker_init(&walker, ept);
    struct hpa from;
    enum gwalk_status status =
        gwalk_page(paging, &walker, linear, access & ~GWALK_WRITE, &from, result);
    if (status == GWALK_OK && hw_phys_read(from, to, bytes) != STATUS_OK) {
        status = GWALK_NESTED;
    }
    return status;
}

static enum gwalk_status write_pages(struct copy *copy, const uint8_t *from)
{
    enum gwalk_status status = find_pieces(copy);
    uint64_t done = 0;
    for (unsigned i = 0; i < copy->count && status == GWALK_OK; i++) {
        uint64_t bytes = piece_bytes(copy->linear + done, copy->bytes - done);
        if (hw_phys_write(copy->piece[i], from + done, bytes) != STATUS_OK) {
            status = GWALK_NESTED;
        }
        done += bytes;
    }
    return status;
}

enum gwalk_status gwalk_write(const struct gwalk_paging *paging, const struct ept *ept,
                              uint64_t linear, const void *from, size_t bytes, unsigned access,
                              struct gwalk_result *result)
{
    access = (access & ~GWALK_EXECUTE) | GWALK_WRITE;
    if (bytes == 0 || piece_bytes(linear, bytes) != bytes) {
        struct copy copy;
        copy_init(&copy, paging, ept, result);
        copy.linear = linear;
        copy.bytes = bytes;
        copy.access = access;
        return write_pages(&copy, from);
    }
    struct walker walker;
    walker_init(&walker, ept);
    struct hpa to;
    enum gwalk_status status = gwalk_page(paging, &walker, linear, access, &to, result);
    if (status == GWALK_OK && hw_phys_write(to, from, bytes) != STATUS_OK) {
        status = GWALK_NESTED;
    }
    return status;
}
