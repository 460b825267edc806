/* The neutral vCPU interface on VMCS fields, and what only VMX has. */
#include <hw/cpu.h>
#include <vmx/msr.h>
#include <vmx/state.h>
#include <vmx/vcpu.h>
#include <vmx/x86.h>

#include "access.h"
#include "owned.h"
#include "region.h"

enum status vmx_vcpu_init(struct vcpu *vcpu, unsigned cpu, const struct vmx_config *config,
                          struct hpa vmcs)
{
    *vcpu = (struct vcpu){.cpu = cpu,
                          .caps = config->caps,
                          .nested_root = config->ept_pointer,
                          .vmcs = vmcs,
                          .loaded = true,
                          .tag = vmx_vcpu_tag(vcpu)};
    vmx_controls_compute(&vcpu->controls, config->caps);
    vcpu->vpid = vcpu->controls.proc2 & PROC2_VPID ? config->vpid : 0;
    vmx_region_prepare(config->caps, vmcs);
    if (hw_vmclear(vmcs) != HW_VMX_OK || hw_vmptrld(vmcs) != HW_VMX_OK) {
        return STATUS_HARDWARE;
    }
    struct hw_host_state host;
    hw_host_state(&host);
    vmx_image_build(&vcpu->image, config, &vcpu->controls, &host);
    enum status status = vmx_image_write(&vcpu->image);
    if (status == STATUS_OK) {
        vmx_state_init(vcpu);
    }
    return status;
}

unsigned vcpu_cpu(const struct vcpu *vcpu)
{
    return vcpu->cpu;
}

uint64_t vcpu_gpr(const struct vcpu *vcpu, enum vcpu_gpr gpr)
{
    return gpr == VCPU_RSP ? vmcs_read(VMCS_GUEST_RSP) : vcpu->gprs.gpr[gpr];
}

void vcpu_set_gpr(struct vcpu *vcpu, enum vcpu_gpr gpr, uint64_t value)
{
    if (gpr == VCPU_RSP) {
        vmcs_write(VMCS_GUEST_RSP, value);
    } else {
        vcpu->gprs.gpr[gpr] = value;
    }
}

uint64_t vcpu_rip(const struct vcpu *vcpu)
{
    (void)vcpu;
    return vmcs_read(VMCS_GUEST_RIP);
}

void vcpu_set_rip(struct vcpu *vcpu, uint64_t rip)
{
    (void)vcpu;
    vmcs_write(VMCS_GUEST_RIP, rip);
}

uint64_t vcpu_rflags(const struct vcpu *vcpu)
{
    (void)vcpu;
    return vmcs_read(VMCS_GUEST_RFLAGS);
}

void vcpu_set_rflags(struct vcpu *vcpu, uint64_t rflags)
{
    (void)vcpu;
    CHECK((rflags & RFLAGS_RESERVED) == RFLAGS_FIXED1); /* VM entry refuses anything else */
    vmcs_write(VMCS_GUEST_RFLAGS, rflags);
}

/* Fields of ES, CS, SS, DS, FS, GS lie two encodings apart, in the order of enum vcpu_seg. */
uint64_t vcpu_segment_base(const struct vcpu *vcpu, enum vcpu_seg seg)
{
    (void)vcpu;
    return vmcs_read(VMCS_GUEST_ES_BASE + 2 * (uint32_t)seg);
}

uint16_t vcpu_segment_selector(const struct vcpu *vcpu, enum vcpu_seg seg)
{
    (void)vcpu;
    return (uint16_t)vmcs_read(VMCS_GUEST_ES_SELECTOR + 2 * (uint32_t)seg);
}

/* CS.L counts in IA-32e mode only. */
static enum vcpu_width width_of(uint64_t efer)
{
    uint32_t rights = vmcs_read32(VMCS_GUEST_CS_ACCESS_RIGHTS);
    if ((rights & ACCESS_RIGHTS_L) && (efer & EFER_LMA)) {
        return VCPU_64BIT;
    }
    return rights & ACCESS_RIGHTS_DB ? VCPU_32BIT : VCPU_16BIT;
}

enum vcpu_width vcpu_width(const struct vcpu *vcpu)
{
    (void)vcpu;
    return width_of(vmcs_read(VMCS_GUEST_IA32_EFER));
}

/* SS.DPL is the CPL in every mode (SDM vol. 3, "Guest Register State"). */
unsigned vcpu_cpl(const struct vcpu *vcpu)
{
    (void)vcpu;
    return vmcs_read32(VMCS_GUEST_SS_ACCESS_RIGHTS) >> ACCESS_RIGHTS_DPL_SHIFT & 3;
}

/* CR0 as the guest sees it.  Of CR4 all that the host owns reads as 0: setting it is #GP. */
static uint64_t guest_cr0(const struct vcpu *vcpu)
{
    uint64_t host_owned = vmx_cr0_host_owned(vcpu->caps);
    return (vmcs_read(VMCS_GUEST_CR0) & ~host_owned) |
           (vmcs_read(VMCS_CR0_READ_SHADOW) & host_owned);
}

/* Not inline: with 64-bit guests this is rare. */
static __attribute__((noinline)) void read_pdptes(struct vcpu_paging *paging)
{
    for (uint32_t i = 0; i < 4; i++) {
        paging->pdpte[i] = vmcs_read(VMCS_GUEST_PDPTE0 + 2 * i);
    }
}

void vcpu_paging(const struct vcpu *vcpu, struct vcpu_paging *paging)
{
    paging->cr0 = guest_cr0(vcpu);
    paging->cr3 = vmcs_read(VMCS_GUEST_CR3);
    paging->cr4 = vmcs_read(VMCS_GUEST_CR4) & ~vmx_cr4_host_owned();
    paging->efer = vmcs_read(VMCS_GUEST_IA32_EFER);
    paging->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
    paging->cpl = vcpu_cpl(vcpu);
    paging->width = width_of(paging->efer);
    for (uint32_t i = 0; i < 4; i++) {
        paging->pdpte[i] = 0;
    }
    if (!(paging->efer & EFER_LMA) && (paging->cr0 & CR0_PG) && (paging->cr4 & CR4_PAE)) {
        read_pdptes(paging);
    }
}

/* A single-stepped instruction is followed by #DB, which the CPU takes from here after entry. */
static void note_single_step(void)
{
    if (vmcs_read(VMCS_GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF) {
        return; /* steps on branches, and no instruction that exits is one */
    }
    vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
               vmcs_read(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DEBUG_BS);
}

void vcpu_skip_instruction(struct vcpu *vcpu)
{
    uint64_t rip = vmcs_read(VMCS_GUEST_RIP);
    uint64_t next = rip + vmcs_read32(VMCS_EXIT_INSTRUCTION_LENGTH);
    if ((rip ^ next) >> 32 && vcpu_width(vcpu) != VCPU_64BIT) {
        next = (uint32_t)next; /* EIP wraps; VM entry refuses more than 32 bits */
    }
    vmcs_write(VMCS_GUEST_RIP, next);
    uint32_t blocking = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
    if (blocking & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) {
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS));
    }
    if (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_TF) {
        note_single_step();
    }
}

void vcpu_set_nested_root(struct vcpu *vcpu, uint64_t root)
{
    if (root != vcpu->nested_root) {
        vmcs_write(VMCS_EPT_POINTER, root);
        vcpu->nested_root = root;
    }
}

uint64_t vcpu_nested_root(const struct vcpu *vcpu)
{
    return vcpu->nested_root;
}

void vmx_vcpu_set_exception_bitmap(struct vcpu *vcpu, uint32_t vectors)
{
    (void)vcpu; /* mask and match for #PF are 0: bit 14 alone decides */
    vmcs_write(VMCS_EXCEPTION_BITMAP, vectors);
}
