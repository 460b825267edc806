/* Refused because of the pages behind the addresses, and of where the structures lie (REQ-PAL-3).
 */
#include "errors.h"

/* Adds a section to the good PAL, which must be refused with it and good without it. */
static void with_section(enum tv_section_type type, const void *start, enum tv_error want,
                         const char *what)
{
    struct pal pal;

    errors_make(&pal);
    pal.sections.sections[pal.sections.num_sections++] =
        (struct tv_pal_section){type, 1, (uintptr_t)start};
    errors_refused(&pal, want, what);
    pal.sections.num_sections--;
    errors_still_good(&pal);
}

static void execute_at(void *address)
{
    ((void (*)(void))(uintptr_t)address)();
}

static void check_rights(void)
{
    uint8_t *pages = sys_pages(3), *page = pages + PAGE; /* a hole that no PAL's pages fit into */

    *page = 0xc3; /* RET: 32-bit kernels let data be executed, and then CODE may lie there */
    if (signal_of(execute_at, page) == SIGSEGV) {
        with_section(TV_SECTION_CODE, page, TV_ERROR_PAGE_RIGHTS, "code-not-executable");
        with_section(TV_SECTION_SHARED_CODE, page, TV_ERROR_PAGE_RIGHTS, "shared-not-executable");
    } else {
        say("kernel-without-nx", NULL, 0);
    }
    *page = 42;
    sys_protect(page, 1, PROT_READ);
    with_section(TV_SECTION_DATA, page, TV_ERROR_PAGE_RIGHTS, "read-only-data");
    with_section(TV_SECTION_STACK, page, TV_ERROR_PAGE_RIGHTS, "read-only-stack");
    sys_protect(page, 1, PROT_READ | PROT_EXEC);
    with_section(TV_SECTION_PARAM, page, TV_ERROR_PAGE_RIGHTS, "executable-param");
    check_equal(*page, 42, "page-changed");
    sys_protect(page, 1, PROT_NONE);
    with_section(TV_SECTION_DATA, page, TV_ERROR_PAGE_ABSENT, "no-access");
    sys_unmap(page, 1);
    with_section(TV_SECTION_DATA, page, TV_ERROR_PAGE_ABSENT, "unmapped");
    sys_unmap(pages, 1);
    sys_unmap(pages + 2 * PAGE, 1);
    page = sys_reserve(1);
    with_section(TV_SECTION_DATA, page, TV_ERROR_PAGE_ABSENT, "never-touched");
    sys_unmap(page, 1);
}

/* Two addresses of one page of memory. */
static void check_aliases(void)
{
    const int file = sys_memory_file(1);
    uint8_t *one = sys_map_file(file, 1), *other = sys_map_file(file, 1);
    struct pal pal;

    *one = 99;
    errors_make(&pal);
    for (unsigned i = 0; i < 2; i++) {
        pal.sections.sections[pal.sections.num_sections++] =
            (struct tv_pal_section){TV_SECTION_DATA, 1, (uintptr_t)(i == 0 ? one : other)};
    }
    errors_refused(&pal, TV_ERROR_PAGE_TAKEN, "page-twice");
    check_equal(*other, 99, "page-changed");
    pal.sections.num_sections--;
    pal_must_reg(&pal);
    with_section(TV_SECTION_DATA, other, TV_ERROR_PAGE_TAKEN, "alias-of-another-pal");
    pal_must_unreg(&pal);
    check_equal(*one, 0, "alias-wiped");
    pal_free(&pal);
    sys_unmap(one, 1);
    sys_unmap(other, 1);
    sys_close(file);
}

/* A PAL that is there: its entry and its sections are taken. */
static void check_taken(void)
{
    struct pal pal;

    errors_make(&pal);
    pal_must_reg(&pal);
    check_error(pal_reg(&pal), TV_ERROR_PAL_DUPLICATE, "twice");
    with_section(TV_SECTION_DATA, pal.data, TV_ERROR_PAL_OVERLAP, "data-of-another-pal");
    with_section(TV_SECTION_DATA, pal.stack, TV_ERROR_PAL_OVERLAP, "stack-of-another-pal");
    with_section(TV_SECTION_SHARED_CODE, pal.code, TV_ERROR_PAL_OVERLAP, "code-of-another-pal");
    (void)pal_value2(&pal, 1, 5);
    check_equal(pal_value2(&pal, 0, 0), 5, "still-there");
    pal_end(&pal);
}

/* The kernel's half where it is part of a 32-bit address: which error depends on the kernel. */
static void check_kernel_32bit(void)
{
    struct pal pal;

    errors_make(&pal);
    pal.sections.sections[pal.sections.num_sections++] =
        (struct tv_pal_section){TV_SECTION_DATA, 1, 0xc1000000};
    const enum tv_error error = pal_reg(&pal);
    check(error == TV_ERROR_PAGE_RIGHTS || error == TV_ERROR_PAGE_ABSENT, "kernel-page",
          (unsigned)error);
    pal.sections.num_sections--;
    errors_still_good(&pal);
}

void errors_of_pages(void)
{
    check_rights();
    check_aliases();
    check_taken();
    if (WIDTH == 32) {
        check_kernel_32bit();
    }
}

/* Structures may end where memory does: what is beyond num_ is not read. */
static void check_ends(const struct pal *pal)
{
    const size_t sections = 8 + pal->sections.num_sections * sizeof(struct tv_pal_section);
    const size_t params = 8 + pal->params.num_params * sizeof(struct tv_pal_param);
    uint8_t *pages = sys_pages(4); /* the second and the fourth go */

    sys_unmap(pages + PAGE, 1);
    sys_unmap(pages + 3 * PAGE, 1);
    uint8_t *sections_at = pages + PAGE - sections, *params_at = pages + 3 * PAGE - params;
    memcpy(sections_at, &pal->sections, sections);
    memcpy(params_at, &pal->params, params);
    const uintptr_t cx = (uintptr_t)sections_at, si = (uintptr_t)params_at;
    check_error(hypercall(TV_REG, cx, 0, si, pal->entry), TV_OK, "ends-with-memory");
    (void)pal_value2(pal, 1, 5);
    check_equal(pal_value2(pal, 1, 6), 5, "ends-with-memory-call");
    pal_must_unreg(pal);
    sys_protect(pages, 1, PROT_READ);
    check_error(hypercall(TV_REG, cx, 0, si, pal->entry), TV_OK, "read-only-structure");
    pal_must_unreg(pal);
    sys_protect(pages, 1, PROT_READ | PROT_WRITE);
    ((struct tv_pal_sections *)sections_at)->num_sections++;
    check_error(hypercall(TV_REG, cx, 0, si, pal->entry), TV_ERROR_ADDRESS, "sections-cut");
    ((struct tv_pal_sections *)sections_at)->num_sections--;
    ((struct tv_pal_params *)params_at)->num_params++;
    check_error(hypercall(TV_REG, cx, 0, si, pal->entry), TV_ERROR_ADDRESS, "params-cut");
    sys_unmap(pages, 1);
    sys_unmap(pages + 2 * PAGE, 1);
}

static void check_share(const struct pal *pal)
{
    uint8_t *page = sys_pages(1);
    uintptr_t address = (uintptr_t)page;
    uint64_t length = PAGE;
    const uintptr_t dx = (uintptr_t)&address, si = (uintptr_t)&length;

    check_error(hypercall(TV_SHARE, pal->entry, dx, si, 1), TV_ERROR_NO_SUCH_PAL, "share-no-pal");
    pal_must_reg(pal);
    check_error(hypercall(TV_SHARE, pal->entry, dx, si, 0), TV_ERROR_SHARE, "share-nothing");
    check_error(hypercall(TV_SHARE, pal->entry, dx, si, ~(uintptr_t)0), TV_ERROR_SHARE,
                "share-all-ones");
    check_error(hypercall(TV_SHARE, pal->entry, 8, si, 1), TV_ERROR_ADDRESS, "share-addresses");
    check_error(hypercall(TV_SHARE, pal->entry, dx, 8, 1), TV_ERROR_ADDRESS, "share-lengths");
    length = 0;
    check_error(hypercall(TV_SHARE, pal->entry, dx, si, 1), TV_ERROR_SHARE, "share-empty");
    length = PAGE;
    address++;
    check_error(hypercall(TV_SHARE, pal->entry, dx, si, 1), TV_ERROR_SHARE, "share-unaligned");
    pal_must_unreg(pal);
    sys_unmap(page, 1);
}

void errors_of_addresses(void)
{
    static const uintptr_t nowhere[] = {0, 8, (uintptr_t)-1, (uintptr_t)-4096,
                                        ~(uintptr_t)0 << (sizeof(uintptr_t) * 8 - 1)};
    struct pal pal;

    errors_make(&pal);
    for (unsigned i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        check_round(i);
        check_error(hypercall(TV_REG, nowhere[i], 0, (uintptr_t)&pal.params, pal.entry),
                    TV_ERROR_ADDRESS, "sections-nowhere");
        check_error(hypercall(TV_REG, (uintptr_t)&pal.sections, 0, nowhere[i], pal.entry),
                    TV_ERROR_ADDRESS, "params-nowhere");
    }
    check_round(0);
    check_ends(&pal);
    check_share(&pal);
    pal_free(&pal);
}
