/* Nacre's own interface: PALs by number. */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

#define AT_SECTIONS 256U /* in PAGE_ARGS, behind struct tv_pal_register at 0 */
#define AT_PARAMS 1024U
#define AT_CALL 1536U
#define AT_VALUES 1792U

static struct user user;

#define SET_UP                                                                                     \
    if (!pal_ready()) {                                                                            \
        return;                                                                                    \
    }                                                                                              \
    user_new(&user, 0)

static void *args_at(const struct user *own, unsigned offset)
{
    return (uint8_t *)user_at(own, PAGE_ARGS) + offset;
}

/* The PAL of slot 0 with the three parameters that it has in the old interface, too. */
static struct tv_pal_register *ask(const struct user *own)
{
    static const struct tv_pal_parameter params[3] = {
        {TV_PARAM_INTEGER, 0, 0}, {TV_PARAM_INTEGER, 0, 0}, {TV_PARAM_POINTER, TV_IN_OUT, 16}};
    struct tv_pal_section sections[PAL_PAGES];
    struct tv_pal_register *asked = args_at(own, 0);

    memcpy(sections, pal_ask(own, USER64, 0)->sections, sizeof(sections));
    memcpy(args_at(own, AT_SECTIONS), sections, sizeof(sections));
    memcpy(args_at(own, AT_PARAMS), params, sizeof(params));
    *asked = (struct tv_pal_register){.version = TV_PAL_VERSION,
                                      .entry = user_linear(PAL_PAGE(0)),
                                      .section_count = PAL_PAGES,
                                      .parameter_count = 3,
                                      .sections = user_linear(PAGE_ARGS) + AT_SECTIONS,
                                      .parameters = user_linear(PAGE_ARGS) + AT_PARAMS};
    return asked;
}

static uint64_t ask_now(struct user *own)
{
    const uint64_t args[4] = {user_linear(PAGE_ARGS)};
    return user_vmcall(own, USER64, TV_PAL_REGISTER, args);
}

static uint64_t unregister(struct user *own, uint32_t id)
{
    const uint64_t args[4] = {id};
    return user_vmcall(own, USER64, TV_PAL_UNREGISTER, args);
}

static struct tv_pal_call *call_at(struct user *own, uint32_t id, uint64_t operation,
                                   uint64_t value, uint64_t pointer)
{
    uint64_t values[3] = {operation, value, pointer};
    struct tv_pal_call *call = args_at(own, AT_CALL);

    memcpy(args_at(own, AT_VALUES), values, sizeof(values));
    *call = (struct tv_pal_call){.id = id,
                                 .argument_count = 3,
                                 .arguments = user_linear(PAGE_ARGS) + AT_VALUES,
                                 .result = 55,
                                 .error = 66};
    return call;
}

/* RAX of TV_PAL_CALL. */
static uint64_t call_now(struct user *own)
{
    const uint64_t args[4] = {user_linear(PAGE_ARGS) + AT_CALL};
    return user_vmcall(own, USER64, TV_PAL_CALL, args);
}

static void basic(void)
{
    SET_UP;
    struct tv_pal_register *asked = ask(&user);
    uint64_t error = ask_now(&user);
    REQUIRE(error == TV_OK && asked->id != TV_CPUID_NO_PAL, "register: %llx",
            (unsigned long long)error);
    uint32_t id = asked->id;
    struct tv_pal_call *call =
        call_at(&user, id, OP_DOUBLE, 1000000000000, user_linear(PAGE_BUFFER));
    error = call_now(&user);
    REQUIRE(error == TV_OK && call->result == 2000000000001 && call->error == TV_OK,
            "call: %llx, result %llx", (unsigned long long)error, (unsigned long long)call->result);
    error = user_jump(&user, USER64, user_linear(PAL_PAGE(0)));
    REQUIRE(error == FAULTED + GP, "called by address: %llx", (unsigned long long)error);
    call->id = id + 1;
    REQUIRE(call_now(&user) == TV_ERROR_NO_SUCH_PAL, "another number");
    call->id = id;
    call->argument_count = 2;
    REQUIRE(call_now(&user) == TV_ERROR_PARAM_COUNT, "too few arguments");
    struct user other;
    user_new(&other, 1);
    (void)call_at(&other, id, OP_DOUBLE, 1, user_linear(PAGE_BUFFER));
    REQUIRE(call_now(&other) == TV_ERROR_NO_SUCH_PAL, "from another process");
    REQUIRE(unregister(&other, id) == TV_ERROR_NO_SUCH_PAL, "unregistered by another process");
    call = call_at(&user, id, OP_UD2, 0, user_linear(PAGE_BUFFER));
    error = call_now(&user);
    REQUIRE(error == TV_ERROR_PAL_FAULT && call->error == error && call->vector == UD &&
                call->result == 0,
            "#UD inside: %llx, vector %u", (unsigned long long)error, call->vector);
    REQUIRE(call_now(&user) == TV_ERROR_PAL_ENDED && unregister(&user, id) == TV_OK &&
                unregister(&user, id) == TV_ERROR_NO_SUCH_PAL,
            "the end");
}

/* Nothing is registered where the answer cannot be written, and nothing runs. */
static void answers(void)
{
    SET_UP;
    (void)ask(&user);
    user_set(&user, PAGE_FREE, user_physical(&user, PAGE_ARGS), PTE_P | PTE_US);
    uint64_t args[4] = {user_linear(PAGE_FREE)};
    uint64_t error = user_vmcall(&user, USER64, TV_PAL_REGISTER, args);
    REQUIRE(error == TV_ERROR_ADDRESS, "read-only: %llx", (unsigned long long)error);
    REQUIRE(ask_now(&user) == TV_OK, "writable");
    uint32_t id = ((struct tv_pal_register *)args_at(&user, 0))->id;
    (void)call_at(&user, id, OP_SECRET, 44, user_linear(PAGE_BUFFER));
    args[0] = user_linear(PAGE_FREE) + AT_CALL;
    REQUIRE(user_vmcall(&user, USER64, TV_PAL_CALL, args) == TV_ERROR_ADDRESS, "read-only call");
    struct region region;
    REQUIRE(region_find(&region), "no region");
    const uint64_t bad[] = {user_linear(PAL_DATA(0)),
                            user_linear(PAGE_ABSENT) - 8,
                            region.start,
                            APIC_PAGE,
                            ~0ULL - 7,
                            0xffff800000000000,
                            0x8000000000000000};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        args[0] = bad[i];
        REQUIRE(user_vmcall(&user, USER64, TV_PAL_CALL, args) == TV_ERROR_ADDRESS, "call at %llx",
                (unsigned long long)bad[i]);
        REQUIRE(user_vmcall(&user, USER64, TV_PAL_REGISTER, args) == TV_ERROR_ADDRESS,
                "registration at %llx", (unsigned long long)bad[i]);
        struct tv_pal_call *call = call_at(&user, id, OP_POINTER, 0, bad[i]);
        error = call_now(&user);
        REQUIRE(error == TV_ERROR_ADDRESS && call->error == error && call->result == 0,
                "pointer to %llx: %llx", (unsigned long long)bad[i], (unsigned long long)error);
        call->arguments = bad[i];
        REQUIRE(call_now(&user) == TV_ERROR_ADDRESS, "arguments at %llx",
                (unsigned long long)bad[i]);
    }
    /* The pointer leads to the struct itself: the answer is written last. */
    struct tv_pal_call *call =
        call_at(&user, id, OP_SECRET, 45, user_linear(PAGE_ARGS) + AT_CALL + 16);
    REQUIRE(call_now(&user) == TV_OK && call->result == 0 && call->error == TV_OK,
            "a call that should not have run has: %llx", (unsigned long long)call->result);
    REQUIRE(unregister(&user, id) == TV_OK, "unregister");
}

static void requests(void)
{
    SET_UP;
    for (unsigned i = 0; i < 9; i++) {
        struct tv_pal_register *asked = ask(&user);
        struct tv_pal_parameter *params = args_at(&user, AT_PARAMS);
        static const enum tv_error wanted[] = {
            TV_ERROR_VERSION,     TV_ERROR_FLAGS,       TV_ERROR_SECTION_COUNT,
            TV_ERROR_PARAM_COUNT, TV_ERROR_NO_SECTIONS, TV_ERROR_PARAM_TYPE,
            TV_ERROR_PARAM_TYPE,  TV_ERROR_PARAM_SIZE,  TV_ERROR_PAL_ENTRY};
        asked->version += i == 0;
        asked->flags = i == 1 ? 0x80000000 : 0;
        asked->section_count = i == 2 ? 33 : i == 4 ? 0 : PAL_PAGES;
        asked->parameter_count = i == 3 ? 11 : 3;
        params[1].type = i == 5 ? 3 : TV_PARAM_INTEGER;
        params[2].direction = i == 6 ? 4 : TV_IN;
        params[2].size = i == 7 ? ~0ULL - 8 : 16;
        asked->entry = i == 8 ? user_linear(PAL_DATA(0)) : user_linear(PAL_PAGE(0));
        uint64_t error = ask_now(&user);
        REQUIRE(error == wanted[i] && asked->id == TV_CPUID_NO_PAL, "request %u: %llx", i,
                (unsigned long long)error);
    }
}

const struct probe pal_number_probes[] = {
    {"pal-number", basic, ON_NACRE},
    {"pal-answers", answers, ON_NACRE},
    {"pal-requests", requests, ON_NACRE},
    {0},
};
