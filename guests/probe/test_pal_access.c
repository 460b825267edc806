/* The operating system reaches for a PAL's pages (REQ-PAL-5). */
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

#define SECRET 0x5ec2e7c0deULL

static struct user user, other;

/* A PAL in slot 0 that keeps SECRET, in a process as new. */
static bool set_up(void)
{
    user_new(&user, 0);
    return pal_register(&user, 0) == TV_OK && user_call(&user, 0, OP_SECRET, SECRET) == 0;
}

#define SET_UP                                                                                     \
    if (!pal_ready()) {                                                                            \
        return;                                                                                    \
    }                                                                                              \
    REQUIRE(set_up(), "set-up")
#define TEAR_DOWN REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG")

/* Ring 3 (or 0) of process p gets #GP(0) for a load from and a store to linear. */
static void refused(struct user *p, enum user_kind kind, uint64_t linear)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t got = i == 0 ? user_load(p, kind, linear) : user_store(p, kind, linear, 1);
        REQUIRE(got == FAULTED + GP && cpu_self()->try.error == 0 &&
                    cpu_self()->try.fault_rip == USER + (i == 0 ? STUB_LOAD : STUB_STORE),
                "%s %llx by kind %u: %llx, error %llx", i == 0 ? "load" : "store",
                (unsigned long long)linear, kind, (unsigned long long)got,
                (unsigned long long)cpu_self()->try.error);
    }
    REQUIRE(pal_works(&user, 0, SECRET), "the PAL after access to %llx",
            (unsigned long long)linear);
}

static void by_user(void)
{
    SET_UP;
    user_new(&other, 1);
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        uint64_t physical = user_physical(&user, PAL_PAGE(0) + i);
        for (unsigned offset = 0; offset < PAGE; offset += 0x7fe) {
            refused(&user, USER64, user_linear(PAL_PAGE(0) + i) + offset);
        }
        refused(&user, USER32, user_linear(PAL_PAGE(0) + i));
        refused(&user, USER64, physical); /* the identity map is open to users */
        user_set(&user, PAGE_FREE, physical, PTE_NORMAL);
        refused(&user, USER64, user_linear(PAGE_FREE));
        user_set(&other, PAGE_FREE, physical, PTE_NORMAL);
        refused(&other, USER64, user_linear(PAGE_FREE));
        user_set(&other, PAL_PAGE(0) + i, physical, PTE_NORMAL);
        refused(&other, USER64, user_linear(PAL_PAGE(0) + i));
    }
    refused(&user, USER64, user_linear(PAL_PAGE(0)) - 2); /* half of it in the PAL */
    TEAR_DOWN;
}

static void executed(struct user *p, enum user_kind kind, uint64_t linear)
{
    uint64_t got = user_jump(p, kind, linear);
    REQUIRE(got == FAULTED + GP && cpu_self()->try.fault_rip == linear,
            "code at %llx by kind %u: %llx at %llx", (unsigned long long)linear, kind,
            (unsigned long long)got, (unsigned long long)cpu_self()->try.fault_rip);
    REQUIRE(pal_works(&user, 0, SECRET), "the PAL after code at %llx", (unsigned long long)linear);
}

/* Not at the entry, and at the entry from another address space or through another address. */
static void execution(void)
{
    SET_UP;
    user_new(&other, 1);
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        user_set(&other, PAL_PAGE(0) + i, user_physical(&user, PAL_PAGE(0) + i), PTE_NORMAL);
        for (unsigned offset = i == 0 ? 1 : 0; offset < PAGE; offset += 0x333) {
            executed(&user, USER64, user_linear(PAL_PAGE(0) + i) + offset);
            executed(&other, USER64, user_linear(PAL_PAGE(0) + i) + offset);
        }
    }
    executed(&other, USER64, user_linear(PAL_PAGE(0)));
    executed(&other, USER32, user_linear(PAL_PAGE(0)));
    executed(&user, USER32, user_linear(PAL_PAGE(0)));
    executed(&user, USER64, user_physical(&user, PAL_PAGE(0)));
    user_set(&user, PAGE_FREE, user_physical(&user, PAL_PAGE(0)), PTE_NORMAL);
    executed(&user, USER64, user_linear(PAGE_FREE));
    executed(&user, RING0, user_linear(PAL_PAGE(0)));
    executed(&user, RING0, user_linear(PAL_DATA(0)));
    TEAR_DOWN;
}

/* The entry's address leads elsewhere by now: to another page of the PAL, and to one that is free.
 */
static void moved_entry(void)
{
    SET_UP;
    user_set(&user, PAL_PAGE(0), user_physical(&user, PAL_DATA(0)), PTE_NORMAL);
    uint64_t got = user_jump(&user, USER64, user_linear(PAL_PAGE(0)));
    /* The process has let go of the entry: the access by its user is one by a stranger. */
    REQUIRE(got == FAULTED + GP || got == FAULTED + PF || got < FAILED, "%llx",
            (unsigned long long)got);
    REQUIRE(*(volatile uint64_t *)user_at(&user, PAL_DATA(0)) != SECRET, "the secret is visible");
    user_reset(&user, PAL_PAGE(0));
    got = pal_unregister(&user, 0);
    REQUIRE(got == TV_OK || got == TV_ERROR_NO_SUCH_PAL, "UNREG: %llx", (unsigned long long)got);
}

static void by_kernel_own(void)
{
    SET_UP;
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        refused(&user, RING0, user_linear(PAL_PAGE(0) + i) + 8 * i);
    }
    user_new(&other, 1);
    for (unsigned i = 0; i < PAL_PAGES; i++) {
        user_set(&other, PAL_PAGE(0) + i, user_physical(&user, PAL_PAGE(0) + i), PTE_NORMAL);
        refused(&other, RING0, user_linear(PAL_PAGE(0) + i));
    }
    TEAR_DOWN;
}

static bool all_zero(unsigned page)
{
    const volatile uint64_t *word = user_at(&user, page);
    for (unsigned i = 0; i < PAGE / 8; i++) {
        if (word[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Through another address the kernel gets the page, and nobody the secret. */
static void taken(unsigned page, bool write)
{
    volatile uint64_t *word = user_at(&user, PAL_PAGE(0) + page);

    REQUIRE(set_up(), "set-up");
    if (write) {
        word[7] = 99;
        REQUIRE(word[7] == 99, "a store is lost");
        word[7] = 0;
    }
    for (unsigned i = 1; i < PAL_PAGES; i++) {
        unsigned at = i == page || page == 0 ? i : 1 + (i + page - 2) % 3;
        REQUIRE(all_zero(PAL_PAGE(0) + at), "page %u is not wiped after access to %u", at, page);
    }
    REQUIRE(page != 0 || word[0] != 0, "code is gone");
    uint64_t error = pal_unregister(&user, 0);
    REQUIRE(error == TV_ERROR_NO_SUCH_PAL, "UNREG after access to page %u: %llx", page,
            (unsigned long long)error);
    REQUIRE(pal_register(&user, 0) == TV_OK && pal_works(&user, 0, 0), "REG again");
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

static void by_kernel(void)
{
    if (!pal_ready()) {
        return;
    }
    for (unsigned page = 0; page < PAL_PAGES; page++) {
        taken(page, false);
        taken(page, true);
    }
}

/* The kernel runs the entry's code at its own address of it: as a function, and the PAL is gone. */
static void kernel_fetch(void)
{
    SET_UP;
    uint64_t entry = user_physical(&user, PAL_PAGE(0));
    int vector = try_at(insn_fetch, entry, 0);
    REQUIRE(vector == NO_FAULT, "exception %d", vector);
    REQUIRE(all_zero(PAL_DATA(0)), "data is not wiped");
    REQUIRE(pal_unregister(&user, 0) == TV_ERROR_NO_SUCH_PAL, "UNREG");
}

/* REP MOVS in the kernel, whose two sides are a PAL's pages and cross into free ones. */
static void string_copy(void)
{
    static uint8_t copy[3 * PAGE];

    SET_UP;
    memcpy(copy, (const uint8_t *)user_at(&user, PAL_DATA(0)) - 2 * PAGE, 3 * PAGE);
    for (unsigned i = 0; i < PAGE; i++) {
        REQUIRE(copy[2 * PAGE + i] == 0, "byte %u of the data is %x", i, copy[2 * PAGE + i]);
    }
    REQUIRE(pal_unregister(&user, 0) == TV_ERROR_NO_SUCH_PAL, "UNREG");
}

const struct probe pal_access_probes[] = {
    {"pal-user", by_user, ON_NACRE},       {"pal-execution", execution, ON_NACRE},
    {"pal-moved", moved_entry, ON_NACRE},  {"pal-kernel-own", by_kernel_own, ON_NACRE},
    {"pal-kernel", by_kernel, ON_NACRE},   {"pal-kernel-fetch", kernel_fetch, ON_NACRE},
    {"pal-string", string_copy, ON_NACRE}, {0},
};
