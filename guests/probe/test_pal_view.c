/* Translations from before: of other CPUs' at REG, and of the caller's after its tables changed
 * (REQ-EPT-1, REQ-PAL-5). */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

#define LONG 20000000

static struct user user;

#define SET_UP                                                                                     \
    if (!pal_ready()) {                                                                            \
        return;                                                                                    \
    }                                                                                              \
    user_new(&user, 0)

/* User code on CPU 1, in another process, that uses the page that becomes the PAL's data. */
static struct {
    struct user user;
    unsigned stub;
    volatile uint64_t result;
} spy;

static void spy_job(void *argument)
{
    (void)argument;
    user_start(&spy.user, USER64, spy.stub);
    spy.user.frame.rdi = user_linear(PAGE_FREE);
    spy.user.frame.rax = 0x77;
    int vector = user_run(&spy.user);
    spy.result = vector == NO_FAULT ? spy.user.frame.rax : FAULTED + (unsigned)vector;
}

static void spy_start(unsigned stub)
{
    user_new(&spy.user, 1);
    user_set(&spy.user, PAGE_FREE, user_physical(&user, PAL_DATA(0)), PTE_NORMAL);
    memset(user_at(&user, PAL_DATA(0)), 0, PAGE);
    spy.stub = stub;
    spy.result = 0;
    smp_call(1, spy_job, NULL);
    delay(20000); /* it has all translations it will need */
}

/* It reads all the while, and never sees what the PAL writes. */
static void stale_read(void)
{
    SET_UP;
    for (unsigned i = 0; i < 5; i++) {
        spy_start(STUB_WATCH);
        REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
        (void)user_call(&user, 0, OP_SECRET, 0x5ec2e7);
        REQUIRE(smp_wait(1, LONG), "CPU 1 still reads");
        REQUIRE(spy.result == FAULTED + GP, "it sees %llx", (unsigned long long)spy.result);
        REQUIRE(pal_works(&user, 0, 0x5ec2e7) && pal_unregister(&user, 0) == TV_OK, "the PAL");
        REQUIRE(user_load(&spy.user, USER64, user_linear(PAGE_FREE)) == 0, "the page afterwards");
    }
}

/* It writes all the while, but not after REG. */
static void stale_write(void)
{
    SET_UP;
    for (unsigned i = 0; i < 5; i++) {
        spy_start(STUB_HAMMER);
        (void)pal_ask(&user, USER64, 0);
        REQUIRE(pal_ask_now(&user, USER64, 0) == TV_OK, "REG");
        uint64_t was = user_call(&user, 0, OP_SECRET, 5);
        REQUIRE(was == 0x77, "the data is %llx", (unsigned long long)was);
        REQUIRE(smp_wait(1, LONG), "CPU 1 still writes");
        REQUIRE(spy.result == FAULTED + GP, "%llx", (unsigned long long)spy.result);
        REQUIRE(pal_works(&user, 0, 5) && pal_unregister(&user, 0) == TV_OK, "the PAL");
    }
}

/* The caller's pointer leads to page A by one way and to page B by the other. */
static uint64_t *word_of(unsigned page)
{
    return user_at(&user, page);
}

/* One call through the pointer: page is the one that it must reach. */
static void reaches(const char *what, unsigned page)
{
    unsigned other = page == PAGE_BUFFER ? PAGE_FREE : PAGE_BUFFER;

    *word_of(page) = 1000;
    *word_of(other) = 2000;
    uint64_t got = user_call(&user, 0, OP_POINTER, 0);
    REQUIRE(got == 1000 && *word_of(page) == 1001 && *word_of(other) == 2000,
            "%s: %llx, pages %llu %llu", what, (unsigned long long)got,
            (unsigned long long)*word_of(page), (unsigned long long)*word_of(other));
}

static void is_refused(const char *what)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t got = user_call(&user, 0, OP_POINTER, 0);
        REQUIRE(got == FAILED + TV_ERROR_ADDRESS, "%s: %llx", what, (unsigned long long)got);
    }
}

/* Each level of the tables in turn leads elsewhere and back, without any flush. */
static void remap(void)
{
    static uint64_t copies[3][512] __attribute__((aligned(4096)));

    SET_UP;
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
    memcpy(copies[0], user.table, PAGE);
    copies[0][PAGE_BUFFER] = user_physical(&user, PAGE_FREE) | PTE_NORMAL;
    memcpy(copies[1], user.directory, PAGE);
    copies[1][0] = (uint64_t)copies[0] | PTE_NORMAL;
    memcpy(copies[2], user.pointers, PAGE);
    copies[2][USER >> 30] = (uint64_t)copies[1] | PTE_NORMAL;
    uint64_t *const entries[] = {&user.table[PAGE_BUFFER], &user.directory[0],
                                 &user.pointers[USER >> 30], &user.root[0]};
    const uint64_t values[] = {copies[0][PAGE_BUFFER], (uint64_t)copies[0] | PTE_NORMAL,
                               (uint64_t)copies[1] | PTE_NORMAL, (uint64_t)copies[2] | PTE_NORMAL};
    for (unsigned i = 0; i < 8; i++) {
        unsigned level = i % 4;
        uint64_t old = *entries[level];
        reaches("at first", PAGE_BUFFER);
        *entries[level] = values[level];
        reaches("by other tables", PAGE_FREE);
        *entries[level] = old;
        reaches("back again", PAGE_BUFFER);
    }
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

/* Rights that go while the walk is known: of the page, in the nested tables, of the tables. */
static void rights_go(void)
{
    SET_UP;
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
    uint64_t *entry = &user.table[PAGE_BUFFER], old = *entry;
    const uint64_t worse[] = {0, old & ~PTE_RW, old & ~PTE_US, old | BIT(51),
                              APIC_PAGE | PTE_NORMAL};
    for (unsigned i = 0; i < sizeof(worse) / sizeof(worse[0]); i++) {
        reaches("before", PAGE_BUFFER);
        *entry = worse[i];
        is_refused("a worse entry");
        *entry = old;
    }
    reaches("before", PAGE_BUFFER);
    /* Another PAL gets the page. */
    pal_ask_more(pal_ask(&user, USER64, 1), TV_SECTION_DATA, user_linear(PAGE_BUFFER), 1);
    REQUIRE(pal_ask_now(&user, USER64, 1) == TV_OK, "REG of another PAL");
    is_refused("another PAL's page");
    REQUIRE(pal_unregister(&user, 1) == TV_OK, "UNREG of another PAL");
    reaches("after UNREG", PAGE_BUFFER);
    pal_ask_more(pal_ask(&user, USER64, 1), TV_SECTION_SHARED_CODE, user_linear(PAGE_BUFFER), 1);
    REQUIRE(pal_ask_now(&user, USER64, 1) == TV_OK, "REG with shared code");
    is_refused("shared code");
    REQUIRE(pal_unregister(&user, 1) == TV_OK, "UNREG of another PAL");
    reaches("after UNREG", PAGE_BUFFER);
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

const struct probe pal_view_probes[] = {
    {"pal-stale-read", stale_read, ON_NACRE | SEVERAL},
    {"pal-stale-write", stale_write, ON_NACRE | SEVERAL},
    {"pal-remap", remap, ON_NACRE},
    {"pal-rights-go", rights_go, ON_NACRE},
    {0},
};
