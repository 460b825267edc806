/* Registrations that must be refused, each with its own error and nothing changed (REQ-PAL-3). */
#include "errors.h"

#include "client.h"
#include "commands.h"

#define MARK ((uintptr_t)0x3a21)

/* A PAL with one integer that would be all right. */
void errors_make(struct pal *pal)
{
    pal_make(pal, pal_secret, 1);
    pal_add_integers(pal, 2);
    pal->data->secret = MARK;
}

static void check_unchanged(const struct pal *pal)
{
    check_equal(pal->data->secret, MARK, "data-changed");
    check_equal(pal->code[0], __start_pal_code[0], "code-changed");
    *(volatile uint8_t *)pal->param = 1;
    *(volatile uint8_t *)pal->stack = 1;
    check_error(pal_unreg(pal), TV_ERROR_NO_SUCH_PAL, "unreg-of-refused");
}

void errors_refused(const struct pal *pal, enum tv_error want, const char *what)
{
    check_error(pal_reg(pal), want, what);
    check_unchanged(pal);
}

/* The PAL is still good: registers, works, goes. Gives the pages back. */
void errors_still_good(struct pal *pal)
{
    pal_must_reg(pal);
    check_equal(pal_value2(pal, 0, 0), MARK, "good-after");
    pal_end(pal);
}

enum { CODE, DATA, PARAM, STACK }; /* as client.c puts them */

/* Refuses the good PAL with one field of one section changed. */
static void spoiled(unsigned index, struct tv_pal_section section, enum tv_error want,
                    const char *what)
{
    struct pal pal;

    errors_make(&pal);
    const struct tv_pal_section good = pal.sections.sections[index];
    struct tv_pal_section *spoiled = &pal.sections.sections[index];
    spoiled->type = section.type != 0 ? section.type : good.type;
    spoiled->page_num = section.page_num != 0 ? section.page_num : good.page_num;
    spoiled->start_addr = section.start_addr != 0 ? section.start_addr : good.start_addr;
    errors_refused(&pal, want, what);
    *spoiled = good;
    errors_still_good(&pal);
}

static void check_fields(void)
{
    static const struct {
        struct tv_pal_section section;
        enum tv_error want;
        const char *what;
    } cases[] = {
        {{6, 0, 0}, TV_ERROR_SECTION_TYPE, "type-6"},
        {{~0U, 0, 0}, TV_ERROR_SECTION_TYPE, "type-all-ones"},
        {{0, 0, 0x10000001}, TV_ERROR_SECTION_ALIGN, "unaligned-by-1"},
        {{0, 0, 0x10000800}, TV_ERROR_SECTION_ALIGN, "unaligned-by-2048"},
        {{0, 16385, 0}, TV_ERROR_SECTION_HUGE, "huge"},
        {{0, ~0U, 0}, TV_ERROR_SECTION_HUGE, "huge-all-ones"},
        {{0, 16384, 0x10000000}, TV_ERROR_SECTION_HUGE, "huge-together"},
        {{0, 2, ~0xfffULL}, TV_ERROR_SECTION_RANGE, "wraps"},
        {{0, 0, ~0xfffULL}, TV_ERROR_SECTION_RANGE, "last-page"},
        {{0, 0, 1ULL << 63}, TV_ERROR_SECTION_RANGE, "not-canonical"},
#ifdef __x86_64__
        {{0, 2, (1ULL << 56) - PAGE}, TV_ERROR_SECTION_RANGE, "leaves-user-half"},
        {{0, 0, 0xffff888000100000}, TV_ERROR_SECTION_RANGE, "kernel"},
#else
        {{0, 2, (1ULL << 32) - PAGE}, TV_ERROR_SECTION_RANGE, "leaves-user-half"},
        {{0, 0, 1ULL << 32}, TV_ERROR_SECTION_RANGE, "above-4-gib"},
#endif
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        spoiled(DATA, cases[i].section, cases[i].want, cases[i].what);
        spoiled(STACK, cases[i].section, cases[i].want, cases[i].what);
    }
}

/* What a good PAL must have, and how many sections. */
static void check_composition(void)
{
    struct pal pal;

    errors_make(&pal);
    const struct pal good = pal;
    pal.sections.num_sections = 0;
    errors_refused(&pal, TV_ERROR_NO_SECTIONS, "no-sections");
    pal.sections.num_sections = TV_SECTIONS_MAX + 1;
    errors_refused(&pal, TV_ERROR_SECTION_COUNT, "eleven-sections");
    pal.sections.num_sections = ~0U;
    errors_refused(&pal, TV_ERROR_SECTION_COUNT, "sections-all-ones");
    pal = good;
    pal.sections.sections[DATA].type = 0;
    errors_refused(&pal, TV_ERROR_SECTION_TYPE, "type-0");
    pal = good;
    pal.sections.sections[DATA].page_num = 0;
    errors_refused(&pal, TV_ERROR_SECTION_EMPTY, "empty");
    pal = good;
    pal.sections.sections[DATA].start_addr = (uintptr_t)pal.code;
    errors_refused(&pal, TV_ERROR_SECTION_OVERLAP, "overlap-code");
    pal.sections.sections[DATA].start_addr = (uintptr_t)pal.data;
    pal.sections.sections[DATA].page_num = 2;
    errors_refused(&pal, TV_ERROR_SECTION_OVERLAP, "overlap-by-a-page");
    pal = good;
    pal.sections.sections[PARAM].type = TV_SECTION_DATA;
    errors_refused(&pal, TV_ERROR_NO_PARAM_SECTION, "no-param");
    pal = good;
    pal.sections.sections[STACK].type = TV_SECTION_DATA;
    errors_refused(&pal, TV_ERROR_NO_STACK_SECTION, "no-stack");
    pal = good;
    const uintptr_t entries[] = {0,
                                 (uintptr_t)pal.data,
                                 (uintptr_t)pal.code - 1,
                                 (uintptr_t)pal.param,
                                 (uintptr_t)errors_make,
                                 (uintptr_t)-1};
    for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        check_round(i);
        pal.entry = entries[i];
        errors_refused(&pal, TV_ERROR_PAL_ENTRY, "entry");
    }
    check_round(0);
    pal = good;
    errors_still_good(&pal);
}

static void check_parameters(void)
{
    static const struct {
        uint32_t count, type;
        uint64_t size;
        enum tv_error want;
        const char *what;
    } cases[] = {
        {11, TV_PARAM_INTEGER, 0, TV_ERROR_PARAM_COUNT, "eleven-parameters"},
        {~0U, TV_PARAM_INTEGER, 0, TV_ERROR_PARAM_COUNT, "parameters-all-ones"},
        {2, 0, 0, TV_ERROR_PARAM_TYPE, "parameter-type-0"},
        {2, 3, 0, TV_ERROR_PARAM_TYPE, "parameter-type-3"},
        {2, ~0U, 0, TV_ERROR_PARAM_TYPE, "parameter-type-all-ones"},
        {2, TV_PARAM_POINTER, PAGE, TV_ERROR_PARAM_SIZE, "parameter-too-large"},
        {2, TV_PARAM_POINTER, 1ULL << 61, TV_ERROR_PARAM_SIZE, "parameter-wraps-64"},
        {2, TV_PARAM_POINTER, 1ULL << 62, TV_ERROR_PARAM_SIZE, "parameter-wraps-32"},
        {2, TV_PARAM_POINTER, ~0ULL, TV_ERROR_PARAM_SIZE, "parameter-all-ones"},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pal pal;
        errors_make(&pal);
        const struct tv_pal_params good = pal.params;
        pal.params.num_params = cases[i].count;
        pal.params.params[1].type = cases[i].type;
        pal.params.params[1].size = cases[i].size;
        errors_refused(&pal, cases[i].want, cases[i].what);
        pal.params = good;
        errors_still_good(&pal);
    }
}

/* Numbers that are no calls, and calls about what is not there. */
static void check_calls(void)
{
    static const uint32_t unknown[] = {0, 14, 20, 24, 254, 0x1ff, 0xffffffff};
    struct pal pal;

    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        check_round(unknown[i]);
        check_error(hypercall(unknown[i], 0, 0, 0, 0), TV_ERROR_UNKNOWN_NUMBER, "unknown");
    }
    check_round(0);
    check_error(hypercall(TV_UNREG, 0, 0, 0, 0), TV_ERROR_NO_SUCH_PAL, "unreg-0");
    check_error(hypercall(TV_UNREG, ~(uintptr_t)0, 0, 0, 0), TV_ERROR_NO_SUCH_PAL, "unreg-ones");
    pal_make(&pal, pal_hypercall, 1);
    pal_add_integers(&pal, 2);
    pal_must_reg(&pal);
    check_equal(pal_value2(&pal, TV_TEST, 7), TV_OK, "test-inside");
    check_equal(pal_value2(&pal, 14, 0), TV_ERROR_UNKNOWN_NUMBER, "unknown-inside");
    check_equal(pal_value2(&pal, TV_REG, (uintptr_t)&pal.sections), TV_ERROR_INSIDE_PAL,
                "reg-inside");
    check_equal(pal_value2(&pal, TV_UNREG, pal.entry), TV_ERROR_INSIDE_PAL, "unreg-inside");
    check_equal(pal_value2(&pal, TV_SHARE, pal.entry), TV_ERROR_INSIDE_PAL, "share-inside");
    pal_end(&pal);
}

void command_errors(int count, char *const arguments[])
{
    (void)count;
    (void)arguments;
    check_fields();
    check_composition();
    check_parameters();
    check_calls();
    errors_of_pages();
    errors_of_addresses();
}
