/* CPUID and XSETBV (REQ-CR-7, REQ-MSR-10). */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"

/* REQ-BOOT-1: as many CPUs answered as the machine has. */
static void cpu_number_is_right(void)
{
    if (expected_cpus() == 0) {
        skip("cpus= not given");
        return;
    }
    REQUIRE(cpu_count == expected_cpus(), "%u CPUs of %u", cpu_count, expected_cpus());
}

/* REQ-MSR-10, on every CPU. */
static void check_leaves(void *result)
{
    struct cpuid first = cpuid(1, 0), ours = cpuid(0x40000000, 0), beyond = cpuid(0x4fffffff, 0);
    struct cpuid max = cpuid(cpuid(0, 0).eax, 0);
    bool good = first.ecx & BIT(31) && !(first.ecx & BIT(5)) && !(first.ecx & BIT(6)) &&
                ours.eax >= 0x40000000 && ours.eax < 0x40010000 && ours.ebx != 0;

    good &= memcmp(&beyond, &max, sizeof(max)) == 0; /* an absent leaf answers like the last one */
    if (!good) {
        __atomic_store_n((bool *)result, true, __ATOMIC_SEQ_CST);
    }
}

static void leaves(void)
{
    bool bad = false;

    REQUIRE(smp_call_all(check_leaves, &bad), "a CPU does not answer");
    REQUIRE(!bad, "leaf 1 or 0x40000000 is wrong");
}

/* REQ-CR-7 */
static void follows_cr4(void)
{
    uint64_t cr4 = read_cr4();
    bool has_xsave = cpuid(1, 0).ecx & BIT(26), has_pku = cpuid(7, 0).ecx & BIT(3);

    write_cr4(cr4 & ~(CR4_OSXSAVE | CR4_PKE));
    REQUIRE(!(cpuid(1, 0).ecx & BIT(27)), "OSXSAVE set with CR4.OSXSAVE clear");
    REQUIRE(!(cpuid(7, 0).ecx & BIT(4)), "OSPKE set with CR4.PKE clear");
    if (has_xsave) {
        write_cr4(cr4 | CR4_OSXSAVE);
        REQUIRE(cpuid(1, 0).ecx & BIT(27), "OSXSAVE clear with CR4.OSXSAVE set");
    }
    if (has_pku) {
        write_cr4(cr4 | CR4_PKE);
        REQUIRE(cpuid(7, 0).ecx & BIT(4), "OSPKE clear with CR4.PKE set");
    }
    write_cr4(cr4);
}

/* REQ-CR-7: XSETBV needs CPL 0, XCR0 and a legal value. */
static void xsetbv(void)
{
    uint64_t cr4 = read_cr4();

    if (!(cpuid(1, 0).ecx & BIT(26))) {
        skip("no XSAVE");
        return;
    }
    write_cr4(cr4 & ~CR4_OSXSAVE);
    EXPECT(UD, xsetbv, 0, 1);
    write_cr4(cr4 | CR4_OSXSAVE);
    uint64_t all = cpuid(0xd, 0).eax | (uint64_t)cpuid(0xd, 0).edx << 32;
    EXPECT(NO_FAULT, xsetbv, 0, all);
    EXPECT(NO_FAULT, xgetbv, 0, 0);
    REQUIRE((cpu_self()->try.rax & 0xffffffff) == (all & 0xffffffff), "XCR0 reads back %llx",
            (unsigned long long)cpu_self()->try.rax);
    EXPECT(GP, xsetbv, 0, 0); /* x87 must stay */
    EXPECT(GP, xsetbv, 0, all & ~BIT(0));
    EXPECT(GP, xsetbv, 0, BIT(63) | 1);
    EXPECT(GP, xsetbv, 1, 1); /* no such register */
    EXPECT(GP, xsetbv, 0xffffffff, 1);
    if (all & BIT(2)) {
        EXPECT(GP, xsetbv, 0, BIT(2) | BIT(0)); /* AVX without SSE */
    }
    EXPECT(GP, xsetbv, 0, BIT(3) | 1); /* MPX: half of it, or hidden */
    expect("xsetbv at CPL 3", try_user(insn_xsetbv, 0, 1), GP, insn_xsetbv);
    expect("cpuid at CPL 3", try_user(insn_cpuid, 0, 0), NO_FAULT, insn_cpuid);
    for (unsigned i = 0; i < 2000; i++) {
        (void)try(xsetbv, random_next() & 3, random_next() >> (random_next() & 63));
    }
    EXPECT(NO_FAULT, xsetbv, 0, 1);
    write_cr4(cr4);
}

/* Every leaf ends, whatever its sub-leaf. */
static void any_leaf(void)
{
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t leaf = (uint32_t)random_next();
        (void)cpuid(i < 256 ? i : leaf, (uint32_t)random_next() & 0x3f);
        (void)cpuid(0x80000000 + (i & 0x3f), i);
        (void)cpuid(0x40000000 + (leaf & 0xffff), i);
    }
}

const struct probe cpuid_probes[] = {
    {"cpus", cpu_number_is_right, ANYWHERE},
    {"cpuid-leaves", leaves, ON_NACRE},
    {"cpuid-cr4", follows_cr4, ANYWHERE},
    {"cpuid-any", any_leaf, ANYWHERE},
    {"xsetbv", xsetbv, ANYWHERE},
    {0},
};
