/* The lines about the stacks, and who may ask for them. */
#include "one_vcpu.h"

#include "stacks.h"

#include <base/log.h>
#include <fake/stack.h>
#include <vmx/state.h>
#include <vmx/vmcs.h>
#include <vmx/x86.h>

static void set_uses(void)
{
    const struct hw_stack_use main_use = {"main", 1000, 2000, 20480}, nmi = {"NMI", 56, 1500, 8192};

    fake_stack_set(0, HW_STACK_MAIN, &main_use);
    fake_stack_set(0, HW_STACK_NMI, &nmi);
    fake_stack_set(1, HW_STACK_MAIN, NULL);
    fake_stack_set(1, HW_STACK_NMI, &nmi);
}

static void test_lines(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    fake_console_clear();
    set_uses();
    stacks_print(2);
    assert_string_equal(fake_console_text(),
                        "nacre: summary: stack cpu=0 main=1000/2000/20480 NMI=56/1500/8192\n"
                        "nacre: summary: stack cpu=1 NMI=56/1500/8192\n");
}

/* Five stacks with the longest numbers still fit a line. */
static void test_longest_line(void **state)
{
    (void)state;
    const struct hw_stack_use use = {"main", UINT32_MAX, UINT32_MAX, UINT32_MAX};
    fake_machine_reset(NULL);
    fake_console_clear();
    for (unsigned stack = 0; stack < HW_STACK_COUNT; stack++) {
        fake_stack_set(0, (enum hw_stack)stack, &use);
    }
    stacks_print(1);
    const char *at = fake_console_text();
    for (unsigned stack = 0; stack < HW_STACK_COUNT; stack++) {
        at = strstr(at, " main=4294967295/4294967295/4294967295");
        assert_non_null(at);
        at++;
    }
    for (unsigned stack = 0; stack < HW_STACK_COUNT; stack++) {
        fake_stack_set(0, (enum hw_stack)stack, NULL);
    }
}

static struct vcpu *caller(enum log_level level)
{
    struct vcpu *vcpu = one_vcpu();

    vmx_state_protected32(vcpu, 0x100000, 0);
    vcpu_set_gpr(vcpu, VCPU_RAX, STACKS_VMCALL);
    log_set_level(level);
    set_uses();
    return vcpu;
}

static void test_request(void **state)
{
    (void)state;
    struct vcpu *vcpu = caller(LOG_DEBUG);
    assert_true(stacks_vmcall(vcpu));
    assert_int_equal(vcpu_gpr(vcpu, VCPU_RAX), 0);
    assert_true(fake_console_contains("stack cpu=0 main=1000/2000/20480"));
}

static void refused(struct vcpu *vcpu)
{
    uint64_t rax = vcpu_gpr(vcpu, VCPU_RAX);

    assert_false(stacks_vmcall(vcpu));
    assert_int_equal(vcpu_gpr(vcpu, VCPU_RAX), rax);
    assert_int_equal(vcpu_rip(vcpu), 0x100000);
    assert_string_equal(fake_console_text(), "");
}

static void test_refused_without_debug(void **state)
{
    (void)state;
    refused(caller(LOG_INFO));
}

static void test_refused_to_user_code(void **state)
{
    (void)state;
    struct vcpu *vcpu = caller(LOG_DEBUG);
    uint64_t rights;
    assert_int_equal(hw_vmread(VMCS_GUEST_SS_ACCESS_RIGHTS, &rights), HW_VMX_OK);
    rights |= 3U << ACCESS_RIGHTS_DPL_SHIFT;
    assert_int_equal(hw_vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, rights), HW_VMX_OK);
    refused(vcpu);
}

static void test_other_numbers(void **state)
{
    (void)state;
    struct vcpu *vcpu = caller(LOG_DEBUG);
    vcpu_set_gpr(vcpu, VCPU_RAX, STACKS_VMCALL + 1);
    refused(vcpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_longest_line),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_refused_without_debug),
        cmocka_unit_test(test_refused_to_user_code),
        cmocka_unit_test(test_other_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
