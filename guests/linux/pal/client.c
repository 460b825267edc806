#include "client.h"

#include <nacre/nacre.h>

#define FLAG_CF 1U
#define FLAG_DF 0x400U

static void add_section(struct pal *pal, enum tv_section_type type, const void *start,
                        unsigned pages)
{
    struct tv_pal_section *section = &pal->sections.sections[pal->sections.num_sections++];

    section->type = type;
    section->page_num = pages;
    section->start_addr = (uintptr_t)start;
}

void pal_make(struct pal *pal, const void *function, unsigned param_pages)
{
    const size_t code_bytes = (size_t)(__stop_pal_code - __start_pal_code);

    memset(pal, 0, sizeof(*pal));
    pal->code_pages = (unsigned)((code_bytes + PAGE - 1) / PAGE);
    pal->param_pages = param_pages;
    pal->pages = 1 + pal->code_pages + param_pages + PAL_STACK_PAGES;
    uint8_t *block = sys_pages(pal->pages);
    pal->data = (struct pal_data *)block;
    pal->code = block + PAGE;
    pal->param = pal->code + pal->code_pages * PAGE;
    pal->stack = pal->param + param_pages * PAGE;
    memcpy(pal->code, __start_pal_code, code_bytes);
    pal->entry = (uintptr_t)pal->code + ((uintptr_t)function - (uintptr_t)__start_pal_code);
    sys_protect(pal->code, pal->code_pages, PROT_READ | PROT_EXEC);
    sys_no_fork(block, pal->pages);
    add_section(pal, TV_SECTION_CODE, pal->code, pal->code_pages);
    add_section(pal, TV_SECTION_DATA, block, 1);
    add_section(pal, TV_SECTION_PARAM, pal->param, param_pages);
    add_section(pal, TV_SECTION_STACK, pal->stack, PAL_STACK_PAGES);
}

static void add_param(struct pal *pal, enum tv_param_type type, unsigned size)
{
    struct tv_pal_param *param = &pal->params.params[pal->params.num_params++];

    param->type = type;
    param->size = size;
}

void pal_add_integers(struct pal *pal, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        add_param(pal, TV_PARAM_INTEGER, 1);
    }
}

void pal_add_pointer(struct pal *pal, unsigned words)
{
    add_param(pal, TV_PARAM_POINTER, words);
}

void pal_free(struct pal *pal)
{
    sys_unmap(pal->data, pal->pages);
}

enum tv_error hypercall(uint32_t number, uintptr_t cx, uintptr_t dx, uintptr_t si, uintptr_t di)
{
    const struct nacre_arguments arguments = {cx, dx, si, di};

    return nacre_call(number, &arguments);
}

enum tv_error pal_reg(const struct pal *pal)
{
    return hypercall(TV_REG, (uintptr_t)&pal->sections, 0, (uintptr_t)&pal->params, pal->entry);
}

enum tv_error pal_unreg(const struct pal *pal)
{
    return hypercall(TV_UNREG, pal->entry, 0, 0, 0);
}

void pal_must_reg(const struct pal *pal)
{
    check_error(pal_reg(pal), TV_OK, "reg");
}

void pal_must_unreg(const struct pal *pal)
{
    check_error(pal_unreg(pal), TV_OK, "unreg");
}

static bool is_zero(const void *start, unsigned pages)
{
    const uintptr_t *words = start;

    for (unsigned i = 0; i < pages * PAGE / sizeof(*words); i++) {
        if (words[i] != 0) {
            return false;
        }
    }
    return true;
}

void pal_check_wiped(const struct pal *pal)
{
    check(is_zero(pal->data, 1), "data-not-wiped", 0);
    check(is_zero(pal->param, pal->param_pages), "param-not-wiped", 0);
    check(is_zero(pal->stack, PAL_STACK_PAGES), "stack-not-wiped", 0);
}

void pal_end(struct pal *pal)
{
    pal_must_unreg(pal);
    pal_check_wiped(pal);
    pal_free(pal);
}

void pal_call(const struct pal *pal, struct pal_frame *frame, unsigned count,
              const uintptr_t *arguments)
{
    memset(frame, 0, sizeof(*frame));
    frame->entry = pal->entry;
    frame->count = count;
    for (unsigned i = 0; i < count; i++) {
        frame->argument[i] = arguments[i];
    }
    pal_frame_call(frame);
}

uintptr_t pal_value(const struct pal *pal, unsigned count, const uintptr_t *arguments)
{
    struct pal_frame frame;

    pal_call(pal, &frame, count, arguments);
    if ((frame.flags & FLAG_CF) != 0) {
        check_error((enum tv_error)frame.result, TV_OK, "call");
    }
    check((frame.flags & (FLAG_CF | FLAG_DF)) == 0, "flags", frame.flags);
    check(frame.damage == 0, "callee-saved", frame.damage);
    return frame.result;
}

uintptr_t pal_value1(const struct pal *pal, uintptr_t a)
{
    return pal_value(pal, 1, &a);
}

uintptr_t pal_value2(const struct pal *pal, uintptr_t a, uintptr_t b)
{
    const uintptr_t arguments[] = {a, b};

    return pal_value(pal, 2, arguments);
}

enum tv_error pal_failure(const struct pal *pal, unsigned count, const uintptr_t *arguments)
{
    struct pal_frame frame;

    pal_call(pal, &frame, count, arguments);
    check((frame.flags & FLAG_CF) != 0, "call-did-not-fail", frame.result);
    check(frame.result != TV_OK && frame.result < TV_ERROR_COUNT, "undocumented", frame.result);
    check(frame.damage == 0, "callee-saved", frame.damage);
    return (enum tv_error)frame.result;
}

enum tv_error pal_failure2(const struct pal *pal, uintptr_t a, uintptr_t b)
{
    const uintptr_t arguments[] = {a, b};

    return pal_failure(pal, 2, arguments);
}

uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

uintptr_t random_word(uint32_t *state)
{
    uint64_t low = random_next(state);

    return (uintptr_t)(((uint64_t)random_next(state) << 32) | low);
}
