/* Instructions of the calling CPU (hw/cpu.h). */
#include <hw/cpu.h>

#include "machine.h"
#include "percpu.h"

#include <base/check.h>

/* Makes `label` in an asm statement continue at `landing` when it raises #GP. */
#define FIXUP(label, landing)                                                                      \
    ".pushsection .trap_fixups, \"a\"\n\t.quad " label ", " landing "\n\t.popsection\n\t"

struct hw_cpuid hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct hw_cpuid regs;
    __asm__ volatile("cpuid"
                     : "=a"(regs.eax), "=b"(regs.ebx), "=c"(regs.ecx), "=d"(regs.edx)
                     : "a"(leaf), "c"(subleaf));
    return regs;
}

unsigned hw_this_cpu(void)
{
    return percpu_this()->cpu;
}

uint64_t hw_rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

void hw_wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

bool hw_rdmsr_safe(uint32_t msr, uint64_t *value)
{
    uint32_t low, high, failed = 1;
    __asm__ volatile("1: rdmsr\n\t"
                     "xorl %2, %2\n"
                     "2:\n\t" FIXUP("1b", "2b")
                     : "=a"(low), "=d"(high), "+r"(failed)
                     : "c"(msr)
                     : "memory");
    if (failed) {
        return false;
    }
    *value = (uint64_t)high << 32 | low;
    return true;
}

bool hw_wrmsr_safe(uint32_t msr, uint64_t value)
{
    uint32_t failed = 1;
    __asm__ volatile("1: wrmsr\n\t"
                     "xorl %0, %0\n"
                     "2:\n\t" FIXUP("1b", "2b")
                     : "+r"(failed)
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
    return !failed;
}

bool hw_xsetbv_safe(uint32_t index, uint64_t value)
{
    uint32_t failed = 1;
    __asm__ volatile("1: xsetbv\n\t"
                     "xorl %0, %0\n"
                     "2:\n\t" FIXUP("1b", "2b")
                     : "+r"(failed)
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
    return !failed;
}

#define DEFINE_READ(reg)                                                                           \
    uint64_t hw_read_##reg(void)                                                                   \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("movq %%" #reg ", %0" : "=r"(value) : : "memory");                        \
        return value;                                                                              \
    }
DEFINE_READ(cr0)
DEFINE_READ(cr2)
DEFINE_READ(cr3)
DEFINE_READ(cr4)

#define DEFINE_WRITE(reg)                                                                          \
    void hw_write_##reg(uint64_t value)                                                            \
    {                                                                                              \
        __asm__ volatile("movq %0, %%" #reg : : "r"(value) : "memory");                            \
    }
DEFINE_WRITE(cr0)
DEFINE_WRITE(cr2)
DEFINE_WRITE(cr4)

void hw_write_dr(unsigned index, uint64_t value)
{
    switch (index) {
    case 0:
        __asm__ volatile("movq %0, %%dr0" : : "r"(value));
        return;
    case 1:
        __asm__ volatile("movq %0, %%dr1" : : "r"(value));
        return;
    case 2:
        __asm__ volatile("movq %0, %%dr2" : : "r"(value));
        return;
    case 3:
        __asm__ volatile("movq %0, %%dr3" : : "r"(value));
        return;
    case 6:
        __asm__ volatile("movq %0, %%dr6" : : "r"(value));
        return;
    default:
        CHECK(!"a debug register that exists");
    }
}

void hw_wbinvd(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}

uint64_t hw_rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

void hw_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

_Noreturn void hw_halt(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt" : : : "memory");
    }
}

_Noreturn void machine_triple_fault(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
    hw_halt();
}

#define CPUID_1_ECX_RDRAND (1U << 30)
#define CPUID_7_EBX_RDSEED (1U << 18)
/* RDRAND fails ten times in a row on a broken CPU only; RDSEED when others drain it. */
#define RDRAND_TRIES 10U
#define RDSEED_TRIES 1000U

static bool rdseed(uint64_t *value)
{
    for (unsigned i = 0; i < RDSEED_TRIES; i++) {
        bool got;
        __asm__ volatile("rdseed %0" : "=r"(*value), "=@ccc"(got));
        if (got) {
            return true;
        }
        hw_pause();
    }
    return false;
}

static bool rdrand(uint64_t *value)
{
    for (unsigned i = 0; i < RDRAND_TRIES; i++) {
        bool got;
        __asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(got));
        if (got) {
            return true;
        }
    }
    return false;
}

bool hw_random(uint64_t *value)
{
    if (hw_cpuid(0, 0).eax >= 7 && (hw_cpuid(7, 0).ebx & CPUID_7_EBX_RDSEED) != 0 &&
        rdseed(value)) {
        return true;
    }
    return (hw_cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND) != 0 && rdrand(value);
}
