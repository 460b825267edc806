/* libvmx/vcpu.c: the neutral interface on VMCS fields. */
#include "suite.h"

#include <hw/vmx.h>

static void test_init(void **state)
{
    (void)state;
    assert_int_equal(fake_current_vmcs(0), suite.vmcs.v);
    assert_int_equal(vcpu_cpu(&suite.vcpu), 0);
    assert_int_equal(vcpu_nested_root(&suite.vcpu), suite.config.ept_pointer);
    assert_int_equal(field(VMCS_EPT_POINTER), suite.config.ept_pointer);
    assert_int_equal(field(VMCS_VPID), 1);
    assert_null(fake_entry_check(0));
}

static void test_init_fails(void **state)
{
    (void)state;
    static const enum fake_call calls[] = {FAKE_VMCLEAR, FAKE_VMPTRLD, FAKE_VMWRITE};
    for (unsigned i = 0; i < COUNT(calls); i++) {
        suite_enable(FAKE_MODEL_SKYLAKE);
        fake_fail_nth(calls[i], 1, HW_VMX_FAIL_VALID | 2 << 8);
        assert_int_equal(vmx_vcpu_init(&suite.vcpu, 0, &suite.config, suite.vmcs), STATUS_HARDWARE);
        assert_int_equal(fake_fail_hits(), 1);
    }
}

static void test_registers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HW_GPR_COUNT; i++) {
        vcpu_set_gpr(&suite.vcpu, (enum vcpu_gpr)i, 0x1000 + i);
    }
    for (unsigned i = 0; i < HW_GPR_COUNT; i++) {
        assert_int_equal(vcpu_gpr(&suite.vcpu, (enum vcpu_gpr)i), 0x1000 + i);
    }
    assert_int_equal(field(VMCS_GUEST_RSP), 0x1004); /* REQ-CR-5: RSP is the guest's */
    vcpu_set_rip(&suite.vcpu, 0x123456789);
    assert_int_equal(vcpu_rip(&suite.vcpu), 0x123456789);
    fake_field_set(0, VMCS_GUEST_RFLAGS, 0x246);
    assert_int_equal(vcpu_rflags(&suite.vcpu), 0x246);
}

static void test_segments(void **state)
{
    (void)state;
    static const uint32_t selectors[] = {VMCS_GUEST_ES_SELECTOR, VMCS_GUEST_CS_SELECTOR,
                                         VMCS_GUEST_SS_SELECTOR, VMCS_GUEST_DS_SELECTOR,
                                         VMCS_GUEST_FS_SELECTOR, VMCS_GUEST_GS_SELECTOR};
    static const uint32_t bases[] = {VMCS_GUEST_ES_BASE, VMCS_GUEST_CS_BASE, VMCS_GUEST_SS_BASE,
                                     VMCS_GUEST_DS_BASE, VMCS_GUEST_FS_BASE, VMCS_GUEST_GS_BASE};
    for (unsigned seg = 0; seg < COUNT(bases); seg++) {
        fake_field_set(0, selectors[seg], 0x10 + 8 * seg);
        fake_field_set(0, bases[seg], 0x7fff00000000 + seg);
    }
    for (unsigned seg = 0; seg < COUNT(bases); seg++) {
        assert_int_equal(vcpu_segment_selector(&suite.vcpu, (enum vcpu_seg)seg), 0x10 + 8 * seg);
        assert_int_equal(vcpu_segment_base(&suite.vcpu, (enum vcpu_seg)seg), 0x7fff00000000 + seg);
    }
}

static void test_width_and_cpl(void **state)
{
    (void)state;
    static const struct {
        uint32_t rights;
        uint64_t efer;
        enum vcpu_width width;
    } cases[] = {
        {0x93, 0, VCPU_16BIT},
        {0xc09b, 0, VCPU_32BIT},
        {0xa09b, EFER_LME | EFER_LMA, VCPU_64BIT},
        {0xc09b, EFER_LME | EFER_LMA, VCPU_32BIT}, /* compatibility mode */
        {0xa09b, EFER_LME, VCPU_16BIT},            /* L means nothing outside IA-32e mode */
    };
    for (unsigned i = 0; i < COUNT(cases); i++) {
        fake_field_set(0, VMCS_GUEST_CS_ACCESS_RIGHTS, cases[i].rights);
        fake_field_set(0, VMCS_GUEST_IA32_EFER, cases[i].efer);
        assert_int_equal(vcpu_width(&suite.vcpu), cases[i].width);
    }
    for (unsigned cpl = 0; cpl < 4; cpl++) {
        fake_field_set(0, VMCS_GUEST_SS_ACCESS_RIGHTS, 0x93 | cpl << 5);
        assert_int_equal(vcpu_cpl(&suite.vcpu), cpl);
    }
}

static void test_paging_shows_the_guests_view(void **state) /* REQ-CR-1, REQ-CR-3 */
{
    (void)state;
    struct vcpu_paging paging;
    fake_field_set(0, VMCS_GUEST_CR0, 0x80000031);
    fake_field_set(0, VMCS_CR0_READ_SHADOW, 0);
    fake_field_set(0, VMCS_GUEST_CR3, 0x123456000);
    fake_field_set(0, VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE);
    fake_field_set(0, VMCS_GUEST_IA32_EFER, EFER_LME | EFER_LMA);
    fake_field_set(0, VMCS_GUEST_PDPTE0, 0x111001);
    vcpu_paging(&suite.vcpu, &paging);
    assert_int_equal(paging.cr0, 0x80000011);
    assert_int_equal(paging.cr3, 0x123456000);
    assert_int_equal(paging.cr4, CR4_PAE);
    assert_int_equal(paging.pdpte[0], 0); /* not PAE paging */
    fake_field_set(0, VMCS_GUEST_IA32_EFER, 0);
    for (uint32_t i = 0; i < 4; i++) {
        fake_field_set(0, VMCS_GUEST_PDPTE0 + 2 * i, 0x1001 + 0x1000 * i);
    }
    vcpu_paging(&suite.vcpu, &paging);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(paging.pdpte[i], 0x1001 + 0x1000 * i);
    }
}

static void skip_at(uint64_t rip, uint32_t bytes, uint32_t rights, uint64_t efer, uint64_t next)
{
    fake_field_set(0, VMCS_GUEST_RIP, rip);
    fake_field_set(0, VMCS_EXIT_INSTRUCTION_LENGTH, bytes);
    fake_field_set(0, VMCS_GUEST_CS_ACCESS_RIGHTS, rights);
    fake_field_set(0, VMCS_GUEST_IA32_EFER, efer);
    vcpu_skip_instruction(&suite.vcpu);
    assert_int_equal(field(VMCS_GUEST_RIP), next);
}

static void test_skip_moves_rip(void **state)
{
    (void)state;
    skip_at(0xfff0, 2, 0x93, 0, 0xfff2);
    skip_at(0xfffffffe, 3, 0xc09b, 0, 1); /* EIP wraps at 32 bits */
    skip_at(0xfffffffe, 3, 0xa09b, EFER_LMA, 0x100000001);
    skip_at(0xffffffff81000000, 2, 0xa09b, EFER_LMA, 0xffffffff81000002);
}

static void test_skip_ends_blocking(void **state)
{
    (void)state;
    fake_field_set(0, VMCS_EXIT_INSTRUCTION_LENGTH, 2);
    fake_field_set(0, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI);
    vcpu_skip_instruction(&suite.vcpu);
    assert_int_equal(field(VMCS_GUEST_INTERRUPTIBILITY), 0);
    fake_field_set(0, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_MOV_SS | BLOCKING_BY_NMI);
    vcpu_skip_instruction(&suite.vcpu);
    assert_int_equal(field(VMCS_GUEST_INTERRUPTIBILITY), BLOCKING_BY_NMI);
}

static void test_skip_single_steps(void **state)
{
    (void)state;
    fake_field_set(0, VMCS_EXIT_INSTRUCTION_LENGTH, 2);
    vcpu_skip_instruction(&suite.vcpu);
    assert_int_equal(field(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), 0);
    fake_field_set(0, VMCS_GUEST_RFLAGS, 2 | RFLAGS_TF);
    fake_field_set(0, VMCS_GUEST_IA32_DEBUGCTL, DEBUGCTL_BTF);
    vcpu_skip_instruction(&suite.vcpu);
    assert_int_equal(field(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), 0);
    fake_field_set(0, VMCS_GUEST_IA32_DEBUGCTL, 0);
    fake_field_set(0, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 1);
    vcpu_skip_instruction(&suite.vcpu);
    assert_int_equal(field(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), PENDING_DEBUG_BS | 1);
}

static void test_nested_root(void **state)
{
    (void)state;
    uint64_t writes = fake_calls(FAKE_VMWRITE);
    vcpu_set_nested_root(&suite.vcpu, suite.config.ept_pointer);
    assert_int_equal(fake_calls(FAKE_VMWRITE), writes); /* the same: no cost */
    vcpu_set_nested_root(&suite.vcpu, suite.config.ept_pointer + PAGE_BYTES);
    assert_int_equal(field(VMCS_EPT_POINTER), suite.config.ept_pointer + PAGE_BYTES);
    assert_int_equal(vcpu_nested_root(&suite.vcpu), suite.config.ept_pointer + PAGE_BYTES);
}

static void test_set_rflags(void **state)
{
    (void)state;
    vcpu_set_rflags(&suite.vcpu, 0x247);
    assert_int_equal(vcpu_rflags(&suite.vcpu), 0x247);
    assert_int_equal(FAKE_CATCH(vcpu_set_rflags(&suite.vcpu, 0)), FAKE_END_CHECK);
    assert_int_equal(FAKE_CATCH(vcpu_set_rflags(&suite.vcpu, 1ULL << 22 | 2)), FAKE_END_CHECK);
    assert_int_equal(vcpu_rflags(&suite.vcpu), 0x247);
}

static void test_exception_bitmap(void **state)
{
    (void)state;
    assert_int_equal(field(VMCS_EXCEPTION_BITMAP), 0);
    vmx_vcpu_set_exception_bitmap(&suite.vcpu, ~0U);
    assert_int_equal(field(VMCS_EXCEPTION_BITMAP), ~0U);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_init, suite_setup),
        cmocka_unit_test(test_init_fails),
        cmocka_unit_test_setup(test_registers, suite_setup),
        cmocka_unit_test_setup(test_segments, suite_setup),
        cmocka_unit_test_setup(test_width_and_cpl, suite_setup),
        cmocka_unit_test_setup(test_paging_shows_the_guests_view, suite_setup),
        cmocka_unit_test_setup(test_skip_moves_rip, suite_setup),
        cmocka_unit_test_setup(test_skip_ends_blocking, suite_setup),
        cmocka_unit_test_setup(test_skip_single_steps, suite_setup),
        cmocka_unit_test_setup(test_nested_root, suite_setup),
        cmocka_unit_test_setup(test_set_rflags, suite_setup),
        cmocka_unit_test_setup(test_exception_bitmap, suite_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
