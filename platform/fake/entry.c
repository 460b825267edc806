/* VM entry (SDM chapter "VM Entries"): checks, loading, the guest, and back. */
#include "internal.h"

#define ERROR_LAUNCH_NOT_CLEAR 4
#define ERROR_RESUME_NOT_LAUNCHED 5
#define ERROR_CONTROLS 7
#define ERROR_HOST 8

#define GET(field) vmcs_get(vmcs, field)

/* The first broken rule; what hardware says about it goes to the other arguments. */
struct verdict {
    const char *rule; /* NULL: would enter */
    unsigned instruction_error;
    uint64_t qualification;
};

static struct verdict judge(struct fake_cpu *cpu)
{
    const struct vmcs *vmcs = cpu->current;
    struct verdict verdict = {NULL, ERROR_CONTROLS, 0};
    verdict.rule = check_controls(cpu, vmcs);
    if (verdict.rule) {
        return verdict;
    }
    verdict.instruction_error = ERROR_HOST;
    verdict.rule = check_host(cpu, vmcs);
    if (verdict.rule) {
        return verdict;
    }
    verdict.instruction_error = 0;
    verdict.rule = check_guest_cr(vmcs);
    if (!verdict.rule) {
        verdict.rule = check_guest_segments(vmcs);
    }
    if (!verdict.rule) {
        verdict.rule = check_guest_state(vmcs, &verdict.qualification);
    }
    if (!verdict.rule) {
        verdict.rule = check_guest_pdptes(vmcs);
        verdict.qualification = verdict.rule ? 2 : 0;
    }
    return verdict;
}

const char *fake_entry_error(unsigned cpu)
{
    return fake_cpu(cpu)->entry_error;
}

const char *fake_entry_check(unsigned cpu)
{
    if (!fake_cpu(cpu)->current) {
        return "no current VMCS";
    }
    return judge(fake_cpu(cpu)).rule;
}

void entry_load_guest(struct fake_cpu *cpu)
{
    const struct vmcs *vmcs = cpu->current;
    uint32_t entry = (uint32_t)GET(F_ENTRY_CONTROLS);
    fake_msr_raw_set(cpu, MSR_FS_BASE, GET(F_GUEST_FS_BASE));
    fake_msr_raw_set(cpu, MSR_GS_BASE, GET(F_GUEST_GS_BASE));
    fake_msr_raw_set(cpu, MSR_SYSENTER_CS, GET(F_GUEST_SYSENTER_CS));
    fake_msr_raw_set(cpu, MSR_SYSENTER_ESP, GET(F_GUEST_SYSENTER_ESP));
    fake_msr_raw_set(cpu, MSR_SYSENTER_EIP, GET(F_GUEST_SYSENTER_EIP));
    if (entry & ENTRY_LOAD_DEBUG) {
        fake_msr_raw_set(cpu, MSR_DEBUGCTL, GET(F_GUEST_DEBUGCTL));
        cpu->dr[7] = GET(F_GUEST_DR7);
    }
    if (entry & ENTRY_LOAD_PAT) {
        fake_msr_raw_set(cpu, MSR_PAT, GET(F_GUEST_PAT));
    }
    if (entry & ENTRY_LOAD_PERF) {
        fake_msr_raw_set(cpu, MSR_PERF_GLOBAL_CTRL, GET(F_GUEST_PERF_GLOBAL_CTRL));
    }
    if (entry & ENTRY_LOAD_BNDCFGS) {
        fake_msr_raw_set(cpu, MSR_BNDCFGS, GET(F_GUEST_BNDCFGS));
    }
    uint64_t efer = fake_msr_raw(cpu, MSR_EFER);
    if (entry & ENTRY_LOAD_EFER) {
        efer = GET(F_GUEST_EFER);
    } else {
        uint64_t mode = entry & ENTRY_IA32E ? EFER_LMA | EFER_LME : 0;
        uint64_t loaded = GET(F_GUEST_CR0) & CR0_PG ? EFER_LMA | EFER_LME : EFER_LMA;
        efer = (efer & ~loaded) | (mode & loaded);
    }
    fake_msr_raw_set(cpu, MSR_EFER, efer);
    if (!(vmx_secondary(vmcs) & SECONDARY_VPID)) {
        tlb_drop_linear(cpu, 0);
    }
}

bool entry_load_msrs(struct fake_cpu *cpu, uint64_t list, uint64_t count, uint64_t *failed)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t head = fake_read64(list + 16 * i), value = fake_read64(list + 16 * i + 8);
        uint32_t msr = (uint32_t)head;
        bool forbidden = msr == MSR_FS_BASE || msr == MSR_GS_BASE || (head >> 32) ||
                         (msr >> 8) == 8; /* x2APIC */
        if (forbidden || !fake_cpu_wrmsr(cpu, msr, value)) {
            *failed = i + 1;
            return false;
        }
    }
    return true;
}

/* SDM "VM-Entry Failures During or After Loading Guest State" */
static void fail_entry(struct fake_cpu *cpu, uint32_t reason, uint64_t qualification,
                       const char *rule)
{
    cpu->entry_error = rule;
    vmcs_set(cpu->current, F_EXIT_REASON, reason | BIT(31));
    vmcs_set(cpu->current, F_QUALIFICATION, qualification);
    exit_load_host(cpu);
}

static void timer_start(struct fake_cpu *cpu)
{
    const struct vmcs *vmcs = cpu->current;
    unsigned shift = (unsigned)bits_get(fake_msr_raw(cpu, MSR_VMX_MISC), 0, 5);
    cpu->timer_on = GET(F_PIN_CONTROLS) & PIN_PREEMPTION_TIMER;
    if (cpu->timer_on) {
        cpu->timer_deadline = fake_tsc() + (GET(F_PREEMPTION_TIMER) << shift);
    }
}

static void run_guest(struct fake_cpu *cpu, struct hw_gprs *gprs)
{
    struct vmcs *vmcs = cpu->current;
    cpu->guest.cpu = cpu->index;
    cpu->guest.gprs = gprs;
    cpu->fake_linear = NO_ADDRESS;
    cpu->in_guest = true;
    timer_start(cpu);
    if (GET(F_PIN_CONTROLS) & PIN_VIRTUAL_NMI) {
        cpu->nmi_blocked = false;
    }
    if (setjmp(cpu->exit_jump) != 0) {
        cpu->in_guest = false;
        return;
    }
    uint32_t event = (uint32_t)GET(F_ENTRY_INTERRUPTION);
    if (event & BIT(31)) {
        guest_deliver(cpu, event, (uint32_t)GET(F_ENTRY_ERROR_CODE), true);
    }
    for (;;) {
        guest_wait(cpu);
        guest_boundary(cpu);
        if (!cpu->guest_fn) {
            fake_trap("CPU %u entered its guest, but the test gave it none", cpu->index);
        }
        cpu->guest_fn(&cpu->guest);
        guest_field_set(cpu, F_ACTIVITY, ACTIVITY_HLT);
    }
}

static enum hw_vmx_result enter(struct fake_cpu *cpu, struct hw_gprs *gprs, bool launched)
{
    struct vmcs *vmcs = cpu->current;
    if (vmcs->launched != launched) {
        return vmx_fail(cpu, launched ? ERROR_RESUME_NOT_LAUNCHED : ERROR_LAUNCH_NOT_CLEAR);
    }
    vmcs_set(vmcs, F_HOST_RSP, 0xffffffff80400000ULL + cpu->index * 0x10000ULL);
    struct verdict verdict = judge(cpu);
    cpu->entry_error = verdict.rule ? verdict.rule : "";
    if (verdict.rule && verdict.instruction_error) {
        return vmx_fail(cpu, verdict.instruction_error);
    }
    if (verdict.rule) {
        fail_entry(cpu, REASON_ENTRY_GUEST, verdict.qualification, verdict.rule);
        return HW_VMX_OK;
    }
    uint64_t failed = 0;
    entry_load_guest(cpu);
    if (!entry_load_msrs(cpu, GET(F_ENTRY_MSR_LOAD_ADDRESS), GET(F_ENTRY_MSR_LOAD_COUNT),
                         &failed)) {
        fail_entry(cpu, REASON_ENTRY_MSR, failed, "VM-entry MSR-load area");
        return HW_VMX_OK;
    }
    vmcs->launched = true;
    run_guest(cpu, gprs);
    cpu->guest.entry++;
    return HW_VMX_OK;
}

enum hw_vmx_result hw_vmx_enter(struct hw_gprs *gprs, bool launched)
{
    int planned;
    struct fake_cpu *cpu = fake_this();
    if (fake_enter(FAKE_VMX_ENTER, &planned)) {
        if ((planned & 0xff) == HW_VMX_FAIL_VALID && cpu->current) {
            vmcs_set(cpu->current, F_INSTRUCTION_ERROR, (unsigned)planned >> 8);
        }
        return (enum hw_vmx_result)(planned & 0xff);
    }
    fake_poll(cpu);
    if (cpu->nmi_count != 0) {
        return HW_VMX_NMI_PENDING;
    }
    if (!cpu->vmxon) {
        fake_trap("#UD: VM entry outside VMX operation");
    }
    return cpu->current ? enter(cpu, gprs, launched) : HW_VMX_FAIL_INVALID;
}
