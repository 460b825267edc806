/* libvmx/gate.c: every capability taken away one by one. */
#include "suite.h"

#include <vmx/controls.h>

/* How to take one capability away from a value that has all. */
struct removal {
    enum vmx_missing missing;
    size_t offset;
    uint64_t clear, set;
};

#define ALLOWED1(control) ((uint64_t)(control) << 32)
#define REMOVE(missing, member, bits)                                                              \
    {                                                                                              \
        missing, offsetof(struct vmx_caps, member), bits, 0                                        \
    }

static const struct removal removals[] = {
    REMOVE(VMX_MISSING_TRUE_CONTROLS, basic, 1ULL << 55),
    REMOVE(VMX_MISSING_VMCS_WRITE_BACK, basic, 6ULL << 50),
    {VMX_MISSING_ADDRESSES_64BIT, offsetof(struct vmx_caps, basic), 0, 1ULL << 48},
    REMOVE(VMX_MISSING_NMI_EXITING, pin, ALLOWED1(1U << 3)),
    REMOVE(VMX_MISSING_VIRTUAL_NMIS, pin, ALLOWED1(1U << 5)),
    REMOVE(VMX_MISSING_NMI_WINDOW, proc, ALLOWED1(1U << 22)),
    REMOVE(VMX_MISSING_INTERRUPT_WINDOW, proc, ALLOWED1(1U << 2)),
    {VMX_MISSING_CR3_WITHOUT_EXIT, offsetof(struct vmx_caps, proc), 0, 1U << 15},
    {VMX_MISSING_CR3_WITHOUT_EXIT, offsetof(struct vmx_caps, proc), 0, 1U << 16},
    REMOVE(VMX_MISSING_IO_BITMAPS, proc, ALLOWED1(1U << 25)),
    REMOVE(VMX_MISSING_MSR_BITMAPS, proc, ALLOWED1(1U << 28)),
    REMOVE(VMX_MISSING_SECONDARY_CONTROLS, proc, ALLOWED1(1U << 31)),
    REMOVE(VMX_MISSING_EPT, proc2, ALLOWED1(1U << 1)),
    REMOVE(VMX_MISSING_UNRESTRICTED_GUEST, proc2, ALLOWED1(1U << 7)),
    REMOVE(VMX_MISSING_EPT_4_LEVELS, ept_vpid, 1ULL << 6),
    REMOVE(VMX_MISSING_EPT_WRITE_BACK, ept_vpid, 1ULL << 14),
    REMOVE(VMX_MISSING_EPT_2M, ept_vpid, 1ULL << 16),
    REMOVE(VMX_MISSING_INVEPT, ept_vpid, 1ULL << 20),
    REMOVE(VMX_MISSING_INVEPT_SINGLE, ept_vpid, 1ULL << 25),
    REMOVE(VMX_MISSING_INVEPT_ALL, ept_vpid, 1ULL << 26),
    REMOVE(VMX_MISSING_HOST_64BIT, exit, ALLOWED1(1U << 9)),
    REMOVE(VMX_MISSING_SAVE_DEBUG, exit, ALLOWED1(1U << 2)),
    REMOVE(VMX_MISSING_SAVE_PAT, exit, ALLOWED1(1U << 18)),
    REMOVE(VMX_MISSING_EXIT_LOAD_PAT, exit, ALLOWED1(1U << 19)),
    REMOVE(VMX_MISSING_SAVE_EFER, exit, ALLOWED1(1U << 20)),
    REMOVE(VMX_MISSING_EXIT_LOAD_EFER, exit, ALLOWED1(1U << 21)),
    REMOVE(VMX_MISSING_LOAD_DEBUG, entry, ALLOWED1(1U << 2)),
    REMOVE(VMX_MISSING_GUEST_64BIT, entry, ALLOWED1(1U << 9)),
    REMOVE(VMX_MISSING_ENTRY_LOAD_PAT, entry, ALLOWED1(1U << 14)),
    REMOVE(VMX_MISSING_ENTRY_LOAD_EFER, entry, ALLOWED1(1U << 15)),
    REMOVE(VMX_MISSING_HLT_STATE, misc, 1ULL << 6),
};

static struct vmx_caps full_caps(void)
{
    struct vmx_caps caps;
    fake_machine_reset(NULL);
    vmx_caps_read(&caps);
    assert_int_equal(vmx_gate(&caps), VMX_MISSING_NOTHING);
    return caps;
}

static void test_each_capability_alone(void **state) /* REQ-BOOT-8 */
{
    (void)state;
    bool seen[VMX_MISSING_COUNT] = {false};
    for (unsigned i = 0; i < COUNT(removals); i++) {
        struct vmx_caps caps = full_caps();
        uint64_t value;
        memcpy(&value, (char *)&caps + removals[i].offset, sizeof(value));
        value = (value & ~removals[i].clear) | removals[i].set;
        memcpy((char *)&caps + removals[i].offset, &value, sizeof(value));
        assert_int_equal(vmx_gate(&caps), removals[i].missing);
        seen[removals[i].missing] = true;
    }
    for (unsigned missing = VMX_MISSING_TRUE_CONTROLS; missing < VMX_MISSING_COUNT; missing++) {
        assert_true(seen[missing]); /* a new capability needs its line above */
    }
}

static void test_vendor_vmx_and_firmware(void **state) /* REQ-BOOT-8 */
{
    (void)state;
    struct vmx_caps caps = full_caps();
    caps.amd = true;
    assert_int_equal(vmx_gate(&caps), VMX_MISSING_INTEL);
    caps = full_caps();
    caps.leaf1_ecx &= ~(1U << 5);
    assert_int_equal(vmx_gate(&caps), VMX_MISSING_VMX);

    static const struct {
        uint64_t feature_control;
        enum vmx_missing missing;
    } cases[] = {
        {0, VMX_MISSING_NOTHING}, /* open: we set it */
        {FEATURE_CONTROL_LOCK, VMX_MISSING_FIRMWARE_ENABLE},
        {FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_IN_SMX, VMX_MISSING_FIRMWARE_ENABLE},
        {FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX, VMX_MISSING_NOTHING},
        {FEATURE_CONTROL_VMX_IN_SMX, VMX_MISSING_NOTHING},
    };
    for (unsigned i = 0; i < COUNT(cases); i++) {
        caps = full_caps();
        caps.feature_control = cases[i].feature_control;
        assert_int_equal(vmx_gate(&caps), cases[i].missing);
    }
}

static void test_models(void **state) /* REQ-BOOT-8 */
{
    (void)state;
    static const enum vmx_missing expected[FAKE_MODEL_COUNT] = {
        [FAKE_MODEL_NO_UNRESTRICTED] = VMX_MISSING_UNRESTRICTED_GUEST,
        [FAKE_MODEL_NO_EPT] = VMX_MISSING_TRUE_CONTROLS,
        [FAKE_MODEL_LOCKED_OFF] = VMX_MISSING_FIRMWARE_ENABLE,
        [FAKE_MODEL_NO_VMX] = VMX_MISSING_VMX,
    };
    for (unsigned model = 0; model < FAKE_MODEL_COUNT; model++) {
        struct fake_config config = fake_config_default();
        config.model = (enum fake_model)model;
        fake_machine_reset(&config);
        struct vmx_caps caps;
        vmx_caps_read(&caps);
        assert_int_equal(vmx_gate(&caps), expected[model]);
    }
}

static void test_vpid_is_optional(void **state)
{
    (void)state;
    struct vmx_caps caps = full_caps();
    caps.proc2 &= ~ALLOWED1(PROC2_VPID);
    caps.ept_vpid &= 0xffffffff;
    assert_int_equal(vmx_gate(&caps), VMX_MISSING_NOTHING);
}

static void test_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VMX_MISSING_COUNT; i++) {
        assert_non_null(vmx_missing_text((enum vmx_missing)i));
        assert_non_null(vmx_missing_advice((enum vmx_missing)i));
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(vmx_missing_text((enum vmx_missing)i),
                                    vmx_missing_text((enum vmx_missing)j));
        }
    }
    assert_string_equal(vmx_missing_text(VMX_MISSING_VMX), "the CPU has no VMX");
    assert_string_equal(vmx_missing_text(VMX_MISSING_COUNT), "unknown");
    assert_non_null(strstr(vmx_missing_advice(VMX_MISSING_FIRMWARE_ENABLE), "firmware"));
    assert_non_null(strstr(vmx_missing_advice(VMX_MISSING_INTEL), "AMD"));
    assert_non_null(strstr(vmx_missing_advice(VMX_MISSING_EPT), "CPU"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_capability_alone),
        cmocka_unit_test(test_vendor_vmx_and_firmware),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_vpid_is_optional),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
