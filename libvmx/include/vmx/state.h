/*
 * How a guest CPU starts: complete register states, and nothing of the host's (REQ-BOOT-4).
 *
 * Each call replaces all guest registers, VMCS and GPRs and debug registers, and drops pending
 * events.  On the vCPU's own CPU, its VMCS current, the guest not running.  x87/vector state and
 * MSRs stay, as INIT leaves them (SDM vol. 3, table "IA-32 and Intel 64 Processor States Following
 * Power-up, Reset, or INIT").
 */
#ifndef VMX_STATE_H
#define VMX_STATE_H

#include <stdint.h>
#include <vmx/image.h>

struct vcpu;

/* State after INIT; at F000:FFF0. */
void vmx_state_init(struct vcpu *vcpu);
/* INIT, then start-up at vector * 4 KiB (SDM "MP Initialization Protocol"). */
void vmx_state_sipi(struct vcpu *vcpu, uint8_t vector);
/* INIT state, parked in activity state HLT with IF = 0: runs nothing until an NMI exit. */
void vmx_state_park(struct vcpu *vcpu);
/* Real mode as a BIOS starts a boot sector: cs:ip, stack at 0:sp, DL = drive, IF = 1. */
void vmx_state_real(struct vcpu *vcpu, uint16_t cs, uint16_t ip, uint16_t sp, uint8_t drive);
/* Linux 32-bit boot protocol: flat CS 0x10, data 0x18, paging and interrupts off, ESI =
 * boot_params. */
void vmx_state_protected32(struct vcpu *vcpu, uint32_t entry, uint32_t esi);

/* GDT register of the guest, for boot protocols that promise one; after vmx_state_*(). */
void vmx_vcpu_set_gdt(struct vcpu *vcpu, uint64_t base, uint16_t limit);

/* The pure part.  cd_nw: CR0.CD and CR0.NW, which INIT does not change. */
void vmx_state_build_init(struct vmx_image *image, const struct vmx_caps *caps, uint64_t cd_nw);
void vmx_state_build_real(struct vmx_image *image, const struct vmx_caps *caps, uint64_t cd_nw,
                          uint16_t cs, uint16_t ip, uint16_t sp);
void vmx_state_build_protected32(struct vmx_image *image, const struct vmx_caps *caps,
                                 uint64_t cd_nw, uint32_t entry);

#endif
