#include "pals.h"

#include "view.h"

#include <base/check.h>
#include <base/log.h>
#include <hw/cpu.h>
#include <hw/mem.h>
#include <string.h>
#include <world/world.h>

static void account(struct tv_work *work, uint64_t since)
{
    (void)__atomic_fetch_add(&work->ticks, hw_rdtsc() - since, __ATOMIC_RELAXED);
    (void)__atomic_fetch_add(&work->count, 1, __ATOMIC_RELAXED);
}

static struct hpa section_page(const struct tv_context *context, unsigned section, uint64_t page)
{
    return tv_space_page(&context->space, gpa(context->section_gpa[section].v + page * PAGE_BYTES));
}

/* The first sections of the two kinds are the ones used. */
static void find_room(const struct tv_pal *pal, struct tv_marshal_room *room, unsigned *param,
                      unsigned *stack)
{
    *param = *stack = TV_PAL_SECTIONS_MAX;
    for (unsigned i = pal->section_count; i-- > 0;) {
        if (pal->section[i].type == TV_SECTION_PARAM) {
            *param = i;
        } else if (pal->section[i].type == TV_SECTION_STACK) {
            *stack = i;
        }
    }
    CHECK(*param < pal->section_count && *stack < pal->section_count);
    *room = (struct tv_marshal_room){
        .param_start = pal->section[*param].start,
        .param_bytes = pal->section[*param].pages * PAGE_BYTES,
        .stack_start = pal->section[*stack].start,
        .stack_bytes = pal->section[*stack].pages * PAGE_BYTES,
    };
}

static void remember(const struct tv_context *context, struct tv_page *page, uint64_t linear,
                     unsigned section, uint64_t number)
{
    page->linear = linear;
    page->hpa = section_page(context, section, number);
    page->memory = hw_phys_page(page->hpa);
}

/* The context of a PAL that is in the registry; the space is initialised and empty. */
static enum tv_error fill(struct tv *tv, const struct tv_pal *pal, struct tv_context *context,
                          struct tv_cpu *self)
{
    struct tv_request *request = &self->request;
    struct tv_marshal_room room;
    unsigned param, stack;

    find_room(pal, &room, &param, &stack);
    enum tv_error error =
        tv_marshal_plan(&context->plan, &request->signature, &room, &request->faulty);
    if (error == TV_OK) {
        error = tv_view_take(tv, pal, context, &self->memory, &request->faulty);
    }
    if (error != TV_OK) {
        return error;
    }
    context->by_number = request->by_number;
    context->vector = request->vector;
    context->owner = self->memory.paging;
    remember(context, &context->param, room.param_start, param, 0);
    remember(context, &context->stack, room.stack_start + room.stack_bytes - PAGE_BYTES, stack,
             pal->section[stack].pages - 1);
    return TV_OK;
}

/* In a stopped world. */
static enum tv_error build(struct tv *tv, struct tv_cpu *self, const struct tv_pal **made)
{
    struct tv_request *request = &self->request;
    const struct tv_pal *pal;
    enum tv_error error = tv_registry_add(&tv->registry, &request->key, request->section,
                                          request->section_count, &pal);

    request->faulty = tv->registry.faulty;
    if (error != TV_OK) {
        return error;
    }
    struct tv_context *context = tv_context_of(tv, pal);
    CHECK(tv_state(context) == TV_FREE);
    *context = (struct tv_context){.state = TV_FREE, .pal = pal};
    error = tv_space_init(&context->space, tv->config.guest_map->pool,
                          &tv->config.guest_map->features, tv->config.phys_bits);
    if (error == TV_OK) {
        error = fill(tv, pal, context, self);
        if (error == TV_OK && !tv_view_leaves_tables(tv)) {
            tv_view_give_back(tv, pal, context);
            error = TV_ERROR_NO_MEMORY;
        }
        if (error != TV_OK) {
            tv_space_destroy(&context->space);
        }
    }
    if (error != TV_OK) {
        CHECK(tv_registry_remove(&tv->registry, &request->key) == TV_OK);
        return error;
    }
    if (tv->registry.count == 1) {
        world_guard(true);
    }
    tv_set_state(context, TV_BUILDING);
    *made = pal;
    return TV_OK;
}

static void measure_section(struct tv *tv, unsigned cpu, const struct tv_pal *pal, unsigned index)
{
    struct tv_context *context = tv_context_of(tv, pal);
    const struct tv_section *section = &pal->section[index];
    struct tv_cpu *self = &tv->cpu[cpu];
    struct tv_measure measure;

    tv_measure_begin(&measure);
    tv_measure_section_header(&measure, section->type, section->start, section->pages * PAGE_BYTES);
    for (uint64_t page = 0; page < section->pages; page++) {
        struct hpa from = section_page(context, index, page);
        for (uint64_t done = 0; done < PAGE_BYTES; done += sizeof(self->buffer)) {
            enum status status =
                hw_phys_read(hpa(from.v + done), self->buffer, sizeof(self->buffer));
            CHECK(status == STATUS_OK);
            tv_measure_add(&measure, self->buffer, sizeof(self->buffer));
        }
        world_poll(cpu);
    }
    tv_measure_extend(&measure, &context->pcrs.identity);
}

static void measure_description(struct tv_context *context, const struct tv_pal *pal)
{
    const struct tv_signature *signature = &context->plan.signature;
    struct tv_pal_parameter parameters[TV_PARAMS_MAX];

    for (unsigned i = 0; i < signature->count; i++) {
        const struct tv_param *param = &signature->param[i];
        parameters[i] = (struct tv_pal_parameter){param->type, param->direction, param->bytes};
    }
    tv_measure_description(&context->pcrs.identity, (uint32_t)signature->width,
                           context->vector ? TV_PAL_VECTOR : 0, pal->key.entry, signature->count,
                           parameters);
}

/* The pages are out of everybody's view by now: what is measured is what will run. */
static void measure(struct tv *tv, unsigned cpu, const struct tv_pal *pal)
{
    uint64_t start = hw_rdtsc();

    measure_description(tv_context_of(tv, pal), pal);
    for (unsigned i = 0; i < pal->section_count; i++) {
        measure_section(tv, cpu, pal, i);
    }
    account(&tv->measuring, start);
    struct tv_pcrs *pcrs = &tv_context_of(tv, pal)->pcrs;
    const struct tv_measurement identity = pcrs->identity;
    tv_pcrs_begin(pcrs, &identity);
}

static bool may_be_in_the_way(enum tv_error error)
{
    return error == TV_ERROR_PAL_OVERLAP || error == TV_ERROR_PAL_DUPLICATE ||
           error == TV_ERROR_TOO_MANY_PALS || error == TV_ERROR_NO_MEMORY ||
           error == TV_ERROR_PAGE_TAKEN;
}

enum tv_error tv_pal_make(struct tv *tv, unsigned cpu, const struct tv_pal **pal)
{
    struct tv_cpu *self = &tv->cpu[cpu];
    enum tv_error error;

    do {
        world_stop(cpu);
        error = build(tv, self, pal);
        world_resume(cpu);
    } while (may_be_in_the_way(error) && tv_pals_reap(tv, cpu));
    if (error != TV_OK) {
        return error;
    }
    measure(tv, cpu, *pal);
    return TV_OK;
}

void tv_pal_open(struct tv *tv, unsigned cpu, const struct tv_pal *pal)
{
    log_debug("CPU %u: PAL %u registered, entry %#llx, %u sections", cpu, pal->id,
              (unsigned long long)pal->key.entry, pal->section_count);
    (void)__atomic_fetch_add(&tv->registrations, 1, __ATOMIC_RELAXED);
    tv_set_state(tv_context_of(tv, pal), TV_IDLE);
}

/* The guest knew the rest, and the PAL could not change it. */
static void wipe_section(const struct tv_context *context, const struct tv_pal *pal, unsigned index,
                         const unsigned *poll)
{
    if (!tv_is_writable(pal->section[index].type)) {
        return;
    }
    for (uint64_t page = 0; page < pal->section[index].pages; page++) {
        enum status status = hw_phys_zero(section_page(context, index, page), PAGE_BYTES);
        CHECK(status == STATUS_OK);
        if (poll != NULL) {
            world_poll(*poll);
        }
    }
}

void tv_pal_wipe(struct tv *tv, unsigned cpu, const struct tv_pal *pal)
{
    uint64_t start = hw_rdtsc();

    for (unsigned i = 0; i < pal->section_count; i++) {
        wipe_section(tv_context_of(tv, pal), pal, i, &cpu);
    }
    account(&tv->wiping, start);
}

void tv_pal_wipe_stopped(const struct tv *tv, const struct tv_pal *pal)
{
    for (unsigned i = 0; i < pal->section_count; i++) {
        wipe_section(&tv->context[pal - tv->registry.pal], pal, i, NULL);
    }
}

void tv_pal_drop(struct tv *tv, unsigned cpu, const struct tv_pal *pal)
{
    struct tv_context *context = tv_context_of(tv, pal);
    uint32_t id = pal->id;

    world_stop(cpu);
    tv_view_give_back(tv, pal, context);
    tv_space_destroy(&context->space);
    CHECK(tv_registry_remove(&tv->registry, &pal->key) == TV_OK);
    if (tv->registry.count == 0) {
        world_guard(false);
    }
    tv_set_state(context, TV_FREE);
    world_resume(cpu);
    log_debug("CPU %u: PAL %u removed", cpu, id);
}

enum tv_error tv_pal_remove(struct tv *tv, unsigned cpu, const struct tv_pal *pal)
{
    struct tv_context *context = tv_context_of(tv, pal);

    if (!tv_take(context, TV_IDLE, TV_CHANGING) && !tv_take(context, TV_ENDED, TV_CHANGING)) {
        return TV_ERROR_PAL_BUSY;
    }
    tv_pal_wipe(tv, cpu, pal);
    tv_pal_drop(tv, cpu, pal);
    return TV_OK;
}

bool tv_pals_reap(struct tv *tv, unsigned cpu)
{
    bool any = false;

    for (unsigned slot = 0; slot < CONFIG_MAX_PALS; slot++) {
        const struct tv_pal *pal = &tv->registry.pal[slot];
        struct tv_context *context = &tv->context[slot];
        uint32_t state = tv_state(context);
        if ((state == TV_IDLE || state == TV_ENDED) &&
            !tv_view_is_mapped(tv, context, pal->key.entry, context->entry_page) &&
            tv_pal_remove(tv, cpu, pal) == TV_OK) {
            any = true;
        }
    }
    return any;
}

enum tv_error tv_pal_share(struct tv *tv, unsigned cpu, const struct tv_pal *pal, unsigned count)
{
    struct tv_context *context = tv_context_of(tv, pal);
    struct tv_cpu *self = &tv->cpu[cpu];
    uint64_t pages = 0;

    if (!tv_take(context, TV_IDLE, TV_CHANGING)) {
        return tv_state(context) == TV_ENDED ? TV_ERROR_PAL_ENDED : TV_ERROR_PAL_BUSY;
    }
    for (unsigned i = 0; i < context->share_count; i++) {
        pages += context->share[i].pages;
    }
    for (unsigned i = 0; i < count; i++) {
        pages += self->share[i].pages;
    }
    enum tv_error error = TV_ERROR_SHARE;
    if (context->share_count + count <= TV_SHARES_MAX && pages <= TV_SHARE_PAGES_MAX) {
        world_stop(cpu);
        error = tv_view_share(tv, pal, context, &self->memory, self->share, count);
        world_resume(cpu);
    }
    tv_set_state(context, TV_IDLE);
    return error;
}
