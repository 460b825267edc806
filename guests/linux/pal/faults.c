/* PALs that misbehave are ended, their callers learn it, the guest goes on (REQ-PAL-9). */
#include "commands.h"

#include "client.h"
#include "faults.h"

#define SECRET ((uintptr_t)0x0ddba11)

/* The PAL was ended: every further call says so, and what is unregistered is wiped. */
static void check_ended(struct pal *pal, const char *what)
{
    check_error(pal_failure2(pal, MISDEED_NONE, 0), TV_ERROR_PAL_ENDED, what);
    check_error(pal_failure2(pal, MISDEED_NONE, 0), TV_ERROR_PAL_ENDED, what);
    pal_end(pal);
}

static void make(struct pal *pal)
{
    pal_make(pal, pal_misbehave, 1);
    pal_add_integers(pal, 2);
    pal->data->secret = SECRET;
    pal_must_reg(pal);
    check_equal(pal_value2(pal, MISDEED_NONE, 0), MISDEED_NONE, "good-before");
}

static void misdeed(enum pal_misdeed misdeed, uintptr_t address, enum tv_error want,
                    const char *what)
{
    struct pal pal;

    make(&pal);
    check_error(pal_failure2(&pal, misdeed, address), want, what);
    check_ended(&pal, what);
}

static void check_instructions(void)
{
    static const struct {
        enum pal_misdeed misdeed;
        const char *what;
    } cases[] = {
        {MISDEED_DIVIDE, "divide"}, {MISDEED_UD2, "ud2"},         {MISDEED_HLT, "hlt"},
        {MISDEED_INT80, "int80"},   {MISDEED_SYSCALL, "syscall"}, {MISDEED_SYSENTER, "sysenter"},
        {MISDEED_PORT, "port"},     {MISDEED_CR3, "cr3"},         {MISDEED_BREAKPOINT, "int3"},
        {MISDEED_VECTOR, "sse"},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        misdeed(cases[i].misdeed, 0, TV_ERROR_PAL_FAULT, cases[i].what);
    }
    misdeed(MISDEED_LOOP, 0, TV_ERROR_PAL_TIMEOUT, "loop");
}

static uintptr_t foreign = 0xf0e1; /* memory of the caller, which is not the PAL's */

static void jumped_to(void)
{
    check(false, "jumped-out", 0);
}

static void check_addresses(void)
{
    const uintptr_t kernel = sizeof(uintptr_t) == 8 ? (uintptr_t)0xffffffff81000000ULL : 0xc1000000;
    const uintptr_t targets[] = {0, (uintptr_t)&foreign, kernel, (uintptr_t)-4096};

    for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        check_round(i);
        misdeed(MISDEED_READ, targets[i], TV_ERROR_PAL_FAULT, "read");
        misdeed(MISDEED_WRITE, targets[i], TV_ERROR_PAL_FAULT, "write");
        misdeed(MISDEED_JUMP, targets[i], TV_ERROR_PAL_FAULT, "jump");
        misdeed(MISDEED_SMASH, targets[i], TV_ERROR_PAL_FAULT, "smash");
        misdeed(MISDEED_STACK, targets[i], TV_ERROR_PAL_FAULT, "stack");
    }
    check_round(0);
    misdeed(MISDEED_JUMP, (uintptr_t)jumped_to, TV_ERROR_PAL_FAULT, "jump-to-caller");
    misdeed(MISDEED_SMASH, (uintptr_t)jumped_to, TV_ERROR_PAL_FAULT, "return-to-caller");
    check_equal(foreign, 0xf0e1, "foreign-changed");
}

/* The PAL's own sections, with rights that it does not have. */
static void check_own_sections(void)
{
    struct pal pal;

    make(&pal);
    check_error(pal_failure2(&pal, MISDEED_WRITE, (uintptr_t)pal.code), TV_ERROR_PAL_FAULT,
                "write-code");
    check_ended(&pal, "write-code");
    for (unsigned section = 0; section < 3; section++) {
        make(&pal);
        const uint8_t *starts[] = {(const uint8_t *)pal.data, pal.param, pal.stack};
        check_round(section);
        check_error(pal_failure2(&pal, MISDEED_JUMP, (uintptr_t)starts[section]),
                    TV_ERROR_PAL_FAULT, "execute-data");
        check_ended(&pal, "execute-data");
    }
    check_round(0);
}

/* Another PAL's memory is as foreign as any. */
static void check_other_pal(void)
{
    struct pal victim, pal;

    pal_make(&victim, pal_secret, 1);
    pal_add_integers(&victim, 2);
    victim.data->secret = SECRET;
    pal_must_reg(&victim);
    const uintptr_t secret = (uintptr_t)&victim.data->secret;
    for (unsigned i = 0; i < 3; i++) {
        static const enum pal_misdeed misdeeds[] = {MISDEED_READ, MISDEED_WRITE, MISDEED_JUMP};
        check_round(i);
        make(&pal);
        check_error(pal_failure2(&pal, misdeeds[i], i < 2 ? secret : victim.entry),
                    TV_ERROR_PAL_FAULT, "other-pal");
        check_ended(&pal, "other-pal");
        check_equal(pal_value2(&victim, 0, 0), SECRET, "victim");
    }
    check_round(0);
    pal_end(&victim);
}

void command_faults(int count, char *const arguments[])
{
    (void)count;
    (void)arguments;
    check_instructions();
    check_addresses();
    check_own_sections();
    check_other_pal();
    faults_of_caller();
    faults_of_arguments();
}
