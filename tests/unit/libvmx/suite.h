/* What the tests of libvmx share: cmocka, and a vCPU on the fake machine. */
#ifndef LIBVMX_SUITE_H
#define LIBVMX_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake/machine.h>
#include <hw/mem.h>
#include <string.h>
#include <vmx/cpu.h>
#include <vmx/io_bitmap.h>
#include <vmx/msr.h>
#include <vmx/msr_bitmap.h>
#include <vmx/state.h>
#include <vmx/vcpu.h>
#include <vmx/vmcs.h>
#include <vmx/x86.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EPT_WRITE_BACK_4_LEVELS (6 | 3 << 3)

struct suite {
    struct vmx_caps caps;
    struct vmx_config config;
    struct vcpu vcpu;
    void *msr_bitmap, *io_bitmap_a, *io_bitmap_b;
    struct hpa vmcs;
};

static struct suite suite;

static inline struct hpa suite_page(void **page)
{
    *page = fake_region_alloc(PAGE_BYTES, PAGE_BYTES);
    return hw_region_address(*page);
}

/* Capabilities read, VMX on, pages there; the vCPU not yet made. */
static inline void suite_enable(enum fake_model model)
{
    void *page;
    struct fake_config config = fake_config_default();
    config.model = model;
    fake_machine_reset(&config);
    memset(&suite, 0, sizeof(suite));
    vmx_caps_read(&suite.caps);
    assert_int_equal(vmx_gate(&suite.caps), VMX_MISSING_NOTHING);
    assert_int_equal(vmx_cpu_enable(&suite.caps, suite_page(&page)), STATUS_OK);
    suite.config = (struct vmx_config){.caps = &suite.caps, .vpid = 1};
    suite.config.msr_bitmap = suite_page(&suite.msr_bitmap);
    suite.config.io_bitmap_a = suite_page(&suite.io_bitmap_a);
    suite.config.io_bitmap_b = suite_page(&suite.io_bitmap_b);
    suite.config.ept_pointer = suite_page(&page).v | EPT_WRITE_BACK_4_LEVELS;
    suite.vmcs = suite_page(&page);
}

static inline void suite_start(enum fake_model model)
{
    suite_enable(model);
    assert_int_equal(vmx_vcpu_init(&suite.vcpu, 0, &suite.config, suite.vmcs), STATUS_OK);
    vmx_msr_policy(suite.msr_bitmap, &suite.vcpu.controls);
}

static inline int suite_setup(void **state)
{
    (void)state;
    suite_start(FAKE_MODEL_SKYLAKE);
    return 0;
}

/* A guest function's reason and state, for scripts; runs once and expects that exit. */
static inline struct vmx_exit suite_run_to_exit(fake_guest_fn *guest, uint32_t reason)
{
    struct vmx_exit exit;
    if (guest) {
        fake_guest_set(0, guest, NULL);
    }
    assert_int_equal(vmx_vcpu_run(&suite.vcpu, &exit), VMX_RUN_EXIT);
    if (exit.entry_failed) {
        fail_msg("VM entry failed: %s", fake_entry_error(0));
    }
    assert_int_equal(exit.reason, reason);
    return exit;
}

static inline uint64_t field(uint32_t encoding)
{
    return fake_field(0, encoding);
}

/* The last event that reached the guest. */
static inline const struct fake_delivery *last_delivery(void)
{
    assert_true(fake_delivery_count(0) > 0);
    return fake_delivery_at(0, fake_delivery_count(0) - 1);
}

#endif
