/* Model-specific registers (REQ-MSR-1, -2, -4, -5, -8). */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"

#define FEATURE_CONTROL 0x3aU
#define BIOS_UPDT_TRIG 0x79U
#define BIOS_SIGN_ID 0x8bU
#define MISC_ENABLE 0x1a0U
#define DEBUGCTL 0x1d9U

static uint64_t msr_value(void)
{
    const struct try *try = &cpu_self()->try;

    return (uint64_t)(uint32_t)try->rdx << 32 | (uint32_t)try->rax;
}

/* A value or #GP: nothing else, for any number. */
static bool read_ends(uint32_t msr, bool *there)
{
    int vector = try(rdmsr, msr, 0);

    *there = vector == NO_FAULT;
    if (vector == NO_FAULT || (vector == GP && cpu_self()->try.error == 0)) {
        return true;
    }
    fail("RDMSR %x: exception %d", msr, vector);
    return false;
}

static unsigned read_range(uint32_t first, uint32_t count)
{
    unsigned found = 0;
    bool there;

    for (uint32_t i = 0; i < count && read_ends(first + i, &there); i++) {
        found += there;
    }
    return found;
}

static void read_all(void)
{
    bool there;
    unsigned found = read_range(0, 0x2000) + read_range(0xc0000000, 0x2000);

    REQUIRE(found > 40, "only %u MSRs", found);
    (void)read_range(0x40000000, 0x200);
    (void)read_range(0x80000000, 0x20);
    (void)read_range(0xc0010000, 0x200);
    (void)read_range(0xffffffe0, 0x20);
    for (unsigned i = 0; i < 2000 && read_ends((uint32_t)random_next(), &there); i++) {
    }
}

static void write_back_range(uint32_t first, uint32_t count)
{
    for (uint32_t msr = first; msr < first + count; msr++) {
        if (try(rdmsr, msr, 0) == NO_FAULT) {
            int vector = try(wrmsr, msr, msr_value());
            REQUIRE(vector == NO_FAULT || vector == GP, "WRMSR %x: exception %d", msr, vector);
        }
    }
}

/* What was read is written: accepted, or #GP for what is read-only. */
static void write_back(void)
{
    write_back_range(0, 0x2000);
    write_back_range(0xc0000000, 0x2000);
    EXPECT(GP, wrmsr, 0x40000000, 0);
    EXPECT(GP, wrmsr, 0xffffffff, ~0ULL);
}

/* Hidden in CPUID, refused here: VMX, SMX, SMM monitor, PT, DS area, PEBS (REQ-MSR-4, REQ-MSR-8).
 */
static void hidden(void)
{
    static const struct {
        uint32_t first, last;
    } absent[] = {{0x480, 0x491}, {0x9b, 0x9b},   {0x600, 0x600},  {0x3f1, 0x3f1},
                  {0x560, 0x561}, {0x570, 0x572}, {0x580, 0x587},  {0x6a0, 0x6a2},
                  {0x6a4, 0x6a8}, {0xd90, 0xd90}, {0x17d0, 0x17d1}};

    for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        for (uint32_t msr = absent[i].first; msr <= absent[i].last; msr++) {
            EXPECT(GP, rdmsr, msr, 0);
            for (unsigned k = 0; k < 20; k++) {
                EXPECT(GP, wrmsr, msr, random_next() >> (random_next() & 63));
            }
        }
    }
    if (try(rdmsr, FEATURE_CONTROL, 0) == NO_FAULT) {
        REQUIRE((msr_value() & 7) == 1, "IA32_FEATURE_CONTROL is %llx",
                (unsigned long long)msr_value());
        EXPECT(GP, wrmsr, FEATURE_CONTROL, 5);
        EXPECT(GP, wrmsr, FEATURE_CONTROL, 0);
    }
}

/* REQ-MSR-5: no update is loaded from wherever the guest says. */
static void microcode(void)
{
    (void)try(wrmsr, BIOS_SIGN_ID, 0);
    (void)cpuid(1, 0);
    int there = try(rdmsr, BIOS_SIGN_ID, 0); /* Bochs does not have it */
    uint64_t revision = msr_value();
    const uint64_t from[] = {0,
                             0x1000000,
                             0xfee00000,
                             ~0ULL,
                             0x8000000000000000,
                             0xffffffff80000000,
                             0xffff800000000000};

    for (unsigned i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
        EXPECT(NO_FAULT, wrmsr, BIOS_UPDT_TRIG, from[i]);
    }
    (void)try(wrmsr, BIOS_SIGN_ID, 0);
    (void)cpuid(1, 0);
    REQUIRE(try(rdmsr, BIOS_SIGN_ID, 0) == there && (there == GP || msr_value() == revision),
            "the revision changed");
}

/* REQ-MSR-2: these are the guest's own, and keep what is written through exits. */
static void round_trips(void *result)
{
    static const struct {
        uint32_t msr;
        uint64_t value;
    } tests[] = {
        {0x277, 0x0007010600070106},
        {0xc0000081, 0x0033000812345678},
        {0xc0000082, 0xffff800012345678},
        {0xc0000083, 0xffff812345678000},
        {0xc0000084, 0x47700},
        {0xc0000100, 0x00007fff12345678},
        {0xc0000101, 0xffff8000abcdef00},
        {0xc0000102, 0x00001234abcdef00},
        {0xc0000103, 0x7},
        {0x174, 0x10},
        {0x175, 0xffff800000001000},
        {0x176, 0xffff800000002000},
    };

    for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        uint64_t old = rdmsr(tests[i].msr);
        wrmsr(tests[i].msr, tests[i].value);
        (void)cpuid(0, 0); /* an exit */
        if (rdmsr(tests[i].msr) != tests[i].value) {
            __atomic_store_n((uint32_t *)result, tests[i].msr, __ATOMIC_SEQ_CST);
        }
        wrmsr(tests[i].msr, old);
    }
}

static void own(void)
{
    uint32_t bad = 0;

    REQUIRE(smp_call_all(round_trips, &bad), "a CPU does not answer");
    REQUIRE(bad == 0, "MSR %x does not keep its value", bad);
    EXPECT(GP, wrmsr, 0xc0000100, BIT(63));       /* not canonical */
    EXPECT(GP, wrmsr, 0x277, 0x0000000000000002); /* type 2 does not exist */
}

/* EFER (REQ-CR-2): SCE and NXE are free, LME not with paging on, the rest is reserved. */
static void efer(void)
{
    uint64_t old = rdmsr(EFER);

    REQUIRE((old & 0x500) == 0x500, "EFER is %llx", (unsigned long long)old);
    EXPECT(NO_FAULT, wrmsr, EFER, old | 1);
    REQUIRE(rdmsr(EFER) == (old | 1), "EFER.SCE is lost");
    EXPECT(NO_FAULT, wrmsr, EFER, old ^ BIT(11));
    (void)cpuid(0, 0);
    REQUIRE(rdmsr(EFER) == (old ^ BIT(11)), "EFER.NXE is lost");
    EXPECT(GP, wrmsr, EFER, old & ~BIT(8));
    EXPECT(GP, wrmsr, EFER, old | BIT(1));
    EXPECT(GP, wrmsr, EFER, old | BIT(63));
    EXPECT(NO_FAULT, wrmsr, EFER, old & ~BIT(10)); /* LMA is read-only: ignored */
    REQUIRE(rdmsr(EFER) == ((old & ~BIT(10)) | BIT(10)), "EFER.LMA changed");
    EXPECT(NO_FAULT, wrmsr, EFER, old);
}

/* IA32_APIC_BASE: reserved bits, impossible transitions; Nacre lets nobody move the page. */
static void apic_base(void)
{
    uint64_t old = rdmsr(IA32_APIC_BASE);

    EXPECT(NO_FAULT, wrmsr, IA32_APIC_BASE, old);
    EXPECT(GP, wrmsr, IA32_APIC_BASE, old | 1);
    EXPECT(GP, wrmsr, IA32_APIC_BASE, old | BIT(60));
    EXPECT(GP, wrmsr, IA32_APIC_BASE, (old & ~BIT(11)) | BIT(10)); /* EXTD without EN */
    REQUIRE(rdmsr(IA32_APIC_BASE) == old, "IA32_APIC_BASE changed");
    if (on_nacre()) {
        EXPECT(GP, wrmsr, IA32_APIC_BASE, old ^ 0x100000);
        for (unsigned i = 0; i < 200; i++) {
            uint64_t value = random_next() & ~(BIT(10) | BIT(11));
            EXPECT(GP, wrmsr, IA32_APIC_BASE, value | BIT(11));
        }
    }
    REQUIRE(rdmsr(IA32_APIC_BASE) == old, "IA32_APIC_BASE changed");
}

/* Nothing that a guest writes to these may reach us (XD_DISABLE would take NX from our tables). */
static void hostile_writes(void)
{
    static const uint32_t targets[] = {MISC_ENABLE, 0x345,    BIOS_UPDT_TRIG, 0xda0,
                                       0x17,        DEBUGCTL, IA32_APIC_BASE, FEATURE_CONTROL};
    bool has_misc = try(rdmsr, MISC_ENABLE, 0) == NO_FAULT; /* Bochs does not have it */
    uint64_t misc = msr_value();

    for (unsigned i = 0; i < 1000; i++) {
        uint32_t msr = targets[random_next() % (sizeof(targets) / sizeof(targets[0]))];
        uint64_t value = random_next() >> (random_next() & 63);
        if (msr == IA32_APIC_BASE) {
            value |= BIT(0); /* never legal */
        }
        int vector = try(wrmsr, msr, value);
        REQUIRE(vector == NO_FAULT || vector == GP, "WRMSR %x: exception %d", msr, vector);
        if (msr == DEBUGCTL) {
            (void)try(wrmsr, DEBUGCTL, 0);
        }
    }
    REQUIRE(!has_misc || try(wrmsr, MISC_ENABLE, misc) == NO_FAULT, "IA32_MISC_ENABLE");
}

const struct probe msr_probes[] = {
    {"msr-read", read_all, ANYWHERE},
    {"msr-write-back", write_back, ANYWHERE},
    {"msr-hidden", hidden, ON_NACRE},
    {"msr-microcode", microcode, ON_NACRE},
    {"msr-own", own, ANYWHERE},
    {"msr-efer", efer, ANYWHERE},
    {"msr-apic-base", apic_base, ANYWHERE},
    {"msr-hostile", hostile_writes, ON_NACRE},
    {0},
};
