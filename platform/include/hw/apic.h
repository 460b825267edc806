/*
 * The local APIC of the calling CPU, in whichever mode (xAPIC or x2APIC) it is.
 *
 * Register numbers are the xAPIC offsets (SDM table "Local APIC Register Address Map"); in x2APIC
 * mode MSR 0x800 + offset / 16 is used.  The ICR is one 64-bit write: destination in bits 63:32 in
 * x2APIC format; the platform shifts it for xAPIC and waits until the previous IPI was accepted.
 */
#ifndef HW_APIC_H
#define HW_APIC_H

#include <stdbool.h>
#include <stdint.h>

#define HW_APIC_ID 0x020
#define HW_APIC_LDR 0x0d0
#define HW_APIC_DFR 0x0e0
#define HW_APIC_SPURIOUS 0x0f0
#define HW_APIC_ICR_LOW 0x300
#define HW_APIC_ICR_HIGH 0x310

/* IA32_APIC_BASE.EXTD */
bool hw_apic_is_x2apic(void);
uint32_t hw_apic_read(uint32_t reg);
void hw_apic_write(uint32_t reg, uint32_t value);
/* Full ICR as in x2APIC mode: bits 31:0 command, bits 63:32 destination. */
void hw_apic_send_ipi(uint64_t icr);
/* The 32-bit APIC ID of this CPU. */
uint32_t hw_apic_id(void);

#endif
