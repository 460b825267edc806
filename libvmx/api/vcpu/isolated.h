/*
 * A second vCPU of a CPU that runs isolated code: user mode, with page tables and nested tables of
 * its own and nothing else of the machine.  Independent of VMX or SVM, like <vcpu/vcpu.h>.
 *
 * Each CPU has one isolated vCPU beside the guest's.  Exactly one of the two is loaded; calls of
 * vcpu.h may be made on the loaded one only (what they read and write is the hardware's current
 * state).  All calls are made on the CPU itself, between a VM exit and the next entry; no lock.
 *
 * While isolated code runs, external interrupts stay pending, every exception, I/O and privileged
 * instruction stops it, and no MSR, debug, x87 or vector register of the guest's is visible to it
 * or changed by it.
 */
#ifndef VCPU_ISOLATED_H
#define VCPU_ISOLATED_H

#include <stdbool.h>
#include <stdint.h>
#include <vcpu/vcpu.h>

/* Makes this one the CPU's loaded vCPU. */
void vcpu_load(struct vcpu *vcpu);
bool vcpu_is_loaded(const struct vcpu *vcpu);

struct vcpu_isolated_start {
    enum vcpu_width width; /* VCPU_32BIT: compatibility mode, VCPU_64BIT */
    bool vector;           /* x87, SSE, AVX and AVX-512 usable, cleared; else #NM or #UD */
    bool invalidate;       /* nested_root had another user: drop what this CPU cached of it */
    uint64_t cr3;          /* 4-level page tables, guest-physical under nested_root; user pages */
    uint64_t nested_root;
    uint64_t rip, rsp; /* linear; segments are flat */
};

/* True if the CPU can give isolated code vector registers of its own. */
bool vcpu_isolated_has_vector(const struct vcpu *isolated);

/*
 * Stops after about so many TSC ticks of isolated time (VCPU_STOP_TIMER); 0: never.  false: the CPU
 * has no such timer or cannot count so far.  Once, before the first start.
 */
bool vcpu_isolated_set_budget(struct vcpu *isolated, uint64_t tsc_ticks);

/*
 * Loads the isolated vCPU with all registers 0 but the ones given (vcpu_set_gpr() sets more after
 * it), interrupts off, and the full time budget.  The guest's vector state is saved if vector is
 * set.  Translations stay cached by cr3 and nested_root: whoever changes the tables behind them, or
 * uses a root's page again, invalidates on every CPU that may have run on them.
 */
void vcpu_isolated_start(struct vcpu *isolated, const struct vcpu_isolated_start *start);

/* Ends it: its registers are forgotten, the guest's vector state is back, guest is loaded. */
void vcpu_isolated_end(struct vcpu *isolated, struct vcpu *guest);

/* Why isolated code stopped. */
enum vcpu_stop_reason {
    VCPU_STOP_CALL, /* VMCALL */
    VCPU_STOP_CPUID,
    VCPU_STOP_EXCEPTION, /* vector, error_code; address of a page fault */
    VCPU_STOP_TIMER,     /* the time budget is used up */
    VCPU_STOP_KICK,      /* another CPU wanted something, which the hypapp has done */
    VCPU_STOP_OTHER      /* nested tables, or an instruction that isolated code may not use */
};

struct vcpu_stop {
    enum vcpu_stop_reason reason;
    unsigned vector;
    uint32_t error_code;
    uint64_t address;
};

#endif
