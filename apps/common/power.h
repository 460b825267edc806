/*
 * Power-off, sleep and reset as the guest asks for them through ports; the only ones that exit.
 *
 * Always SLP_EN in ACPI's PM1 control registers (ACPI 6.4, 4.8.3.2.1).  While it matters also the
 * chipset's reset register at 0xCF9, the keyboard controller's reset pulse (port 0x64, commands
 * 0xF0 to 0xFE with bit 0 clear), port 0x92 bit 0, and ACPI's reset register if it is a port: 0xCF9
 * lies in PCI's CONFIG_ADDRESS, which drivers use all the time.  The hypapp hears of each ending
 * first (app_closing()).
 */
#ifndef APPS_POWER_H
#define APPS_POWER_H

#include <stdbool.h>
#include <vmx/exit.h>
#include <vmx/vcpu.h>

/* Marks the ports that always exit in the I/O bitmap pages. */
void power_intercept(void *bitmap_a, void *bitmap_b);

/* Marks those of resets, or no more; no CPU runs its guest meanwhile. */
void power_watch_resets(void *bitmap_a, void *bitmap_b, bool on);

/* An I/O exit: prints the summary when it powers off, then lets the hardware have the access. */
void power_handle_io(struct vcpu *vcpu, const struct vmx_exit *exit);

#endif
