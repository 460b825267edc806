/* Another CPU changes page tables while the hypervisor reads them (REQ-PAL-3, REQ-PAL-10). */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

#define PATTERN_A 0xaaaaaaaa11ULL
#define PATTERN_B 0xbbbbbbbb22ULL

static struct user user;

#define SET_UP                                                                                     \
    if (!pal_ready()) {                                                                            \
        return;                                                                                    \
    }                                                                                              \
    user_new(&user, 0)

/* What the second CPU writes to one page-table entry, in turns. */
static struct flip {
    volatile uint64_t *entry;
    uint64_t values[8];
    unsigned count;
    volatile bool stop;
    volatile uint64_t rounds;
} flip;

static void flipper(void *argument)
{
    (void)argument;
    for (unsigned i = 0; !flip.stop; i++) {
        *flip.entry = flip.values[i % flip.count];
        /* From hardly any time to that of a whole call. */
        for (unsigned wait = (unsigned)(flip.rounds++ * 777) % 3000; wait > 0; wait--) {
            pause();
        }
    }
}

static void flip_start(unsigned page)
{
    flip.entry = &user.table[page];
    flip.stop = false;
    smp_call(1, flipper, NULL);
}

static void flip_add(uint64_t value)
{
    flip.values[flip.count++] = value;
}

static bool flip_stop(unsigned page)
{
    flip.stop = true;
    bool done = smp_wait(1, 3000000);
    user_reset(&user, page);
    flip.count = 0;
    return done;
}

/* Pages that PAGE_FREE and the next one have; both keep a pattern. */
static uint64_t *page_a(void)
{
    return user_at(&user, PAGE_FREE);
}

static uint64_t *page_b(void)
{
    return user_at(&user, PAGE_FREE + 1);
}

static void add_bad_values(void)
{
    struct region region;

    flip_add(0);
    flip_add((uint64_t)page_a() | PTE_P | PTE_US);
    flip_add(APIC_PAGE | PTE_NORMAL);
    if (region_find(&region)) {
        flip_add(region.start | PTE_NORMAL);
    }
}

/* The PAL has one of the two pages, all of it, and gives back that one. */
static void consistent(unsigned round)
{
    uint64_t was = user_call(&user, 0, OP_SECRET, 7);
    REQUIRE(was == PATTERN_A || was == PATTERN_B, "round %u: the PAL's data is %llx", round,
            (unsigned long long)was);
    REQUIRE(user_call(&user, 0, OP_SECRET, 8) == 7, "round %u: the PAL's store", round);
    uint64_t error = pal_unregister(&user, 0);
    REQUIRE(error == TV_OK, "round %u: UNREG: %llx", round, (unsigned long long)error);
    REQUIRE(*(was == PATTERN_A ? page_a() : page_b()) == 0 &&
                *(was == PATTERN_A ? page_b() : page_a()) ==
                    (was == PATTERN_A ? PATTERN_B : PATTERN_A),
            "round %u: %llx was registered, pages %llx %llx", round, (unsigned long long)was,
            (unsigned long long)*page_a(), (unsigned long long)*page_b());
}

static void registration(void)
{
    unsigned done = 0;

    SET_UP;
    (void)pal_ask(&user, USER64, 0);
    flip_add((uint64_t)page_a() | PTE_NORMAL);
    add_bad_values();
    flip_add((uint64_t)page_b() | PTE_NORMAL);
    flip_add((uint64_t)page_b() | PTE_NORMAL);
    flip_start(PAL_DATA(0));
    uint64_t error = TV_OK;
    for (unsigned i = 0; i < pal_rounds(100); i++) {
        *page_a() = PATTERN_A;
        *page_b() = PATTERN_B;
        error = pal_ask_now(&user, USER64, 0);
        if (error == TV_OK) {
            done++;
            consistent(i);
        } else if (error != TV_ERROR_PAGE_ABSENT && error != TV_ERROR_PAGE_RIGHTS &&
                   error != TV_ERROR_PAGE_NOT_RAM) {
            break;
        }
    }
    REQUIRE(flip_stop(PAL_DATA(0)), "the other CPU does not stop");
    REQUIRE(error < TV_ERROR_COUNT && done > 0, "REG: %llx, %u done", (unsigned long long)error,
            done);
    print("PROBE: note %u REGs, %u changes\n", done, (unsigned)flip.rounds);
    REQUIRE(pal_register(&user, 0) == TV_OK && pal_works(&user, 0, 0), "REG afterwards");
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

/* The arrays change under REG: whatever it makes of them is an answer. */
static void arguments(void)
{
    SET_UP;
    (void)pal_ask(&user, USER64, 0);
    memcpy(page_a(), user_at(&user, PAGE_ARGS), PAGE);
    memcpy(page_b(), user_at(&user, PAGE_ARGS), PAGE);
    struct tv_pal_sections *second = (struct tv_pal_sections *)page_b();
    second->num_sections = 9;
    second->sections[1].type = TV_SECTION_STACK;
    second->sections[2].start_addr = second->sections[0].start_addr;
    add_bad_values();
    flip_add((uint64_t)page_a() | PTE_NORMAL);
    flip_add((uint64_t)page_b() | PTE_NORMAL);
    flip_add((uint64_t)page_a() | PTE_NORMAL);
    flip_start(PAGE_ARGS);
    uint64_t error = TV_OK;
    for (unsigned i = 0; i < pal_rounds(100) && error < TV_ERROR_COUNT; i++) {
        error = pal_ask_now(&user, USER64, 0);
        if (error == TV_OK && (!pal_works(&user, 0, 0) || pal_unregister(&user, 0) != TV_OK)) {
            error = TV_ERROR_COUNT;
        }
    }
    REQUIRE(flip_stop(PAGE_ARGS), "the other CPU does not stop");
    REQUIRE(error < TV_ERROR_COUNT, "REG or the PAL: %llx", (unsigned long long)error);
}

static bool is_answer(uint64_t got, uint64_t good)
{
    return got == good || got == FAILED + TV_ERROR_ADDRESS;
}

/* A pointer's page comes and goes, and leads to what no caller may write. */
static void pointer(void)
{
    unsigned good = 0;

    SET_UP;
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
    flip_add(user_physical(&user, PAL_PARAM(0)) | PTE_NORMAL);
    flip_add(user_physical(&user, PAL_STACK(0)) | PTE_NORMAL);
    add_bad_values();
    flip_add((uint64_t)page_a() | PTE_NORMAL);
    flip_add((uint64_t)page_b() | PTE_NORMAL);
    flip_start(PAGE_BUFFER);
    uint64_t got = 0;
    for (unsigned i = 0; i < pal_rounds(1000) && is_answer(got, got & (FAILED - 1)); i++) {
        *page_a() = *page_b() = 100;
        page_a()[1] = page_b()[1] = 200;
        got = user_call(&user, 0, OP_POINTER, 0);
        if (!is_answer(got, 100) || *page_a() - 100 > 1 || *page_b() - 100 > 1 ||
            *page_a() + *page_b() > 201 || page_a()[1] != 200) {
            break;
        }
        good += got == 100;
        got = 0;
    }
    uint64_t a = *page_a(), b = *page_b();
    REQUIRE(flip_stop(PAGE_BUFFER), "the other CPU does not stop");
    REQUIRE(got == 0, "%llx, pages %llu %llu", (unsigned long long)got, (unsigned long long)a,
            (unsigned long long)b);
    print("PROBE: note %u calls succeeded\n", good);
    REQUIRE(pal_works(&user, 0, 0), "the PAL afterwards");
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

/* The caller's stack in such places: there is no address to return to, so that the call is #GP. */
static void stack(void)
{
    struct region region;

    SET_UP;
    REQUIRE(region_find(&region), "no region");
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
    const uint64_t bad[] = {region.start + 0x800,
                            APIC_PAGE + 0x800,
                            0x700000000000,
                            user_linear(PAGE_ABSENT),
                            user_linear(PAGE_ABSENT) - 4,
                            user_linear(PAL_STACK(0)) + 0x800,
                            user_linear(PAL_DATA(0)),
                            0x8000000000000000,
                            ~0ULL - 3,
                            0xffff800000000000};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        user_start(&user, USER64, STUB_JUMP);
        user.frame.rbx = user_linear(PAL_PAGE(0));
        user.frame.rsp = bad[i];
        user.frame.rdx = user_linear(PAGE_BUFFER);
        int vector = user_run(&user);
        REQUIRE(vector == GP && user.frame.rip == user_linear(PAL_PAGE(0)),
                "stack at %llx: exception %d at %llx", (unsigned long long)bad[i], vector,
                (unsigned long long)user.frame.rip);
        REQUIRE(pal_works(&user, 0, 0), "the PAL afterwards");
    }
    const uint64_t places[] = {region.start,   APIC_PAGE, user_physical(&user, PAL_STACK(0)),
                               0x700000000000, ~0ULL,     user_linear(PAGE_ABSENT) - 15,
                               0x7ffffffffff8, 0};
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const uint64_t args[3] = {OP_POINTER, 0, places[i]};
        uint64_t got = user_call_with(&user, USER64, user_linear(PAL_PAGE(0)), args);
        REQUIRE(got == FAILED + TV_ERROR_ADDRESS || places[i] == 0, "pointer to %llx: %llx",
                (unsigned long long)places[i], (unsigned long long)got);
    }
    REQUIRE(pal_works(&user, 0, 0), "the PAL afterwards");
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

/* The stack's page goes while it is read. */
static void stack_flips(void)
{
    SET_UP;
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
    uint64_t back = USER + STUB_RETURN;
    page_a()[0] = page_b()[0] = back;
    add_bad_values();
    flip_add((uint64_t)page_a() | PTE_NORMAL);
    flip_add((uint64_t)page_b() | PTE_NORMAL);
    flip_start(PAGE_FREE + 2);
    bool fine = true;
    for (unsigned i = 0; i < pal_rounds(1000) && fine; i++) {
        user_start(&user, USER64, STUB_JUMP);
        user.frame.rbx = user_linear(PAL_PAGE(0));
        user.frame.rsp = user_linear(PAGE_FREE + 2);
        user.frame.rsi = i;
        user.frame.rdx = user_linear(PAGE_BUFFER);
        int vector = user_run(&user);
        fine = vector == GP || (vector == NO_FAULT && user.frame.rax == 2 * i + 1) ||
               (vector == NO_FAULT && user.frame.rax == TV_ERROR_ADDRESS);
    }
    REQUIRE(flip_stop(PAGE_FREE + 2), "the other CPU does not stop");
    REQUIRE(fine, "RAX %llx at %llx", (unsigned long long)user.frame.rax,
            (unsigned long long)user.frame.rip);
    REQUIRE(pal_works(&user, 0, 0), "the PAL afterwards");
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

const struct probe pal_race_probes[] = {
    {"pal-race-register", registration, ON_NACRE | SEVERAL},
    {"pal-race-arguments", arguments, ON_NACRE | SEVERAL},
    {"pal-race-pointer", pointer, ON_NACRE | SEVERAL},
    {"pal-race-stack", stack_flips, ON_NACRE | SEVERAL},
    {"pal-stacks", stack, ON_NACRE},
    {0},
};
