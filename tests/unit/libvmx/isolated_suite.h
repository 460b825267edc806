/* A guest and isolated code on one CPU of the fake machine. */
#ifndef LIBVMX_ISOLATED_SUITE_H
#define LIBVMX_ISOLATED_SUITE_H

#include "suite.h"

#include <vmx/isolated.h>

static struct vcpu isolated;
static struct hpa isolated_vmcs;
static void *vector_area;
static const struct vcpu_isolated_start start_64 = {.width = VCPU_64BIT,
                                                    .cr3 = 0x3000,
                                                    .nested_root = 0x5000 | EPT_WRITE_BACK_4_LEVELS,
                                                    .rip = 0x7fff12345678,
                                                    .rsp = 0x7fff00001000};

/* The isolated vCPU of a guest's that suite_start() made. */
static inline void isolated_make(bool with_area)
{
    void *page;
    isolated_vmcs = suite_page(&page);
    suite_page(&vector_area);
    assert_int_equal(vmx_vcpu_init_isolated(&isolated, &suite.vcpu, &suite.config, isolated_vmcs,
                                            with_area ? vector_area : NULL),
                     STATUS_OK);
}

static inline int isolated_setup(void **state)
{
    (void)state;
    suite_start(FAKE_MODEL_SKYLAKE);
    isolated_make(false);
    vmx_state_protected32(&suite.vcpu, 0x100000, 0);
    return 0;
}

static inline struct vcpu_stop isolated_run(fake_guest_fn *code)
{
    struct vmx_exit exit;
    struct vcpu_stop stop;
    if (code) {
        fake_guest_set(0, code, NULL);
    }
    assert_int_equal(vmx_vcpu_run(&isolated, &exit), VMX_RUN_EXIT);
    if (exit.entry_failed) {
        fail_msg("VM entry failed: %s", fake_entry_error(0));
    }
    vmx_isolated_stop(&exit, &stop);
    return stop;
}

#endif
