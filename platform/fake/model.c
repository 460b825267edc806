/*
 * CPU models: CPUID leaves and MSRs of a full-featured server CPU, then what each other model
 * lacks. Numbers are those that the parts report, but for IA32_VMX_MISC[29], which is 0 everywhere
 * so that a write to a read-only VMCS field is seen.
 */
#include "internal.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *fake_model_name(enum fake_model model)
{
    static const char *const names[FAKE_MODEL_COUNT] = {
        [FAKE_MODEL_SKYLAKE] = "skylake",
        [FAKE_MODEL_SANDY_BRIDGE] = "sandy bridge",
        [FAKE_MODEL_NO_1G_EPT] = "no 1-GiB EPT pages",
        [FAKE_MODEL_NO_UNRESTRICTED] = "no unrestricted guest",
        [FAKE_MODEL_NO_EPT] = "no EPT",
        [FAKE_MODEL_LOCKED_OFF] = "VMX locked off",
        [FAKE_MODEL_NO_VMX] = "no VMX",
    };
    return names[model];
}

static const struct cpuid_entry skylake_cpuid[] = {
    {0x0, 0, {0x16, 0x756e6547, 0x6c65746e, 0x49656e69}},
    {0x1, 0, {0x50654, 0x00100800, 0x77fef3ff, 0xbfebfbff}},
    {0x2, 0, {0x76036301, 0x00f0b5ff, 0, 0x00c30000}},
    {0x4, 0, {0x1c004121, 0x01c0003f, 0x3f, 0}},
    {0x4, 1, {0x1c004122, 0x01c0003f, 0x3f, 0}},
    {0x5, 0, {0x40, 0x40, 0x3, 0x2020}},
    {0x6, 0, {0x75, 0x2, 0x9, 0}},
    {0x7, 0, {0, 0xd39ffffb, 0x00000008, 0x8c000000}},
    {0xa, 0, {0x07300804, 0, 0, 0x603}},
    {0xb, 0, {1, 2, 0x100, 0}},
    {0xb, 1, {4, 16, 0x200, 0}},
    {0xd, 0, {0x2ff, 0xa88, 0xa88, 0}},
    {0xd, 1, {0xf, 0xa08, 0x100, 0}},
    {0xd, 2, {0x100, 0x240, 0, 0}},
    {0xd, 3, {0x40, 0x3c0, 0, 0}},
    {0xd, 4, {0x40, 0x400, 0, 0}},
    {0xd, 5, {0x40, 0x440, 0, 0}},
    {0xd, 6, {0x200, 0x480, 0, 0}},
    {0xd, 7, {0x400, 0x680, 0, 0}},
    {0xd, 8, {0x80, 0, 1, 0}},
    {0xd, 9, {0x8, 0xa80, 0, 0}},
    {0x14, 0, {1, 0xf, 7, 0}},
    {0x15, 0, {2, 0xa0, 0, 0}},
    {0x16, 0, {0x7d0, 0xdac, 0x64, 0}},
    {0x80000000, 0, {0x80000008, 0, 0, 0}},
    {0x80000001, 0, {0, 0, 0x121, 0x2c100800}},
    {0x80000002, 0, {0x656b6146, 0x72657320, 0x20726576, 0x00555043}},
    {0x80000006, 0, {0, 0, 0x01006040, 0}},
    {0x80000007, 0, {0, 0, 0, 0x100}},
    {0x80000008, 0, {0x302e, 0, 0, 0}},
};

#define READ_ONLY true, false
#define WRITE_ONLY false, true
#define PLAIN false, false
#define HIGH_HALF 0xffffffff00000000ULL
#define ABOVE_46 0xffffc00000000000ULL /* beyond MAXPHYADDR of the model */

static const struct msr_rule common_msrs[] = {
    {MSR_TSC, 0, 0, PLAIN},
    {0x17, 0x1c000000000000, 0, READ_ONLY},
    {MSR_APIC_BASE, APIC_PAGE | BIT(11), 0, PLAIN},
    {MSR_FEATURE_CONTROL, 5, ~0x10ff07ULL, PLAIN},
    {0x3b, 0, 0, PLAIN},
    {0x48, 0, ~0x7ULL, PLAIN},
    {0x49, 0, ~0x1ULL, WRITE_ONLY},
    {0x79, 0, 0, WRITE_ONLY},
    {0x8b, 0x200005e00000000, 0, PLAIN},
    {0xc1, 0, 0, PLAIN},
    {0xc2, 0, 0, PLAIN},
    {0xce, 0x80838f1011400, 0, READ_ONLY},
    {0xe7, 0, 0, PLAIN},
    {0xe8, 0, 0, PLAIN},
    {0xfe, 0xd0a, 0, READ_ONLY},
    {MSR_SYSENTER_CS, 0, HIGH_HALF, PLAIN},
    {MSR_SYSENTER_ESP, 0, 0, PLAIN},
    {MSR_SYSENTER_EIP, 0, 0, PLAIN},
    {0x179, 0x1, 0, READ_ONLY},
    {0x17a, 0, 0, PLAIN},
    {0x186, 0, HIGH_HALF, PLAIN},
    {0x187, 0, HIGH_HALF, PLAIN},
    {0x198, 0x1400, 0, READ_ONLY},
    {0x199, 0x1400, 0, PLAIN},
    {0x19c, 0x88200000, 0, PLAIN},
    {0x1a0, 0x850089, 0, PLAIN},
    {MSR_DEBUGCTL, 0, ~0xdfc3ULL, PLAIN},
    {0x250, 0x0606060606060606, 0, PLAIN},
    {0x258, 0x0606060606060606, 0, PLAIN},
    {0x259, 0, 0, PLAIN},
    {0x268, 0x0505050505050505, 0, PLAIN},
    {0x269, 0, 0, PLAIN},
    {0x26a, 0, 0, PLAIN},
    {0x26b, 0, 0, PLAIN},
    {0x26c, 0x0505050505050505, 0, PLAIN},
    {0x26d, 0x0505050505050505, 0, PLAIN},
    {0x26e, 0x0505050505050505, 0, PLAIN},
    {0x26f, 0x0505050505050505, 0, PLAIN},
    {MSR_PAT, 0x0007040600070406, 0, PLAIN},
    {0x2ff, 0xc06, ~0xcffULL, PLAIN},
    {0x309, 0, 0, PLAIN},
    {0x38d, 0, ~0xfffULL, PLAIN},
    {0x38e, 0, 0, READ_ONLY},
    {MSR_PERF_GLOBAL_CTRL, 0, ~0x7000000ffULL, PLAIN},
    {0x390, 0, 0, PLAIN},
    {0x3f1, 0, ~0xfULL, PLAIN},
    {0x400, 0, 0, PLAIN},
    {0x401, 0, 0, PLAIN},
    {0x402, 0, 0, PLAIN},
    {0x600, 0, 0, PLAIN},
    {0x6e0, 0, 0, PLAIN},
    {MSR_EFER, 0, ~0xd01ULL, PLAIN},
    {0xc0000081, 0, 0, PLAIN},
    {0xc0000082, 0, 0, PLAIN},
    {0xc0000083, 0, 0, PLAIN},
    {0xc0000084, 0, HIGH_HALF, PLAIN},
    {MSR_FS_BASE, 0, 0, PLAIN},
    {MSR_GS_BASE, 0, 0, PLAIN},
    {MSR_KERNEL_GS_BASE, 0, 0, PLAIN},
    {0xc0000103, 0, HIGH_HALF, PLAIN},
};

/* Those that CPUID announces only on the newest model: XSAVES, MPX, Intel PT. */
static const struct msr_rule newest_msrs[] = {
    {0xda0, 0, ~0x100ULL, PLAIN},
    {MSR_BNDCFGS, 0, 0xffcULL, PLAIN},
    {0x560, 0, ABOVE_46 | 0x7f, PLAIN},
    {0x561, 0x7f, 0, PLAIN},
    {0x570, 0, ~0xf0f3fffULL, PLAIN},
    {0x571, 0, 0, PLAIN},
    {0x572, 0, 0x1f, PLAIN},
};

/* MSRs 0x480 .. 0x491 of each kind of CPU; 0 = does not exist. */
struct vmx_msrs {
    uint64_t value[0x12];
};
static const struct vmx_msrs skylake_vmx = {{
    0x00da040000000004,
    0x0000007f00000016,
    0xfff9fffe0401e172,
    0x01ffffff00036dff,
    0x0003ffff000011ff,
    0x000000005004c1e7,
    0x0000000080000021,
    0x00000000ffffffff,
    0x0000000000002000,
    0x00000000007767ff,
    0x000000000000002e,
    0x021f7fff00000000,
    0x00000f0106734141,
    0x0000007f00000016,
    0xfff9fffe04006172,
    0x01ffffff00036dfb,
    0x0003ffff000011fb,
    0x0000000000000001,
}};
static const struct vmx_msrs sandy_bridge_vmx = {{
    0x00da040000000010,
    0x0000007f00000016,
    0xfff9fffe0401e172,
    0x007fffff00036dff,
    0x0000ffff000011ff,
    0x00000000100401e5,
    0x0000000080000021,
    0x00000000ffffffff,
    0x0000000000002000,
    0x00000000000627ff,
    0x000000000000002a,
    0x000004ff00000000,
    0x00000f0106114141,
    0x0000007f00000016,
    0xfff9fffe04006172,
    0x007fffff00036dfb,
    0x0000ffff000011fb,
    0,
}};
static const struct vmx_msrs no_ept_vmx = {{
    0x005a08000000000d,
    0x0000003f00000016,
    0xf7f9fffe0401e172,
    0x0003ffff00036dff,
    0x00003fff000011ff,
    0x00000000000401c0,
    0x0000000080000021,
    0x00000000ffffffff,
    0x0000000000002000,
    0x00000000000067ff,
    0x000000000000002c,
    0x0000004100000000,
    0,
    0,
    0,
    0,
    0,
    0,
}};

static void vmx_msrs_add(const struct vmx_msrs *msrs)
{
    for (unsigned i = 0; i < COUNT(msrs->value); i++) {
        if (msrs->value[i] != 0) {
            fake_msr_define(MSR_VMX_BASIC + i, msrs->value[i], 0, true);
        }
    }
}

static void rules_add(const struct msr_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fake_m.msrs[fake_m.msr_count++] = rules[i];
    }
}

/* What CPUs before Broadwell and the like do not have. */
static void make_old(uint32_t seven_ebx, uint32_t one_ecx_missing)
{
    fake_cpuid_set(0x0, 0, FAKE_EAX, 0xd);
    fake_cpuid_set(0x7, 0, FAKE_EBX, seven_ebx);
    fake_cpuid_set(0x7, 0, FAKE_ECX, 0);
    fake_cpuid_set(0x7, 0, FAKE_EDX, 0);
    fake_cpuid_set(0xd, 0, FAKE_EAX, 7);
    fake_cpuid_set(0xd, 0, FAKE_EBX, 0x340);
    fake_cpuid_set(0xd, 0, FAKE_ECX, 0x340);
    fake_cpuid_set(0xd, 1, FAKE_EAX, 1);
    fake_cpuid_clear_bits(0x1, 0, FAKE_ECX, one_ecx_missing);
    fake_msr_remove(0x48);
    fake_msr_remove(0x49);
    fake_msr_remove(0x3b);
}

static void make_penryn(void)
{
    /* No XSAVE, AVX, AES, x2APIC, PCID, TSC deadline; no RDTSCP, no 1-GiB pages. */
    make_old(0, 0x7c000000 | 1u << 21 | 1u << 17 | 1u << 24 | 1u << 12 | 1u << 29 | 1u << 30);
    fake_cpuid_set(0x0, 0, FAKE_EAX, 0xa);
    fake_cpuid_clear_bits(0x80000001, 0, FAKE_EDX, 1u << 27 | 1u << 26);
    fake_msr_remove(0x6e0);
    fake_msr_remove(0xc0000103);
}

static void variable_mtrrs_add(void)
{
    for (uint32_t i = 0; i < 10; i++) {
        fake_msr_define(0x200 + 2 * i, 0, ABOVE_46 | 0xf00, false);
        fake_msr_define(0x201 + 2 * i, 0, ABOVE_46 | 0x7ff, false);
    }
    /* [2 GiB, 4 GiB) uncached, as firmware sets it up for PCI. */
    fake_msr_define(0x200, 0x80000000, ABOVE_46 | 0xf00, false);
    fake_msr_define(0x201, 0x00003fff80000800, ABOVE_46 | 0x7ff, false);
}

void fake_model_build(enum fake_model model)
{
    fake_m.cpuid_count = 0;
    fake_random_stick(false, 0);
    fake_m.msr_count = 0;
    for (unsigned i = 0; i < COUNT(skylake_cpuid); i++) {
        fake_m.cpuid[fake_m.cpuid_count++] = skylake_cpuid[i];
    }
    fake_maxphyaddr_set(46);
    rules_add(common_msrs, COUNT(common_msrs));
    variable_mtrrs_add();
    switch (model) {
    case FAKE_MODEL_SANDY_BRIDGE:
        make_old(0, 1u << 12 | 1u << 22 | 1u << 29 | 1u << 30);
        vmx_msrs_add(&sandy_bridge_vmx);
        break;
    case FAKE_MODEL_NO_UNRESTRICTED:
        make_old(0, 1u << 12 | 1u << 22 | 0x70000000);
        vmx_msrs_add(&sandy_bridge_vmx);
        fake_vmx_deny(FAKE_SECONDARY, ~0x7fu);
        fake_msr_define(MSR_VMX_MISC, 0x401c0, 0, true);
        fake_cpuid_clear_bits(0x80000001, 0, FAKE_EDX, 1u << 26);
        break;
    case FAKE_MODEL_NO_EPT:
        make_penryn();
        vmx_msrs_add(&no_ept_vmx);
        break;
    case FAKE_MODEL_NO_VMX:
        rules_add(newest_msrs, COUNT(newest_msrs));
        fake_cpuid_clear_bits(1, 0, FAKE_ECX, 1u << 5);
        fake_msr_remove(MSR_FEATURE_CONTROL);
        break;
    default:
        rules_add(newest_msrs, COUNT(newest_msrs));
        vmx_msrs_add(&skylake_vmx);
        break;
    }
    if (model == FAKE_MODEL_NO_1G_EPT) {
        fake_vmx_ept_vpid_clear(BIT(17));
    } else if (model == FAKE_MODEL_LOCKED_OFF) {
        fake_msr_define(MSR_FEATURE_CONTROL, 1, ~0x10ff07ULL, false);
    }
}
