/*
 * VMX instructions (SDM vol. 3, chapter "VMX Instruction Reference") on the calling CPU.
 *
 * The platform owns nothing here; the caller owns VMXON region and VMCSs and passes their physical
 * addresses.  No locks.  Each call returns what the instruction said; after HW_VMX_FAIL_VALID the
 * number is in the VM-instruction error field of the current VMCS.
 */
#ifndef HW_VMX_H
#define HW_VMX_H

#include <base/addr.h>
#include <stdbool.h>
#include <stdint.h>

enum hw_vmx_result {
    HW_VMX_OK,           /* VMsucceed; for hw_vmx_enter: a VM exit happened */
    HW_VMX_FAIL_INVALID, /* VMfailInvalid: no current VMCS */
    HW_VMX_FAIL_VALID,   /* VMfailValid: see the VM-instruction error field */
    HW_VMX_NMI_PENDING   /* hw_vmx_enter only: not entered, hw_nmi_take() has something */
};

/* CR4.VMXE must be set and IA32_FEATURE_CONTROL must allow it. */
enum hw_vmx_result hw_vmxon(struct hpa region);
enum hw_vmx_result hw_vmxoff(void);
enum hw_vmx_result hw_vmclear(struct hpa vmcs);
enum hw_vmx_result hw_vmptrld(struct hpa vmcs);
/* Writes all 64 bits of *value, narrower fields zero-extended; on failure *value is unchanged. */
enum hw_vmx_result hw_vmread(uint32_t field, uint64_t *value);
enum hw_vmx_result hw_vmwrite(uint32_t field, uint64_t value);
/*
 * The same for what cannot fail: a field that every CPU has, of a VMCS that is current.  Anything
 * else is a bug of ours, hence a CHECK.  They are most of what an exit costs, so the field is as
 * wide as the instructions want it.
 */
uint64_t hw_vmcs_read(uint64_t field);
void hw_vmcs_write(uint64_t field, uint64_t value);

/* SDM table "INVEPT/INVVPID descriptor and types". */
#define HW_INVEPT_SINGLE_CONTEXT 1
#define HW_INVEPT_ALL_CONTEXTS 2
#define HW_INVVPID_INDIVIDUAL 0
#define HW_INVVPID_SINGLE_CONTEXT 1
#define HW_INVVPID_ALL_CONTEXTS 2
enum hw_vmx_result hw_invept(uint64_t type, uint64_t ept_pointer);
enum hw_vmx_result hw_invvpid(uint64_t type, uint16_t vpid, uint64_t linear_address);

/* Encoding order of the instruction set, so that gpr[n] is register number n. */
enum hw_gpr {
    HW_RAX,
    HW_RCX,
    HW_RDX,
    HW_RBX,
    HW_RSP,
    HW_RBP,
    HW_RSI,
    HW_RDI,
    HW_R8,
    HW_R9,
    HW_R10,
    HW_R11,
    HW_R12,
    HW_R13,
    HW_R14,
    HW_R15,
    HW_GPR_COUNT
};

/* General-purpose registers of a guest; gpr[HW_RSP] is unused: the VMCS holds RSP. */
struct hw_gprs {
    uint64_t gpr[HW_GPR_COUNT];
};

/*
 * VMLAUNCH (launched false) or VMRESUME with these registers; returns on the VM exit with the
 * guest's registers stored.  Sets HOST_RSP itself.  Returns HW_VMX_NMI_PENDING without entering
 * when an NMI was taken in VMX root operation and not yet collected by hw_nmi_take(): the check and
 * the entry are one restartable sequence for the NMI handler, so no NMI is left behind in between.
 */
enum hw_vmx_result hw_vmx_enter(struct hw_gprs *gprs, bool launched);

/* Host state that VM exits load (SDM "Host-State Area"), as the platform set this CPU up. */
struct hw_host_state {
    uint64_t cr0, cr3, cr4, rip, efer, pat;
    uint64_t fs_base, gs_base, tr_base, gdtr_base, idtr_base;
    uint64_t sysenter_esp, sysenter_eip;
    uint32_t sysenter_cs;
    uint16_t es, cs, ss, ds, fs, gs, tr;
};
void hw_host_state(struct hw_host_state *state);

#endif
