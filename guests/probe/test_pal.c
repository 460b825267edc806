/* PALs as they are meant to be used, every hypercall from everywhere, and what a call changes. */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

static struct user user;

static void basic(void)
{
    if (!pal_ready()) {
        return;
    }
    user_new(&user, 0);
    uint64_t error = pal_register(&user, 0);
    REQUIRE(error == TV_OK, "REG: %llx", (unsigned long long)error);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t value = random_next() >> 30;
        uint64_t got = user_call(&user, 0, OP_DOUBLE, value);
        REQUIRE(got == 2 * value + 1, "%llx doubled gives %llx", (unsigned long long)value,
                (unsigned long long)got);
    }
    uint64_t *words = user_at(&user, PAGE_BUFFER);
    words[0] = 77;
    words[1] = words[2] = ~0ULL;
    REQUIRE(user_call(&user, 0, OP_POINTER, 0) == 77 && words[0] == 78 && words[1] == ~0ULL,
            "pointer: %llu afterwards", (unsigned long long)words[0]);
    REQUIRE(user_call(&user, 0, OP_SECRET, 5) == 0 && pal_works(&user, 0, 5), "secret");
    REQUIRE(pal_ask_now(&user, USER64, 0) != TV_OK, "registered twice");
    REQUIRE(pal_works(&user, 0, 5), "after the second REG");
    error = pal_unregister(&user, 0);
    REQUIRE(error == TV_OK, "UNREG: %llx", (unsigned long long)error);
    REQUIRE(pal_unregister(&user, 0) == TV_ERROR_NO_SUCH_PAL, "UNREG twice");
    const uint64_t *data = user_at(&user, PAL_DATA(0));
    REQUIRE(data[0] == 0 && data[1] == 0, "data is not wiped");
}

/* REQ-PAL-2: 32-bit callers; entries of one width are none for the other (REQ-PAL-5). */
static void width(void)
{
    if (!pal_ready()) {
        return;
    }
    user_new(&user, 0);
    uint64_t error = pal_register(&user, 0);
    (void)pal_ask(&user, USER32, 1);
    uint64_t error32 = pal_ask_now(&user, USER32, 1);
    REQUIRE(error == TV_OK && error32 == TV_OK, "REG: %llx %llx", (unsigned long long)error,
            (unsigned long long)error32);
    const uint64_t args[3] = {OP_DOUBLE, 1000, user_linear(PAGE_BUFFER)};
    for (unsigned i = 0; i < 3; i++) {
        uint64_t got = user_call_with(&user, USER32, user_linear(PAL_PAGE(1)), args);
        REQUIRE(got == 2001, "32-bit PAL: %llx", (unsigned long long)got);
        got = user_call_with(&user, USER64, user_linear(PAL_PAGE(1)), args);
        REQUIRE(got == FAULTED + GP, "from 64-bit code: %llx", (unsigned long long)got);
        got = user_call_with(&user, USER32, user_linear(PAL_PAGE(0)), args);
        REQUIRE(got == FAULTED + GP, "64-bit PAL from 32-bit code: %llx", (unsigned long long)got);
        got = user_call(&user, 0, OP_DOUBLE, 1000);
        REQUIRE(got == 2001, "64-bit PAL: %llx", (unsigned long long)got);
    }
    const uint64_t entry[4] = {user_linear(PAL_PAGE(1))};
    REQUIRE(user_vmcall(&user, USER64, TV_UNREG, entry) == TV_ERROR_NO_SUCH_PAL, "UNREG, 64-bit");
    REQUIRE(user_vmcall(&user, USER32, TV_UNREG, entry) == TV_OK, "UNREG, 32-bit");
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

/* REQ-PAL-10 for CPUID: any ring, any width, and inside. */
static void detect(void)
{
    if (!pal_ready()) {
        return;
    }
    user_new(&user, 0);
    for (enum user_kind kind = RING0; kind <= USER16; kind++) {
        user_start(&user, kind, STUB_CPUID);
        user.frame.rax = TV_CPUID_LEAF;
        user.frame.rdx = 7;
        REQUIRE(user_run(&user) == NO_FAULT, "kind %u faults", kind);
        REQUIRE(user.frame.rax == TV_CPUID_PRESENT && user.frame.rbx == TV_CPUID_NO_PAL &&
                    user.frame.rcx == (kind < USER32 ? TV_CPUID_64BIT : 0) && user.frame.rdx == 0,
                "kind %u: %llx %llx", kind, (unsigned long long)user.frame.rbx,
                (unsigned long long)user.frame.rcx);
    }
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
    uint64_t id = user_call(&user, 0, OP_CPUID, TV_CPUID_LEAF);
    REQUIRE(id != 0 && id < TV_CPUID_NO_PAL, "inside: %llx", (unsigned long long)id);
    REQUIRE(cpuid(TV_CPUID_LEAF, 0).ebx == TV_CPUID_NO_PAL, "outside again");
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

static struct region hidden;

static uint64_t crafted(void)
{
    uint64_t random = random_next();
    uint64_t choice[] = {0,
                         random,
                         (uint32_t)random,
                         random & 0xff,
                         USER + (random >> 8 & 0x1fffff),
                         user_linear(PAGE_ARGS),
                         user_linear(PAGE_ABSENT) - (random & 31),
                         user_linear(PAL_PAGE(0)),
                         user_linear(PAL_DATA(0)),
                         APIC_PAGE,
                         0xb8000,
                         0x7ffffffffff0,
                         0xfffffffffffffff8,
                         0xffff800000000000,
                         0xfffffff8,
                         hidden.start};
    return choice[random >> 40 & 15];
}

/* What a number must give; TV_ERROR_COUNT: any error of the enum. */
static enum tv_error expected(enum user_kind kind, uint32_t number)
{
    bool process = number == TV_REG || number == TV_UNREG || number == TV_SHARE ||
                   (number >= TV_PAL_REGISTER && number <= TV_NV_EXPORT);
    if (number == TV_TEST) {
        return TV_OK;
    }
    if (process) {
        return kind == RING0 ? TV_ERROR_NOT_USER : kind == USER16 ? TV_ERROR_WIDTH : TV_ERROR_COUNT;
    }
    bool service = (number >= TV_SEAL_1 && number <= TV_ID_GETPUB) ||
                   (number >= TV_NV_GETSIZE && number <= TV_NV_WRITEALL) ||
                   (number >= TV_PCR_READ && number <= TV_QUOTE_KEY);
    return service ? TV_ERROR_COUNT : TV_ERROR_UNKNOWN_NUMBER;
}

/* Nothing but RAX changes; of the rest 32-bit code has the lower halves. */
static bool same_but_rax(const struct frame *before, const struct frame *after, bool wide)
{
    const uint64_t *a = (const uint64_t *)before, *b = (const uint64_t *)after;
    uint64_t mask = wide ? ~0ULL : 0xffffffff;

    for (unsigned i = 0; i < offsetof(struct frame, rax) / 8; i++) {
        if (((a[i] ^ b[i]) & mask) != 0 && (wide || i >= 8)) {
            return false;
        }
    }
    return before->rflags == after->rflags && before->rsp == after->rsp && before->cs == after->cs;
}

static void one_call(enum user_kind kind, uint32_t number)
{
    user_start(&user, kind, STUB_VMCALL);
    uint64_t *registers = (uint64_t *)&user.frame;
    for (unsigned i = 0; i < offsetof(struct frame, rax) / 8; i++) {
        registers[i] = random_next();
    }
    user.frame.rcx = crafted();
    user.frame.rdx = crafted();
    user.frame.rsi = crafted();
    user.frame.rdi = crafted() & (number == TV_SHARE ? 15 : ~0ULL);
    if (number ==
        TV_NV_EXPORT) { /* writes where it is told, and this guest lets ring 3 write all */
        user.frame.rcx = user_linear((random_next() & 1) != 0 ? PAGE_BUFFER : PAGE_ABSENT) -
                         random_next() % (2 * TV_NV_BLOB_BYTES);
    }
    user.frame.rax = (random_next() << 32) | number;
    struct frame before = user.frame;
    enum tv_error wanted = expected(kind, number);
    int vector = user_run(&user);
    REQUIRE(vector == NO_FAULT, "kind %u number %x: exception %d", kind, number, vector);
    REQUIRE(user.frame.rax < TV_ERROR_COUNT &&
                (wanted == TV_ERROR_COUNT || user.frame.rax == wanted),
            "kind %u number %x: result %llx", kind, number, (unsigned long long)user.frame.rax);
    REQUIRE(same_but_rax(&before, &user.frame, kind < USER32),
            "kind %u number %x: a register changed", kind, number);
}

static void hypercalls(void)
{
    if (!pal_ready()) {
        return;
    }
    user_new(&user, 0);
    REQUIRE(region_find(&hidden), "no region");
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
    uint64_t *args = user_at(&user, PAGE_ARGS);
    for (unsigned i = 0; i < PAGE / 8; i++) {
        args[i] = i % 3 == 0 ? random_next() % 12 : random_next();
    }
    for (uint32_t i = 0; i < 0x280; i++) {
        uint32_t number = i < 0x200 ? i : (uint32_t)random_next();
        for (enum user_kind kind = RING0; kind <= USER16; kind++) {
            if (number == TV_TEST && kind != USER64) {
                continue; /* a line on the console each time */
            }
            one_call(kind, number);
            bool often = expected(kind, number) == TV_ERROR_COUNT;
            for (unsigned more = 0; often && more < 40; more++) {
                one_call(kind, number);
            }
        }
    }
    /* One of them may have been UNREG of the PAL; nothing else can have ended it. */
    uint64_t error = pal_unregister(&user, 0);
    REQUIRE(error == TV_OK || error == TV_ERROR_NO_SUCH_PAL, "UNREG: %llx",
            (unsigned long long)error);
}

/* Inside a PAL too: those for processes are refused. */
static void hypercalls_inside(void)
{
    if (!pal_ready()) {
        return;
    }
    user_new(&user, 0);
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG");
    for (uint32_t i = 0; i < 0x220; i++) {
        uint32_t number = i < 0x200 ? i : (uint32_t)random_next();
        if (number == TV_TEST) {
            continue;
        }
        uint64_t error = user_call(&user, 0, OP_VMCALL, number);
        enum tv_error wanted = expected(RING0, number);
        wanted = wanted == TV_ERROR_NOT_USER ? TV_ERROR_INSIDE_PAL : wanted;
        REQUIRE(error < TV_ERROR_COUNT && (wanted == TV_ERROR_COUNT || wanted == error),
                "number %x: %llx", number, (unsigned long long)error);
    }
    REQUIRE(pal_works(&user, 0, 0), "the PAL afterwards");
    REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG");
}

/* REQ-PAL-9: what a PAL may not do ends it; the next call says so; UNREG is possible. */
static void ended(void)
{
    const uint32_t operations[] = {OP_UD2,  OP_CLI,   OP_JUMP, OP_LOAD,   OP_LOAD, OP_STORE,
                                   OP_JUMP, OP_STORE, OP_LOAD, OP_VECTOR, OP_STORE};
    const uint64_t values[] = {
        0,      0, user_linear(PAGE_STUBS),  user_linear(PAGE_ARGS),       APIC_PAGE,
        0,      0, user_linear(PAL_PAGE(0)), user_linear(PAL_PAGE(0)) - 1, 0,
        BIT(47)};

    if (!pal_ready()) {
        return;
    }
    user_new(&user, 0);
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        REQUIRE(pal_register(&user, 0) == TV_OK, "REG %u", i);
        (void)user_call(&user, 0, OP_SECRET, 0x5ec);
        uint64_t got = user_call(&user, 0, operations[i], values[i]);
        REQUIRE(got == FAILED + TV_ERROR_PAL_FAULT, "case %u: %llx", i, (unsigned long long)got);
        got = user_call(&user, 0, OP_DOUBLE, 1);
        REQUIRE(got == FAILED + TV_ERROR_PAL_ENDED, "case %u, called again: %llx", i,
                (unsigned long long)got);
        REQUIRE(pal_unregister(&user, 0) == TV_OK, "case %u: UNREG", i);
        REQUIRE(*(volatile uint64_t *)user_at(&user, PAL_DATA(0)) == 0, "case %u: secret", i);
    }
}

const struct probe pal_probes[] = {
    {"pal-basic", basic, ON_NACRE},
    {"pal-width", width, ON_NACRE},
    {"pal-detect", detect, ON_NACRE},
    {"pal-hypercalls", hypercalls, ON_NACRE},
    {"pal-inside", hypercalls_inside, ON_NACRE},
    {"pal-ended", ended, ON_NACRE},
    {0},
};
