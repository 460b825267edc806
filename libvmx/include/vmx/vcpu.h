/*
 * A virtual CPU on VMX: implements the neutral <vcpu/vcpu.h> and adds what only VMX has.
 *
 * The caller owns the memory of the structure, the VMCS page and everything in vmx_config, and
 * keeps them for ever.  All calls are made on the vCPU's own CPU, after vmx_cpu_enable(), with its
 * VMCS current (vmx_vcpu_init() makes it so; vmx/isolated.h adds a second one that takes turns with
 * it); no locks.
 */
#ifndef VMX_VCPU_H
#define VMX_VCPU_H

#include <base/status.h>
#include <hw/vmx.h>
#include <stdbool.h>
#include <stdint.h>
#include <vcpu/vcpu.h>
#include <vmx/exit.h>
#include <vmx/image.h>

/* An event as VM entry injects it (SDM "VM-Entry Controls for Event Injection"). */
struct vmx_event {
    uint32_t info; /* bit 31 = valid */
    uint32_t error_code;
    uint32_t instruction_bytes;
};

/* What only an isolated vCPU has (isolated.c, vector.c). */
struct vmx_isolated {
    enum vcpu_width width; /* the VMCS is set up for this, and for vector registers or not */
    bool vector;
    bool controls_changed; /* the VMCS does not have vcpu.controls yet */
    bool residue;          /* an exit since the start may have left blocking or a pending #DB */
    uint64_t cr3;          /* in the VMCS */
    uint32_t timer_count;  /* of each start; 0: no limit */
    void *vector_area;     /* the guest's state is saved here; NULL: no vector registers */
    uint64_t components;   /* of XCR0: those that are saved, and that isolated code may use */
    uint64_t guest_xcr0;   /* while isolated code may use them */
};

struct vcpu {
    struct hw_gprs gprs;
    uint64_t tag; /* vmx_vcpu_tag(): verified on every exit (REQ-STK-6) */
    unsigned cpu;
    bool launched;
    bool parked;       /* by vmx_state_park(): nothing may be injected */
    bool nmi_pending;  /* one guest NMI waits, as in the CPU's own latch */
    bool nmi_held;     /* vmx_vcpu_hold_nmi() */
    bool triple_fault; /* the next run reports it */
    bool task_switch_reported;
    uint8_t injecting;            /* enum vmx_injecting (inject.h): what the VMCS holds for entry */
    struct vmx_event event;       /* for the next entry */
    struct vmx_event interrupt;   /* external interrupt that an exception overtook */
    struct vmx_controls controls; /* as written, windows included */
    const struct vmx_caps *caps;
    uint64_t nested_root;
    uint16_t vpid;     /* 0: the CPU has none */
    bool loaded;       /* its VMCS is the current one */
    struct vcpu *peer; /* the CPU's other vCPU; NULL: there is none */
    struct hpa vmcs;
    struct vmx_isolated isolated;
    uint64_t exits[VMX_EXIT_REASON_COUNT];
    struct vmx_image image; /* scratch for building states */
};

/*
 * Makes vmcs (4-KiB page in the hypervisor's region) this CPU's current VMCS and writes all of it;
 * the guest starts in the state after INIT until a vmx_state_*() says otherwise.
 * STATUS_HARDWARE when the CPU refuses something.
 */
enum status vmx_vcpu_init(struct vcpu *vcpu, unsigned cpu, const struct vmx_config *config,
                          struct hpa vmcs);

enum vmx_run {
    VMX_RUN_EXIT,  /* *exit describes it */
    VMX_RUN_NMI,   /* a host NMI is to be collected with hw_nmi_take(); *exit is not set */
    VMX_RUN_FAILED /* VM entry failed on our own controls: exit->instruction_error */
};

/* Injects what is pending, runs the guest until the next exit. */
enum vmx_run vmx_vcpu_run(struct vcpu *vcpu, struct vmx_exit *exit);

enum vmx_action {
    VMX_RESUME,         /* emulated: run again */
    VMX_GUEST_SHUTDOWN, /* triple fault or a state that the CPU refuses: this guest is over */
    VMX_NOT_HANDLED     /* the hypapp's: VMCALL, EPT violation, I/O, MTRR/APIC MSRs, INIT, ... */
};

/* Everything that needs no knowledge of hypapps.  Never halts whatever the guest did. */
enum vmx_action vmx_emulate(struct vcpu *vcpu, const struct vmx_exit *exit);

/* One guest NMI becomes pending; delivered once, when the architecture allows (REQ-SMP-3). */
void vmx_vcpu_post_nmi(struct vcpu *vcpu);
/* While held, NMIs stay pending (a PAL runs). */
void vmx_vcpu_hold_nmi(struct vcpu *vcpu, bool hold);

/* Exceptions that exit, bit n = vector n; 0 at start. */
void vmx_vcpu_set_exception_bitmap(struct vcpu *vcpu, uint32_t vectors);
/* Delivers the exception of an exit to the guest after all, CR2 included. */
void vmx_vcpu_reflect_exception(struct vcpu *vcpu, const struct vmx_exit *exit);

/*
 * Exit VMX_EXIT_PREEMPTION_TIMER after about that many TSC ticks of guest time; 0 switches it off.
 * false: the CPU has no such timer, or ticks are more than it can count.
 */
bool vmx_vcpu_set_timer(struct vcpu *vcpu, uint64_t tsc_ticks);

/* Leaf of a CPUID exit. */
static inline uint32_t vmx_vcpu_cpuid_leaf(const struct vcpu *vcpu)
{
    return (uint32_t)vcpu->gprs.gpr[HW_RAX];
}

/* MSR number and value of a RDMSR/WRMSR exit; and completing the read. */
static inline uint32_t vmx_vcpu_msr(const struct vcpu *vcpu)
{
    return (uint32_t)vcpu->gprs.gpr[HW_RCX];
}

static inline uint64_t vmx_vcpu_msr_value(const struct vcpu *vcpu)
{
    return vcpu->gprs.gpr[HW_RDX] << 32 | (uint32_t)vcpu->gprs.gpr[HW_RAX];
}

static inline void vmx_vcpu_set_msr_value(struct vcpu *vcpu, uint64_t value)
{
    vcpu->gprs.gpr[HW_RAX] = (uint32_t)value;
    vcpu->gprs.gpr[HW_RDX] = value >> 32;
}

/* #GP(0), the answer to most of what a guest may not do. */
void vmx_vcpu_inject_gp(struct vcpu *vcpu);
void vmx_vcpu_inject_ud(struct vcpu *vcpu);

#define VMX_VCPU_TAG 0x5550435665726361ULL

static inline uint64_t vmx_vcpu_tag(const struct vcpu *vcpu)
{
    return VMX_VCPU_TAG ^ (uint64_t)(uintptr_t)vcpu;
}

#endif
