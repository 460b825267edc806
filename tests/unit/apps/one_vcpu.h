/* The hypervisor as far as CPU 0's vCPU on the fake machine, for files that act on `nacre`. */
#ifndef APPS_ONE_VCPU_H
#define APPS_ONE_VCPU_H

#include "cmocka_all.h"

#include "nacre.h"

#include <fake/machine.h>
#include <hw/mem.h>
#include <string.h>
#include <vmx/cpu.h>

#define EPT_WRITE_BACK_4_LEVELS (6 | 3 << 3)

struct nacre nacre;

static inline struct hpa one_page(void)
{
    return hw_region_address(fake_region_alloc(PAGE_BYTES, PAGE_BYTES));
}

/* VMX operation is on, the vCPU not yet made. */
static inline void one_vcpu_enable(void)
{
    fake_machine_reset(NULL);
    fake_console_clear();
    memset(&nacre, 0, sizeof(nacre));
    nacre.table.count = 1;
    vmx_caps_read(&nacre.caps);
    assert_int_equal(vmx_cpu_enable(&nacre.caps, one_page()), STATUS_OK);
}

static inline struct vcpu *one_vcpu(void)
{
    one_vcpu_enable();
    struct vmx_config config = {
        .caps = &nacre.caps,
        .msr_bitmap = one_page(),
        .io_bitmap_a = one_page(),
        .io_bitmap_b = one_page(),
        .ept_pointer = one_page().v | EPT_WRITE_BACK_4_LEVELS,
        .vpid = 1,
    };
    assert_int_equal(vmx_vcpu_init(&nacre.cpu[0].vcpu, 0, &config, one_page()), STATUS_OK);
    return &nacre.cpu[0].vcpu;
}

#endif
