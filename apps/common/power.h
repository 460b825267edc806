/*
 * Power-off as the guest asks for it: a write of SLP_EN to ACPI's PM1 control registers (ACPI 6.4,
 * 4.8.3.2.1).  The only ports that exit.
 */
#ifndef APPS_POWER_H
#define APPS_POWER_H

#include <stdbool.h>
#include <vmx/exit.h>
#include <vmx/vcpu.h>

/* Marks the ports in the I/O bitmap pages. */
void power_intercept(void *io_bitmap_a, void *io_bitmap_b);

/* An I/O exit: prints the summary when it powers off, then lets the hardware have the access. */
void power_handle_io(struct vcpu *vcpu, const struct vmx_exit *exit);

#endif
