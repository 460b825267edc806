/*
 * What a CPU has cached: guest-physical mappings and combined (linear) ones (SDM section "Caching
 * Translation Information").  Nothing is ever evicted by chance, so that a missing invalidation is
 * always seen.
 */
#include "internal.h"

#include <stdlib.h>

static const uint64_t page_sizes[] = {PAGE_BYTES, PAGE_2M_BYTES, PAGE_1G_BYTES};

static unsigned bucket_of(uint64_t address, uint64_t page_bytes)
{
    return (unsigned)((address / page_bytes * 0x9e3779b97f4a7c15ULL) >> 54) % TLB_BUCKETS;
}

static bool drop_all(const struct tlb_entry *entry, const void *arg)
{
    (void)entry;
    (void)arg;
    return true;
}

void tlb_reset(struct fake_cpu *cpu)
{
    for (unsigned i = 0; i < TLB_BUCKETS; i++) {
        while (cpu->tlb[i]) {
            struct tlb_entry *next = cpu->tlb[i]->next;
            free(cpu->tlb[i]);
            cpu->tlb[i] = next;
        }
    }
    cpu->tlb_count = 0;
}

const struct tlb_entry *tlb_find(struct fake_cpu *cpu, bool linear, uint16_t vpid, uint64_t ept_tag,
                                 uint64_t address)
{
    for (unsigned size = 0; size < 3; size++) {
        uint64_t from = addr_align_down(address, page_sizes[size]);
        const struct tlb_entry *entry = cpu->tlb[bucket_of(from, page_sizes[size])];
        for (; entry; entry = entry->next) {
            if (entry->from == from && entry->page_bytes == page_sizes[size] &&
                entry->linear == linear && entry->ept_tag == ept_tag &&
                (!linear || entry->vpid == vpid)) {
                return entry;
            }
        }
    }
    return NULL;
}

void tlb_add(struct fake_cpu *cpu, const struct tlb_entry *entry)
{
    struct tlb_entry *copy = malloc(sizeof *copy);
    if (!copy) {
        fake_misuse("no memory for a cached translation");
    }
    unsigned bucket = bucket_of(entry->from, entry->page_bytes);
    *copy = *entry;
    copy->next = cpu->tlb[bucket];
    cpu->tlb[bucket] = copy;
    cpu->tlb_count++;
}

/* One walk later: does [address, ...) of the entry still go where the cache says? */
static bool part_is_stale(const struct tlb_entry *entry, uint64_t gpa, uint64_t cached_hpa,
                          uint64_t *step)
{
    struct fake_walk walk = fake_ept_walk(entry->ept_tag | 3 << 3, gpa);
    *step = walk.page_bytes - (gpa & (walk.page_bytes - 1));
    return walk.result != FAKE_WALK_OK || walk.hpa != cached_hpa ||
           (entry->rights & ~walk.rights) ||
           (!entry->linear && entry->memory_type != walk.memory_type);
}

bool tlb_is_stale(const struct tlb_entry *entry)
{
    if (entry->ept_tag == NO_ADDRESS) {
        return false; /* without EPT only the guest's own tables matter */
    }
    uint64_t gpa = entry->linear ? entry->gpa : entry->from;
    for (uint64_t offset = 0, step; offset < entry->page_bytes; offset += step) {
        if (part_is_stale(entry, gpa + offset, entry->to + offset, &step)) {
            return true;
        }
    }
    return false;
}

size_t tlb_drop(struct fake_cpu *cpu, tlb_filter *filter, const void *arg)
{
    size_t stale = 0;
    for (unsigned i = 0; i < TLB_BUCKETS; i++) {
        struct tlb_entry **link = &cpu->tlb[i];
        while (*link) {
            struct tlb_entry *entry = *link;
            if (!filter(entry, arg)) {
                link = &entry->next;
                continue;
            }
            stale += tlb_is_stale(entry);
            *link = entry->next;
            free(entry);
            cpu->tlb_count--;
        }
    }
    return stale;
}

static bool by_linear_vpid(const struct tlb_entry *entry, const void *arg)
{
    return entry->linear && entry->vpid == *(const uint16_t *)arg;
}

void tlb_drop_linear(struct fake_cpu *cpu, uint16_t vpid)
{
    tlb_drop(cpu, by_linear_vpid, &vpid);
}

size_t fake_tlb_count(unsigned cpu)
{
    return fake_cpu(cpu)->tlb_count;
}

size_t fake_tlb_stale(unsigned index)
{
    const struct fake_cpu *cpu = fake_cpu(index);
    size_t stale = 0;
    for (unsigned i = 0; i < TLB_BUCKETS; i++) {
        for (const struct tlb_entry *entry = cpu->tlb[i]; entry; entry = entry->next) {
            stale += tlb_is_stale(entry);
        }
    }
    return stale;
}

bool fake_tlb_fill(unsigned index, uint64_t ept_pointer, uint64_t gpa)
{
    struct fake_cpu *cpu = fake_cpu(index);
    uint64_t tag = bits_get(ept_pointer, 12, 40) << 12;
    if (tlb_find(cpu, false, 0, tag, gpa)) {
        return true;
    }
    struct fake_walk walk = fake_ept_walk(ept_pointer, gpa);
    if (walk.result != FAKE_WALK_OK) {
        return false;
    }
    struct tlb_entry entry = {
        .ept_tag = tag,
        .from = addr_align_down(gpa, walk.page_bytes),
        .page_bytes = walk.page_bytes,
        .to = addr_align_down(walk.hpa, walk.page_bytes),
        .rights = walk.rights,
        .memory_type = walk.memory_type,
    };
    tlb_add(cpu, &entry);
    return true;
}

void fake_tlb_flush(unsigned cpu)
{
    tlb_drop(fake_cpu(cpu), drop_all, NULL);
}

uint64_t fake_superfluous_invalidations(unsigned cpu)
{
    return fake_cpu(cpu)->superfluous;
}

uint64_t fake_useful_invalidations(unsigned cpu)
{
    return fake_cpu(cpu)->useful;
}
