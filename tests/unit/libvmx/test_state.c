/* libvmx/state.c: how guests start. */
#include "suite.h"

#include <hw/cpu.h>

#define GARBAGE 0x1122334455667788ULL

/* Fills what a former guest or the host may have left. */
static void leave_garbage(void)
{
    for (unsigned i = 0; i < HW_GPR_COUNT; i++) {
        suite.vcpu.gprs.gpr[i] = GARBAGE;
    }
    hw_write_cr2(GARBAGE);
    for (unsigned i = 0; i < 4; i++) {
        hw_write_dr(i, 0x1234);
    }
    fake_field_set(0, VMCS_GUEST_RSP, GARBAGE);
    fake_field_set(0, VMCS_GUEST_CR3, 0x5000);
    fake_field_set(0, VMCS_GUEST_IA32_EFER, EFER_LME | EFER_LMA);
    fake_field_set(0, VMCS_ENTRY_CONTROLS, field(VMCS_ENTRY_CONTROLS) | ENTRY_IA32E_GUEST);
    fake_field_set(0, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_NMI);
    fake_field_set(0, VMCS_ENTRY_INTERRUPTION_INFO, 0x80000202);
    suite.vcpu.event.info = 0x80000030;
    suite.vcpu.triple_fault = true;
    suite.vcpu.controls.proc |= PROC_NMI_WINDOW | PROC_INTERRUPT_WINDOW;
    vmx_vcpu_post_nmi(&suite.vcpu);
}

static void assert_segment(unsigned index, uint16_t selector, uint64_t base, uint32_t limit,
                           uint32_t rights)
{
    assert_int_equal(field(VMCS_GUEST_ES_SELECTOR + 2 * index), selector);
    assert_int_equal(field(VMCS_GUEST_ES_BASE + 2 * index), base);
    assert_int_equal(field(VMCS_GUEST_ES_LIMIT + 2 * index), limit);
    assert_int_equal(field(VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * index), rights);
}

static void assert_gprs(uint64_t rdx, uint64_t rsi) /* REQ-BOOT-4 */
{
    for (unsigned i = 0; i < HW_GPR_COUNT; i++) {
        uint64_t expected = i == HW_RDX ? rdx : i == HW_RSI ? rsi : 0;
        assert_int_equal(suite.vcpu.gprs.gpr[i], expected);
    }
}

/* What all start states have in common. */
static void assert_common(uint64_t cr0)
{
    static const uint32_t zero[] = {VMCS_GUEST_CR3,
                                    VMCS_CR4_READ_SHADOW,
                                    VMCS_GUEST_IA32_EFER,
                                    VMCS_GUEST_GDTR_BASE,
                                    VMCS_GUEST_IDTR_BASE,
                                    VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
                                    VMCS_GUEST_INTERRUPTIBILITY,
                                    VMCS_ENTRY_INTERRUPTION_INFO,
                                    VMCS_GUEST_IA32_DEBUGCTL,
                                    VMCS_GUEST_IA32_SYSENTER_CS};
    for (unsigned i = 0; i < COUNT(zero); i++) {
        assert_int_equal(field(zero[i]), 0);
    }
    assert_int_equal(field(VMCS_GUEST_CR0), cr0 | CR0_NE);
    assert_int_equal(field(VMCS_CR0_READ_SHADOW) & CR0_NE, 0); /* REQ-CR-1 */
    assert_int_equal(field(VMCS_GUEST_CR4), CR4_VMXE);         /* REQ-CR-3 */
    assert_int_equal(field(VMCS_GUEST_DR7), 0x400);
    assert_int_equal(field(VMCS_GUEST_GDTR_LIMIT), 0xffff);
    assert_int_equal(field(VMCS_GUEST_IDTR_LIMIT), 0xffff);
    assert_segment(6, 0, 0, 0xffff, 0x82); /* LDTR */
    assert_segment(7, 0, 0, 0xffff, 0x8b); /* TR */
    assert_false(field(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_GUEST);
    assert_int_equal(hw_read_cr2(), 0);
    assert_int_equal(suite.vcpu.event.info, 0);
    assert_false(suite.vcpu.nmi_pending);
    assert_false(suite.vcpu.triple_fault);
    assert_false(field(VMCS_PROC_CONTROLS) & (PROC_NMI_WINDOW | PROC_INTERRUPT_WINDOW));
    const char *error = fake_entry_check(0); /* REQ-CR-6 */
    if (error) {
        fail_msg("VM entry would refuse: %s", error);
    }
}

static void test_init(void **state) /* REQ-BOOT-4 */
{
    (void)state;
    leave_garbage();
    vmx_state_init(&suite.vcpu);
    assert_common(CR0_ET | (fake_cr_get(0, 0) & (CR0_CD | CR0_NW)));
    assert_segment(VCPU_CS, 0xf000, 0xffff0000, 0xffff, 0x93);
    for (unsigned seg = 0; seg < 6; seg++) {
        if (seg != VCPU_CS) {
            assert_segment(seg, 0, 0, 0xffff, 0x93);
        }
    }
    assert_int_equal(field(VMCS_GUEST_RIP), 0xfff0);
    assert_int_equal(field(VMCS_GUEST_RSP), 0);
    assert_int_equal(field(VMCS_GUEST_RFLAGS), 2);
    assert_int_equal(field(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
    assert_gprs(fake_cpuid_get(1, 0, FAKE_EAX), 0);
}

static void test_init_keeps_cd_and_nw(void **state) /* REQ-BOOT-4 */
{
    (void)state;
    fake_cr_set(0, 0, fake_cr_get(0, 0) | CR0_CD | CR0_NW);
    vmx_state_init(&suite.vcpu);
    assert_common(CR0_ET | CR0_CD | CR0_NW);
}

static void test_sipi(void **state) /* REQ-SMP-1, REQ-BOOT-4 */
{
    (void)state;
    leave_garbage();
    vmx_state_park(&suite.vcpu);
    vmx_state_sipi(&suite.vcpu, 0x9a);
    assert_common(CR0_ET);
    assert_segment(VCPU_CS, 0x9a00, 0x9a000, 0xffff, 0x93);
    assert_int_equal(field(VMCS_GUEST_RIP), 0);
    assert_int_equal(field(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
    assert_false(suite.vcpu.parked);
    assert_gprs(fake_cpuid_get(1, 0, FAKE_EAX), 0);
}

static void test_park(void **state) /* REQ-SMP-1, REQ-SMP-2 */
{
    (void)state;
    leave_garbage();
    vmx_state_park(&suite.vcpu);
    assert_common(CR0_ET);
    assert_int_equal(field(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
    assert_false(field(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
    assert_true(suite.vcpu.parked);
}

static void test_real_mode(void **state) /* REQ-BOOT-3, REQ-BOOT-4 */
{
    (void)state;
    leave_garbage();
    vmx_state_real(&suite.vcpu, 0x07c0, 0x0005, 0xfffe, 0x80);
    assert_common(CR0_ET);
    assert_segment(VCPU_CS, 0x07c0, 0x7c00, 0xffff, 0x93);
    assert_segment(VCPU_SS, 0, 0, 0xffff, 0x93);
    assert_int_equal(field(VMCS_GUEST_RIP), 5);
    assert_int_equal(field(VMCS_GUEST_RSP), 0xfffe);
    assert_int_equal(field(VMCS_GUEST_RFLAGS), 2 | RFLAGS_IF);
    assert_gprs(0x80, 0);
}

static void test_protected32(void **state) /* REQ-BOOT-4 */
{
    (void)state;
    leave_garbage();
    vmx_state_protected32(&suite.vcpu, 0x100000, 0x90000);
    assert_common(CR0_ET | CR0_PE);
    for (unsigned seg = 0; seg < 6; seg++) {
        bool code = seg == VCPU_CS;
        assert_segment(seg, code ? 0x10 : 0x18, 0, 0xffffffff, code ? 0xc09b : 0xc093);
    }
    assert_int_equal(field(VMCS_GUEST_RIP), 0x100000);
    assert_int_equal(field(VMCS_GUEST_RFLAGS), 2);
    assert_gprs(0, 0x90000);
    vmx_vcpu_set_gdt(&suite.vcpu, 0x8000, 0x1f);
    assert_int_equal(field(VMCS_GUEST_GDTR_BASE), 0x8000);
    assert_int_equal(field(VMCS_GUEST_GDTR_LIMIT), 0x1f);
}

static void read_debug_registers(struct fake_guest *guest)
{
    for (unsigned i = 0; i < 4; i++) {
        fake_guest_mov_dr(guest, i, (enum hw_gpr)(HW_R8 + i), false);
    }
    fake_guest_mov_dr(guest, 6, HW_R12, false);
    fake_guest_mov_dr(guest, 7, HW_R13, false);
    fake_guest_vmcall(guest);
}

static void test_debug_registers_as_the_guest_reads_them(void **state) /* REQ-BOOT-4 */
{
    (void)state;
    leave_garbage();
    vmx_state_init(&suite.vcpu);
    suite_run_to_exit(read_debug_registers, VMX_EXIT_VMCALL);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(suite.vcpu.gprs.gpr[HW_R8 + i], 0);
    }
    assert_int_equal(suite.vcpu.gprs.gpr[HW_R12], 0xffff0ff0);
    assert_int_equal(suite.vcpu.gprs.gpr[HW_R13], 0x400);
}

static void test_translations_are_dropped(void **state)
{
    (void)state;
    uint64_t before = fake_calls(FAKE_INVVPID);
    vmx_state_init(&suite.vcpu);
    assert_int_equal(fake_calls(FAKE_INVVPID), before + 1);
    fake_vmx_ept_vpid_clear(VPID_CAP_INVVPID_SINGLE); /* only the all-context type is left */
    vmx_caps_read(&suite.caps);
    vmx_state_init(&suite.vcpu);
    assert_int_equal(fake_calls(FAKE_INVVPID), before + 2);
    fake_vmx_deny(FAKE_SECONDARY, PROC2_VPID);
    vmx_caps_read(&suite.caps);
    assert_int_equal(vmx_vcpu_init(&suite.vcpu, 0, &suite.config, suite.vmcs), STATUS_OK);
    assert_int_equal(fake_calls(FAKE_INVVPID), before + 2);
}

static void test_every_model_accepts_every_state(void **state) /* REQ-CR-6 */
{
    (void)state;
    static const enum fake_model models[] = {FAKE_MODEL_SKYLAKE, FAKE_MODEL_SANDY_BRIDGE,
                                             FAKE_MODEL_NO_1G_EPT};
    for (unsigned i = 0; i < COUNT(models); i++) {
        suite_start(models[i]);
        vmx_state_init(&suite.vcpu);
        assert_common(CR0_ET);
        vmx_state_park(&suite.vcpu);
        assert_common(CR0_ET);
        vmx_state_real(&suite.vcpu, 0, 0x7c00, 0x7c00, 0x80);
        assert_common(CR0_ET);
        vmx_state_protected32(&suite.vcpu, 0x100000, 0);
        assert_common(CR0_ET | CR0_PE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_init, suite_setup),
        cmocka_unit_test_setup(test_init_keeps_cd_and_nw, suite_setup),
        cmocka_unit_test_setup(test_sipi, suite_setup),
        cmocka_unit_test_setup(test_park, suite_setup),
        cmocka_unit_test_setup(test_real_mode, suite_setup),
        cmocka_unit_test_setup(test_protected32, suite_setup),
        cmocka_unit_test_setup(test_debug_registers_as_the_guest_reads_them, suite_setup),
        cmocka_unit_test_setup(test_translations_are_dropped, suite_setup),
        cmocka_unit_test_setup(test_every_model_accepts_every_state, suite_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
