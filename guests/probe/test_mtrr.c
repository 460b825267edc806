/* Memory-type range registers (REQ-MSR-6). */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"
#include "window.h"

#define MTRRCAP 0xfeU
#define PHYSBASE(n) (0x200U + 2 * (n))
#define PHYSMASK(n) (0x201U + 2 * (n))
#define DEF_TYPE 0x2ffU
#define FIX64K 0x250U
#define DEF_TYPE_E BIT(11)
#define MASK_VALID BIT(11)

static uint64_t address_mask(void)
{
    return (1ULL << (cpuid(0x80000008, 0).eax & 0xff)) - PAGE;
}

/* As the SDM's "MemTypeSet()" has it: off, change, on. */
static void set_last(void *argument)
{
    unsigned last = (unsigned)(rdmsr(MTRRCAP) & 0xff) - 1;
    uint64_t def_type = rdmsr(DEF_TYPE), type = *(uint64_t *)argument;

    wrmsr(DEF_TYPE, def_type & ~DEF_TYPE_E);
    if (type > 0xff) {
        wrmsr(PHYSMASK(last), 0);
    } else {
        wrmsr(PHYSBASE(last), 0x4000000 | type);
        wrmsr(PHYSMASK(last), (address_mask() & ~0x1fffffULL) | MASK_VALID);
    }
    wrmsr(DEF_TYPE, def_type | DEF_TYPE_E);
}

static void change(void)
{
    static uint64_t types[] = {6, 0, 4, 5, 1, 0x100};
    volatile uint64_t *memory = (volatile uint64_t *)0x4000000;
    unsigned last = (unsigned)(rdmsr(MTRRCAP) & 0xff) - 1;

    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        REQUIRE(smp_call_all(set_last, &types[i]), "a CPU does not answer");
        *memory = 0x1234567 + i;
        REQUIRE(*memory == 0x1234567 + i, "memory is not what was written");
        if (types[i] <= 0xff) {
            REQUIRE(rdmsr(PHYSBASE(last)) == (0x4000000 | types[i]), "base reads back %llx",
                    (unsigned long long)rdmsr(PHYSBASE(last)));
        }
    }
}

static void illegal(void)
{
    unsigned count = (unsigned)(rdmsr(MTRRCAP) & 0xff);
    uint64_t old = rdmsr(DEF_TYPE);

    EXPECT(GP, wrmsr, MTRRCAP, 0);
    EXPECT(GP, wrmsr, PHYSBASE(0), 2);       /* no such type */
    EXPECT(GP, wrmsr, PHYSBASE(0), 0x100);   /* reserved */
    EXPECT(GP, wrmsr, PHYSBASE(0), BIT(63)); /* beyond MAXPHYADDR */
    EXPECT(GP, wrmsr, PHYSMASK(0), 1);
    EXPECT(GP, wrmsr, DEF_TYPE, 7);
    EXPECT(GP, wrmsr, DEF_TYPE, BIT(12) | old);
    EXPECT(GP, wrmsr, FIX64K, 0x0202020202020202);
    EXPECT(GP, rdmsr, PHYSBASE(count), 0);
    EXPECT(GP, wrmsr, PHYSBASE(count), 0);
    REQUIRE(rdmsr(DEF_TYPE) == old, "the default type changed");
}

static void fixed(void)
{
    uint64_t old = rdmsr(FIX64K), def_type = rdmsr(DEF_TYPE);

    wrmsr(DEF_TYPE, def_type & ~DEF_TYPE_E);
    wrmsr(FIX64K, 0x0606060600040506);
    REQUIRE(rdmsr(FIX64K) == 0x0606060600040506, "fixed range reads back %llx",
            (unsigned long long)rdmsr(FIX64K));
    wrmsr(DEF_TYPE, def_type | DEF_TYPE_E | BIT(10));
    (void)*(volatile uint8_t *)0x20000;
    wrmsr(DEF_TYPE, def_type & ~DEF_TYPE_E);
    wrmsr(FIX64K, old);
    wrmsr(DEF_TYPE, def_type);
}

/* Every CPU writes random values to random registers, all at the same time and without any care. */
static void disorder(void *argument)
{
    uint64_t state = (rdtsc() << 8 | cpu_number()) * 0x9e3779b97f4a7c15ULL | 1;

    (void)argument;
    for (unsigned i = 0; i < 200 / cpu_count; i++) { /* each may stop all CPUs */
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        uint32_t msr = 0x200 + (uint32_t)(state >> 8) % 0x100;
        uint64_t type = state >> 20 & 7, address = state & address_mask() & ~0xfffffULL;
        uint64_t value = msr == DEF_TYPE ? (state & 0xc00) | type
                         : msr & 1       ? address | MASK_VALID
                                         : address | type;
        if (msr >= FIX64K && msr < 0x270) {
            value = 0x0101010101010101 * (type == 2 || type == 3 || type == 7 ? 6 : type);
        }
        (void)try(wrmsr, msr, value);
    }
}

static uint64_t saved[0x100];

static void restore(void *argument)
{
    (void)argument;
    (void)try(wrmsr, DEF_TYPE, 0);
    for (uint32_t i = 0; i < 0xff; i++) {
        (void)try(wrmsr, 0x200 + i, saved[i]);
    }
    (void)try(wrmsr, DEF_TYPE, saved[0xff]);
}

static void storm(void)
{
    for (uint32_t i = 0; i < 0x100; i++) {
        saved[i] = try(rdmsr, 0x200 + i, 0) == NO_FAULT
                       ? (cpu_self()->try.rdx << 32 | (uint32_t)cpu_self()->try.rax)
                       : 0;
    }
    bool answered = smp_call_all(disorder, NULL);
    bool restored = smp_call_all(restore, NULL);
    REQUIRE(answered && restored, "a CPU does not answer");
    for (uint32_t i = 0; i < 0x100; i++) {
        if (try(rdmsr, 0x200 + i, 0) == NO_FAULT) {
            uint64_t now = cpu_self()->try.rdx << 32 | (uint32_t)cpu_self()->try.rax;
            REQUIRE(now == saved[i], "MTRR %x is %llx instead of %llx", 0x200 + i,
                    (unsigned long long)now, (unsigned long long)saved[i]);
        }
    }
}

const struct probe mtrr_probes[] = {
    {"mtrr-change", change, ANYWHERE},
    {"mtrr-illegal", illegal, ANYWHERE},
    {"mtrr-fixed", fixed, ANYWHERE},
    {"mtrr-storm", storm, ANYWHERE},
    {0},
};
