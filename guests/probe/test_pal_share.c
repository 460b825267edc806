/* Memory that a process shares with its PAL (REQ-PAL-3). */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

static struct user user;

#define SET_UP                                                                                     \
    if (!pal_ready()) {                                                                            \
        return;                                                                                    \
    }                                                                                              \
    user_new(&user, 0)

static uint64_t share(const uint64_t *starts, const uint64_t *lengths, unsigned count)
{
    uint8_t *arrays = user_at(&user, PAGE_ARGS);
    memcpy(arrays, starts, count * sizeof(*starts));
    memcpy(arrays + 512, lengths, count * sizeof(*lengths));
    const uint64_t args[4] = {user_linear(PAL_PAGE(0)), user_linear(PAGE_ARGS),
                              user_linear(PAGE_ARGS) + 512, count};
    return user_vmcall(&user, USER64, TV_SHARE, args);
}

static uint64_t share_one(uint64_t start, uint64_t bytes)
{
    return share(&start, &bytes, 1);
}

static void share_errors(void)
{
    SET_UP;
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
    const struct {
        uint64_t start, bytes;
        enum tv_error error;
    } bad[] = {
        {user_linear(PAGE_FREE), 0, TV_ERROR_SHARE},
        {user_linear(PAGE_FREE) + 1, PAGE, TV_ERROR_SHARE},
        {user_linear(PAGE_FREE), PAGE + 8, TV_ERROR_SHARE},
        {user_linear(PAGE_FREE), 257 * PAGE, TV_ERROR_SHARE},
        {0xfffffffffffff000, PAGE, TV_ERROR_SHARE},
        {0x7ffffffff000, 2 * PAGE, TV_ERROR_SHARE},
        {user_linear(PAGE_FREE), ~(PAGE - 1), TV_ERROR_SHARE},
        {user_linear(PAGE_ABSENT), PAGE, TV_ERROR_PAGE_ABSENT},
        {user_linear(PAGE_BUFFER), 2 * PAGE, TV_ERROR_PAGE_ABSENT},
        {user_linear(PAL_DATA(0)), PAGE, TV_ERROR_SECTION_OVERLAP},
        {user_linear(PAL_PAGE(0)) - PAGE, 2 * PAGE, TV_ERROR_SECTION_OVERLAP},
        {user_physical(&user, PAL_DATA(0)), PAGE, TV_ERROR_PAGE_TAKEN},
        {APIC_PAGE, PAGE, TV_ERROR_PAGE_NOT_RAM},
        {0xb8000, PAGE, TV_ERROR_PAGE_NOT_RAM},
    };
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            uint64_t error = share_one(bad[i].start, bad[i].bytes);
            REQUIRE(error == bad[i].error, "range %u: %llx instead of %x", i,
                    (unsigned long long)error, bad[i].error);
        }
    }
    uint64_t starts[9], lengths[9];
    for (unsigned i = 0; i < 9; i++) {
        starts[i] = user_linear(100 + 2 * i);
        lengths[i] = PAGE;
    }
    REQUIRE(share(starts, lengths, 9) == TV_ERROR_SHARE, "nine ranges");
    REQUIRE(share(starts, lengths, 0) == TV_ERROR_SHARE, "no range");
    starts[8] = starts[3]; /* all or none: the last one overlaps */
    REQUIRE(share(starts + 1, lengths, 8) == TV_ERROR_SECTION_OVERLAP, "overlap");
    REQUIRE(share(starts, lengths, 8) == TV_OK, "eight ranges");
    REQUIRE(share_one(user_linear(200), PAGE) == TV_ERROR_SHARE, "one more");
    REQUIRE(pal_works(&user, 0, 0) && pal_unregister(&user, 0) == TV_OK, "the PAL");
    REQUIRE(share_one(user_linear(200), PAGE) == TV_ERROR_NO_SUCH_PAL, "without a PAL");
}

/* The OS lets go of a shared page: the PAL cannot be called, so that it never sees the old one. */
static void share_moves(void)
{
    SET_UP;
    uint64_t linear = user_linear(PAGE_FREE), old = user_physical(&user, PAGE_FREE);
    volatile uint64_t *page = (volatile uint64_t *)old;
    REQUIRE(pal_register(&user, 0) == TV_OK && share_one(linear, PAGE) == TV_OK, "set-up");
    *page = 4711;
    REQUIRE(user_call(&user, 0, OP_LOAD, linear) == 4711, "the PAL does not read what is shared");
    REQUIRE(user_call(&user, 0, OP_STORE, linear) == 1 && *page == 0x5a5a, "nor write it");
    REQUIRE(user_jump(&user, USER64, linear) == FAULTED + GP, "what is shared can be executed");
    const uint64_t others[] = {0,
                               user_physical(&user, 100) | PTE_NORMAL,
                               old | PTE_P | PTE_US,
                               old | PTE_P | PTE_RW,
                               APIC_PAGE | PTE_NORMAL,
                               user_physical(&user, PAL_DATA(0)) | PTE_NORMAL};
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        user_set(&user, PAGE_FREE, others[i], 0);
        uint64_t got = user_call(&user, 0, OP_STORE, linear);
        REQUIRE(got == FAILED + TV_ERROR_ADDRESS, "page entry %u: %llx", i,
                (unsigned long long)got);
    }
    user_reset(&user, PAGE_FREE);
    REQUIRE(user_call(&user, 0, OP_LOAD, linear) == 0x5a5a, "as it was");
    REQUIRE(pal_works(&user, 0, 0) && pal_unregister(&user, 0) == TV_OK, "the PAL");
    *page = 0xc3;
    REQUIRE(user_call_with(&user, USER64, linear, others) < FAILED, "no code after UNREG");
}

const struct probe pal_share_probes[] = {
    {"pal-share-errors", share_errors, ON_NACRE},
    {"pal-share-moves", share_moves, ON_NACRE},
    {0},
};
