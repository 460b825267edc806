/* The guest's accesses to guest-physical memory: EPT, this CPU's cache, EPT violations. */
#include "internal.h"

#include <string.h>

uint16_t guest_vpid(const struct fake_cpu *cpu)
{
    bool on = vmx_secondary(cpu->current) & SECONDARY_VPID;
    return on ? (uint16_t)vmcs_get(cpu->current, F_VPID) : 0;
}

uint64_t guest_ept_tag(const struct fake_cpu *cpu)
{
    bool on = vmx_secondary(cpu->current) & SECONDARY_EPT;
    return on ? bits_get(vmcs_get(cpu->current, F_EPT_POINTER), 12, 40) << 12 : NO_ADDRESS;
}

struct violation_filter {
    uint64_t tag, gpa;
};

/* An EPT violation drops what was used for that address (SDM "Operations that Invalidate Cached
 * Mappings"). */
static bool by_violation(const struct tlb_entry *entry, const void *arg)
{
    const struct violation_filter *filter = arg;
    uint64_t from = entry->linear ? entry->gpa : entry->from;
    return entry->ept_tag == filter->tag && filter->gpa >= from &&
           filter->gpa - from < entry->page_bytes;
}

struct fault_place {
    uint64_t gpa, linear;
    unsigned access, rights;
    bool is_table;
};

static _Noreturn void ept_violation(struct fake_cpu *cpu, const struct fault_place *place,
                                    bool misconfigured)
{
    struct violation_filter filter = {guest_ept_tag(cpu), place->gpa};
    tlb_drop(cpu, by_violation, &filter);
    bool has_linear = place->linear != NO_ADDRESS;
    uint64_t qualification = place->access | (uint64_t)place->rights << 3 |
                             (has_linear ? 0x80 : 0) | (has_linear && !place->is_table ? 0x100 : 0);
    struct exit_info info = {
        .reason = misconfigured ? REASON_EPT_MISCONFIGURATION : REASON_EPT_VIOLATION,
        .qualification = misconfigured ? 0 : qualification,
        .physical = place->gpa,
        .has_physical = true,
        .linear = place->linear,
        .has_linear = has_linear && !misconfigured,
    };
    guest_leave(cpu, &info);
}

uint64_t guest_translate(struct fake_cpu *cpu, uint64_t gpa, unsigned access, uint64_t linear,
                         bool is_table)
{
    uint64_t tag = guest_ept_tag(cpu);
    if (tag == NO_ADDRESS) {
        return gpa;
    }
    struct fault_place place = {gpa, linear, access, 0, is_table};
    const struct tlb_entry *cached = tlb_find(cpu, false, 0, tag, gpa);
    if (!cached) {
        struct fake_walk walk = fake_ept_walk(vmcs_get(cpu->current, F_EPT_POINTER), gpa);
        place.rights = walk.rights;
        if (walk.result != FAKE_WALK_OK || (access & ~walk.rights)) {
            ept_violation(cpu, &place, walk.result == FAKE_WALK_MISCONFIGURED);
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
        ept_mark(vmcs_get(cpu->current, F_EPT_POINTER), gpa, access & ACCESS_WRITE);
        return walk.hpa;
    }
    if (access & ~cached->rights) {
        place.rights = cached->rights;
        ept_violation(cpu, &place, false);
    }
    if (access & ACCESS_WRITE) {
        ept_mark(vmcs_get(cpu->current, F_EPT_POINTER), gpa, true);
    }
    return cached->to + (gpa - cached->from);
}

void guest_copy(uint64_t address, void *buffer, size_t bytes, bool is_write)
{
    uint8_t *memory = fake_backing(address, bytes);
    uint32_t word = 0;
    if (fake_is_apic_page(address) || !memory) {
        bool is_register =
            bytes == 4 && addr_is_aligned(address, 4) && address < CONFIG_MAX_PHYS_BYTES;
        if (!is_register) {
            if (!is_write) {
                memset(buffer, 0xff, bytes);
            }
            return;
        }
        memcpy(&word, buffer, is_write ? 4 : 0);
        word = fake_mmio_access(address, is_write, word);
        memcpy(buffer, &word, is_write ? 0 : 4);
        return;
    }
    if (is_write) {
        memcpy(memory, buffer, bytes);
    } else {
        memcpy(buffer, memory, bytes);
    }
}

static uint64_t physical_access(struct fake_guest *guest, uint64_t gpa, size_t bytes,
                                unsigned access)
{
    struct fake_cpu *cpu = guest_begin(guest);
    uint64_t linear = cpu->fake_linear == NO_ADDRESS ? gpa : cpu->fake_linear;
    cpu->fake_linear = NO_ADDRESS;
    if (bytes == 0 || bytes > PAGE_BYTES - (gpa & PAGE_MASK)) {
        fake_misuse("guest access of %zu bytes at %#llx crosses a page", bytes,
                    (unsigned long long)gpa);
    }
    return guest_translate(cpu, gpa, access, linear, false);
}

void fake_guest_linear(struct fake_guest *guest, uint64_t linear_address)
{
    fake_cpu(guest->cpu)->fake_linear = linear_address;
}

void fake_guest_read(struct fake_guest *guest, uint64_t gpa, void *to, size_t bytes)
{
    uint64_t address = physical_access(guest, gpa, bytes, ACCESS_READ);
    guest_copy(address, to, bytes, false);
    guest_retire(fake_cpu(guest->cpu), 0);
}

void fake_guest_write(struct fake_guest *guest, uint64_t gpa, const void *from, size_t bytes)
{
    uint8_t copy[PAGE_BYTES];
    uint64_t address = physical_access(guest, gpa, bytes, ACCESS_WRITE);
    memcpy(copy, from, bytes);
    guest_copy(address, copy, bytes, true);
    guest_retire(fake_cpu(guest->cpu), 0);
}

void fake_guest_fetch(struct fake_guest *guest, uint64_t gpa, void *to, size_t bytes)
{
    uint64_t address = physical_access(guest, gpa, bytes, ACCESS_FETCH);
    guest_copy(address, to, bytes, false);
    guest_retire(fake_cpu(guest->cpu), 0);
}
