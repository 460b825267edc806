/*
 * VM-execution, VM-exit and VM-entry controls (SDM vol. 3, chapter "Virtual Machine Control
 * Structures"), computed from a capability value.  Pure.
 */
#ifndef VMX_CONTROLS_H
#define VMX_CONTROLS_H

#include <stdbool.h>
#include <stdint.h>
#include <vmx/caps.h>

#define PIN_EXTERNAL_INTERRUPT_EXITING (1U << 0)
#define PIN_NMI_EXITING (1U << 3)
#define PIN_VIRTUAL_NMIS (1U << 5)
#define PIN_PREEMPTION_TIMER (1U << 6)

#define PROC_INTERRUPT_WINDOW (1U << 2)
#define PROC_HLT_EXITING (1U << 7)
#define PROC_CR3_LOAD_EXITING (1U << 15)
#define PROC_CR3_STORE_EXITING (1U << 16)
#define PROC_NMI_WINDOW (1U << 22)
#define PROC_IO_BITMAPS (1U << 25)
#define PROC_MSR_BITMAPS (1U << 28)
#define PROC_SECONDARY (1U << 31)

#define PROC2_EPT (1U << 1)
#define PROC2_RDTSCP (1U << 3)
#define PROC2_VPID (1U << 5)
#define PROC2_UNRESTRICTED_GUEST (1U << 7)
#define PROC2_INVPCID (1U << 12)
#define PROC2_XSAVES (1U << 20)
#define PROC2_USER_WAIT (1U << 26)

#define EXIT_SAVE_DEBUG (1U << 2)
#define EXIT_HOST_64BIT (1U << 9)
#define EXIT_SAVE_PAT (1U << 18)
#define EXIT_LOAD_PAT (1U << 19)
#define EXIT_SAVE_EFER (1U << 20)
#define EXIT_LOAD_EFER (1U << 21)
#define EXIT_SAVE_PREEMPTION_TIMER (1U << 22)

#define ENTRY_LOAD_DEBUG (1U << 2)
#define ENTRY_IA32E_GUEST (1U << 9)
#define ENTRY_LOAD_PAT (1U << 14)
#define ENTRY_LOAD_EFER (1U << 15)

struct vmx_controls {
    uint32_t pin, proc, proc2, exit, entry;
};

/*
 * Required controls plus the optional ones that both CPUID and the capability MSR allow
 * (REQ-MSR-3). caps passed the gate.
 */
void vmx_controls_compute(struct vmx_controls *controls, const struct vmx_caps *caps);

/* Capability MSR: bits 31:0 must be 1, bits 63:32 may be 1 (SDM vol. 3, A.2). */
static inline bool vmx_control_may_be_1(uint64_t capability, uint32_t control)
{
    return (capability >> 32 & control) == control;
}

static inline bool vmx_control_may_be_0(uint64_t capability, uint32_t control)
{
    return (capability & control) == 0;
}

#endif
