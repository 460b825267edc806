/* libvmx/vector.c: whose vector registers are whose (REQ-PAL-4 throughout). */
#include "isolated_suite.h"

#include <hw/cpu.h>

#define ALL_BUT_PKRU 0xe7
#define GUEST_XCR0 0x2e7

static const enum fake_component components[] = {FAKE_X87,    FAKE_SSE,       FAKE_AVX,
                                                 FAKE_OPMASK, FAKE_ZMM_HI256, FAKE_HI16_ZMM};

static int setup(void **state)
{
    (void)state;
    suite_start(FAKE_MODEL_SKYLAKE);
    isolated_make(true);
    vmx_state_protected32(&suite.vcpu, 0x100000, 0);
    assert_true(hw_xsetbv_safe(0, GUEST_XCR0));
    for (unsigned i = 0; i < COUNT(components); i++) {
        fake_vector_fill(0, components[i], (uint8_t)(0x60 + i));
    }
    fake_vector_fill(0, FAKE_BNDREGS, 0xbb);
    fake_vector_fill(0, FAKE_PKRU, 0x55);
    fake_mxcsr_set(0, 0x9fc0);
    return 0;
}

static void assert_guest_state(void)
{
    for (unsigned i = 0; i < COUNT(components); i++) {
        assert_int_equal(fake_vector_get(0, components[i]), 0x60 + i);
        assert_true(fake_vector_is_whole(0, components[i]));
    }
    assert_int_equal(fake_vector_get(0, FAKE_BNDREGS), 0xbb);
    assert_int_equal(fake_vector_get(0, FAKE_PKRU), 0x55);
    assert_int_equal(fake_mxcsr(0), 0x9fc0);
}

static void start_with_vector(void)
{
    struct vcpu_isolated_start start = start_64;
    start.vector = true;
    vcpu_isolated_start(&isolated, &start);
    assert_null(fake_entry_check(0));
}

/* Looks at everything, then leaves secrets everywhere. */
static void use_all(struct fake_guest *guest)
{
    for (unsigned i = 0; i < COUNT(components); i++) {
        uint8_t value = 1;
        assert_true(fake_guest_vector_read(guest, components[i], &value));
        assert_int_equal(value, 0);
        assert_true(fake_vector_is_whole(0, components[i]));
        assert_true(fake_guest_vector_write(guest, components[i], 0x5e));
    }
    assert_int_equal(fake_mxcsr(0), 0x1f80);
    fake_mxcsr_set(0, 0x1f00);
    fake_guest_vmcall(guest);
}

static void test_states_do_not_mix(void **state)
{
    (void)state;
    assert_true(vcpu_isolated_has_vector(&isolated));
    for (unsigned i = 0; i < 2; i++) { /* the second run sees nothing of the first */
        start_with_vector();
        assert_int_equal(fake_xcr0(0), ALL_BUT_PKRU);
        assert_int_equal(isolated_run(use_all).reason, VCPU_STOP_CALL);
        vcpu_isolated_end(&isolated, &suite.vcpu);
        assert_int_equal(fake_xcr0(0), GUEST_XCR0);
        assert_guest_state();
    }
}

static void test_state_that_the_guest_switched_off(void **state)
{
    (void)state;
    static const uint64_t values[] = {1, 3, 7};
    for (unsigned i = 0; i < COUNT(values); i++) {
        assert_true(hw_xsetbv_safe(0, values[i])); /* the registers keep what they hold */
        start_with_vector();
        assert_int_equal(isolated_run(use_all).reason, VCPU_STOP_CALL);
        vcpu_isolated_end(&isolated, &suite.vcpu);
        assert_int_equal(fake_xcr0(0), values[i]);
        assert_guest_state();
    }
}

static void use_others(struct fake_guest *guest)
{
    uint8_t value;
    fake_guest_vector_read(guest, guest->entry == 0 ? FAKE_PKRU : FAKE_BNDREGS, &value);
    fail();
}

static void test_other_components_are_out_of_reach(void **state)
{
    (void)state;
    start_with_vector();
    for (unsigned i = 0; i < 2; i++) {
        struct vcpu_stop stop = isolated_run(i == 0 ? use_others : NULL);
        assert_int_equal(stop.reason, VCPU_STOP_EXCEPTION);
        assert_int_equal(stop.vector, X86_UD);
    }
    vcpu_isolated_end(&isolated, &suite.vcpu);
    assert_guest_state();
}

static void use_one(struct fake_guest *guest)
{
    uint8_t value;
    fake_guest_vector_read(guest, components[guest->entry], &value);
    fail();
}

static void test_without_vector_nothing_moves(void **state)
{
    (void)state;
    start_with_vector(); /* the mode that is not the next one */
    vcpu_isolated_end(&isolated, &suite.vcpu);
    fake_calls_clear();
    vcpu_isolated_start(&isolated, &start_64);
    fake_guest_set(0, use_one, NULL);
    for (unsigned i = 0; i < COUNT(components); i++) {
        struct vcpu_stop stop = isolated_run(NULL);
        assert_int_equal(stop.reason, VCPU_STOP_EXCEPTION);
        assert_int_equal(stop.vector, components[i] == FAKE_X87 ? X86_NM : X86_UD);
    }
    vcpu_isolated_end(&isolated, &suite.vcpu);
    assert_int_equal(fake_calls(FAKE_XSAVE) + fake_calls(FAKE_XRSTOR), 0);
    assert_int_equal(fake_calls(FAKE_XSETBV_SAFE), 0);
    assert_int_equal(fake_xcr0(0), GUEST_XCR0);
    assert_guest_state();
}

static void test_equal_xcr0_is_not_written(void **state)
{
    (void)state;
    assert_true(hw_xsetbv_safe(0, ALL_BUT_PKRU));
    fake_calls_clear();
    start_with_vector();
    vcpu_isolated_end(&isolated, &suite.vcpu);
    assert_int_equal(fake_calls(FAKE_XSETBV_SAFE), 0);
    assert_int_equal(fake_calls(FAKE_XSAVE), 1);
    assert_int_equal(fake_calls(FAKE_XRSTOR), 2);
}

static uint64_t components_of(void (*change)(void))
{
    suite_start(FAKE_MODEL_SKYLAKE);
    if (change) {
        change();
    }
    isolated_make(true);
    assert_int_equal(vcpu_isolated_has_vector(&isolated), isolated.isolated.components != 0);
    return isolated.isolated.components;
}

static void no_xsave(void)
{
    suite.caps.leaf1_ecx &= ~(1U << 26);
}

static void only_avx(void)
{
    suite.caps.xcr0_bits = 7;
}

static void half_avx512(void)
{
    suite.caps.xcr0_bits = 0x67;
}

static void no_avx(void)
{
    suite.caps.xcr0_bits = 0xe3;
}

static void with_amx(void)
{
    suite.caps.xcr0_bits |= 0x60000;
}

static void no_sse(void)
{
    suite.caps.xcr0_bits = 1;
}

static void too_large(void)
{
    fake_cpuid_set(0xd, FAKE_HI16_ZMM, FAKE_EBX, PAGE_BYTES - 0x3ff);
}

static void test_what_the_cpu_has_decides(void **state)
{
    (void)state;
    assert_int_equal(components_of(NULL), ALL_BUT_PKRU);
    assert_int_equal(components_of(with_amx), ALL_BUT_PKRU);
    assert_int_equal(components_of(only_avx), 7);
    assert_int_equal(components_of(half_avx512), 7);
    assert_int_equal(components_of(no_avx), 3);
    assert_int_equal(components_of(no_sse), 0);
    assert_int_equal(components_of(no_xsave), 0);
    assert_int_equal(components_of(too_large), 0); /* the guest's would not fit the page */
}

static void test_refused_xcr0_is_a_bug(void **state)
{
    (void)state;
    struct vcpu_isolated_start start = start_64;
    start.vector = true;
    fake_fail_nth(FAKE_XSETBV_SAFE, 1, 0);
    assert_int_equal(FAKE_CATCH(vcpu_isolated_start(&isolated, &start)), FAKE_END_CHECK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_states_do_not_mix, setup),
        cmocka_unit_test_setup(test_state_that_the_guest_switched_off, setup),
        cmocka_unit_test_setup(test_other_components_are_out_of_reach, setup),
        cmocka_unit_test_setup(test_without_vector_nothing_moves, setup),
        cmocka_unit_test_setup(test_equal_xcr0_is_not_written, setup),
        cmocka_unit_test(test_what_the_cpu_has_decides),
        cmocka_unit_test_setup(test_refused_xcr0_is_a_bug, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
