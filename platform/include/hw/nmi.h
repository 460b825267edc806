/*
 * Non-maskable interrupts in VMX root operation.
 *
 * The platform's NMI handler (on a stack of its own) only counts the NMI for its CPU and, when
 * it interrupted the entry sequence of hw_vmx_enter, makes that return HW_VMX_NMI_PENDING.  What an
 * NMI means (rendezvous, the guest's, a panic's stop) is decided by who collects it.
 */
#ifndef HW_NMI_H
#define HW_NMI_H

/* NMIs that arrived on this CPU since the last call, 0 if none; collects them. */
unsigned hw_nmi_take(void);

/* Marks an NMI as taken: a VM exit for reason "NMI" is not seen by the handler. */
void hw_nmi_note(void);

/* After a VM exit due to an NMI, NMIs are blocked (SDM "VM exits, blocking by NMI"); IRET ends it.
 */
void hw_nmi_unblock(void);

#endif
