/*
 * The guest's accesses by linear address: 32-bit, PAE and 4-level paging (SDM chapter "Paging")
 * under EPT, with combined mappings cached by VPID.
 */
#include "internal.h"

#include <string.h>

#define ERROR_PRESENT 1u
#define ERROR_WRITE 2u
#define ERROR_USER 4u
#define ERROR_RESERVED 8u
#define ERROR_FETCH 16u
#define ENTRY_PRESENT BIT(0)
#define ENTRY_WRITABLE BIT(1)
#define ENTRY_USER BIT(2)
#define ENTRY_ACCESSED BIT(5)
#define ENTRY_DIRTY BIT(6)
#define ENTRY_LARGE BIT(7)
#define ENTRY_NX BIT(63)

struct linear_access {
    struct fake_cpu *cpu;
    uint64_t linear, cr0, cr4, efer;
    unsigned access; /* R, W or X */
    unsigned cpl;
};

/* What paging gives for one page. */
struct linear_page {
    uint64_t gpa;
    bool user, writable, executable;
    bool present, reserved; /* not present / reserved bit: the walk ended early */
};

static uint64_t entry_get(const struct linear_access *la, uint64_t gpa, unsigned bytes)
{
    uint64_t entry = 0;
    guest_copy(guest_translate(la->cpu, gpa, ACCESS_READ, la->linear, true), &entry, bytes, false);
    return entry;
}

static void entry_mark(const struct linear_access *la, uint64_t gpa, unsigned bytes, uint64_t entry,
                       uint64_t flags)
{
    if ((entry & flags) != flags) {
        entry |= flags;
        guest_copy(guest_translate(la->cpu, gpa, ACCESS_WRITE, la->linear, true), &entry, bytes,
                   true);
    }
}

static bool has_reserved(const struct linear_access *la, uint64_t entry, unsigned entry_bytes,
                         unsigned leaf_shift)
{
    if (entry_bytes == 4) {
        return leaf_shift == 22 && (entry & BIT(21));
    }
    uint64_t reserved = bits_mask(fake_maxphyaddr(), 52);
    if (!(la->efer & EFER_NXE)) {
        reserved |= ENTRY_NX;
    }
    if (!(la->efer & EFER_LMA)) {
        reserved |= bits_mask(52, 63);
    }
    if (leaf_shift > 12) {
        reserved |= bits_mask(13, leaf_shift);
    }
    return entry & reserved;
}

static struct linear_page walk(const struct linear_access *la)
{
    struct linear_page page = {.user = true, .writable = true, .executable = true};
    bool pae = la->cr4 & CR4_PAE, four_level = la->efer & EFER_LMA;
    unsigned entry_bytes = pae ? 8 : 4, index_bits = pae ? 9 : 10;
    unsigned levels = four_level ? 4 : 2;
    uint64_t cr3 = guest_field(la->cpu, F_GUEST_CR3);
    uint64_t table = four_level ? cr3 & bits_mask(12, 52) : cr3 & 0xfffff000;
    uint64_t pdpte = 0;
    if (pae && !four_level) {
        pdpte = guest_field(la->cpu, F_GUEST_PDPTE0 + 2 * (uint32_t)bits_get(la->linear, 30, 2));
        table = pdpte & bits_mask(12, 52);
        if (!(pdpte & ENTRY_PRESENT)) {
            return page;
        }
    }
    for (unsigned level = levels; level >= 1; level--) {
        unsigned shift = 12 + index_bits * (level - 1);
        uint64_t at = table + entry_bytes * bits_get(la->linear, shift, index_bits);
        uint64_t entry = entry_get(la, at, entry_bytes);
        if (!(entry & ENTRY_PRESENT)) {
            return page;
        }
        bool may_be_large = level == 2 ? pae || (la->cr4 & CR4_PSE) : level == 3;
        bool is_leaf = level == 1 || (may_be_large && (entry & ENTRY_LARGE));
        if (has_reserved(la, entry, entry_bytes, is_leaf ? shift : 12) ||
            (level == 4 && (entry & ENTRY_LARGE))) {
            page.reserved = true;
            return page;
        }
        page.user = page.user && (entry & ENTRY_USER);
        page.writable = page.writable && (entry & ENTRY_WRITABLE);
        page.executable = page.executable && !(entry_bytes == 8 && (entry & ENTRY_NX));
        bool dirty = is_leaf && (la->access & ACCESS_WRITE);
        entry_mark(la, at, entry_bytes, entry, ENTRY_ACCESSED | (dirty ? ENTRY_DIRTY : 0));
        table = entry_bytes == 8 ? entry & bits_mask(12, 52) : entry & 0xfffff000;
        if (is_leaf) {
            uint64_t size = 1ULL << shift;
            uint64_t base = addr_align_down(table, size);
            if (entry_bytes == 4 && shift == 22) { /* PSE-36 */
                base = (entry & 0xffc00000) | bits_get(entry, 13, 8) << 32;
            }
            page.gpa = base + (la->linear & (size - 1) & ~PAGE_MASK);
            page.present = true;
            return page;
        }
    }
    return page;
}

static bool is_allowed(const struct linear_access *la, const struct linear_page *page)
{
    bool is_user = la->cpl == 3;
    if (is_user && !page->user) {
        return false;
    }
    if (la->access & ACCESS_FETCH) {
        bool smep = !is_user && page->user && (la->cr4 & CR4_SMEP);
        return page->executable && !smep;
    }
    bool ac = guest_field(la->cpu, F_GUEST_RFLAGS) & RFLAGS_AC;
    if (!is_user && page->user && (la->cr4 & CR4_SMAP) && !ac) {
        return false;
    }
    bool checks_w = is_user || (la->cr0 & CR0_WP);
    return !(la->access & ACCESS_WRITE) || page->writable || !checks_w;
}

static bool page_fault(const struct linear_access *la, const struct linear_page *page)
{
    bool fetch_bit = (la->cr4 & CR4_SMEP) || ((la->cr4 & CR4_PAE) && (la->efer & EFER_NXE));
    uint32_t code = (page->present || page->reserved ? ERROR_PRESENT : 0) |
                    (la->access & ACCESS_WRITE ? ERROR_WRITE : 0) |
                    (la->cpl == 3 ? ERROR_USER : 0) | (page->reserved ? ERROR_RESERVED : 0) |
                    ((la->access & ACCESS_FETCH) && fetch_bit ? ERROR_FETCH : 0);
    return guest_fault(la->cpu, 14, true, code, la->linear);
}

static bool by_linear_page(const struct tlb_entry *entry, const void *arg)
{
    const struct tlb_entry *wanted = arg;
    return entry->linear && entry->vpid == wanted->vpid &&
           entry->from == addr_align_down(wanted->from, PAGE_BYTES);
}

static void cache_linear(const struct linear_access *la, const struct linear_page *page,
                         uint64_t hpa)
{
    struct fake_cpu *cpu = la->cpu;
    uint64_t tag = guest_ept_tag(cpu);
    const struct tlb_entry *below = tlb_find(cpu, false, 0, tag, page->gpa);
    struct tlb_entry entry = {
        .linear = true,
        .vpid = guest_vpid(cpu),
        .ept_tag = tag,
        .from = addr_align_down(la->linear, PAGE_BYTES),
        .page_bytes = PAGE_BYTES,
        .to = addr_align_down(hpa, PAGE_BYTES),
        .gpa = page->gpa,
        .rights = below ? below->rights : 7,
        .user = page->user,
        .writable = page->writable,
        .executable = page->executable,
        .dirty = la->access & ACCESS_WRITE,
    };
    tlb_drop(cpu, by_linear_page, &entry);
    tlb_add(cpu, &entry);
}

/* A hit must allow all that the access needs; otherwise the tables are walked again, as hardware
 * does before it faults. */
static bool cached_address(const struct linear_access *la, uint64_t *address)
{
    struct fake_cpu *cpu = la->cpu;
    const struct tlb_entry *entry =
        tlb_find(cpu, true, guest_vpid(cpu), guest_ept_tag(cpu), la->linear);
    if (!entry || (la->access & ~entry->rights) || ((la->access & ACCESS_WRITE) && !entry->dirty)) {
        return false;
    }
    struct linear_page page = {
        .user = entry->user, .writable = entry->writable, .executable = entry->executable};
    *address = entry->to + (la->linear & PAGE_MASK);
    return is_allowed(la, &page);
}

static bool translate_linear(const struct linear_access *la, uint64_t *address)
{
    if (!(la->cr0 & CR0_PG)) {
        uint64_t gpa = la->linear & 0xffffffff;
        *address = guest_translate(la->cpu, gpa, la->access, la->linear, false);
        return true;
    }
    if ((la->efer & EFER_LMA) && !fake_is_canonical(la->linear)) {
        return guest_fault(la->cpu, 13, true, 0, 0);
    }
    if (cached_address(la, address)) {
        return true;
    }
    struct linear_page page = walk(la);
    if (!page.present || !is_allowed(la, &page)) {
        return page_fault(la, &page);
    }
    uint64_t gpa = page.gpa + (la->linear & PAGE_MASK);
    *address = guest_translate(la->cpu, gpa, la->access, la->linear, false);
    cache_linear(la, &page, *address);
    return true;
}

static bool linear_access(struct fake_guest *guest, uint64_t linear, void *buffer, size_t bytes,
                          unsigned access)
{
    struct fake_cpu *cpu = guest_begin(guest);
    struct linear_access la = {
        .cpu = cpu,
        .linear = linear,
        .cr0 = guest_field(cpu, F_GUEST_CR0),
        .cr4 = guest_field(cpu, F_GUEST_CR4),
        .efer = guest_field(cpu, F_GUEST_EFER),
        .access = access,
        .cpl = guest_cpl(cpu),
    };
    for (size_t done = 0; done < bytes;) {
        uint64_t address, left = PAGE_BYTES - (la.linear & PAGE_MASK);
        size_t chunk = left < bytes - done ? left : bytes - done;
        if (!translate_linear(&la, &address)) {
            return false;
        }
        guest_copy(address, (uint8_t *)buffer + done, chunk, access & ACCESS_WRITE);
        done += chunk;
        la.linear += chunk;
    }
    guest_retire(cpu, 0);
    return true;
}

bool fake_guest_load(struct fake_guest *guest, uint64_t linear, void *to, size_t bytes)
{
    return linear_access(guest, linear, to, bytes, ACCESS_READ);
}

bool fake_guest_store(struct fake_guest *guest, uint64_t linear, const void *from, size_t bytes)
{
    uint8_t copy[256];
    if (bytes > sizeof copy) {
        fake_misuse("fake_guest_store of %zu bytes", bytes);
    }
    memcpy(copy, from, bytes);
    return linear_access(guest, linear, copy, bytes, ACCESS_WRITE);
}

bool fake_guest_execute(struct fake_guest *guest, uint64_t linear)
{
    uint8_t byte;
    return linear_access(guest, linear, &byte, 1, ACCESS_FETCH);
}

bool fake_guest_invlpg(struct fake_guest *guest, uint64_t linear_address)
{
    struct fake_cpu *cpu = guest_begin(guest);
    if (guest_cpl(cpu) != 0) {
        return guest_fault(cpu, 13, true, 0, 0);
    }
    if (guest_field(cpu, F_PRIMARY_CONTROLS) & PRIMARY_INVLPG) {
        guest_instruction_exit(cpu, REASON_INVLPG, linear_address, 3);
    }
    struct tlb_entry wanted = {.vpid = guest_vpid(cpu), .from = linear_address};
    tlb_drop(cpu, by_linear_page, &wanted);
    guest_retire(cpu, 3);
    return true;
}
