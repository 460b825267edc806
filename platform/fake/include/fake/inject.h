/*
 * Counters of every call of the contract, and failure of the n-th one.
 */
#ifndef FAKE_INJECT_H
#define FAKE_INJECT_H

#include <stdint.h>

enum fake_call {
    FAKE_CPUID,
    FAKE_RDMSR,
    FAKE_WRMSR,
    FAKE_RDMSR_SAFE,
    FAKE_WRMSR_SAFE,
    FAKE_XSETBV_SAFE,
    FAKE_XSAVE,
    FAKE_XRSTOR,
    FAKE_READ_CR,
    FAKE_WRITE_CR,
    FAKE_WBINVD,
    FAKE_RANDOM,
    FAKE_RDTSC,
    FAKE_DELAY,
    FAKE_PAUSE,
    FAKE_VMXON,
    FAKE_VMXOFF,
    FAKE_VMCLEAR,
    FAKE_VMPTRLD,
    FAKE_VMREAD,
    FAKE_VMWRITE,
    FAKE_INVEPT,
    FAKE_INVVPID,
    FAKE_VMX_ENTER,
    FAKE_PHYS_READ,
    FAKE_PHYS_WRITE,
    FAKE_PHYS_ZERO,
    FAKE_PHYS_MOVE,
    FAKE_PHYS_READ64,
    FAKE_PHYS_WRITE64,
    FAKE_PHYS_CAS64,
    FAKE_REGION_POINTER,
    FAKE_REGION_ADDRESS,
    FAKE_MMIO_READ,
    FAKE_MMIO_WRITE,
    FAKE_APIC_READ,
    FAKE_APIC_WRITE,
    FAKE_APIC_SEND_IPI,
    FAKE_NMI_TAKE,
    FAKE_NMI_UNBLOCK,
    FAKE_IO_READ,
    FAKE_IO_WRITE,
    FAKE_AP_BEGIN,
    FAKE_AP_PREPARE,
    FAKE_AP_STARTED,
    FAKE_AP_FINISH,
    FAKE_CALL_COUNT
};

/* Calls on all CPUs since the reset or the last clear; failed ones count. */
uint64_t fake_calls(enum fake_call call);
void fake_calls_clear(void);

/*
 * The n-th call from now (1 = the next one, on any CPU) does nothing and returns `result`: an enum
 * status, an enum hw_vmx_result (HW_VMX_FAIL_VALID | error << 8 sets the VM-instruction error), or
 * 0 for a call that says false or NULL.  Only for calls that can say so; others are CHECKed.
 */
void fake_fail_nth(enum fake_call call, uint64_t n, int result);
/* Takes back what has not happened yet. */
void fake_fail_none(void);
/* How many injected failures happened since the reset. */
uint64_t fake_fail_hits(void);

#endif
