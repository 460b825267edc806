/* Nacre's own interface, numbers from 0x100 up. */
#include "client_new.h"
#include "commands.h"

#define BYTES 1001U /* no multiple of anything */
#define FENCE 0xf5U

static void check_integers(void)
{
    const uint64_t arguments[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
    uint64_t want = 0;
    struct new_pal pal;

    new_make(&pal, pal_zero, 1, 0);
    new_must_register(&pal);
    check_equal(new_value(&pal, 0, NULL), PAL_ZERO, "no-parameters");
    check_equal(new_value(&pal, 0, arguments), PAL_ZERO, "no-parameters");
    check_equal(new_call(&pal, 1, arguments).error, TV_ERROR_PARAM_COUNT, "too-many-arguments");
    new_end(&pal);
    new_make(&pal, pal_weighted, 1, 0);
    new_add_integers(&pal, 10);
    new_must_register(&pal);
    for (unsigned i = 0; i < 10; i++) {
        want += arguments[i] * (i + 1);
    }
    check_equal(new_value(&pal, 10, arguments), want, "ten-integers");
    check_equal(new_call(&pal, 9, arguments).error, TV_ERROR_PARAM_COUNT, "too-few-arguments");
    check_equal(new_call(&pal, ~0U, arguments).error, TV_ERROR_PARAM_COUNT, "arguments-all-ones");
    check_equal(new_value(&pal, 10, arguments), want, "good-after");
    new_end(&pal);
    check_equal(new_call(&pal, 10, arguments).error, TV_ERROR_NO_SUCH_PAL, "unregistered");
    check_error(new_unregister(&pal), TV_ERROR_NO_SUCH_PAL, "unregister-twice");
}

static uint8_t in[BYTES + 2], out[BYTES + 2];

/* pal_checksum with so many bytes of both, in these directions. */
static uint64_t checksum(enum tv_direction first, enum tv_direction second)
{
    const uint64_t arguments[] = {(uintptr_t)in + 1, (uintptr_t)out + 1, BYTES};
    struct new_pal pal;

    new_make(&pal, pal_checksum, 1, 0);
    new_add_pointer(&pal, first, BYTES);
    new_add_pointer(&pal, second, BYTES);
    new_add_integers(&pal, 1);
    new_must_register(&pal);
    uint64_t result = new_value(&pal, 3, arguments);
    new_end(&pal);
    check(out[0] == FENCE && out[BYTES + 1] == FENCE, "fences", out[0]);
    return result;
}

/* In goes in, out comes out, and neither the other way. */
static void check_directions(void)
{
    uintptr_t want = BYTES, want_empty = BYTES;

    for (unsigned i = 0; i < BYTES + 2; i++) {
        in[i] = (uint8_t)(i * 7);
        out[i] = FENCE;
    }
    for (unsigned i = 1; i <= BYTES; i++) {
        want = want * 31 + in[i];
        want_empty *= 31;
    }
    check_equal(checksum(TV_IN, TV_OUT), want, "checksum");
    for (unsigned i = 1; i <= BYTES; i++) {
        if (out[i] != 0xffU - in[i]) {
            check_equal(out[i], 0xffU - in[i], "out-bytes");
        }
    }
    check_equal(checksum(TV_IN_OUT, TV_IN_OUT), want, "in-out");
    check_equal(in[1], 7, "in-out-comes-back");
    check_equal(out[1], 0xffU - 7, "in-out-comes-back");
    /* An out parameter is empty when the PAL sees it; an in parameter does not come back. */
    out[1] = 99;
    check_equal(checksum(TV_OUT, TV_IN), want_empty, "out-is-empty");
    check_equal(in[1], 0, "out-was-not-written");
    check_equal(out[1], 99, "in-came-back");
}

/* An in parameter may be read-only; an out parameter not. */
static void check_read_only(void)
{
    uint8_t *page = sys_pages(1), other[8] = {0};
    const uint64_t good[] = {(uintptr_t)page, (uintptr_t)other, 8};
    const uint64_t bad[] = {(uintptr_t)other, (uintptr_t)page, 8};
    struct new_pal pal;

    sys_protect(page, 1, PROT_READ);
    new_make(&pal, pal_checksum, 1, 0);
    new_add_pointer(&pal, TV_IN, 8);
    new_add_pointer(&pal, TV_OUT, 8);
    new_add_integers(&pal, 1);
    new_must_register(&pal);
    (void)new_value(&pal, 3, good);
    check_equal(other[0], 0xff, "read-only-in");
    check_equal(new_call(&pal, 3, bad).error, TV_ERROR_ADDRESS, "read-only-out");
    (void)new_value(&pal, 3, good);
    new_end(&pal);
    sys_unmap(page, 1);
}

/* 32 sections are allowed, 33 are not. */
static void check_sections(void)
{
    const unsigned more = TV_PAL_SECTIONS_MAX - 4;
    uint8_t *pages = sys_pages(more + 1);
    const uint64_t argument = 6;
    struct new_pal pal;

    new_make(&pal, pal_add_one, 1, 0);
    new_add_integers(&pal, 1);
    for (unsigned i = 0; i <= more; i++) {
        new_add_section(&pal, TV_SECTION_DATA, pages + i * PAGE, 1);
        pages[i * PAGE] = 1;
    }
    check_error(new_register(&pal), TV_ERROR_SECTION_COUNT, "33-sections");
    pal.request.section_count--;
    new_must_register(&pal);
    check_equal(new_value(&pal, 1, &argument), 7, "32-sections");
    new_end(&pal);
    check_equal(pages[0], 0, "section-wiped");
    check_equal(pages[more * PAGE], 1, "no-section-wiped");
    sys_unmap(pages, more + 1);
}

static void check_refusals(void)
{
    struct new_pal pal;

    new_make(&pal, pal_add_one, 1, 0);
    new_add_integers(&pal, 1);
    const struct new_pal good = pal;
    pal.request.version = TV_PAL_VERSION + 1;
    check_error(new_register(&pal), TV_ERROR_VERSION, "version");
    pal.request.version = 0;
    check_error(new_register(&pal), TV_ERROR_VERSION, "version-0");
    pal.request = good.request;
    pal.request.flags = 1U << 31;
    check_error(new_register(&pal), TV_ERROR_FLAGS, "flags");
    pal.request = good.request;
    pal.request.parameter_count = TV_PARAMS_MAX + 1;
    check_error(new_register(&pal), TV_ERROR_PARAM_COUNT, "parameter-count");
    pal.request = good.request;
    pal.parameters[0] = (struct tv_pal_parameter){TV_PARAM_POINTER, 4, 8};
    check_error(new_register(&pal), TV_ERROR_PARAM_TYPE, "direction-4");
    pal.parameters[0] = (struct tv_pal_parameter){TV_PARAM_POINTER, TV_IN, ~0ULL};
    check_error(new_register(&pal), TV_ERROR_PARAM_SIZE, "parameter-wraps");
    pal.parameters[0] = (struct tv_pal_parameter){TV_PARAM_POINTER, TV_IN, PAGE};
    check_error(new_register(&pal), TV_ERROR_PARAM_SIZE, "parameter-too-large");
    pal.parameters[0] = good.parameters[0];
    pal.sections[3].page_num = 0;
    check_error(new_register(&pal), TV_ERROR_SECTION_EMPTY, "empty");
    check_equal(pal.request.faulty, 3, "faulty-section");
    pal.sections[3] = good.sections[3];
    pal.request.sections = 8;
    check_error(new_register(&pal), TV_ERROR_ADDRESS, "sections-nowhere");
    pal.request = good.request;
    check_error(hypercall(TV_PAL_REGISTER, 8, 0, 0, 0), TV_ERROR_ADDRESS, "request-nowhere");
    check_error(hypercall(TV_PAL_CALL, 8, 0, 0, 0), TV_ERROR_ADDRESS, "call-nowhere");
    new_must_register(&pal);
    new_end(&pal);
}

void command_new(int count, char *const arguments[])
{
    (void)count;
    (void)arguments;
    check_integers();
    check_directions();
    check_read_only();
    check_sections();
    check_refusals();
    new_identity();
    new_services();
}
