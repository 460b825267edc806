/* libvmx/isolated_image.c: the VMCS of isolated code, for several CPUs. */
#include "isolated_suite.h"

#include "isolated_image.h"

static void test_start_state(void **state) /* REQ-PAL-4 */
{
    (void)state;
    vcpu_isolated_start(&isolated, &start_64);
    assert_true(vcpu_is_loaded(&isolated));
    assert_null(fake_entry_check(0));
    assert_int_equal(vcpu_cpl(&isolated), 3);
    assert_int_equal(vcpu_width(&isolated), VCPU_64BIT);
    assert_int_equal(vcpu_rip(&isolated), start_64.rip);
    assert_int_equal(vcpu_gpr(&isolated, VCPU_RSP), start_64.rsp);
    assert_int_equal(vcpu_rflags(&isolated), RFLAGS_FIXED1);
    assert_int_equal(vcpu_nested_root(&isolated), start_64.nested_root);
    assert_int_equal(field(VMCS_EPT_POINTER), start_64.nested_root);
    assert_int_equal(field(VMCS_EXCEPTION_BITMAP), 0xffffffff);
    assert_int_equal(field(VMCS_GUEST_GDTR_LIMIT), 0);
    assert_int_equal(field(VMCS_GUEST_IDTR_LIMIT), 0);
    assert_int_equal(field(VMCS_GUEST_TR_LIMIT), 0);
    for (unsigned gpr = 0; gpr < HW_GPR_COUNT; gpr++) {
        assert_true(gpr == VCPU_RSP || vcpu_gpr(&isolated, (enum vcpu_gpr)gpr) == 0);
    }
    struct vcpu_paging paging;
    vcpu_paging(&isolated, &paging);
    assert_int_equal(paging.cr3, start_64.cr3);
    assert_int_equal(paging.cr4, CR4_PAE);
    assert_int_equal(paging.efer, EFER_LME | EFER_LMA | EFER_NXE); /* no SYSCALL */
    assert_int_equal(paging.cpl, 3);
}

static void test_compatibility_mode(void **state)
{
    (void)state;
    struct vcpu_isolated_start start = start_64;
    start.width = VCPU_32BIT;
    start.rip = 0x08048000;
    start.rsp = 0xbffff000;
    vcpu_isolated_start(&isolated, &start);
    assert_null(fake_entry_check(0));
    assert_int_equal(vcpu_width(&isolated), VCPU_32BIT);
    vcpu_isolated_end(&isolated, &suite.vcpu);
    vcpu_isolated_start(&isolated, &start_64);
    assert_null(fake_entry_check(0));
    assert_int_equal(vcpu_width(&isolated), VCPU_64BIT);
}

static void test_controls(void **state)
{
    (void)state;
    static const enum fake_model models[] = {FAKE_MODEL_SKYLAKE, FAKE_MODEL_SANDY_BRIDGE};
    for (unsigned i = 0; i < COUNT(models); i++) {
        struct vmx_controls controls;
        suite_start(models[i]);
        vmx_isolated_controls(&controls, &suite.caps);
        assert_int_equal(controls.proc2, PROC2_EPT | PROC2_VPID); /* RDTSCP and others are #UD */
        assert_int_equal(controls.pin &
                             (PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_EXTERNAL_INTERRUPT_EXITING),
                         PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
        assert_true(controls.entry & ENTRY_IA32E_GUEST);
    }
    suite.caps.proc2 |= PROC2_RDTSCP; /* a CPU that cannot do without */
    struct vmx_controls controls;
    vmx_isolated_controls(&controls, &suite.caps);
    assert_int_equal(controls.proc2, PROC2_EPT | PROC2_VPID | PROC2_RDTSCP);
}

static void test_control_registers(void **state) /* REQ-PAL-4 */
{
    (void)state;
    suite_start(FAKE_MODEL_SKYLAKE);
    const uint64_t off = CR0_EM | CR0_TS | CR0_MP;
    assert_int_equal(vmx_isolated_cr0(&suite.caps, false) & off, off);
    assert_int_equal(vmx_isolated_cr0(&suite.caps, true) & off, CR0_MP);
    const uint64_t on = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    assert_int_equal(vmx_isolated_cr4(&suite.caps, false), CR4_PAE | CR4_VMXE);
    assert_int_equal(vmx_isolated_cr4(&suite.caps, true), CR4_PAE | CR4_VMXE | on);
    suite.caps.leaf7_ecx |= 1U << 2;
    assert_int_equal(vmx_isolated_cr4(&suite.caps, false), CR4_PAE | CR4_VMXE); /* not with VMX */
    suite.caps.cr4_fixed1 |= CR4_UMIP;
    assert_int_equal(vmx_isolated_cr4(&suite.caps, false), CR4_PAE | CR4_VMXE | CR4_UMIP);
}

/* Everything in it is accepted by VM entry, and by the VMWRITEs before it. */
static void test_the_cpu_takes_every_field(void **state)
{
    (void)state;
    static const enum fake_model models[] = {FAKE_MODEL_SKYLAKE, FAKE_MODEL_SANDY_BRIDGE,
                                             FAKE_MODEL_NO_1G_EPT};
    for (unsigned i = 0; i < 2 * COUNT(models); i++) {
        suite_start(models[i / 2]);
        isolated_make(true);
        struct vcpu_isolated_start start = start_64;
        start.vector = i % 2;
        vcpu_isolated_start(&isolated, &start);
        assert_null(fake_entry_check(0));
        assert_int_equal(field(VMCS_EXCEPTION_BITMAP), 0xffffffff);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_start_state, isolated_setup),
        cmocka_unit_test_setup(test_compatibility_mode, isolated_setup),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_control_registers),
        cmocka_unit_test(test_the_cpu_takes_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
