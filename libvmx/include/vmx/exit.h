/*
 * Basic exit reasons (SDM vol. 3, appendix C) and what an exit looks like to its handlers.
 * Filled by vmx_vcpu_run() with no more VMREADs than the reason needs; a field that its comment
 * does not promise for a reason is 0.
 */
#ifndef VMX_EXIT_H
#define VMX_EXIT_H

#include <base/addr.h>
#include <stdbool.h>
#include <stdint.h>

enum vmx_exit_reason {
    VMX_EXIT_EXCEPTION_NMI = 0,
    VMX_EXIT_EXTERNAL_INTERRUPT = 1,
    VMX_EXIT_TRIPLE_FAULT = 2,
    VMX_EXIT_INIT = 3,
    VMX_EXIT_SIPI = 4,
    VMX_EXIT_INTERRUPT_WINDOW = 7,
    VMX_EXIT_NMI_WINDOW = 8,
    VMX_EXIT_TASK_SWITCH = 9,
    VMX_EXIT_CPUID = 10,
    VMX_EXIT_GETSEC = 11,
    VMX_EXIT_HLT = 12,
    VMX_EXIT_INVD = 13,
    VMX_EXIT_INVLPG = 14,
    VMX_EXIT_RDPMC = 15,
    VMX_EXIT_RDTSC = 16,
    VMX_EXIT_RSM = 17,
    VMX_EXIT_VMCALL = 18,
    VMX_EXIT_VMCLEAR = 19,
    VMX_EXIT_VMLAUNCH = 20,
    VMX_EXIT_VMPTRLD = 21,
    VMX_EXIT_VMPTRST = 22,
    VMX_EXIT_VMREAD = 23,
    VMX_EXIT_VMRESUME = 24,
    VMX_EXIT_VMWRITE = 25,
    VMX_EXIT_VMXOFF = 26,
    VMX_EXIT_VMXON = 27,
    VMX_EXIT_CR_ACCESS = 28,
    VMX_EXIT_MOV_DR = 29,
    VMX_EXIT_IO = 30,
    VMX_EXIT_RDMSR = 31,
    VMX_EXIT_WRMSR = 32,
    VMX_EXIT_ENTRY_GUEST_STATE = 33,
    VMX_EXIT_ENTRY_MSR_LOAD = 34,
    VMX_EXIT_MWAIT = 36,
    VMX_EXIT_MTF = 37,
    VMX_EXIT_MONITOR = 39,
    VMX_EXIT_PAUSE = 40,
    VMX_EXIT_ENTRY_MACHINE_CHECK = 41,
    VMX_EXIT_EPT_VIOLATION = 48,
    VMX_EXIT_EPT_MISCONFIGURATION = 49,
    VMX_EXIT_INVEPT = 50,
    VMX_EXIT_RDTSCP = 51,
    VMX_EXIT_PREEMPTION_TIMER = 52,
    VMX_EXIT_INVVPID = 53,
    VMX_EXIT_WBINVD = 54,
    VMX_EXIT_XSETBV = 55,
    VMX_EXIT_RDRAND = 57,
    VMX_EXIT_INVPCID = 58,
    VMX_EXIT_VMFUNC = 59,
    VMX_EXIT_ENCLS = 60,
    VMX_EXIT_RDSEED = 61,
    VMX_EXIT_XSAVES = 63,
    VMX_EXIT_XRSTORS = 64,
    VMX_EXIT_REASON_COUNT = 80 /* above every reason of the pinned SDM */
};

/* A member is set for the exits that its comment names. */
struct vmx_exit {
    uint32_t reason;            /* enum vmx_exit_reason */
    bool entry_failed;          /* VM entry refused the guest state: nothing of the guest ran */
    uint64_t qualification;     /* exception, task switch, CR, DR, I/O, EPT violation */
    struct gpa gpa;             /* EPT violation and misconfiguration */
    uint32_t interruption_info; /* exception */
    uint32_t interruption_error_code; /* exception, 0 if it has none */
    uint32_t instruction_error; /* VMX_RUN_FAILED: VM-instruction error (SDM table of that name) */
};

/* Exit qualification for EPT violations (SDM vol. 3, table of that name). */
#define EPT_VIOLATION_READ (1ULL << 0)
#define EPT_VIOLATION_WRITE (1ULL << 1)
#define EPT_VIOLATION_FETCH (1ULL << 2)
#define EPT_VIOLATION_LINEAR_VALID (1ULL << 7)
#define EPT_VIOLATION_TRANSLATED (1ULL << 8) /* 0: access to a guest paging structure */
#define EPT_VIOLATION_NMI_UNBLOCKED (1ULL << 12)

/* Length of the instruction that exited: instruction exits only.  One VMREAD. */
uint32_t vmx_exit_instruction_bytes(void);
/* Guest linear address: EPT violations with EPT_VIOLATION_LINEAR_VALID.  One VMREAD. */
uint64_t vmx_exit_linear_address(void);

/* "EPT violation"; "unknown" for what the pinned SDM does not have. */
const char *vmx_exit_reason_text(uint32_t reason);

#endif
