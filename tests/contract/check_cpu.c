/* hw/cpu.h: identification, MSRs, control registers, time. */
#include "contract.h"

#include <config/config.h>
#include <hw/cpu.h>

#define MSR_NONE 0x12345678u /* outside every range that the manual assigns */
#define MSR_EFER 0xc0000080u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define CR4_OSXSAVE (1u << 18)

static void cpuid_is_stable(const struct contract_machine *machine)
{
    (void)machine;
    struct hw_cpuid first = hw_cpuid(0, 0), second = hw_cpuid(0, 0);
    REQUIRE(first.eax >= 1);
    REQUIRE(first.eax == second.eax && first.ebx == second.ebx);
    REQUIRE(first.ecx == second.ecx && first.edx == second.edx);
    REQUIRE(hw_cpuid(1, 0).edx & 0x20); /* MSRs */
    REQUIRE(hw_cpuid(0x80000001, 0).edx & (1u << 29));
    REQUIRE(hw_this_cpu() < CONFIG_MAX_CPUS);
}

/* REQ-MSR-1 */
static void missing_msr_is_reported(const struct contract_machine *machine)
{
    (void)machine;
    uint64_t value = 0x1122334455667788;
    REQUIRE(!hw_rdmsr_safe(MSR_NONE, &value));
    REQUIRE(value == 0x1122334455667788);
    REQUIRE(!hw_wrmsr_safe(MSR_NONE, 0));
}

static void msr_keeps_64_bits(const struct contract_machine *machine)
{
    (void)machine;
    uint64_t old = hw_rdmsr(MSR_KERNEL_GS_BASE), value = 0;
    hw_wrmsr(MSR_KERNEL_GS_BASE, 0xffff812345678000);
    bool ok = hw_rdmsr_safe(MSR_KERNEL_GS_BASE, &value);
    hw_wrmsr(MSR_KERNEL_GS_BASE, old);
    REQUIRE(ok && value == 0xffff812345678000);
}

static void bad_msr_value_is_reported(const struct contract_machine *machine)
{
    (void)machine;
    uint64_t base = hw_rdmsr(MSR_KERNEL_GS_BASE), efer = hw_rdmsr(MSR_EFER);
    REQUIRE(!hw_wrmsr_safe(MSR_KERNEL_GS_BASE, 1ULL << 62)); /* not canonical */
    REQUIRE(hw_rdmsr(MSR_KERNEL_GS_BASE) == base);
    REQUIRE(!hw_wrmsr_safe(MSR_EFER, efer | 1ULL << 40)); /* reserved */
    REQUIRE(!hw_wrmsr_safe(MSR_EFER, efer & ~0x100ULL));  /* LME with paging on */
    REQUIRE(hw_rdmsr(MSR_EFER) == efer);
}

static void host_is_in_64_bit_mode(const struct contract_machine *machine)
{
    (void)machine;
    REQUIRE((hw_read_cr0() & 0x80000001) == 0x80000001);
    REQUIRE(hw_read_cr0() & 0x10000); /* WP: the page tables are W^X */
    REQUIRE(hw_read_cr4() & 0x20);
    REQUIRE((hw_rdmsr(MSR_EFER) & 0xd00) == 0xd00);
}

static void cr2_keeps_its_value(const struct contract_machine *machine)
{
    (void)machine;
    uint64_t old = hw_read_cr2();
    hw_write_cr2(0xffff800012345678);
    uint64_t value = hw_read_cr2();
    hw_write_cr2(old);
    REQUIRE(value == 0xffff800012345678);
    REQUIRE(hw_read_cr2() == old);
}

/* REQ-CR-7 */
static void bad_xcr0_is_reported(const struct contract_machine *machine)
{
    (void)machine;
    if (!(hw_cpuid(1, 0).ecx & (1u << 26))) {
        return;
    }
    uint64_t cr4 = hw_read_cr4();
    hw_write_cr4(cr4 | CR4_OSXSAVE);
    bool without_x87 = hw_xsetbv_safe(0, 2);
    bool no_such_register = hw_xsetbv_safe(7, 1);
    bool plain = hw_xsetbv_safe(0, 1);
    uint32_t announced = hw_cpuid(1, 0).ecx;
    hw_write_cr4(cr4);
    REQUIRE(!without_x87);
    REQUIRE(!no_such_register);
    REQUIRE(plain);
    REQUIRE(announced & (1u << 27));
}

static void time_passes(const struct contract_machine *machine)
{
    (void)machine;
    uint64_t start = hw_rdtsc();
    REQUIRE(hw_tsc_hz() >= 1000000);
    hw_delay_us(2000);
    uint64_t passed = hw_rdtsc() - start;
    REQUIRE(passed >= hw_tsc_hz() / 500);
    hw_delay_us(0);
    hw_pause();
    hw_wbinvd();
}

static bool has_random(void)
{
    return (hw_cpuid(1, 0).ecx & (1u << 30)) != 0 ||
           (hw_cpuid(0, 0).eax >= 7 && (hw_cpuid(7, 0).ebx & (1u << 18)) != 0);
}

static void random_numbers_differ(const struct contract_machine *machine)
{
    (void)machine;
    uint64_t first = 0, second = 0;
    REQUIRE(hw_random(&first) == has_random());
    REQUIRE(hw_random(&second) == has_random());
    REQUIRE(!has_random() || first != second);
}

const struct contract_check contract_cpu[] = {
    {"cpu: CPUID is stable", cpuid_is_stable, false},
    {"cpu: a missing MSR is reported", missing_msr_is_reported, false},
    {"cpu: an MSR keeps 64 bits", msr_keeps_64_bits, false},
    {"cpu: a bad MSR value is reported", bad_msr_value_is_reported, false},
    {"cpu: the host is in 64-bit mode", host_is_in_64_bit_mode, false},
    {"cpu: CR2 keeps its value", cr2_keeps_its_value, false},
    {"cpu: a bad XCR0 is reported", bad_xcr0_is_reported, false},
    {"cpu: time passes", time_passes, false},
    {"cpu: random numbers differ, or there are none", random_numbers_differ, false},
    {0},
};
