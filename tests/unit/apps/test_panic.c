/* What the report of a panic says of a vCPU, and that a damaged one is not believed. */
#include "one_vcpu.h"

#include <vmx/state.h>
#include <vmx/vmcs.h>

static struct hw_guest_state ask(void)
{
    struct hw_guest_state state;

    memset(&state, 0xa5, sizeof(state));
    app_panic_state(0, &state);
    return state;
}

static void test_before_vmx_operation(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    memset(&nacre, 0, sizeof(nacre));
    assert_int_equal(ask().activity, HW_GUEST_NONE); /* VMREAD would be #UD: the fake ends then */
}

static void test_before_the_vmcs(void **state)
{
    (void)state;
    one_vcpu_enable();
    nacre.cpu[0].vcpu.tag = vmx_vcpu_tag(&nacre.cpu[0].vcpu);
    assert_int_equal(ask().activity, HW_GUEST_NONE);
}

static void test_running(void **state)
{
    (void)state;
    struct vcpu *vcpu = one_vcpu();
    vmx_state_protected32(vcpu, 0x100000, 0x90000);
    assert_int_equal(hw_vmwrite(VMCS_GUEST_CR3, 0x1234000), HW_VMX_OK);
    assert_int_equal(hw_vmwrite(VMCS_GUEST_RSP, 0x7000), HW_VMX_OK);
    vcpu->exits[3] = 5;
    vcpu->exits[10] = 7;
    struct hw_guest_state guest = ask();
    assert_int_equal(guest.activity, HW_GUEST_RUNS);
    assert_int_equal(guest.rip, 0x100000);
    assert_int_equal(guest.rsp, 0x7000);
    assert_int_equal(guest.cr3, 0x1234000);
    assert_int_equal(guest.cs, 0x10);
    assert_int_equal(guest.width_bits, 32);
    assert_int_equal(guest.cpl, 0);
    assert_int_equal(guest.exits, 12);
}

static void test_parked(void **state)
{
    (void)state;
    vmx_state_park(one_vcpu());
    struct hw_guest_state guest = ask();
    assert_int_equal(guest.activity, HW_GUEST_WAITS);
    assert_int_equal(guest.rip, 0xfff0);
    assert_int_equal(guest.width_bits, 16);
}

static void test_damaged_tag(void **state) /* REQ-STK-6 */
{
    (void)state;
    one_vcpu()->tag ^= 1ULL << 40;
    struct hw_guest_state guest = ask();
    assert_int_equal(guest.activity, HW_GUEST_DAMAGED);
    assert_int_equal(guest.rip, 0);
    assert_int_equal(guest.exits, 0);
}

static void test_vcpu_of_another_cpu(void **state) /* REQ-STK-6 */
{
    (void)state;
    one_vcpu()->cpu = 1;
    assert_int_equal(ask().activity, HW_GUEST_DAMAGED);
}

static void test_isolated_code_is_not_told(void **state) /* REQ-PAL-4 */
{
    (void)state;
    struct vcpu *vcpu = one_vcpu(), *isolated = &nacre.cpu[0].isolated;
    struct vmx_config config = {
        .caps = &nacre.caps, .ept_pointer = one_page().v | EPT_WRITE_BACK_4_LEVELS, .vpid = 1};
    assert_int_equal(vmx_vcpu_init_isolated(isolated, vcpu, &config, one_page(), NULL), STATUS_OK);
    vcpu->exits[10] = 3;
    isolated->exits[18] = 2;
    assert_int_equal(ask().activity, HW_GUEST_RUNS);
    vcpu_isolated_start(isolated, &(struct vcpu_isolated_start){.width = VCPU_64BIT,
                                                                .nested_root = config.ept_pointer,
                                                                .rip = 0x1234});
    struct hw_guest_state guest = ask();
    assert_int_equal(guest.activity, HW_GUEST_ISOLATED);
    assert_int_equal(guest.rip, 0);
    assert_int_equal(guest.exits, 5);
    isolated->tag ^= 1;
    assert_int_equal(ask().activity, HW_GUEST_DAMAGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_vmx_operation),
        cmocka_unit_test(test_before_the_vmcs),
        cmocka_unit_test(test_running),
        cmocka_unit_test(test_parked),
        cmocka_unit_test(test_damaged_tag),
        cmocka_unit_test(test_vcpu_of_another_cpu),
        cmocka_unit_test(test_isolated_code_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
