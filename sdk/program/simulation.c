/* A simulated PAL: measured, called and served by libtv's own code, in this process. */
#include "simulation_memory.h"

#include <hw/cpu.h>
#include <nacre/simulation.h>
#include <string.h>
#include <sys/random.h>
#include <tv/marshal.h>
#include <tv/service.h>
#include <ucontext.h>
#include <world/world.h>

static struct {
    struct tv_memory memory; /* first: what the memory functions get */
    struct tv_platform platform;
    struct tv_random random;
    struct tv_pcrs pcrs;
    struct tv_marshal_plan plan;
    uint8_t buffer[TV_SERVICE_BUFFER_BYTES];
    const struct pal_description *description;
    bool running; /* atomic */
    /* Of the call that runs. */
    ucontext_t caller, callee;
    uintptr_t argument[TV_PARAMS_MAX];
    uintptr_t result;
} simulation;

/* What libtv asks of a machine ------------------------------------------------------------------*/

enum tv_error tv_entropy(uint8_t entropy[TV_ENTROPY_BYTES])
{
    return getrandom(entropy, TV_ENTROPY_BYTES, 0) == TV_ENTROPY_BYTES ? TV_OK
                                                                       : TV_ERROR_NO_ENTROPY;
}

void world_poll(unsigned cpu)
{
    (void)cpu; /* nobody stops this process's other threads */
}

void hw_pause(void)
{
    __builtin_ia32_pause();
}

/* Registration ----------------------------------------------------------------------------------*/

static enum tv_error make_plan(const struct pal_description *description, const uint8_t *param,
                               const uint8_t *stack)
{
    struct tv_signature signature = {
        .width = sizeof(void *) == 8 ? VCPU_64BIT : VCPU_32BIT,
        .padded = true,
        .count = description->parameter_count,
    };
    const struct tv_marshal_room room = {
        .param_start = (uintptr_t)param,
        .param_bytes = description->param_pages * (size_t)PAL_PAGE_BYTES,
        .stack_start = (uintptr_t)stack,
        .stack_bytes = description->stack_pages * (size_t)PAL_PAGE_BYTES,
    };
    enum tv_error error = TV_OK;
    uint32_t faulty;

    for (unsigned i = 0; i < signature.count && error == TV_OK; i++) {
        error = tv_marshal_new_param(&description->parameter[i], &signature.param[i]);
    }
    return error == TV_OK ? tv_marshal_plan(&simulation.plan, &signature, &room, &faulty) : error;
}

static void add_section(struct tv_measurement *identity, enum tv_section_type type,
                        const void *start, size_t bytes)
{
    struct tv_measure measure;

    simulation.memory.section[simulation.memory.count++] =
        (struct simulation_section){(uintptr_t)start, bytes, type != TV_SECTION_CODE};
    tv_measure_begin(&measure);
    tv_measure_section_header(&measure, type, (uintptr_t)start, bytes);
    tv_measure_add(&measure, start, bytes);
    tv_measure_extend(&measure, identity);
}

static void measure(const struct pal_description *description, const uint8_t *param,
                    const uint8_t *stack)
{
    struct tv_measurement identity = {{0}, {0}};
    const void *code = (const void *)(uintptr_t)description->code_start.value;
    const void *data = (const void *)(uintptr_t)description->data_start.value;

    tv_measure_description(&identity, description->word_bytes, description->flags,
                           description->entry.value, description->parameter_count,
                           description->parameter);
    simulation.memory.count = 0;
    add_section(&identity, TV_SECTION_CODE, code,
                (size_t)(description->code_end.value - description->code_start.value));
    add_section(&identity, TV_SECTION_DATA, data,
                (size_t)(description->data_end.value - description->data_start.value));
    add_section(&identity, TV_SECTION_PARAM, param,
                description->param_pages * (size_t)PAL_PAGE_BYTES);
    add_section(&identity, TV_SECTION_STACK, stack,
                description->stack_pages * (size_t)PAL_PAGE_BYTES);
    tv_pcrs_begin(&simulation.pcrs, &identity);
}

/* The simulated PAL itself owns the NV memory, which ends with the process. */
static void make_platform(void)
{
    struct tv_platform *platform = &simulation.platform;

    tv_root_init(&platform->root, TV_ROOT_SIMULATED, false, (const uint8_t *)PAL_SIMULATION_SECRET);
    memcpy(platform->nv_owner, simulation.pcrs.identity.sha256, sizeof(platform->nv_owner));
    platform->nv_owner_bytes = sizeof(platform->nv_owner);
}

static enum tv_error serve(uint32_t number, uintptr_t cx, uintptr_t dx, uintptr_t si, uintptr_t di)
{
    const struct tv_service service = {
        .platform = &simulation.platform,
        .memory = &simulation.memory,
        .random = &simulation.random,
        .pcrs = &simulation.pcrs,
        .buffer = simulation.buffer,
        .word_bytes = sizeof(void *),
        .number = number,
        .cx = cx,
        .dx = dx,
        .si = si,
        .di = di,
    };

    return number == TV_TEST ? TV_OK : tv_service(&service);
}

enum tv_error pal_simulation_begin(const struct pal_description *description, void *param,
                                   void *stack, uint8_t measurement[32])
{
    pal_hook *volatile *hook = (pal_hook *volatile *)(uintptr_t)description->hook.value;
    enum tv_error error = (description->flags & ~TV_PAL_VECTOR) != 0
                              ? TV_ERROR_FLAGS
                              : make_plan(description, param, stack);

    if (error != TV_OK) {
        return error;
    }
    measure(description, param, stack);
    memcpy(measurement, simulation.pcrs.identity.sha256, 32);
    make_platform();
    simulation.description = description;
    *hook = serve;
    return TV_OK;
}

void pal_simulation_end(void)
{
    const struct simulation_section *data = &simulation.memory.section[SIMULATION_DATA];

    memset((void *)data->start, 0, data->bytes);
}

/* Calls -----------------------------------------------------------------------------------------*/

typedef uintptr_t function(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                           uintptr_t, uintptr_t, uintptr_t, uintptr_t);

/* Both ABIs let a function be called with more arguments than it looks at. */
static void enter_pal(void)
{
    const uintptr_t *a = simulation.argument;
    function *entry = (function *)(uintptr_t)simulation.description->entry.value;

    simulation.result = entry(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]);
}

/* A pointer's bytes lie in the parameter area by now. */
static void set_arguments(const uintptr_t *values)
{
    const struct tv_signature *signature = &simulation.plan.signature;

    memset(simulation.argument, 0, sizeof(simulation.argument));
    for (unsigned i = 0; i < signature->count; i++) {
        simulation.argument[i] = signature->param[i].type == TV_PARAM_POINTER
                                     ? (uintptr_t)simulation.plan.data[i]
                                     : values[i];
    }
}

static enum tv_error run(const uintptr_t *arguments, unsigned count, uint64_t *result)
{
    const struct simulation_section *stack = &simulation.memory.section[SIMULATION_STACK];
    uint64_t values[TV_PARAMS_MAX] = {0};
    struct tv_marshal_entry entry;
    struct tv_marshal_back back;

    for (unsigned i = 0; i < count; i++) {
        values[i] = arguments[i];
    }
    enum tv_error error =
        tv_marshal_in(&simulation.memory, &simulation.plan, values, 0, &entry, &back);
    if (error != TV_OK) {
        return error;
    }
    set_arguments(arguments);
    if (getcontext(&simulation.callee) != 0) {
        return TV_ERROR_SYSTEM;
    }
    simulation.callee.uc_stack.ss_sp = (void *)stack->start;
    simulation.callee.uc_stack.ss_size = stack->bytes;
    simulation.callee.uc_link = &simulation.caller;
    makecontext(&simulation.callee, enter_pal, 0);
    if (swapcontext(&simulation.caller, &simulation.callee) != 0) {
        return TV_ERROR_SYSTEM;
    }
    *result = simulation.result;
    return tv_marshal_out(&simulation.memory, &back);
}

enum tv_error pal_simulation_call(const uintptr_t *arguments, unsigned count, uint64_t *result)
{
    if (__atomic_exchange_n(&simulation.running, true, __ATOMIC_ACQUIRE)) {
        return TV_ERROR_PAL_BUSY;
    }
    enum tv_error error = run(arguments, count, result);
    __atomic_store_n(&simulation.running, false, __ATOMIC_RELEASE);
    return error;
}
