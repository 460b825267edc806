#include "power.h"

#include "nacre.h"

#include <base/bits.h>
#include <hw/io.h>
#include <vmx/io_bitmap.h>

#define PM1_CONTROL_BYTES 2
#define PM1_SLP_EN BIT(13)
#define PORT_KEYBOARD 0x64
#define PORT_CONTROL_A 0x92
#define PORT_RESET 0xcf9
#define PORT_PCI_ADDRESS 0xcf8 /* CONFIG_ADDRESS: four bytes, which are no reset register */
#define PORT_RESET_CPU BIT(2)  /* RST_CPU */

static bool is_reset_port(uint16_t port)
{
    return nacre.fadt.reset_supported && nacre.fadt.reset_space == SMP_ACPI_SPACE_IO &&
           nacre.fadt.reset_address == port;
}

void power_intercept(void *bitmap_a, void *bitmap_b)
{
    const uint16_t pm1[] = {nacre.fadt.pm1a_control_port, nacre.fadt.pm1b_control_port};

    for (unsigned i = 0; i < sizeof(pm1) / sizeof(pm1[0]); i++) {
        if (pm1[i] != 0 && pm1[i] <= 0x10000 - PM1_CONTROL_BYTES) {
            vmx_io_intercept(bitmap_a, bitmap_b, pm1[i], PM1_CONTROL_BYTES, true);
        }
    }
}

void power_watch_resets(void *bitmap_a, void *bitmap_b, bool on)
{
    uint16_t acpi = (uint16_t)nacre.fadt.reset_address;
    const uint16_t ports[] = {PORT_KEYBOARD, PORT_CONTROL_A, PORT_RESET,
                              is_reset_port(acpi) ? acpi : PORT_RESET};

    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        vmx_io_intercept(bitmap_a, bitmap_b, ports[i], 1, on);
    }
}

/* A write of one byte or more at port: does a byte of it reset the machine? */
static bool is_reset(uint16_t port, unsigned bytes, uint32_t value)
{
    if (port == PORT_PCI_ADDRESS && bytes == 4) {
        return false;
    }
    for (unsigned i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        uint16_t at = (uint16_t)(port + i);
        if ((at == PORT_KEYBOARD && byte >= 0xf0 && (byte & 1) == 0) ||
            (at == PORT_CONTROL_A && (byte & 1) != 0) ||
            (at == PORT_RESET && (byte & PORT_RESET_CPU) != 0) ||
            (is_reset_port(at) && byte == nacre.fadt.reset_value)) {
            return true;
        }
    }
    return false;
}

static bool is_power_off(uint16_t port, unsigned bytes, uint32_t value)
{
    return port == nacre.fadt.pm1a_control_port && bytes >= PM1_CONTROL_BYTES &&
           (value & PM1_SLP_EN) != 0;
}

static void write(unsigned cpu, struct vmx_io_access access, uint32_t value)
{
    bool off = is_power_off(access.port, access.bytes, value);

    if (off || is_reset(access.port, access.bytes, value)) {
        app_closing(cpu);
    }
    if (off) {
        nacre_summary();
    }
    hw_io_write(access.port, access.bytes, value);
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
        vmx_vcpu_inject_gp(vcpu); /* no driver does this; INS and OUTS are not emulated */
        return;
    }
    if (access.in) {
        uint32_t value = hw_io_read(access.port, access.bytes);
        vcpu_set_gpr(vcpu, VCPU_RAX, merge(rax, value, access.bytes));
    } else {
        write(vcpu_cpu(vcpu), access, (uint32_t)rax);
    }
    vcpu_skip_instruction(vcpu);
}
