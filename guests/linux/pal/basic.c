/* What a well-behaved client and its PALs rely on (REQ-PAL-2, REQ-PAL-7, REQ-PAL-8). */
#include "commands.h"

#include "client.h"
#include "mix.h"

#include <nacre/nacre.h>

#define FLAG_DF 0x400U
#define SECRET ((uintptr_t)0x5ec2e75ec2e75ec2ULL)
#define MIXES 120U

/* A PAL of one function and so many integers. */
static void make_plain(struct pal *pal, const void *function, unsigned integers)
{
    pal_make(pal, function, 1);
    pal_add_integers(pal, integers);
    pal_must_reg(pal);
}

/* Code that is no PAL's, or no longer. */
static uintptr_t plain_call(uintptr_t address, uintptr_t value)
{
    return ((uintptr_t(*)(uintptr_t))address)(value);
}

static void check_detection(void)
{
    struct nacre_presence presence;
    struct pal pal;

    check(nacre_detect(&presence), "detect", 0);
    check_equal(presence.pal, TV_CPUID_NO_PAL, "outside-id");
    check(presence.is_64bit == (WIDTH == 64) && !presence.is_nested, "outside-width", 0);
    make_plain(&pal, pal_cpuid, 1);
    check_equal(pal_value1(&pal, 0), TV_CPUID_PRESENT, "inside-eax");
    check(pal_value1(&pal, 1) != TV_CPUID_NO_PAL, "inside-id", pal_value1(&pal, 1));
    check_equal(pal_value1(&pal, 2), WIDTH == 64 ? TV_CPUID_64BIT : 0, "inside-width");
    check_equal(pal_value1(&pal, 3), 0, "inside-edx");
    check(nacre_detect(&presence) && presence.pal == TV_CPUID_NO_PAL, "outside-again", 0);
    pal_end(&pal);
}

static void check_integers(void)
{
    const uintptr_t arguments[10] = {11, 23, 37, 41, 53, 61, 73, 89, 97, (uintptr_t)-5};
    uintptr_t want = 0;
    struct pal pal;

    make_plain(&pal, pal_zero, 0);
    check_equal(pal_value(&pal, 0, NULL), PAL_ZERO, "no-parameters");
    check_equal(pal_value(&pal, 0, NULL), PAL_ZERO, "no-parameters-again");
    pal_end(&pal);
    make_plain(&pal, pal_add_one, 1);
    for (uintptr_t value = 1; value != 0; value *= 3) {
        check_equal(pal_value1(&pal, value), value + 1, "one-integer");
        value = value > (uintptr_t)-1 / 3 ? 0 : value;
    }
    check_equal(pal_value1(&pal, (uintptr_t)-1), 0, "one-integer-wraps");
    pal_end(&pal);
    make_plain(&pal, pal_weighted, 10);
    for (unsigned i = 0; i < 10; i++) {
        want += arguments[i] * (i + 1);
    }
    check_equal(pal_value(&pal, 10, arguments), want, "ten-integers");
    pal_end(&pal);
}

static void check_pointer(void)
{
    uintptr_t words[PAL_DOUBLE_WORDS + 2] = {1000, 1, 20, 300, 4000, 50000};
    struct pal pal;

    pal_make(&pal, pal_double, 1);
    pal_add_integers(&pal, 1);
    pal_add_pointer(&pal, PAL_DOUBLE_WORDS);
    pal_must_reg(&pal);
    check_equal(pal_value2(&pal, 7, (uintptr_t)&words[1]), 4328, "pointer-sum");
    check_equal(pal_value2(&pal, 7, (uintptr_t)&words[1]), 8649, "pointer-sum-again");
    const uintptr_t want[] = {1000, 4, 80, 1200, 16000, 50000};
    for (unsigned i = 0; i < PAL_DOUBLE_WORDS + 2; i++) {
        check_equal(words[i], want[i], "pointer-words");
    }
    pal_end(&pal);
}

/* REQ-PAL-8: what the ABI says of a function's entry. */
static void check_entry(void)
{
    for (unsigned integers = 0; integers <= TV_PARAMS_MAX; integers++) {
        const uintptr_t arguments[TV_PARAMS_MAX] = {0};
        struct pal pal;

        check_round(integers);
        make_plain(&pal, pal_stack_pointer, integers);
        uintptr_t stack = pal_value(&pal, integers, arguments);
        check_equal((stack + sizeof(uintptr_t)) % 16, 0, "alignment");
        check(stack >= (uintptr_t)pal.stack && stack < (uintptr_t)pal.stack + PAGE, "stack", stack);
        pal_end(&pal);
    }
    check_round(0);
    struct pal flags;
    make_plain(&flags, pal_flags, 0);
    check_equal(pal_value(&flags, 0, NULL) & FLAG_DF, 0, "direction-flag");
    pal_end(&flags);
}

/* Data persists between calls, is gone after UNREG, and nobody else sees it. */
static void check_secret(void)
{
    struct pal pal;

    pal_make(&pal, pal_secret, 1);
    pal.data->secret = 4711;
    pal_add_integers(&pal, 2);
    for (unsigned round = 0; round < 3; round++) {
        check_round(round);
        pal_must_reg(&pal);
        check_equal(pal_value2(&pal, 0, 0), round == 0 ? 4711 : 0, "secret-before");
        check_equal(pal_value2(&pal, 1, SECRET), round == 0 ? 4711 : 0, "secret-before");
        check_equal(pal_value2(&pal, 0, 0), SECRET, "secret-kept");
        check_equal(pal_value2(&pal, 1, SECRET + 1), SECRET, "secret-kept");
        check_equal(pal_value2(&pal, 0, 0), SECRET + 1, "secret-changed");
        pal_must_unreg(&pal);
        pal_check_wiped(&pal);
    }
    check_round(0);
    check_equal(pal.data->secret, 0, "secret-left");
    pal_free(&pal);
}

/* After UNREG the code is the OS's again, unchanged. */
static void check_code_returns(void)
{
    struct pal pal;

    make_plain(&pal, pal_add_one, 1);
    check_equal(pal_value1(&pal, 5), 6, "registered-code");
    pal_must_unreg(&pal);
    for (size_t i = 0; i < (size_t)(__stop_pal_code - __start_pal_code); i++) {
        if (pal.code[i] != __start_pal_code[i]) {
            check_equal(pal.code[i], __start_pal_code[i], "code-changed");
        }
    }
    check_equal(plain_call(pal.entry, 8), 9, "code-executes");
    check_error(pal_unreg(&pal), TV_ERROR_NO_SUCH_PAL, "unreg-twice");
    pal_must_reg(&pal);
    check_equal(pal_value1(&pal, 10), 11, "registered-again");
    pal_end(&pal);
}

/* A second copy of the code as a SHARED_CODE section: caller and PAL both execute it. */
static void check_shared_code(void)
{
    struct pal pal, other;

    pal_make(&other, pal_add_one, 1);
    pal_make(&pal, pal_call_at, 1);
    pal_add_integers(&pal, 2);
    pal.sections.sections[pal.sections.num_sections++] =
        (struct tv_pal_section){TV_SECTION_SHARED_CODE, other.code_pages, (uintptr_t)other.code};
    pal_must_reg(&pal);
    check_equal(pal_value2(&pal, other.entry, 30), 32, "shared-code-inside");
    check_equal(plain_call(other.entry, 40), 41, "shared-code-outside");
    check_equal(other.code[0], __start_pal_code[0], "shared-code-read");
    pal_end(&pal);
    check_equal(plain_call(other.entry, 41), 42, "shared-code-after");
    pal_free(&other);
}

/* SHARE: both read and write the buffer while the PAL is registered. */
static void check_share(void)
{
    volatile uintptr_t *buffer = sys_pages(2);
    const uintptr_t address = (uintptr_t)buffer;
    const uint64_t length = 2 * PAGE; /* as a word of either width */
    struct pal pal;

    sys_no_fork((void *)address, 2);
    make_plain(&pal, pal_poke, 2);
    check_error(hypercall(TV_SHARE, pal.entry, (uintptr_t)&address, (uintptr_t)&length, 1), TV_OK,
                "share");
    check_equal(pal_value2(&pal, address + PAGE + 8, 0x1234), 0x1234, "share-write");
    check_equal(buffer[(PAGE + 8) / sizeof(*buffer)], 0x1234, "share-seen");
    buffer[0] = 77;
    check_equal(buffer[0], 77, "share-own-write");
    pal_end(&pal);
    check_equal(buffer[0], 77, "share-left");
    sys_unmap((void *)address, 2);
}

void command_basic(int count, char *const arguments[])
{
    uint32_t state = argument_number(count, arguments, 0, 20240229);

    check(__stop_pal_code - __start_pal_code <= (long)PAGE, "code-size",
          (uintptr_t)(__stop_pal_code - __start_pal_code));
    check_detection();
    check_integers();
    check_pointer();
    check_entry();
    for (unsigned mix = 0; mix < MIXES; mix++) {
        check_round(mix);
        mix_check(&state);
    }
    check_round(0);
    check_secret();
    check_code_returns();
    check_shared_code();
    check_share();
}
