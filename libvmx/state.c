/* Guest start states (vmx/state.h). */
#include <hw/cpu.h>
#include <vmx/state.h>
#include <vmx/vcpu.h>
#include <vmx/x86.h>

#include "access.h"
#include "inject.h"
#include "owned.h"
#include "segment.h"

/* Access rights (SDM table "Format of Access Rights"): present, type, S, D/B, G. */
#define RIGHTS_DATA16 0x93 /* read/write, accessed: also CS after INIT */
#define RIGHTS_LDT 0x82
#define RIGHTS_BUSY_TSS 0x8b /* VM entry accepts no other type for TR */
#define RIGHTS_CODE32 0xc09b /* execute/read, accessed, 32-bit, 4-KiB granular */
#define RIGHTS_DATA32 0xc093
#define LIMIT_64K 0xffff
#define LIMIT_4G 0xffffffff

#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18

void vmx_image_add_segment(struct vmx_image *image, unsigned index, struct vmx_segment segment)
{
    vmx_image_add(image, VMCS_GUEST_ES_SELECTOR + 2 * index, segment.selector);
    vmx_image_add(image, VMCS_GUEST_ES_LIMIT + 2 * index, segment.limit);
    vmx_image_add(image, VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * index, segment.rights);
    vmx_image_add(image, VMCS_GUEST_ES_BASE + 2 * index, segment.base);
}

static void add_system_segments(struct vmx_image *image)
{
    vmx_image_add_segment(image, VMX_SEGMENT_LDTR,
                          (struct vmx_segment){0, 0, LIMIT_64K, RIGHTS_LDT});
    vmx_image_add_segment(image, VMX_SEGMENT_TR,
                          (struct vmx_segment){0, 0, LIMIT_64K, RIGHTS_BUSY_TSS});
    vmx_image_add(image, VMCS_GUEST_GDTR_LIMIT, LIMIT_64K);
    vmx_image_add(image, VMCS_GUEST_IDTR_LIMIT, LIMIT_64K);
    vmx_image_add(image, VMCS_GUEST_GDTR_BASE, 0);
    vmx_image_add(image, VMCS_GUEST_IDTR_BASE, 0);
}

/* The guest reads cr0 as given; hardware has in addition what VMX fixes (REQ-CR-1, REQ-CR-3). */
static void add_control_registers(struct vmx_image *image, const struct vmx_caps *caps,
                                  uint64_t cr0)
{
    vmx_image_add(image, VMCS_GUEST_CR0, cr0 | vmx_cr0_host_owned(caps));
    vmx_image_add(image, VMCS_CR0_READ_SHADOW, cr0);
    vmx_image_add(image, VMCS_GUEST_CR3, 0);
    vmx_image_add(image, VMCS_GUEST_CR4, caps->cr4_fixed0);
    vmx_image_add(image, VMCS_CR4_READ_SHADOW, 0);
    vmx_image_add(image, VMCS_GUEST_IA32_EFER, 0);
}

static void add_execution_state(struct vmx_image *image, uint64_t rip, uint64_t rsp,
                                uint64_t rflags)
{
    vmx_image_add(image, VMCS_GUEST_RIP, rip);
    vmx_image_add(image, VMCS_GUEST_RSP, rsp);
    vmx_image_add(image, VMCS_GUEST_RFLAGS, rflags | RFLAGS_FIXED1);
    vmx_image_add(image, VMCS_GUEST_DR7, DR7_INIT);
    vmx_image_add(image, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    vmx_image_add(image, VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmx_image_add(image, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
}

static void build_16bit(struct vmx_image *image, const struct vmx_caps *caps, uint64_t cd_nw,
                        struct vmx_segment cs)
{
    vmx_image_clear(image);
    add_control_registers(image, caps, CR0_ET | cd_nw);
    for (unsigned seg = 0; seg < VMX_SEGMENT_LDTR; seg++) {
        struct vmx_segment data = {0, 0, LIMIT_64K, RIGHTS_DATA16};
        vmx_image_add_segment(image, seg, seg == VCPU_CS ? cs : data);
    }
    add_system_segments(image);
}

void vmx_state_build_init(struct vmx_image *image, const struct vmx_caps *caps, uint64_t cd_nw)
{
    build_16bit(image, caps, cd_nw,
                (struct vmx_segment){0xf000, 0xffff0000, LIMIT_64K, RIGHTS_DATA16});
    add_execution_state(image, 0xfff0, 0, 0);
}

void vmx_state_build_real(struct vmx_image *image, const struct vmx_caps *caps, uint64_t cd_nw,
                          uint16_t cs, uint16_t ip, uint16_t sp)
{
    build_16bit(image, caps, cd_nw,
                (struct vmx_segment){cs, (uint32_t)cs << 4, LIMIT_64K, RIGHTS_DATA16});
    add_execution_state(image, ip, sp, RFLAGS_IF);
}

void vmx_state_build_protected32(struct vmx_image *image, const struct vmx_caps *caps,
                                 uint64_t cd_nw, uint32_t entry)
{
    vmx_image_clear(image);
    add_control_registers(image, caps, CR0_PE | CR0_ET | cd_nw);
    for (unsigned seg = 0; seg < VMX_SEGMENT_LDTR; seg++) {
        struct vmx_segment code = {SELECTOR_CODE, 0, LIMIT_4G, RIGHTS_CODE32};
        struct vmx_segment data = {SELECTOR_DATA, 0, LIMIT_4G, RIGHTS_DATA32};
        vmx_image_add_segment(image, seg, seg == VCPU_CS ? code : data);
    }
    add_system_segments(image);
    add_execution_state(image, entry, 0, 0);
}

void vmx_vcpu_flush_translations(const struct vcpu *vcpu)
{
    if (vcpu->vpid != 0) {
        bool single = (vcpu->caps->ept_vpid & VPID_CAP_INVVPID_SINGLE) != 0;
        uint64_t type = single ? HW_INVVPID_SINGLE_CONTEXT : HW_INVVPID_ALL_CONTEXTS;
        CHECK(hw_invvpid(type, vcpu->vpid, 0) == HW_VMX_OK);
    }
}

/* The one write loop, and the registers that the VMCS does not hold. */
static void apply(struct vcpu *vcpu)
{
    vmx_inject_clear(vcpu);
    vcpu->parked = false;
    vcpu->controls.proc &= ~(PROC_NMI_WINDOW | PROC_INTERRUPT_WINDOW);
    vcpu->controls.entry &= ~ENTRY_IA32E_GUEST; /* each exit stores EFER.LMA in the VMCS's copy */
    vmx_image_add(&vcpu->image, VMCS_PROC_CONTROLS, vcpu->controls.proc);
    vmx_image_add(&vcpu->image, VMCS_ENTRY_CONTROLS, vcpu->controls.entry);
    vmx_image_add(&vcpu->image, VMCS_ENTRY_INTERRUPTION_INFO, 0);
    CHECK(vmx_image_write(&vcpu->image) == STATUS_OK);
    vcpu->gprs = (struct hw_gprs){0};
    hw_write_cr2(0);
    for (unsigned i = 0; i < 4; i++) {
        hw_write_dr(i, 0);
    }
    hw_write_dr(6, DR6_INIT);
    vmx_vcpu_flush_translations(vcpu);
}

static uint64_t current_cd_nw(void)
{
    return hw_read_cr0() & (CR0_CD | CR0_NW);
}

void vmx_state_init(struct vcpu *vcpu)
{
    vmx_state_build_init(&vcpu->image, vcpu->caps, current_cd_nw());
    apply(vcpu);
    vcpu->gprs.gpr[HW_RDX] = vcpu->caps->leaf1_eax; /* the signature, as the table has it */
}

void vmx_state_sipi(struct vcpu *vcpu, uint8_t vector)
{
    vmx_state_init(vcpu);
    vmcs_write(VMCS_GUEST_CS_SELECTOR, (uint64_t)vector << 8);
    vmcs_write(VMCS_GUEST_CS_BASE, (uint64_t)vector << 12);
    vmcs_write(VMCS_GUEST_RIP, 0);
}

void vmx_state_park(struct vcpu *vcpu)
{
    vmx_state_init(vcpu);
    vmcs_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
    vcpu->parked = true;
}

void vmx_state_real(struct vcpu *vcpu, uint16_t cs, uint16_t ip, uint16_t sp, uint8_t drive)
{
    vmx_state_build_real(&vcpu->image, vcpu->caps, current_cd_nw(), cs, ip, sp);
    apply(vcpu);
    vcpu->gprs.gpr[HW_RDX] = drive;
}

void vmx_state_protected32(struct vcpu *vcpu, uint32_t entry, uint32_t esi)
{
    vmx_state_build_protected32(&vcpu->image, vcpu->caps, current_cd_nw(), entry);
    apply(vcpu);
    vcpu->gprs.gpr[HW_RSI] = esi;
}

void vmx_vcpu_set_gdt(struct vcpu *vcpu, uint64_t base, uint16_t limit)
{
    (void)vcpu;
    vmcs_write(VMCS_GUEST_GDTR_BASE, base);
    vmcs_write(VMCS_GUEST_GDTR_LIMIT, limit);
}
