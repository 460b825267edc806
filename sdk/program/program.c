/* The PAL of this program: its pages, and who is told of them. */
#include <nacre/program.h>

#include "simulation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { NONE, CHANGING, READY };

struct pal {
    int state; /* atomic: NONE -> CHANGING -> READY -> CHANGING -> NONE */
    int calls; /* atomic: threads in pal_call() */
    bool simulated;
    const struct pal_description *description;
    uint8_t *original; /* CODE and DATA as the program file has them */
    uint8_t *param;    /* PARAM, then STACK */
    uint32_t id, vector;
    uint8_t measurement[32];
};

static struct pal only;

static uintptr_t code_of(const struct pal_description *description)
{
    return (uintptr_t)description->code_start.value;
}

static size_t code_bytes(const struct pal_description *description)
{
    return (size_t)(description->code_end.value - description->code_start.value);
}

static size_t data_bytes(const struct pal_description *description)
{
    return (size_t)(description->data_end.value - description->data_start.value);
}

static size_t room_bytes(const struct pal_description *description)
{
    return ((size_t)description->param_pages + description->stack_pages) * PAL_PAGE_BYTES;
}

/* Pages that stay where they are: locked, in no child, no part of a larger page. */
static void *make_pages(void *at, size_t bytes)
{
    int fixed = at != NULL ? MAP_FIXED : 0;
    void *pages =
        mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);

    if (pages == MAP_FAILED) {
        return NULL;
    }
    (void)madvise(pages, bytes, MADV_NOHUGEPAGE); /* an error: the kernel has no such pages */
    if (madvise(pages, bytes, MADV_DONTFORK) != 0 || mlock(pages, bytes) != 0) {
        int error = errno;
        if (at == NULL) {
            (void)munmap(pages, bytes);
        }
        errno = error;
        return NULL;
    }
    memset(pages, 0, bytes); /* each is there now */
    return pages;
}

/* The pages that the program file filled are the page cache's: the PAL gets a copy instead. */
static bool make_image(struct pal *pal)
{
    const struct pal_description *description = pal->description;
    size_t code = code_bytes(description), all = code + data_bytes(description);
    void *start = (void *)code_of(description);

    if (pal->original == NULL) {
        pal->original = malloc(all);
        if (pal->original == NULL) {
            return false;
        }
        memcpy(pal->original, start, all);
    }
    if (make_pages(start, all) == NULL) {
        return false;
    }
    memcpy(start, pal->original, all);
    return mprotect(start, code, PROT_READ | PROT_EXEC) == 0;
}

static enum tv_error make_real(struct pal *pal)
{
    const struct pal_description *description = pal->description;
    uintptr_t stack = (uintptr_t)pal->param + description->param_pages * PAL_PAGE_BYTES;
    const struct tv_pal_section sections[] = {
        {TV_SECTION_CODE, (uint32_t)(code_bytes(description) / PAL_PAGE_BYTES),
         description->code_start.value},
        {TV_SECTION_DATA, (uint32_t)(data_bytes(description) / PAL_PAGE_BYTES),
         description->data_start.value},
        {TV_SECTION_PARAM, description->param_pages, (uintptr_t)pal->param},
        {TV_SECTION_STACK, description->stack_pages, stack},
    };
    struct tv_pal_register request = {
        .version = TV_PAL_VERSION,
        .flags = description->flags,
        .entry = description->entry.value,
        .section_count = sizeof(sections) / sizeof(sections[0]),
        .parameter_count = description->parameter_count,
        .sections = (uintptr_t)sections,
        .parameters = (uintptr_t)description->parameter,
    };
    const struct nacre_arguments arguments = {.cx = (uintptr_t)&request};
    enum tv_error error = nacre_call(TV_PAL_REGISTER, &arguments);

    pal->id = request.id;
    memcpy(pal->measurement, request.measurement, sizeof(pal->measurement));
    return error;
}

static enum tv_error make(struct pal *pal)
{
    const struct pal_description *description = pal->description;
    enum tv_error error = TV_ERROR_SYSTEM;

    pal->param = make_pages(NULL, room_bytes(description));
    if (pal->param != NULL && make_image(pal)) {
        error = pal->simulated
                    ? pal_simulation_begin(description, pal->param,
                                           pal->param + description->param_pages * PAL_PAGE_BYTES,
                                           pal->measurement)
                    : make_real(pal);
    }
    if (error != TV_OK && pal->param != NULL) {
        int saved = errno;
        (void)munmap(pal->param, room_bytes(description));
        errno = saved;
    }
    return error;
}

static bool take(int from, int to)
{
    return __atomic_compare_exchange_n(&only.state, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static void leave(int state)
{
    __atomic_store_n(&only.state, state, __ATOMIC_SEQ_CST);
}

enum tv_error pal_register(const struct pal_description *description, struct pal **pal)
{
    const char *wish = getenv("PAL_SIMULATION");
    bool simulated = wish != NULL && strcmp(wish, "1") == 0;

    *pal = NULL;
    if (!pal_is_whole(description, sizeof(void *))) {
        return TV_ERROR_PAL_FILE;
    }
    if (!simulated && !nacre_detect(NULL)) {
        return TV_ERROR_ABSENT;
    }
    if (!take(NONE, CHANGING)) {
        return TV_ERROR_PAL_DUPLICATE;
    }
    only.simulated = simulated;
    only.description = description;
    enum tv_error error = make(&only);
    if (error == TV_OK) {
        *pal = &only;
    }
    leave(error == TV_OK ? READY : NONE);
    return error;
}

/* A thread that is in a call keeps the PAL; this one is in if true. */
static bool enter(const struct pal *pal)
{
    if (pal != &only) {
        return false;
    }
    (void)__atomic_add_fetch(&only.calls, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&only.state, __ATOMIC_SEQ_CST) == READY) {
        return true;
    }
    (void)__atomic_sub_fetch(&only.calls, 1, __ATOMIC_SEQ_CST);
    return false;
}

/*
 * The hypervisor takes the page tables as they are, and nobody loads a page for it: a page that was
 * never written, or is still shared with a parent process, is made the caller's own here.
 */
static void touch(const struct tv_pal_parameter *parameter, uintptr_t start)
{
    uintptr_t end = start + (uintptr_t)parameter->size;

    for (uintptr_t at = start; at < end; at = (at | (PAL_PAGE_BYTES - 1)) + 1) {
        if (parameter->direction == TV_IN) {
            (void)*(volatile uint8_t *)at;
        } else {
            (void)__atomic_fetch_or((uint8_t *)at, 0, __ATOMIC_RELAXED);
        }
    }
}

static enum tv_error call_real(struct pal *pal, uint64_t *result, const uintptr_t *arguments,
                               unsigned count)
{
    uint64_t wide[TV_PARAMS_MAX];

    for (unsigned i = 0; i < count; i++) {
        const struct tv_pal_parameter *parameter = &pal->description->parameter[i];
        wide[i] = arguments[i];
        if (parameter->type == TV_PARAM_POINTER) {
            touch(parameter, arguments[i]);
        }
    }
    struct tv_pal_call call = {
        .id = pal->id, .argument_count = count, .arguments = (uintptr_t)wide};
    const struct nacre_arguments registers = {.cx = (uintptr_t)&call};
    enum tv_error error = nacre_call(TV_PAL_CALL, &registers);
    *result = call.result;
    if (error == TV_ERROR_PAL_FAULT) {
        pal->vector = call.vector;
    }
    return error;
}

enum tv_error pal_call(struct pal *pal, uint64_t *result, const uintptr_t *arguments,
                       unsigned count)
{
    enum tv_error error = TV_ERROR_NO_SUCH_PAL;

    *result = 0;
    if (!enter(pal)) {
        return error;
    }
    if (count != pal->description->parameter_count) {
        error = TV_ERROR_PARAM_COUNT;
    } else if (pal->simulated) {
        error = pal_simulation_call(arguments, count, result);
    } else {
        error = call_real(pal, result, arguments, count);
    }
    (void)__atomic_sub_fetch(&only.calls, 1, __ATOMIC_SEQ_CST);
    return error;
}

static enum tv_error give_up(struct pal *pal)
{
    enum tv_error error = TV_OK;

    if (__atomic_load_n(&pal->calls, __ATOMIC_SEQ_CST) != 0) {
        return TV_ERROR_PAL_BUSY;
    }
    if (pal->simulated) {
        pal_simulation_end();
    } else {
        const struct nacre_arguments arguments = {.cx = pal->id};
        error = nacre_call(TV_PAL_UNREGISTER, &arguments);
    }
    if (error != TV_ERROR_PAL_BUSY) { /* gone, now or already: the OS took its memory */
        (void)munmap(pal->param, room_bytes(pal->description));
    }
    return error;
}

enum tv_error pal_unregister(struct pal *pal)
{
    if (pal != &only || !take(READY, CHANGING)) {
        return TV_ERROR_NO_SUCH_PAL;
    }
    enum tv_error error = give_up(pal);
    leave(error == TV_ERROR_PAL_BUSY ? READY : NONE);
    return error;
}

/* What is asked of a PAL that there is not is zero. */
static const struct pal *known(const struct pal *pal)
{
    static const struct pal none;

    return pal == &only ? pal : &none;
}

const uint8_t *pal_measurement(const struct pal *pal)
{
    return known(pal)->measurement;
}

uint32_t pal_vector(const struct pal *pal)
{
    return known(pal)->vector;
}

bool pal_is_simulated(const struct pal *pal)
{
    return known(pal)->simulated;
}
