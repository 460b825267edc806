#include "client_new.h"

void new_add_section(struct new_pal *pal, enum tv_section_type type, const void *start,
                     unsigned pages)
{
    pal->sections[pal->request.section_count++] =
        (struct tv_pal_section){type, pages, (uintptr_t)start};
}

void new_make(struct new_pal *pal, const void *function, unsigned param_pages, uint32_t flags)
{
    memset(pal, 0, sizeof(*pal));
    pal_make(&pal->base, function, param_pages);
    pal->request.version = TV_PAL_VERSION;
    pal->request.flags = flags;
    pal->request.entry = pal->base.entry;
    pal->request.sections = (uintptr_t)pal->sections;
    pal->request.parameters = (uintptr_t)pal->parameters;
    for (unsigned i = 0; i < pal->base.sections.num_sections; i++) {
        pal->sections[pal->request.section_count++] = pal->base.sections.sections[i];
    }
}

void new_add_integers(struct new_pal *pal, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pal->parameters[pal->request.parameter_count++] =
            (struct tv_pal_parameter){TV_PARAM_INTEGER, 0, 0};
    }
}

void new_add_pointer(struct new_pal *pal, enum tv_direction direction, uint64_t bytes)
{
    pal->parameters[pal->request.parameter_count++] =
        (struct tv_pal_parameter){TV_PARAM_POINTER, direction, bytes};
}

enum tv_error new_register(struct new_pal *pal)
{
    enum tv_error error = hypercall(TV_PAL_REGISTER, (uintptr_t)&pal->request, 0, 0, 0);

    if (error != TV_OK) {
        check_equal(pal->request.id, TV_CPUID_NO_PAL, "id-after-error");
    }
    return error;
}

void new_must_register(struct new_pal *pal)
{
    check_error(new_register(pal), TV_OK, "register");
    check(pal->request.id != TV_CPUID_NO_PAL, "register-id", pal->request.id);
}

enum tv_error new_unregister(const struct new_pal *pal)
{
    return hypercall(TV_PAL_UNREGISTER, pal->request.id, 0, 0, 0);
}

void new_end(struct new_pal *pal)
{
    check_error(new_unregister(pal), TV_OK, "unregister");
    pal_check_wiped(&pal->base);
    pal_free(&pal->base);
}

struct tv_pal_call new_call(const struct new_pal *pal, unsigned count, const uint64_t *arguments)
{
    struct tv_pal_call call = {.id = pal->request.id,
                               .argument_count = count,
                               .arguments = (uintptr_t)arguments,
                               .result = 0x0123456789abcdefULL,
                               .error = 0xeeeeeeee,
                               .vector = 0xeeeeeeee};
    const enum tv_error error = hypercall(TV_PAL_CALL, (uintptr_t)&call, 0, 0, 0);

    check_equal(call.error, (unsigned)error, "error-in-structure");
    if (error != TV_OK) {
        check_equal(call.result, 0, "result-after-error");
    }
    return call;
}

uint64_t new_value(const struct new_pal *pal, unsigned count, const uint64_t *arguments)
{
    const struct tv_pal_call call = new_call(pal, count, arguments);

    check_error((enum tv_error)call.error, TV_OK, "new-call");
    return call.result;
}
