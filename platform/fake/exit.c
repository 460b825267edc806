/*
 * VM exit (SDM chapter "VM Exits"): information, guest state saved, host state loaded.  Fields that
 * the manual leaves undefined for an exit are filled with rubbish, so that nobody relies on them.
 */
#include "internal.h"

#define RUBBISH 0xdeadbeefdeadbeefULL
#define GET(field) vmcs_get(vmcs, field)

void exit_store_info(struct fake_cpu *cpu, const struct exit_info *info)
{
    struct vmcs *vmcs = cpu->current;
    vmcs_set(vmcs, F_EXIT_REASON, info->reason);
    vmcs_set(vmcs, F_QUALIFICATION, info->qualification);
    vmcs_set(vmcs, F_EXIT_INTERRUPTION, info->interruption);
    vmcs_set(vmcs, F_EXIT_ERROR_CODE, info->interruption & BIT(11) ? info->error_code : RUBBISH);
    vmcs_set(vmcs, F_IDT_VECTORING, info->idt_vectoring);
    vmcs_set(vmcs, F_IDT_VECTORING_ERROR_CODE,
             info->idt_vectoring & BIT(11) ? info->idt_error_code : RUBBISH);
    vmcs_set(vmcs, F_INSTRUCTION_LENGTH, info->has_length ? info->instruction_length : RUBBISH);
    vmcs_set(vmcs, F_INSTRUCTION_INFORMATION, info->instruction_information);
    vmcs_set(vmcs, F_GUEST_LINEAR_ADDRESS, info->has_linear ? info->linear : RUBBISH);
    vmcs_set(vmcs, F_GUEST_PHYSICAL_ADDRESS, info->has_physical ? info->physical : RUBBISH);
    /* Only the valid bit of the injection field is cleared. */
    vmcs_set(vmcs, F_ENTRY_INTERRUPTION, GET(F_ENTRY_INTERRUPTION) & ~BIT(31));
}

void exit_save_guest(struct fake_cpu *cpu)
{
    struct vmcs *vmcs = cpu->current;
    uint32_t exit = (uint32_t)GET(F_EXIT_CONTROLS);
    vmcs_set(vmcs, F_GUEST_FS_BASE, fake_msr_raw(cpu, MSR_FS_BASE));
    vmcs_set(vmcs, F_GUEST_GS_BASE, fake_msr_raw(cpu, MSR_GS_BASE));
    vmcs_set(vmcs, F_GUEST_SYSENTER_CS, fake_msr_raw(cpu, MSR_SYSENTER_CS));
    vmcs_set(vmcs, F_GUEST_SYSENTER_ESP, fake_msr_raw(cpu, MSR_SYSENTER_ESP));
    vmcs_set(vmcs, F_GUEST_SYSENTER_EIP, fake_msr_raw(cpu, MSR_SYSENTER_EIP));
    if (exit & EXIT_SAVE_DEBUG) {
        vmcs_set(vmcs, F_GUEST_DEBUGCTL, fake_msr_raw(cpu, MSR_DEBUGCTL));
        vmcs_set(vmcs, F_GUEST_DR7, cpu->dr[7]);
    }
    if (exit & EXIT_SAVE_PAT) {
        vmcs_set(vmcs, F_GUEST_PAT, fake_msr_raw(cpu, MSR_PAT));
    }
    if (exit & EXIT_SAVE_EFER) {
        vmcs_set(vmcs, F_GUEST_EFER, fake_msr_raw(cpu, MSR_EFER));
    }
    if (vmx_allowed1(FAKE_ENTRY) & ENTRY_LOAD_BNDCFGS) {
        vmcs_set(vmcs, F_GUEST_BNDCFGS, fake_msr_raw(cpu, MSR_BNDCFGS));
    }
    if (fake_msr_raw(cpu, MSR_VMX_MISC) & BIT(5)) {
        bool lma = fake_msr_raw(cpu, MSR_EFER) & EFER_LMA;
        uint64_t entry = GET(F_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_IA32E;
        vmcs_set(vmcs, F_ENTRY_CONTROLS, entry | (lma ? ENTRY_IA32E : 0));
    }
    if (cpu->timer_on && (exit & EXIT_SAVE_PREEMPTION)) {
        unsigned shift = (unsigned)bits_get(fake_msr_raw(cpu, MSR_VMX_MISC), 0, 5);
        uint64_t now = fake_tsc();
        uint64_t left = now < cpu->timer_deadline ? cpu->timer_deadline - now : 0;
        vmcs_set(vmcs, F_PREEMPTION_TIMER, left >> shift);
    }
}

static void store_msrs(struct fake_cpu *cpu)
{
    const struct vmcs *vmcs = cpu->current;
    uint64_t list = GET(F_EXIT_MSR_STORE_ADDRESS);
    for (uint64_t i = 0; i < GET(F_EXIT_MSR_STORE_COUNT); i++) {
        uint64_t value;
        uint64_t *slot = fake_backing(list + 16 * i + 8, 8);
        if (!slot || !fake_cpu_rdmsr(cpu, (uint32_t)fake_read64(list + 16 * i), &value)) {
            fake_trap("VMX abort: VM-exit MSR-store area, entry %u", (unsigned)i);
        }
        *slot = value;
    }
}

/* The platform's own state must be what it was, or the next instruction would not be ours. */
static void check_host_survives(struct fake_cpu *cpu)
{
    const struct vmcs *vmcs = cpu->current;
    struct hw_host_state own;
    hw_host_state(&own);
    if (GET(F_HOST_RIP) != own.rip || GET(F_HOST_CS_SELECTOR) != own.cs ||
        GET(F_HOST_SS_SELECTOR) != own.ss || GET(F_HOST_TR_SELECTOR) != own.tr) {
        fake_trap("VM exit to a wrong host RIP or selector");
    }
    if (GET(F_HOST_CR3) != own.cr3 || GET(F_HOST_CR0) != own.cr0 || GET(F_HOST_CR4) != own.cr4) {
        fake_trap("VM exit loads other control registers than the platform's");
    }
    if (GET(F_HOST_GS_BASE) != own.gs_base || GET(F_HOST_TR_BASE) != own.tr_base ||
        GET(F_HOST_GDTR_BASE) != own.gdtr_base || GET(F_HOST_IDTR_BASE) != own.idtr_base) {
        fake_trap("VM exit loads other base addresses than the platform's");
    }
}

static void load_host_efer_pat(struct fake_cpu *cpu)
{
    const struct vmcs *vmcs = cpu->current;
    uint32_t exit = (uint32_t)GET(F_EXIT_CONTROLS);
    uint64_t efer = exit & EXIT_LOAD_EFER ? GET(F_HOST_EFER)
                                          : fake_msr_raw(cpu, MSR_EFER) | EFER_LMA | EFER_LME;
    fake_msr_raw_set(cpu, MSR_EFER, efer);
    if (exit & EXIT_LOAD_PAT) {
        fake_msr_raw_set(cpu, MSR_PAT, GET(F_HOST_PAT));
    }
    if (exit & EXIT_LOAD_PERF) {
        fake_msr_raw_set(cpu, MSR_PERF_GLOBAL_CTRL, GET(F_HOST_PERF_GLOBAL_CTRL));
    }
    if (exit & EXIT_CLEAR_BNDCFGS) {
        fake_msr_raw_set(cpu, MSR_BNDCFGS, 0);
    }
    if (!(efer & EFER_NXE)) {
        fake_trap("VM exit leaves EFER.NXE clear: the platform's page tables need it");
    }
}

void exit_load_host(struct fake_cpu *cpu)
{
    const struct vmcs *vmcs = cpu->current;
    check_host_survives(cpu);
    cpu->cr0 = GET(F_HOST_CR0);
    cpu->cr3 = GET(F_HOST_CR3);
    cpu->cr4 = GET(F_HOST_CR4);
    cpu->dr[7] = 0x400;
    fake_msr_raw_set(cpu, MSR_DEBUGCTL, 0);
    fake_msr_raw_set(cpu, MSR_FS_BASE, GET(F_HOST_FS_BASE));
    fake_msr_raw_set(cpu, MSR_GS_BASE, GET(F_HOST_GS_BASE));
    fake_msr_raw_set(cpu, MSR_SYSENTER_CS, GET(F_HOST_SYSENTER_CS));
    fake_msr_raw_set(cpu, MSR_SYSENTER_ESP, GET(F_HOST_SYSENTER_ESP));
    fake_msr_raw_set(cpu, MSR_SYSENTER_EIP, GET(F_HOST_SYSENTER_EIP));
    load_host_efer_pat(cpu);
    uint64_t failed;
    if (!entry_load_msrs(cpu, GET(F_EXIT_MSR_LOAD_ADDRESS), GET(F_EXIT_MSR_LOAD_COUNT), &failed)) {
        fake_trap("VMX abort: VM-exit MSR-load area, entry %u", (unsigned)failed);
    }
    if (!(vmx_secondary(vmcs) & SECONDARY_VPID)) {
        tlb_drop_linear(cpu, 0);
    }
}

void guest_leave(struct fake_cpu *cpu, const struct exit_info *info)
{
    exit_save_guest(cpu);
    store_msrs(cpu);
    exit_store_info(cpu, info);
    cpu->in_guest = false;
    exit_load_host(cpu);
    uint32_t basic = info->reason & 0xffff;
    cpu->exits_all++;
    if (basic < EXIT_REASONS) {
        cpu->exits[basic]++;
    }
    longjmp(cpu->exit_jump, 1);
}
