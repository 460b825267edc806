/* What a call leaves alone, and what does not get into the PAL (REQ-PAL-4). */
#include "cpu.h"
#include "lib.h"
#include "pal.h"
#include "probe.h"

#define FS_BASE 0xc0000100U
#define GS_BASE 0xc0000101U
#define KERNEL_GS_BASE 0xc0000102U
#define CR4_OSFXSR BIT(9)
#define RFLAGS_TF BIT(8)
#define RFLAGS_DF BIT(10)
#define RFLAGS_NT BIT(14)
#define RFLAGS_AC BIT(18)
#define RFLAGS_ID BIT(21)

static struct user user;

#define SET_UP                                                                                     \
    if (!pal_ready()) {                                                                            \
        return;                                                                                    \
    }                                                                                              \
    user_new(&user, 0);                                                                            \
    REQUIRE(pal_register(&user, 0) == TV_OK, "REG")
#define TEAR_DOWN REQUIRE(pal_unregister(&user, 0) == TV_OK, "UNREG")

/* Ready to call operation, with something in every register. */
static void prepare(uint64_t operation, uint64_t value, uint64_t rflags)
{
    user_start(&user, USER64, STUB_CALL);
    uint64_t *registers = (uint64_t *)&user.frame;
    for (unsigned i = 0; i <= offsetof(struct frame, rax) / 8; i++) {
        registers[i] = random_next() | 1;
    }
    user.frame.rdi = operation;
    user.frame.rsi = value;
    user.frame.rdx = user_linear(PAGE_BUFFER);
    user.frame.rbx = user_linear(PAL_PAGE(0));
    user.frame.rflags |= rflags;
}

/* All general registers, for a PAL that sets them all: the caller's stay. */
static void general(void)
{
    SET_UP;
    for (unsigned i = 0; i < 10; i++) {
        prepare(OP_GARBLE, 0, i & 1 ? RFLAGS_DF | RFLAGS_AC : RFLAGS_ID);
        struct frame before = user.frame;
        int vector = user_run(&user);
        REQUIRE(vector == NO_FAULT && user.frame.rax == ~0ULL, "garble: exception %d, RAX %llx",
                vector, (unsigned long long)user.frame.rax);
        before.rax = ~0ULL;
        REQUIRE(memcmp(&before, &user.frame, offsetof(struct frame, vector)) == 0,
                "a register of the caller changed");
        REQUIRE(user.frame.rsp == before.rsp, "RSP is %llx", (unsigned long long)user.frame.rsp);
        REQUIRE(((user.frame.rflags ^ before.rflags) & (RFLAGS_DF | RFLAGS_AC | RFLAGS_NT)) == 0,
                "flags %llx", (unsigned long long)user.frame.rflags);
        prepare(OP_LEAK, 0, 0);
        user.frame.rax = ~0ULL;
        REQUIRE(user_run(&user) == NO_FAULT && user.frame.rax == 0,
                "a register of the caller is in the PAL: %llx", (unsigned long long)user.frame.rax);
    }
    TEAR_DOWN;
}

/* The caller's flags are not the PAL's: IOPL, TF, DF, AC, NT. */
static void flags(void)
{
    SET_UP;
    const uint64_t odd[] = {RFLAGS_DF, RFLAGS_AC, RFLAGS_NT, 0x3000, 0x8d5, RFLAGS_ID};
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        prepare(OP_FLAGS, 0, odd[i]);
        REQUIRE(user_run(&user) == NO_FAULT, "flags %llx: exception", (unsigned long long)odd[i]);
        REQUIRE((user.frame.rax & ~0x8d5ULL) == 2 || (user.frame.rax & ~0x8d5ULL) == 0x202,
                "the PAL has the flags %llx", (unsigned long long)user.frame.rax);
    }
    prepare(OP_CLI, 0, 0x3000);
    REQUIRE(user_run(&user) == NO_FAULT && user.frame.rax == TV_ERROR_PAL_FAULT,
            "CLI in a PAL of a caller with IOPL 3: %llx", (unsigned long long)user.frame.rax);
    TEAR_DOWN;
}

/* Single-stepped from the entry on: no step inside, and the right result. */
static void single_step(void)
{
    SET_UP;
    for (unsigned i = 0; i < 2; i++) {
        prepare(OP_DOUBLE, 8, RFLAGS_TF);
        user.frame.rip = user.frame.rbx; /* the call's first step has been taken */
        user.frame.rsp -= 8;
        uint64_t back = USER + STUB_RETURN;
        memcpy((uint8_t *)user_at(&user, PAGE_STACK) + (user.frame.rsp - user_linear(PAGE_STACK)),
               &back, 8);
        int vector = user_run(&user);
        REQUIRE(vector == NO_FAULT || (vector == DB && user.frame.rip == back),
                "exception %d at %llx", vector, (unsigned long long)user.frame.rip);
        REQUIRE(user.frame.rax == 17, "result %llx", (unsigned long long)user.frame.rax);
    }
    /* And the step of the CALL itself is at the entry, before the PAL. */
    prepare(OP_DOUBLE, 8, RFLAGS_TF);
    int vector = user_run(&user);
    REQUIRE(vector == DB && user.frame.rip == user_linear(PAL_PAGE(0)), "exception %d at %llx",
            vector, (unsigned long long)user.frame.rip);
    REQUIRE(pal_works(&user, 0, 0), "the PAL");
    TEAR_DOWN;
}

#define DEBUG_REGISTER(n)                                                                          \
    static uint64_t read_dr##n(void)                                                               \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mov %%db" #n ", %0" : "=r"(value));                                      \
        return value;                                                                              \
    }                                                                                              \
    static void write_dr##n(uint64_t value)                                                        \
    {                                                                                              \
        __asm__ volatile("mov %0, %%db" #n ::"r"(value));                                          \
    }
DEBUG_REGISTER(0)
DEBUG_REGISTER(1)
DEBUG_REGISTER(2)
DEBUG_REGISTER(3)
DEBUG_REGISTER(6)
DEBUG_REGISTER(7)

/* Breakpoints on the PAL's addresses: code at its second instruction, data and stack. */
static void debug(void)
{
    static const uint64_t dr7 = 0x3ff | 0x3ULL << 20 | 0xfULL << 24 | 0xfULL << 28 | 0x400;

    SET_UP;
    uint64_t code = user_linear(PAL_PAGE(0)) + 3, data = user_linear(PAL_DATA(0));
    uint64_t stack = user_linear(PAL_STACK(0)) + PAGE - 0x18;
    write_dr0(code);
    write_dr1(data);
    write_dr2(stack);
    write_dr3(user_linear(PAL_PARAM(0)) + 0x10);
    write_dr6(0xffff0ff0);
    write_dr7(dr7);
    bool works = pal_works(&user, 0, 0);
    uint64_t now7 = read_dr7();
    write_dr7(0x400);
    REQUIRE(works, "a breakpoint hits inside the PAL");
    REQUIRE(now7 == dr7, "DR7 is %llx", (unsigned long long)now7);
    REQUIRE(read_dr0() == code && read_dr1() == data && read_dr2() == stack &&
                read_dr3() == user_linear(PAL_PARAM(0)) + 0x10,
            "DR0 to DR3 changed");
    REQUIRE(read_dr6() == 0xffff0ff0, "DR6 is %llx", (unsigned long long)read_dr6());
    TEAR_DOWN;
}

static void read_xmm(uint64_t xmm[4])
{
    __asm__ volatile("movups %%xmm0, (%0)\n\tmovups %%xmm15, 16(%0)" ::"r"(xmm) : "memory");
}

/* Vector registers, CR2, and the MSRs behind segments. */
static void hidden_state(void)
{
    static const uint64_t pattern[4] = {0x1111222233334444, 0x5555666677778888, 0x9999aaaabbbbcccc,
                                        0xddddeeeeffff0000};
    uint64_t cr4 = read_cr4(), xmm[4];
    uint32_t mxcsr = 0x1f00, now_mxcsr;
    const uint64_t kernel_gs = rdmsr(KERNEL_GS_BASE);

    SET_UP;
    write_cr4(cr4 | CR4_OSFXSR);
    __asm__ volatile("mov %0, %%fs\n\tmov %0, %%gs" ::"r"(SEL_USER_DATA)); /* IRET leaves them */
    wrmsr(FS_BASE, 0x23456789abcd);
    wrmsr(GS_BASE, 0x3456789abcde);
    wrmsr(KERNEL_GS_BASE, 0x123456789abc);
    __asm__ volatile("movups (%0), %%xmm0\n\tmovups 16(%0), %%xmm15\n\tldmxcsr %1\n\tfninit\n\t"
                     "fld1\n\tmov %2, %%cr2" ::"r"(pattern),
                     "m"(mxcsr), "r"(0x987654321000ULL));
    bool works = pal_works(&user, 0, 0);
    uint64_t cr2 = read_cr2();
    uint16_t status;
    read_xmm(xmm);
    __asm__ volatile("stmxcsr %0\n\tfnstsw %1\n\tfninit" : "=m"(now_mxcsr), "=a"(status));
    bool bases = rdmsr(KERNEL_GS_BASE) == 0x123456789abc && rdmsr(FS_BASE) == 0x23456789abcd &&
                 rdmsr(GS_BASE) == 0x3456789abcde;
    wrmsr(KERNEL_GS_BASE, kernel_gs);
    __asm__ volatile("mov %0, %%fs\n\tmov %0, %%gs" ::"r"(SEL_DATA));
    write_cr4(cr4);
    REQUIRE(works, "the PAL");
    REQUIRE(memcmp(xmm, pattern, sizeof(xmm)) == 0, "XMM registers changed");
    REQUIRE(now_mxcsr == mxcsr && (status >> 11 & 7) == 7, "MXCSR %x, x87 status %x", now_mxcsr,
            status);
    REQUIRE(cr2 == 0x987654321000, "CR2 is %llx", (unsigned long long)cr2);
    REQUIRE(bases, "a segment base changed");
    uint64_t got = user_call(&user, 0, OP_VECTOR, 1);
    REQUIRE(got == FAILED + TV_ERROR_PAL_FAULT, "a PAL without vectors: %llx",
            (unsigned long long)got);
    TEAR_DOWN;
}

/* A page fault inside the PAL does not show in CR2, and a descriptor table not in the PAL. */
static void fault_inside(void)
{
    SET_UP;
    __asm__ volatile("mov %0, %%cr2" ::"r"(0x1234000ULL));
    uint64_t got = user_call(&user, 0, OP_LOAD, 0x5ec2e7);
    REQUIRE(got == FAILED + TV_ERROR_PAL_FAULT, "%llx", (unsigned long long)got);
    REQUIRE(read_cr2() == 0x1234000, "CR2 is %llx", (unsigned long long)read_cr2());
    TEAR_DOWN;
}

const struct probe pal_context_probes[] = {
    {"pal-general", general, ON_NACRE},
    {"pal-flags", flags, ON_NACRE},
    {"pal-step", single_step, ON_NACRE},
    {"pal-debug", debug, ON_NACRE},
    {"pal-hidden", hidden_state, ON_NACRE},
    {"pal-fault", fault_inside, ON_NACRE},
    {0},
};
