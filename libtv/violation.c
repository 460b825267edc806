/* Accesses that the guest's nested map refused because of a PAL. */
#include "call.h"
#include "caller.h"
#include "pals.h"
#include "view.h"

#include <base/log.h>
#include <world/world.h>

#define X86_GP 13
#define LINES_LOGGED 16 /* of each kind: a guest must not fill the console */

/* Whether a page of the guest's is behind one of these consecutive pages of a PAL's space. */
static bool is_among(const struct tv_context *context, struct gpa own, uint64_t pages,
                     struct gpa page)
{
    for (uint64_t n = 0; n < pages; n++) {
        if (tv_space_page(&context->space, gpa(own.v + n * PAGE_BYTES)).v == page.v) {
            return true;
        }
    }
    return false;
}

/* A PAL that a page with fewer rights than usual is shared with; slow, and rare. */
static const struct tv_pal *find_sharer(const struct tv *tv, struct gpa page)
{
    for (unsigned slot = 0; slot < CONFIG_MAX_PALS; slot++) {
        const struct tv_context *context = &tv->context[slot];
        const struct tv_pal *pal = &tv->registry.pal[slot];
        if (tv_state(context) == TV_FREE) {
            continue;
        }
        for (unsigned i = 0; i < pal->section_count; i++) {
            if (!tv_is_private(pal->section[i].type) &&
                is_among(context, context->section_gpa[i], pal->section[i].pages, page)) {
                return pal;
            }
        }
        for (unsigned i = 0; i < context->share_count; i++) {
            if (is_among(context, context->share[i].gpa, context->share[i].pages, page)) {
                return pal;
            }
        }
    }
    return NULL;
}

/* The PAL that an access is about; NULL: none.  Not inline: calls do not come here. */
static __attribute__((noinline)) struct tv_context *find(struct tv *tv,
                                                         const struct tv_access *access)
{
    struct ept_translation found;
    struct hpa memory;
    unsigned slot;

    if (ept_hidden(tv->config.guest_map, access->gpa, &slot, &memory)) {
        return &tv->context[slot];
    }
    unsigned needed = access->write ? EPT_WRITE : access->execute ? EPT_EXECUTE : EPT_READ;
    if (ept_lookup(tv->config.guest_map, access->gpa, &found) != STATUS_OK ||
        found.type != EPT_WB || (found.perms & needed) == needed) {
        return NULL; /* not memory, or allowed by now */
    }
    const struct tv_pal *pal = find_sharer(tv, gpa(addr_align_down(access->gpa.v, PAGE_BYTES)));
    return pal != NULL ? tv_context_of(tv, pal) : NULL;
}

/* The page of the PAL's process where it belongs. */
static bool is_own_address(const struct tv *tv, const struct tv_pal *pal, uint64_t linear,
                           struct gpa accessed)
{
    const struct tv_context *context = &tv->context[pal - tv->registry.pal];

    for (unsigned i = 0; i < pal->section_count; i++) {
        uint64_t offset = linear - pal->section[i].start;
        if (offset < pal->section[i].pages * PAGE_BYTES) {
            struct gpa own = gpa(context->section_gpa[i].v + (offset & ~PAGE_MASK));
            return tv_space_page(&context->space, own).v == addr_align_down(accessed.v, PAGE_BYTES);
        }
    }
    return false;
}

static void refuse(struct tv *tv, struct vcpu *vcpu, const struct tv_pal *pal,
                   const struct tv_access *access)
{
    if (__atomic_fetch_add(&tv->refusals, 1, __ATOMIC_RELAXED) < LINES_LOGGED) {
        log_warn("CPU %u: %s of PAL %u refused, linear %#llx, RIP %#llx", vcpu_cpu(vcpu),
                 access->write     ? "write"
                 : access->execute ? "execution"
                                   : "read",
                 pal->id, (unsigned long long)access->linear, (unsigned long long)vcpu_rip(vcpu));
    }
    vcpu_inject_exception(vcpu, X86_GP, true, 0);
}

/*
 * The OS itself uses a page that it gave to a process: the process ended or let go of it, or the OS
 * swaps or copies it.  An exception there would be one in the OS's own code, so the PAL is removed,
 * wiped, and the access comes again.  A PAL that runs on another CPU is told to end first.
 */
static void take_away(struct tv *tv, struct vcpu *vcpu, const struct tv_pal *pal)
{
    unsigned cpu = vcpu_cpu(vcpu);
    uint32_t id = pal->id;

    if (tv_pal_remove(tv, cpu, pal) == TV_OK) {
        if (__atomic_fetch_add(&tv->taken, 1, __ATOMIC_RELAXED) >= LINES_LOGGED) {
            return;
        }
        log_info("CPU %u: the OS took memory of PAL %u, which is wiped and removed", cpu, id);
        return;
    }
    world_stop(cpu);
    struct tv_context *context = tv_context_of(tv, pal);
    if (pal->id == id && tv_state(context) == TV_RUNNING) {
        context->doomed = true;
    }
    world_resume(cpu);
}

/* The page of a PAL's entry point, executed: hidden, as long as the PAL is registered. */
static bool is_entry(const struct tv_access *access, const struct tv_context *context)
{
    return access->execute && !access->is_table && !context->by_number &&
           addr_align_down(access->gpa.v, PAGE_BYTES) == context->entry_page.v;
}

/* Whether it is a process that calls a PAL of its own, not somebody who runs into its code. */
static bool is_call(struct tv_cpu *self, const struct tv_pal *pal)
{
    const struct vcpu *vcpu = self->guest;
    struct tv_memory *memory = &self->memory;

    tv_caller_memory(vcpu, memory);
    uint64_t entry = vcpu_rip(vcpu);
    if (memory->width != VCPU_64BIT) {
        entry = (uint32_t)(entry + vcpu_segment_base(vcpu, VCPU_CS));
    }
    struct tv_pal_key key = tv_caller_key(memory, entry);
    return memory->paging.cpl == 3 && tv_registry_is(pal, &key);
}

/* Not inline: tv_violation() is on the path of every call. */
static __attribute__((noinline)) void answer(struct tv *tv, struct vcpu *vcpu,
                                             const struct tv_context *context,
                                             const struct tv_access *access)
{
    const struct tv_pal *pal = context->pal;
    bool user = vcpu_cpl(vcpu) == 3 && !access->is_table;
    bool own = access->has_linear && !access->is_table &&
               is_own_address(tv, pal, access->linear, access->gpa);

    if ((own || user) && tv_view_is_mapped(tv, context, pal->key.entry, context->entry_page)) {
        refuse(tv, vcpu, pal, access);
    } else {
        take_away(tv, vcpu, pal);
    }
}

bool tv_violation(struct tv *tv, struct vcpu *vcpu, const struct tv_access *access)
{
    struct tv_cpu *self = &tv->cpu[vcpu_cpu(vcpu)];
    struct tv_context *context = self->last;

    /* The PAL called last is likely to be called again. */
    bool entry = context != NULL && tv_state(context) != TV_FREE && is_entry(access, context);
    if (!entry) {
        context = find(tv, access);
        if (context == NULL) {
            return false;
        }
        entry = is_entry(access, context);
    }
    self->guest = vcpu;
    if (entry && is_call(self, context->pal)) {
        tv_call_by_address(tv, self, context);
    } else {
        answer(tv, vcpu, context, access);
    }
    return true;
}
