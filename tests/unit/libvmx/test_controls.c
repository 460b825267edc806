/* libvmx/controls.c: optional controls need both CPUID and the capability (REQ-MSR-3). */
#include "suite.h"

static struct vmx_controls compute(const struct vmx_caps *caps)
{
    struct vmx_controls controls;
    vmx_controls_compute(&controls, caps);
    return controls;
}

static void test_full_cpu(void **state)
{
    (void)state;
    suite_enable(FAKE_MODEL_SKYLAKE);
    struct vmx_controls controls = compute(&suite.caps);
    /* Reserved bits that read as 1 in the TRUE MSRs, plus ours. */
    assert_int_equal(controls.pin, 0x16 | 1 << 3 | 1 << 5);
    assert_int_equal(controls.proc, 0x04006172U | 1U << 25 | 1U << 28 | 1U << 31);
    assert_int_equal(controls.proc2, 1 << 1 | 1 << 3 | 1 << 5 | 1 << 7 | 1 << 12 | 1 << 20);
    assert_int_equal(controls.exit, 0x36dfb | 1 << 2 | 1 << 9 | 0xf << 18);
    assert_int_equal(controls.entry, 0x11fb | 1 << 2 | 3 << 14);
}

static void test_optional_controls_need_both(void **state) /* REQ-MSR-3 */
{
    (void)state;
    static const struct {
        uint32_t control;
        size_t offset; /* of the CPUID word */
        uint32_t bit;
    } cases[] = {
        {PROC2_RDTSCP, offsetof(struct vmx_caps, extended1_edx), 1U << 27},
        {PROC2_INVPCID, offsetof(struct vmx_caps, leaf7_ebx), 1U << 10},
        {PROC2_XSAVES, offsetof(struct vmx_caps, xsave1_eax), 1U << 3},
        {PROC2_USER_WAIT, offsetof(struct vmx_caps, leaf7_ecx), 1U << 5},
    };
    suite_enable(FAKE_MODEL_SKYLAKE);
    for (unsigned i = 0; i < COUNT(cases); i++) {
        for (unsigned which = 0; which < 4; which++) {
            struct vmx_caps caps = suite.caps;
            uint32_t *word = (uint32_t *)(void *)((char *)&caps + cases[i].offset);
            *word = which & 1 ? *word | cases[i].bit : *word & ~cases[i].bit;
            uint64_t allowed = (uint64_t)cases[i].control << 32;
            caps.proc2 = which & 2 ? caps.proc2 | allowed : caps.proc2 & ~allowed;
            bool on = (compute(&caps).proc2 & cases[i].control) != 0;
            assert_int_equal(on, which == 3);
        }
    }
}

static void test_vpid_needs_invvpid(void **state) /* REQ-MSR-3 */
{
    (void)state;
    suite_enable(FAKE_MODEL_SKYLAKE);
    struct vmx_caps caps = suite.caps;
    caps.ept_vpid &= ~(VPID_CAP_INVVPID_SINGLE | VPID_CAP_INVVPID_ALL);
    assert_false(compute(&caps).proc2 & PROC2_VPID);
    caps.ept_vpid |= VPID_CAP_INVVPID_ALL;
    assert_true(compute(&caps).proc2 & PROC2_VPID);
    caps.ept_vpid &= ~VPID_CAP_INVVPID;
    assert_false(compute(&caps).proc2 & PROC2_VPID);
}

static void test_sandy_bridge_has_fewer(void **state) /* REQ-MSR-3 */
{
    (void)state;
    suite_enable(FAKE_MODEL_SANDY_BRIDGE);
    assert_int_equal(compute(&suite.caps).proc2, 1 << 1 | 1 << 3 | 1 << 5 | 1 << 7);
}

/* REQ-MSR-9: nothing that an OS does all the time exits. */
static void test_nothing_frequent_exits(void **state)
{
    (void)state;
    suite_enable(FAKE_MODEL_SKYLAKE);
    struct vmx_controls controls = compute(&suite.caps);
    /* Interrupts, HLT, INVLPG, MWAIT, RDPMC, RDTSC, CR3, CR8, MOV DR, I/O, MONITOR, PAUSE */
    assert_false(controls.pin & PIN_EXTERNAL_INTERRUPT_EXITING);
    const uint32_t exiting = 1U << 7 | 1U << 9 | 1U << 10 | 1U << 11 | 1U << 12 | 3U << 15 |
                             3U << 19 | 1U << 23 | 1U << 24 | 1U << 29 | 1U << 30;
    assert_false(controls.proc & exiting);
}

static void test_forced_bits_are_kept(void **state)
{
    (void)state;
    fake_machine_reset(NULL);
    fake_vmx_force(FAKE_PIN, PIN_PREEMPTION_TIMER);
    struct vmx_caps caps;
    vmx_caps_read(&caps);
    assert_true(compute(&caps).pin & PIN_PREEMPTION_TIMER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_cpu),
        cmocka_unit_test(test_optional_controls_need_both),
        cmocka_unit_test(test_vpid_needs_invvpid),
        cmocka_unit_test(test_sandy_bridge_has_fewer),
        cmocka_unit_test(test_nothing_frequent_exits),
        cmocka_unit_test(test_forced_bits_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
