#include <base/check.h>

#include <ept/identity.h>

#define PML4E_BYTES (1ULL << 39)

/* Edges of pages of one type that can lie inside a large page: both ends of each variable range and
 * of the hole, 1 MiB (fixed ranges; the pages below are one large page), and end. */
#define EDGES_MAX (2ULL * MTRR_VARIABLE_MAX + 2 + 1 + 1)

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return value / unit + (value % unit != 0);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t ept_identity_tables(uint64_t end, const struct ept_features *features)
{
    uint64_t pdpts = round_up(end, PML4E_BYTES);
    uint64_t pds = round_up(end, PAGE_1G_BYTES);
    uint64_t pts = round_up(end, PAGE_2M_BYTES);
    if (features->pages_1g) {
        pds = smaller(pds, EDGES_MAX);
    }
    if (features->pages_2m) {
        pts = smaller(pts, EDGES_MAX);
    }
    return 1 + pdpts + pds + pts;
}

/* Longest run of one type from start; false after too many steps. */
static bool next_run(const struct mtrr *mtrr, uint64_t start, uint64_t end, unsigned *steps,
                     uint64_t *run_end, enum ept_type *type)
{
    uint64_t at = mtrr_run(mtrr, start, end, type);
    *run_end = at;
    while (at < end) {
        enum ept_type next;
        at = mtrr_run(mtrr, at, end, &next);
        if (++*steps > EPT_IDENTITY_RUNS_MAX) {
            return false;
        }
        if (next != *type) {
            break;
        }
        *run_end = at;
    }
    return true;
}

static enum status map_piece(struct ept *ept, uint64_t start, uint64_t end, enum ept_type type)
{
    return start < end ? ept_map(ept, gpa(start), hpa(start), end - start, EPT_RWX, type)
                       : STATUS_OK;
}

/* [start, end) minus [hole_start, hole_end). */
static enum status map_around(struct ept *ept, uint64_t start, uint64_t end, uint64_t hole_start,
                              uint64_t hole_end, enum ept_type type)
{
    enum status status = map_piece(ept, start, smaller(end, hole_start), type);
    if (status != STATUS_OK) {
        return status;
    }
    return map_piece(ept, start > hole_end ? start : hole_end, end, type);
}

enum status ept_identity_map(struct ept *ept, uint64_t end, const struct mtrr *mtrr,
                             struct hpa hole_start, uint64_t hole_bytes)
{
    if (hole_bytes > UINT64_MAX - hole_start.v ||
        !addr_is_aligned(end | hole_start.v | hole_bytes, PAGE_BYTES)) {
        return STATUS_INVALID;
    }
    /* No hole: one of no bytes at the end, so that each piece is mapped once. */
    uint64_t hole_first = hole_bytes == 0 ? end : hole_start.v;
    uint64_t hole_end = hole_first + hole_bytes;
    unsigned steps = 0;
    enum status status = STATUS_OK;
    for (uint64_t start = 0, next; start < end && status == STATUS_OK; start = next) {
        enum ept_type type;
        if (!next_run(mtrr, start, end, &steps, &next, &type)) {
            status = STATUS_OVERFLOW;
            break;
        }
        status = map_around(ept, start, next, hole_first, hole_end, type);
    }
    if (status != STATUS_OK) {
        ept_clear(ept);
    }
    return status;
}

/* Table pages for the retype: never less than it takes, as each piece is counted by itself. */
static enum status retype_prepare(const struct ept *ept, uint64_t end, const struct mtrr *mtrr,
                                  uint64_t *tables)
{
    *tables = 0;
    unsigned steps = 0;
    for (uint64_t start = 0, next; start < end; start = next) {
        enum ept_type type;
        if (!next_run(mtrr, start, end, &steps, &next, &type)) {
            return STATUS_OVERFLOW;
        }
        uint64_t piece;
        enum status status = ept_set_type_tables(ept, gpa(start), next - start, type, &piece);
        if (status != STATUS_OK) {
            return status;
        }
        *tables += piece;
    }
    return STATUS_OK;
}

enum status ept_identity_retype(struct ept *ept, uint64_t end, const struct mtrr *mtrr,
                                enum ept_invalidate *need)
{
    uint64_t tables;
    enum status status = retype_prepare(ept, end, mtrr, &tables);
    if (status != STATUS_OK) {
        return status;
    }
    if (tables > ept->pool->free_pages) {
        return STATUS_NO_MEMORY;
    }
    *need = EPT_INVALIDATE_NONE;
    unsigned steps = 0;
    for (uint64_t start = 0, next; start < end; start = next) {
        enum ept_type type;
        bool found = next_run(mtrr, start, end, &steps, &next, &type);
        CHECK(found);
        enum ept_invalidate piece_need;
        status = ept_set_type(ept, gpa(start), next - start, type, &piece_need);
        CHECK(status == STATUS_OK);
        if (piece_need != EPT_INVALIDATE_NONE) {
            *need = piece_need;
        }
    }
    return STATUS_OK;
}
