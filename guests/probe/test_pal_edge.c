/* Calls from the edges of the address space, and PALs that come and go while they are called. */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

#define TOP 0x7ffffffff000ULL /* last page of the lower half */
#define TOP_PAGE 511U         /* of a process: mapped there too */
#define NON_CANONICAL 0x800000000000ULL
#define RFLAGS_TF BIT(8)

static struct user user;

#define SET_UP                                                                                     \
    if (!pal_ready()) {                                                                            \
        return;                                                                                    \
    }                                                                                              \
    user_new(&user, 0)

/* Sets up a jump to the PAL with an address to return to. */
static void prepare(uint64_t back)
{
    user_start(&user, USER64, STUB_JUMP);
    user.frame.rbx = user_linear(PAL_PAGE(0));
    user.frame.rsi = 33;
    user.frame.rdx = user_linear(PAGE_BUFFER);
    memcpy((uint8_t *)user_at(&user, PAGE_STACK) + (user.frame.rsp - user_linear(PAGE_STACK)),
           &back, 8);
}

/* A PAL returns to where RET could not: the fault is the caller's, there or at its CALL. */
static void odd_returns(void)
{
    const uint64_t odd[] = {NON_CANONICAL,
                            0x8000000000000000,
                            0x7fffffffffffffff,
                            0xffff7fffffffffff,
                            0xffff800000000000,
                            0xffffffffffffff00, /* what PALs return to */
                            0xffffffff80000000,
                            ~0ULL,
                            0,
                            0x7fffffffffff,
                            user_linear(PAL_DATA(0)),
                            user_linear(PAL_PAGE(0)) + 1};

    SET_UP;
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        if (odd[i] == 0) {
            continue; /* the kernel's low memory is open to users: code of its own kind */
        }
        prepare(odd[i]);
        int vector = user_run(&user);
        REQUIRE(vector == GP || vector == PF, "return to %llx: exception %d",
                (unsigned long long)odd[i], vector);
        REQUIRE(pal_works(&user, 0, 0), "the PAL after a return to %llx",
                (unsigned long long)odd[i]);
    }
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

/* The last instructions of the lower half: VMCALL, and a call whose return address is beyond. */
static void top(void)
{
    static const uint8_t code[] = {0x0f, 0x01, 0xc1}, call[] = {0xff, 0xd3};

    SET_UP;
    user.root[255] = user.root[0];
    user.pointers[511] = (uint64_t)user.directory | PTE_NORMAL;
    user.directory[511] = (uint64_t)user.table | PTE_NORMAL;
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
    uint8_t *page = user_at(&user, TOP_PAGE);
    memcpy(page + PAGE - 3, code, 3);
    user_start(&user, USER64, 0);
    user.frame.rip = TOP + PAGE - 3;
    user.frame.rax = 0x77777;
    int vector = user_run(&user);
    REQUIRE(vector == GP && user.frame.rip == NON_CANONICAL &&
                user.frame.rax == TV_ERROR_UNKNOWN_NUMBER,
            "VMCALL at the top: exception %d at %llx, RAX %llx", vector,
            (unsigned long long)user.frame.rip, (unsigned long long)user.frame.rax);
    memcpy(page + PAGE - 2, call, 2);
    prepare(0);
    user.frame.rip = TOP + PAGE - 2;
    vector = user_run(&user);
    REQUIRE(vector == GP && user.frame.rip == NON_CANONICAL && user.frame.rax == 67,
            "CALL at the top: exception %d at %llx, RAX %llx", vector,
            (unsigned long long)user.frame.rip, (unsigned long long)user.frame.rax);
    REQUIRE(pal_works(&user, 0, 0) && pal_unregister(&user, 0) == TV_OK, "the PAL");
}

/* Execution flows into the entry from the page before, with what MOV SS and TF leave behind; and an
 * instruction that begins there is not at the entry. */
static void flows_in(void)
{
    static const uint8_t mov_ss[] = {0x8e, 0xd0}, prefix[] = {0x48};

    SET_UP;
    REQUIRE(pal_register(&user, 1) == TV_OK, "REG");
    uint8_t *end = (uint8_t *)user_at(&user, PAL_PAGE(1) - 1) + PAGE;
    uint64_t back = USER + STUB_RETURN;
    for (unsigned i = 0; i < 4; i++) {
        memcpy(end - 2, mov_ss, 2);
        prepare(back);
        user.frame.rax = SEL_USER_DATA;
        user.frame.rip = user_linear(PAL_PAGE(1)) - 2;
        user.frame.rflags |= i & 1 ? RFLAGS_TF : 0;
        int vector = user_run(&user);
        REQUIRE((vector == NO_FAULT && user.frame.rax == 67) ||
                    ((i & 1) && vector == DB &&
                     (user.frame.rip == back || user.frame.rip == user_linear(PAL_PAGE(1)))),
                "after MOV SS: exception %d at %llx, RAX %llx", vector,
                (unsigned long long)user.frame.rip, (unsigned long long)user.frame.rax);
    }
    memcpy(end - 1, prefix, 1);
    prepare(back);
    user.frame.rip = user_linear(PAL_PAGE(1)) - 1;
    int vector = user_run(&user);
    REQUIRE(vector == GP && user.frame.rip == user_linear(PAL_PAGE(1)) - 1,
            "an instruction across the entry: exception %d", vector);
    REQUIRE(pal_works(&user, 1, 0) && pal_unregister(&user, 1) == TV_OK, "the PAL");
}

/* The process ends and another one has its CR3 and addresses: the dead PAL makes room (REQ-PAL-7).
 */
static void dead_process(void)
{
    SET_UP;
    REQUIRE(pal_register(&user, 0) == TV_OK && user_call(&user, 0, OP_SECRET, 99) == 0, "set-up");
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        user_set(&user, PAL_PAGE(0) + i, user_physical(&user, PAL_PAGE(1) + i), PTE_NORMAL);
    }
    (void)pal_ask(&user, USER64, 1); /* the code */
    memset(user_at(&user, PAL_DATA(1)), 0, PAGE);
    struct tv_pal_sections *sections = user_at(&user, PAGE_ARGS);
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        sections->sections[i].start_addr = user_linear(PAL_PAGE(0) + i);
    }
    uint64_t error = pal_ask_now(&user, USER64, 0);
    REQUIRE(error == TV_OK, "REG: %llx", (unsigned long long)error);
    REQUIRE(pal_works(&user, 0, 0), "the new PAL");
    REQUIRE(*(volatile uint64_t *)user_at(&user, PAL_DATA(0)) == 0, "the old secret");
    REQUIRE(pal_works(&user, 0, 0), "the new PAL afterwards");
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

/* All CPUs call one PAL, which is unregistered, registered, and taken meanwhile.  Where there is no
 * PAL its code is a function like any other, with the same result. */
static volatile bool stop;
static volatile uint64_t wrong, calls;

/* GP: it ran as a function when REG came.  At the entry there is no reason for one. */
static bool is_answer(const struct user *own, uint64_t got, uint64_t value)
{
    return got == 2 * value + 1 || got == FAILED + TV_ERROR_PAL_LOST ||
           got == FAILED + TV_ERROR_PAL_ENDED ||
           (got == FAULTED + GP && own->frame.rip > user_linear(PAL_PAGE(0)) &&
            own->frame.rip < user_linear(PAL_DATA(0)));
}

static void caller(void *argument)
{
    struct user own = user;

    (void)argument;
    for (uint64_t i = 0; !stop; i++) {
        uint64_t got = user_call(&own, 0, OP_DOUBLE, i);
        if (!is_answer(&own, got, i)) {
            wrong = got;
        }
        __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    }
}

static void churn(void)
{
    bool works = true;

    SET_UP;
    (void)pal_ask(&user, USER64, 0);
    stop = false;
    wrong = calls = 0;
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        smp_call(cpu, caller, NULL);
    }
    uint64_t error = TV_OK;
    for (unsigned i = 0; i < 30 && error == TV_OK; i++) {
        error = pal_ask_now(&user, USER64, 0);
        works &= user_call(&user, 0, OP_DOUBLE, 1) == 3;
        if (i % 3 == 1) { /* the OS takes a page */
            (void)*(volatile uint64_t *)user_at(&user, PAL_PAGE(0) + i % PAL_PAGES);
            works &= pal_unregister(&user, 0) == TV_ERROR_NO_SUCH_PAL;
            continue;
        }
        uint64_t gone;
        while ((gone = pal_unregister(&user, 0)) == TV_ERROR_PAL_BUSY) {
        }
        works &= gone == TV_OK;
    }
    stop = true;
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        REQUIRE(smp_wait(cpu, 50000000), "CPU %u does not come back", cpu);
    }
    REQUIRE(works && error == TV_OK, "REG %llx", (unsigned long long)error);
    REQUIRE(wrong == 0, "a call: %llx", (unsigned long long)wrong);
    print("PROBE: note %llu calls\n", (unsigned long long)calls);
}

const struct probe pal_edge_probes[] = {
    {"pal-returns", odd_returns, ON_NACRE},   {"pal-top", top, ON_NACRE},
    {"pal-flows-in", flows_in, ON_NACRE},     {"pal-dead-process", dead_process, ON_NACRE},
    {"pal-churn", churn, ON_NACRE | SEVERAL}, {0},
};
