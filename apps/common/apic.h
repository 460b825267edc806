/*
 * The guest's inter-processor interrupts: the interrupt command register is intercepted when there
 * is more than one CPU, so that INIT, SIPI and NMI become posts to the target vCPU (REQ-SMP-2).
 * x2APIC: by MSR bitmap; xAPIC: the register page is read-only in the nested tables.  All on the
 * CPU whose guest stopped, unless said otherwise.
 */
#ifndef APPS_APIC_H
#define APPS_APIC_H

#include <stdbool.h>
#include <stdint.h>
#include <vmx/exit.h>
#include <vmx/vcpu.h>

/* Boot CPU, once, nested tables built: makes the register page read-only. */
void apic_intercept(void);

/* The calling CPU's registers as its guest inherits them. */
void apic_track(unsigned cpu);

/* An EPT violation in the register page; false if it is elsewhere. */
bool apic_handle_violation(struct vcpu *vcpu, const struct vmx_exit *exit);

/* WRMSR of the x2APIC ICR, RDMSR and WRMSR of IA32_APIC_BASE; the instruction is completed. */
void apic_write_x2apic_icr(struct vcpu *vcpu);
void apic_read_base(struct vcpu *vcpu);
void apic_write_base(struct vcpu *vcpu);

/* INIT's effect on the local APIC, which never sees the guest's INIT itself (SDM 11.4.7.3). */
void apic_reset_registers(unsigned cpu);

#endif
