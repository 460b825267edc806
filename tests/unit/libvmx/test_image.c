/* libvmx/image.c: whole VMCS images for several CPUs. */
#include "suite.h"

#include <hw/cpu.h>

static const struct hw_host_state host = {
    .cr0 = 0x80010033,
    .cr3 = 0x7000000,
    .cr4 = 0x426a0,
    .rip = 0xffffffff80001000,
    .efer = 0xd01,
    .pat = 0x0007040600070406,
    .fs_base = 0x11,
    .gs_base = 0xffffffff80200000,
    .tr_base = 0xffffffff80300000,
    .gdtr_base = 0xffffffff80400000,
    .idtr_base = 0xffffffff80500000,
    .sysenter_esp = 0x22,
    .sysenter_eip = 0x33,
    .sysenter_cs = 0x44,
    .es = 0,
    .cs = 8,
    .ss = 0x10,
    .ds = 0,
    .fs = 0,
    .gs = 0,
    .tr = 0x18,
};

/* Every field in order, for a CPU with everything; pages as in build(). */
static const struct vmx_field skylake_fields[] = {
    {0x4000, 0x3e},
    {0x4002, 0x96006172},
    {0x401e, 0x1010aa},
    {0x4004, 0},
    {0x4006, 0},
    {0x4008, 0},
    {0x2000, 0x2000},
    {0x2002, 0x3000},
    {0x2010, 0},
    {0x6000, 0x20},
    {0x6002, 0xffffffffff88e000},
    {0x400a, 0},
    {0x2004, 0x1000},
    {0x201a, 0x401e},
    {0x0000, 7},
    {0x202c, 0},
    {0x400c, 0x3f6fff},
    {0x400e, 0},
    {0x4010, 0},
    {0x4012, 0xd1ff},
    {0x4014, 0},
    {0x4016, 0},
    {0x6c00, 0x80010033},
    {0x6c02, 0x7000000},
    {0x6c04, 0x426a0},
    {0x6c16, 0xffffffff80001000},
    {0x0c00, 0},
    {0x0c02, 8},
    {0x0c04, 0x10},
    {0x0c06, 0},
    {0x0c08, 0},
    {0x0c0a, 0},
    {0x0c0c, 0x18},
    {0x6c06, 0x11},
    {0x6c08, 0xffffffff80200000},
    {0x6c0a, 0xffffffff80300000},
    {0x6c0c, 0xffffffff80400000},
    {0x6c0e, 0xffffffff80500000},
    {0x4c00, 0x44},
    {0x6c10, 0x22},
    {0x6c12, 0x33},
    {0x2c00, 0x0007040600070406},
    {0x2c02, 0xd01},
    {0x2800, ~0ULL},
    {0x2802, 0},
    {0x2804, 0x0007040600070406},
    {0x482a, 0},
    {0x6824, 0},
    {0x6826, 0},
};

static void build(struct vmx_image *image, const struct vmx_caps *caps)
{
    struct vmx_config config = {.caps = caps,
                                .msr_bitmap = hpa(0x1000),
                                .io_bitmap_a = hpa(0x2000),
                                .io_bitmap_b = hpa(0x3000),
                                .ept_pointer = 0x401e,
                                .vpid = 7};
    struct vmx_controls controls;
    vmx_controls_compute(&controls, caps);
    vmx_image_build(image, &config, &controls, &host);
}

static void model_caps(enum fake_model model, struct vmx_caps *caps)
{
    struct fake_config config = fake_config_default();
    config.model = model;
    fake_machine_reset(&config);
    vmx_caps_read(caps);
}

/* The full image without the fields in `missing`, with other values for those in `other`. */
static void assert_image(const struct vmx_image *image, const uint32_t *missing,
                         const struct vmx_field *other)
{
    unsigned at = 0;
    for (unsigned i = 0; i < COUNT(skylake_fields); i++) {
        struct vmx_field expected = skylake_fields[i];
        bool present = true;
        for (unsigned j = 0; missing[j] != ~0U; j++) {
            present = present && missing[j] != expected.field;
        }
        for (unsigned j = 0; other[j].field != ~0U; j++) {
            expected.value = other[j].field == expected.field ? other[j].value : expected.value;
        }
        if (present) {
            assert_true(at < image->count);
            assert_int_equal(image->fields[at].field, expected.field);
            assert_int_equal(image->fields[at].value, expected.value);
            at++;
        }
    }
    assert_int_equal(at, image->count);
}

#define NONE ((const uint32_t[]){~0U})
#define SAME ((const struct vmx_field[]){{~0U, 0}})

static void test_skylake(void **state) /* REQ-CR-1, REQ-CR-3 */
{
    (void)state;
    struct vmx_caps caps;
    struct vmx_image image;
    model_caps(FAKE_MODEL_SKYLAKE, &caps);
    build(&image, &caps);
    assert_image(&image, NONE, SAME);
}

static void test_sandy_bridge(void **state) /* REQ-MSR-3 */
{
    (void)state;
    struct vmx_caps caps;
    struct vmx_image image;
    model_caps(FAKE_MODEL_SANDY_BRIDGE, &caps);
    build(&image, &caps);
    assert_image(&image, (const uint32_t[]){0x202c, ~0U},
                 (const struct vmx_field[]){{0x401e, 0xaa}, {~0U, 0}});
}

static void test_without_vpid(void **state)
{
    (void)state;
    struct vmx_caps caps;
    struct vmx_image image;
    model_caps(FAKE_MODEL_SKYLAKE, &caps);
    caps.ept_vpid &= ~VPID_CAP_INVVPID;
    build(&image, &caps);
    assert_image(&image, (const uint32_t[]){0x0000, ~0U},
                 (const struct vmx_field[]){{0x401e, 0x10108a}, {~0U, 0}});
}

static void test_cpu_that_fixes_more(void **state) /* REQ-CR-1 */
{
    (void)state;
    struct vmx_caps caps;
    struct vmx_image image;
    model_caps(FAKE_MODEL_SKYLAKE, &caps);
    caps.cr0_fixed0 |= CR0_MP;
    caps.pin |= PIN_PREEMPTION_TIMER;
    build(&image, &caps);
    assert_image(&image, NONE,
                 (const struct vmx_field[]){{0x6000, 0x22}, {0x4000, 0x7e}, {~0U, 0}});
}

static void test_the_cpu_takes_every_field(void **state)
{
    (void)state;
    static const enum fake_model models[] = {FAKE_MODEL_SKYLAKE, FAKE_MODEL_SANDY_BRIDGE,
                                             FAKE_MODEL_NO_1G_EPT};
    for (unsigned i = 0; i < COUNT(models); i++) {
        suite_start(models[i]);
        build(&suite.vcpu.image, &suite.caps);
        assert_int_equal(vmx_image_write(&suite.vcpu.image), STATUS_OK);
        for (unsigned j = 0; j < suite.vcpu.image.count; j++) {
            assert_int_equal(field(suite.vcpu.image.fields[j].field),
                             suite.vcpu.image.fields[j].value);
        }
    }
}

static void test_refused_field(void **state)
{
    (void)state;
    suite_start(FAKE_MODEL_SKYLAKE);
    build(&suite.vcpu.image, &suite.caps);
    fake_fail_nth(FAKE_VMWRITE, 3, HW_VMX_FAIL_VALID | 12 << 8);
    assert_int_equal(vmx_image_write(&suite.vcpu.image), STATUS_HARDWARE);
    assert_true(fake_console_contains("0x401e"));
}

static void test_full_image_is_a_bug(void **state)
{
    (void)state;
    static struct vmx_image image;
    vmx_image_clear(&image);
    for (unsigned i = 0; i < VMX_IMAGE_FIELDS; i++) {
        vmx_image_add(&image, i, i);
    }
    assert_int_equal(FAKE_CATCH(vmx_image_add(&image, 0, 0)), FAKE_END_CHECK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_skylake),
        cmocka_unit_test(test_sandy_bridge),
        cmocka_unit_test(test_without_vpid),
        cmocka_unit_test(test_cpu_that_fixes_more),
        cmocka_unit_test(test_the_cpu_takes_every_field),
        cmocka_unit_test(test_refused_field),
        cmocka_unit_test(test_full_image_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
