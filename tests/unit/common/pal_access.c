/*
 * The CPU's memory accesses: of a guest through its page tables and the guest's map, and of a PAL
 * through its own two kinds.  Written from the manual's figures; shares nothing with libept.
 */
#include "pal_suite.h"

#include <base/bits.h>

struct found {
    enum { FOUND, PAGE_FAULT, VIOLATION } result;
    uint64_t gpa, hpa;
    unsigned rights;
    bool table;
};

#define R_READ 1U
#define R_WRITE 2U
#define R_EXECUTE 4U

static unsigned right_of(enum suite_access access)
{
    return access == SUITE_STORE ? R_WRITE : access == SUITE_FETCH ? R_EXECUTE : R_READ;
}

static bool nested(uint64_t root, uint64_t gpa, unsigned right, struct fake_walk *walk)
{
    *walk = fake_ept_walk(root, gpa);
    SUITE_CHECK(walk->result != FAKE_WALK_MISCONFIGURED);
    return walk->result == FAKE_WALK_OK && (walk->rights & right) == right;
}

static bool is_allowed(const struct vcpu *vcpu, uint64_t all, bool nx, enum suite_access access)
{
    bool user = vcpu->paging.cpl == 3;
    if (user && (all & 4) == 0) {
        return false;
    }
    if (access == SUITE_FETCH) {
        return !nx;
    }
    return access == SUITE_LOAD || (all & 2) != 0 || (!user && (vcpu->paging.cr0 & 1 << 16) == 0);
}

/* A guest's page walk.  Accessed and dirty flags are there from the start (suite_map). */
static struct found walk_guest(const struct vcpu *vcpu, uint64_t linear, enum suite_access access)
{
    const struct vcpu_paging *paging = &vcpu->paging;
    uint64_t root = ept_pointer(&suite.map), all = ~0ULL, table = paging->cr3;
    bool pae = (paging->cr4 & 1 << 5) != 0, lma = (paging->efer & 1 << 10) != 0, nx = false;
    unsigned level = lma ? ((paging->cr4 & 1 << 12) != 0 ? 5 : 4) : 2, index_bits = pae ? 9 : 10;
    struct fake_walk walk;

    if (pae && !lma) {
        table = paging->pdpte[linear >> 30 & 3];
    }
    for (;; level--) {
        unsigned shift = PAGE_SHIFT + index_bits * (level - 1);
        uint64_t value = 0, index = linear >> shift & ((1U << index_bits) - 1);
        uint64_t at = (table & bits_mask(PAGE_SHIFT, 40)) + index * (pae ? 8 : 4);
        if (!nested(root, at, R_READ, &walk)) {
            return (struct found){.result = VIOLATION, .gpa = at, .table = true};
        }
        void *entry = fake_ram(walk.hpa, 8);
        if (entry == NULL) {
            return (struct found){.result = PAGE_FAULT};
        }
        memcpy(&value, entry, pae ? 8 : 4);
        if ((value & 1) == 0) {
            return (struct found){.result = PAGE_FAULT};
        }
        all &= value;
        nx = nx || (pae && value >> 63 != 0);
        if (level == 1 || (value & 0x80) != 0) {
            uint64_t in_page = bits_mask(0, shift);
            table = (value & bits_mask(PAGE_SHIFT, 40) & ~in_page) | (linear & in_page);
            break;
        }
        table = value;
    }
    if (!is_allowed(vcpu, all, nx, access)) {
        return (struct found){.result = PAGE_FAULT};
    }
    bool good = nested(root, table, right_of(access), &walk);
    return (struct found){
        .result = good ? FOUND : VIOLATION, .gpa = table, .hpa = walk.hpa, .rights = walk.rights};
}

bool suite_guest_may(unsigned cpu, uint64_t linear, enum suite_access access)
{
    return walk_guest(&suite.guest[cpu], linear, access).result == FOUND;
}

enum suite_outcome suite_guest(unsigned cpu, uint64_t linear, enum suite_access access)
{
    struct vcpu *vcpu = &suite.guest[cpu];
    unsigned injected = vcpu->injected.count;
    uint64_t rip = vcpu->rip;

    fake_select_cpu(cpu);
    for (unsigned attempt = 0; attempt < 4; attempt++) {
        struct found found = walk_guest(vcpu, linear, access);
        if (found.result == PAGE_FAULT) {
            return SUITE_FAULT;
        }
        if (found.result == FOUND) {
            suite_cache(cpu, &(struct suite_cached){.root = ept_pointer(&suite.map),
                                                    .address = found.gpa & ~PAGE_MASK,
                                                    .hpa = found.hpa & ~PAGE_MASK,
                                                    .rights = found.rights});
            return SUITE_DONE;
        }
        struct tv_access what = {.gpa = gpa(found.gpa),
                                 .linear = linear,
                                 .has_linear = true,
                                 .is_table = found.table,
                                 .write = access == SUITE_STORE && !found.table,
                                 .execute = access == SUITE_FETCH && !found.table};
        if (!tv_violation(&suite.tv, vcpu, &what)) {
            return SUITE_NOT_OURS;
        }
        SUITE_CHECK(!suite.stopped);
        if (suite.isolated[cpu].loaded) {
            return SUITE_ENTERED;
        }
        if (vcpu->injected.count != injected) {
            SUITE_CHECK(vcpu->injected.count == injected + 1 && vcpu->rip == rip);
            return SUITE_REFUSED;
        }
        if (vcpu->rip != rip) {
            return SUITE_RETURNED;
        }
    }
    return SUITE_WAITS;
}

/* One access of a PAL, within a page; its tables must be read-only and never want a write. */
static void *pal_byte(unsigned cpu, uint64_t linear, enum suite_access access)
{
    const struct vcpu_isolated_start *start = &suite.isolated[cpu].start;
    uint64_t table = start->cr3, all = ~0ULL, value;
    struct fake_walk walk;
    bool nx = false;

    if (linear >> 47 != 0) {
        return NULL;
    }
    for (unsigned level = 4; level > 0; level--) {
        uint64_t index = linear >> (PAGE_SHIFT + 9 * (level - 1)) & 511;
        SUITE_CHECK(nested(start->nested_root, table + index * 8, R_READ, &walk));
        SUITE_CHECK(walk.rights == R_READ && walk.memory_type == EPT_WB);
        suite_cache(cpu, &(struct suite_cached){.root = start->nested_root,
                                                .address = table,
                                                .hpa = walk.hpa & ~PAGE_MASK,
                                                .rights = walk.rights});
        memcpy(&value, fake_ram(walk.hpa, 8), 8);
        if ((value & 1) == 0) {
            return NULL;
        }
        SUITE_CHECK((value & 0x20) != 0 && (level > 1 || (value & 0x40) != 0));
        SUITE_CHECK(level == 1 || (value & 0x80) == 0);
        all &= value;
        nx = nx || value >> 63 != 0;
        table = value & bits_mask(PAGE_SHIFT, SUITE_PHYS_BITS);
    }
    /* Both kinds of tables give the same rights. */
    SUITE_CHECK(nested(start->nested_root, table, R_READ, &walk) && walk.memory_type == EPT_WB);
    SUITE_CHECK((all & 4) != 0 && ((walk.rights & R_WRITE) != 0) == ((all & 2) != 0));
    SUITE_CHECK(((walk.rights & R_EXECUTE) != 0) == !nx);
    suite_cache(cpu, &(struct suite_cached){.root = start->nested_root,
                                            .address = linear & ~PAGE_MASK,
                                            .hpa = walk.hpa & ~PAGE_MASK,
                                            .rights = walk.rights,
                                            .linear = true});
    bool good = (walk.rights & right_of(access)) != 0;
    return good ? fake_ram((walk.hpa & ~PAGE_MASK) | (linear & PAGE_MASK), 1) : NULL;
}

bool suite_pal(unsigned cpu, uint64_t linear, enum suite_access access, void *data, unsigned bytes)
{
    SUITE_CHECK(suite.isolated[cpu].loaded && suite.isolated[cpu].active && !suite.stopped);
    for (unsigned i = 0; i < bytes; i++) {
        uint8_t *byte = pal_byte(cpu, linear + i, access);
        if (byte == NULL) {
            return false;
        }
        if (access == SUITE_STORE) {
            *byte = ((uint8_t *)data)[i];
        } else if (access == SUITE_LOAD) {
            ((uint8_t *)data)[i] = *byte;
        }
    }
    return true;
}

void suite_pal_stop(unsigned cpu, enum vcpu_stop_reason reason, unsigned vector, uint64_t address)
{
    struct vcpu_stop stop = {.reason = reason, .vector = vector, .address = address};
    stop.error_code = reason == VCPU_STOP_EXCEPTION && vector == 14 ? 0x14 : 0;
    fake_select_cpu(cpu);
    tv_isolated_stop(&suite.tv, &suite.isolated[cpu], &stop);
    SUITE_CHECK(!suite.stopped);
}

void suite_pal_return(unsigned cpu, uint64_t value)
{
    struct vcpu *isolated = &suite.isolated[cpu];
    uint64_t to = 0;

    SUITE_CHECK(suite_pal(cpu, isolated->gpr[VCPU_RSP], SUITE_LOAD, &to, isolated->width));
    SUITE_CHECK(!suite_pal(cpu, to, SUITE_FETCH, NULL, 1));
    isolated->gpr[VCPU_RSP] += isolated->width;
    isolated->gpr[VCPU_RAX] = value;
    isolated->rip = to;
    suite_pal_stop(cpu, VCPU_STOP_EXCEPTION, 14, to);
}
