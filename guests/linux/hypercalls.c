/* The TrustVisor interface as a guest process sees it, through the SDK: detection, the TEST call,
 * and REQ-PAL-10: every other number, with junk for arguments, gives an error that the interface
 * names, and changes no register but the result's. Needs no C library.
 * Prints one line: NACRE-GUEST: hypercalls ok|failed detected=yes|no width=32|64 ... */
#include "freestanding.h"

#include <nacre/nacre.h>

#define LAST_NUMBER 0x1ffU
/* The boot test looks for this value in the hypervisor's log, with the width added to it. */
#define TEST_VALUE 0x5d4a0000U

static void put_number(const char *name, unsigned value)
{
    put_text(name);
    put_decimal(value);
}

static _Noreturn void finish(int status)
{
    put_text("\n");
    (void)system_call(SYSCALL_WRITE, 1, (long)line, (long)line_bytes);
    for (;;) {
        (void)system_call(SYSCALL_EXIT, status, 0, 0);
    }
}

static _Noreturn void fail(const char *what, unsigned number, unsigned result)
{
    line_bytes = 0;
    put_number("NACRE-GUEST: hypercalls failed width=", (unsigned)sizeof(void *) * 8);
    put_text(" what=");
    put_text(what);
    put_number(" number=", number);
    put_number(" result=", result);
    finish(1);
}

/* As nacre_call(), and checks that the arguments' registers still hold them. */
static enum tv_error checked_call(uint32_t number, const struct nacre_arguments *arguments)
{
    uintptr_t result = number, cx = arguments->cx, dx = arguments->dx, si = arguments->si,
              di = arguments->di;

    __asm__ volatile("vmcall"
                     : "+a"(result), "+c"(cx), "+d"(dx), "+S"(si), "+D"(di)
                     :
                     : "memory", "cc");
    if (cx != arguments->cx || dx != arguments->dx || si != arguments->si || di != arguments->di) {
        fail("registers", number, (unsigned)result);
    }
    return (enum tv_error)result;
}

/* NV_EXPORT is right to write to memory of ours. */
static bool is_documented(uint32_t number, uintptr_t cx, const void *own, enum tv_error error)
{
    if (number == TV_NV_EXPORT && cx == (uintptr_t)own) {
        return error == TV_OK;
    }
    return (unsigned)error > TV_OK && (unsigned)error < TV_ERROR_COUNT;
}

/* Nothing, unmapped, misaligned, the kernel's half, all ones, and memory of our own. */
static unsigned call_with_junk(uint32_t number)
{
    static uint8_t own[TV_NV_BLOB_BYTES];
    const uintptr_t junk[] = {
        0, 8, 0x1003, ~(uintptr_t)0 << (sizeof(uintptr_t) * 8 - 2), ~(uintptr_t)0, (uintptr_t)own};
    const unsigned count = sizeof(junk) / sizeof(junk[0]);

    for (unsigned i = 0; i < count; i++) {
        const struct nacre_arguments arguments = {junk[i], junk[(i + 1) % count],
                                                  junk[(i * 2) % count], junk[(i + 3) % count]};
        enum tv_error plain = nacre_call(number, &arguments);
        enum tv_error error = checked_call(number, &arguments);
        if (!is_documented(number, junk[i], own, error) ||
            !is_documented(number, junk[i], own, plain)) {
            fail("undocumented", number, (unsigned)error);
        }
        if (tv_error_text(error)[0] == '\0') {
            fail("text", number, (unsigned)error);
        }
    }
    return 2 * count;
}

void _start(void)
{
    struct nacre_presence presence;
    const unsigned width = (unsigned)sizeof(void *) * 8;
    unsigned calls = 0;

    put_text("NACRE-GUEST: hypercalls ok detected=");
    if (!nacre_detect(&presence)) {
        put_number("no width=", width);
        finish(0);
    }
    if (presence.is_64bit != (width == 64) || presence.is_nested ||
        presence.pal != TV_CPUID_NO_PAL) {
        fail("presence", 0, presence.pal);
    }
    enum tv_error error = nacre_test(TEST_VALUE + width);
    if (error != TV_OK) {
        fail("test", TV_TEST, (unsigned)error);
    }
    for (uint32_t number = 0; number <= LAST_NUMBER; number++) {
        calls += number == TV_TEST ? 0 : call_with_junk(number);
    }
    put_number("yes width=", width);
    put_number(" calls=", calls + 1);
    finish(0);
}
