/* libvmx/emulate_msr.c: RDMSR and WRMSR of a guest, natively and by exit. */
#include "suite.h"

struct access {
    uint32_t msr;
    uint64_t value;
    bool write;
};

static void access_msr(struct fake_guest *guest)
{
    const struct access *access = guest->arg;
    uint64_t value = 0;
    if (guest->entry == 0 || (guest->entry == 1 && fake_delivery_count(0) == 0)) {
        bool done = access->write ? fake_guest_wrmsr(guest, access->msr, access->value)
                                  : fake_guest_rdmsr(guest, access->msr, &value);
        (void)done;
    }
    fake_guest_vmcall(guest);
}

enum outcome { DONE, FAULT, NOT_OURS };

/* Runs one access; emulates if it exits. */
static enum outcome guest_access(bool write, uint32_t msr, uint64_t *value)
{
    struct access access = {msr, *value, write};
    struct vmx_exit exit;
    fake_guest_set(0, access_msr, &access);
    fake_deliveries_clear(0);
    assert_int_equal(vmx_vcpu_run(&suite.vcpu, &exit), VMX_RUN_EXIT);
    if (exit.reason == VMX_EXIT_RDMSR || exit.reason == VMX_EXIT_WRMSR) {
        uint64_t rip = field(VMCS_GUEST_RIP);
        enum vmx_action action = vmx_emulate(&suite.vcpu, &exit);
        if (action == VMX_NOT_HANDLED) {
            assert_int_equal(field(VMCS_GUEST_RIP), rip);
            return NOT_OURS;
        }
        assert_int_equal(action, VMX_RESUME);
        *value = vmx_vcpu_msr_value(&suite.vcpu);
        if (suite.vcpu.event.info) {
            assert_int_equal(suite.vcpu.event.info & 0xff, X86_GP);
            assert_int_equal(suite.vcpu.event.error_code, 0);
            assert_int_equal(field(VMCS_GUEST_RIP), rip);
            suite.vcpu.event.info = 0;
            return FAULT;
        }
        assert_int_equal(field(VMCS_GUEST_RIP), rip + 2);
        return DONE;
    }
    assert_int_equal(exit.reason, VMX_EXIT_VMCALL);
    return fake_delivery_count(0) && last_delivery()->vector == X86_GP ? FAULT : DONE;
}

static enum outcome read_msr(uint32_t msr, uint64_t *value)
{
    *value = 0;
    return guest_access(false, msr, value);
}

static enum outcome write_msr(uint32_t msr, uint64_t value)
{
    return guest_access(true, msr, &value);
}

static int setup32(void **state)
{
    suite_setup(state);
    vmx_state_protected32(&suite.vcpu, 0x100000, 0);
    return 0;
}

static void test_absent_msrs_fault(void **state) /* REQ-MSR-1 */
{
    (void)state;
    static const uint32_t absent[] = {0x1234,     0x2000,     0x40000000, 0x40000020,
                                      0xc0010015, 0xffffffff, 0xe1,       0x9b};
    uint64_t value;
    for (unsigned i = 0; i < COUNT(absent); i++) {
        assert_int_equal(read_msr(absent[i], &value), FAULT);
        assert_int_equal(write_msr(absent[i], 0), FAULT);
    }
}

static void test_hidden_msrs_fault(void **state) /* REQ-MSR-4, REQ-MSR-8, REQ-MSR-10 */
{
    (void)state;
    static const uint32_t hidden[] = {IA32_VMX_BASIC,   0x491,         IA32_DS_AREA,
                                      IA32_PEBS_ENABLE, IA32_RTIT_CTL, IA32_RTIT_OUTPUT_BASE,
                                      IA32_BNDCFGS,     IA32_S_CET,    IA32_HW_FEEDBACK_PTR};
    uint64_t value;
    for (unsigned i = 0; i < COUNT(hidden); i++) {
        assert_int_equal(read_msr(hidden[i], &value), FAULT);
        assert_int_equal(write_msr(hidden[i], 0), FAULT);
    }
}

static void test_feature_control_reads_locked_off(void **state) /* REQ-MSR-4 */
{
    (void)state;
    uint64_t value;
    fake_msr_set(0, IA32_FEATURE_CONTROL, 0x10ff07);
    assert_int_equal(read_msr(IA32_FEATURE_CONTROL, &value), DONE);
    assert_int_equal(value, 0x100001);
    fake_msr_set(0, IA32_FEATURE_CONTROL, 4);
    assert_int_equal(read_msr(IA32_FEATURE_CONTROL, &value), DONE);
    assert_int_equal(value, 1);
    assert_int_equal(write_msr(IA32_FEATURE_CONTROL, 5), FAULT);
    assert_int_equal(fake_msr_get(0, IA32_FEATURE_CONTROL), 4);
}

static void test_microcode_update_is_dropped(void **state) /* REQ-MSR-5 */
{
    (void)state;
    uint64_t writes = fake_calls(FAKE_WRMSR) + fake_calls(FAKE_WRMSR_SAFE);
    assert_int_equal(write_msr(IA32_BIOS_UPDT_TRIG, 0xffff888000000030), DONE);
    assert_int_equal(fake_calls(FAKE_WRMSR) + fake_calls(FAKE_WRMSR_SAFE), writes);
}

static void test_misc_enable(void **state) /* REQ-MSR-8 */
{
    (void)state;
    uint64_t value;
    fake_msr_define(IA32_MISC_ENABLE, 0x850089, 0, false);
    assert_int_equal(read_msr(IA32_MISC_ENABLE, &value), DONE);
    assert_int_equal(value, 0x850089 | 1 << 11 | 1 << 12);
    /* Fast strings off is the guest's; XD disable, CPUID limit, BTS and PEBS are not. */
    assert_int_equal(write_msr(IA32_MISC_ENABLE, 0x850088 | 1ULL << 34 | 1 << 22 | 3 << 11), DONE);
    assert_int_equal(fake_msr_get(0, IA32_MISC_ENABLE), 0x850088);
    fake_msr_remove(IA32_MISC_ENABLE);
    assert_int_equal(read_msr(IA32_MISC_ENABLE, &value), FAULT);
    assert_int_equal(write_msr(IA32_MISC_ENABLE, 0), FAULT);
}

static void test_perf_capabilities(void **state) /* REQ-MSR-1, REQ-MSR-8 */
{
    (void)state;
    uint64_t value;
    fake_msr_remove(IA32_PERF_CAPABILITIES);
    assert_int_equal(read_msr(IA32_PERF_CAPABILITIES, &value), FAULT);
    fake_msr_define(IA32_PERF_CAPABILITIES, 0x1ffff, 0, true);
    assert_int_equal(read_msr(IA32_PERF_CAPABILITIES, &value), DONE);
    assert_int_equal(value, 0xb03f);
    assert_int_equal(write_msr(IA32_PERF_CAPABILITIES, 0), FAULT);
}

static void test_xss_cannot_switch_processor_trace_on(void **state) /* REQ-MSR-8 */
{
    (void)state;
    fake_msr_define(IA32_XSS, 0, 0, false);
    suite.caps.xss_bits = 0x2100;
    assert_int_equal(write_msr(IA32_XSS, 0x100), FAULT);
    assert_int_equal(write_msr(IA32_XSS, 0x2100), FAULT);
    assert_int_equal(write_msr(IA32_XSS, 0x4000), FAULT);
    assert_int_equal(fake_msr_get(0, IA32_XSS), 0);
    assert_int_equal(write_msr(IA32_XSS, 0x2000), DONE);
    assert_int_equal(fake_msr_get(0, IA32_XSS), 0x2000);
}

static void test_xss_without_xsaves(void **state) /* REQ-MSR-4 */
{
    (void)state;
    uint64_t value;
    suite.vcpu.controls.proc2 &= ~PROC2_XSAVES;
    vmx_msr_policy(suite.msr_bitmap, &suite.vcpu.controls);
    assert_int_equal(read_msr(IA32_XSS, &value), FAULT);
    assert_int_equal(write_msr(IA32_XSS, 0), FAULT);
}

static void test_the_hypapps_msrs(void **state)
{
    (void)state;
    uint64_t value;
    assert_int_equal(write_msr(IA32_APIC_BASE, 0xfee00900), NOT_OURS);
    assert_int_equal(write_msr(IA32_X2APIC_ICR, 0), NOT_OURS);
    assert_int_equal(read_msr(IA32_MTRR_DEF_TYPE, &value), NOT_OURS);
    assert_int_equal(write_msr(IA32_MTRR_PHYSMASK15, 0), NOT_OURS);
}

static void test_native_msrs_reach_the_guests_copy(void **state) /* REQ-MSR-2, REQ-MSR-9 */
{
    (void)state;
    static const struct {
        uint32_t msr, vmcs_field;
        uint64_t value;
    } cases[] = {
        {IA32_FS_BASE, VMCS_GUEST_FS_BASE, 0x7f0000001000},
        {IA32_GS_BASE, VMCS_GUEST_GS_BASE, 0xffff888000001000},
        {IA32_SYSENTER_CS, VMCS_GUEST_IA32_SYSENTER_CS, 0x60},
        {IA32_SYSENTER_ESP, VMCS_GUEST_IA32_SYSENTER_ESP, 0x1000},
        {IA32_SYSENTER_EIP, VMCS_GUEST_IA32_SYSENTER_EIP, 0x2000},
        {IA32_EFER, VMCS_GUEST_IA32_EFER, EFER_SCE | EFER_NXE},
        {IA32_PAT, VMCS_GUEST_IA32_PAT, 0x0407010600070106},
    };
    for (unsigned i = 0; i < COUNT(cases); i++) {
        uint64_t host = fake_msr_get(0, cases[i].msr);
        assert_int_equal(write_msr(cases[i].msr, cases[i].value), DONE);
        assert_int_equal(field(cases[i].vmcs_field), cases[i].value);
        assert_int_equal(fake_msr_get(0, cases[i].msr), host); /* ours is back */
    }
    assert_int_equal(fake_exits(0, VMX_EXIT_WRMSR), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_absent_msrs_fault, setup32),
        cmocka_unit_test_setup(test_hidden_msrs_fault, setup32),
        cmocka_unit_test_setup(test_feature_control_reads_locked_off, setup32),
        cmocka_unit_test_setup(test_microcode_update_is_dropped, setup32),
        cmocka_unit_test_setup(test_misc_enable, setup32),
        cmocka_unit_test_setup(test_perf_capabilities, setup32),
        cmocka_unit_test_setup(test_xss_cannot_switch_processor_trace_on, setup32),
        cmocka_unit_test_setup(test_xss_without_xsaves, setup32),
        cmocka_unit_test_setup(test_the_hypapps_msrs, setup32),
        cmocka_unit_test_setup(test_native_msrs_reach_the_guests_copy, setup32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
