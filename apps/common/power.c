#include "power.h"

#include "nacre.h"

#include <base/bits.h>
#include <hw/io.h>
#include <hw/mem.h>
#include <vmx/io_bitmap.h>

#define PM1_CONTROL_BYTES 2
#define PM1_SLP_EN BIT(13)

static void intercept(void *bitmap_a, void *bitmap_b, bool on)
{
    const uint16_t ports[] = {nacre.fadt.pm1a_control_port, nacre.fadt.pm1b_control_port};

    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (ports[i] != 0 && ports[i] <= 0x10000 - PM1_CONTROL_BYTES) {
            vmx_io_intercept(bitmap_a, bitmap_b, ports[i], PM1_CONTROL_BYTES, on);
        }
    }
}

void power_intercept(void *io_bitmap_a, void *io_bitmap_b)
{
    intercept(io_bitmap_a, io_bitmap_b, true);
}

/* Value of IN merged into RAX as the instruction does: 32-bit results clear the upper half. */
static uint64_t merge(uint64_t rax, uint32_t value, unsigned bytes)
{
    if (bytes == 4) {
        return value;
    }
    uint64_t mask = bytes == 1 ? 0xff : 0xffff;
    return (rax & ~mask) | (value & mask);
}

void power_handle_io(struct vcpu *vcpu, const struct vmx_exit *exit)
{
    struct vmx_io_access access = vmx_io_decode(exit->qualification);
    uint64_t rax = vcpu_gpr(vcpu, VCPU_RAX);

    if (access.string) {
        /* No driver does this: the interception ends rather than emulating INS and OUTS. */
        intercept(hw_region_pointer(nacre.io_bitmap_a, PAGE_BYTES),
                  hw_region_pointer(nacre.io_bitmap_b, PAGE_BYTES), false);
        return;
    }
    if (access.in) {
        uint32_t value = hw_io_read(access.port, access.bytes);
        vcpu_set_gpr(vcpu, VCPU_RAX, merge(rax, value, access.bytes));
    } else {
        bool control = access.port == nacre.fadt.pm1a_control_port;
        if (control && access.bytes >= PM1_CONTROL_BYTES && (rax & PM1_SLP_EN)) {
            nacre_summary();
        }
        hw_io_write(access.port, access.bytes, (uint32_t)rax);
    }
    vcpu_skip_instruction(vcpu);
}
