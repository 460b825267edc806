/*
 * The VMCS of an isolated vCPU (SDM vol. 3, "Checks on Guest State").  User mode without descriptor
 * tables, without I/O permission and with every exception exiting: there is no event that could be
 * delivered inside, and no instruction that reads or changes more of the CPU than general registers
 * and, where allowed, vector registers.
 */
#include "isolated_image.h"

#include <base/bits.h>
#include <base/check.h>
#include <vmx/isolated.h>
#include <vmx/msr.h>
#include <vmx/vmcs.h>
#include <vmx/x86.h>

#include "segment.h"

#define LEAF7_ECX_UMIP BIT(2)

/* Access rights (SDM table "Format of Access Rights"): DPL 3, accessed, 4-KiB granular. */
#define RIGHTS_CODE64 0xa0fb
#define RIGHTS_CODE32 0xc0fb
#define RIGHTS_DATA 0xc0f3
#define RIGHTS_BUSY_TSS 0x8b
#define LIMIT_4G 0xffffffff

#define EVERY_EXCEPTION 0xffffffff

/*
 * Without vector registers: EM, and TS with MP because FWAIT would otherwise report a pending x87
 * exception of the guest's.  x87 is #NM then, MMX and SSE #UD.
 */
uint64_t vmx_isolated_cr0(const struct vmx_caps *caps, bool vector)
{
    uint64_t cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG | CR0_MP;
    return cr0 | (vector ? 0 : CR0_EM | CR0_TS) | caps->cr0_fixed0;
}

/* UMIP: SGDT, SIDT, SLDT, STR and SMSW are #GP. */
uint64_t vmx_isolated_cr4(const struct vmx_caps *caps, bool vector)
{
    uint64_t cr4 = CR4_PAE | caps->cr4_fixed0;
    if (caps->leaf7_ecx & LEAF7_ECX_UMIP) {
        cr4 |= CR4_UMIP & caps->cr4_fixed1;
    }
    return cr4 | (vector ? CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE : 0);
}

uint32_t vmx_isolated_code_rights(enum vcpu_width width)
{
    return width == VCPU_64BIT ? RIGHTS_CODE64 : RIGHTS_CODE32;
}

/* Of the optional instructions (RDTSCP, INVPCID, XSAVES, ...) none: they are #UD. */
void vmx_isolated_controls(struct vmx_controls *controls, const struct vmx_caps *caps)
{
    vmx_controls_compute(controls, caps);
    controls->proc2 &= PROC2_EPT | PROC2_VPID | (uint32_t)caps->proc2;
    controls->entry |= ENTRY_IA32E_GUEST;
}

void vmx_isolated_add_data_segments(struct vmx_image *image)
{
    static const enum vcpu_seg segments[] = {VCPU_ES, VCPU_DS, VCPU_FS, VCPU_GS};
    for (unsigned i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
        vmx_image_add_segment(
            image, segments[i],
            (struct vmx_segment){ISOLATED_SELECTOR_DATA, 0, LIMIT_4G, RIGHTS_DATA});
    }
}

static void add_segments(struct vmx_image *image)
{
    vmx_isolated_add_data_segments(image);
    vmx_image_add_segment(image, VCPU_SS,
                          (struct vmx_segment){ISOLATED_SELECTOR_DATA, 0, LIMIT_4G, RIGHTS_DATA});
    vmx_image_add_segment(image, VCPU_CS,
                          (struct vmx_segment){ISOLATED_SELECTOR_CODE, 0, LIMIT_4G, RIGHTS_CODE64});
    vmx_image_add_segment(image, VMX_SEGMENT_LDTR,
                          (struct vmx_segment){0, 0, 0, ACCESS_RIGHTS_UNUSABLE});
    vmx_image_add_segment(image, VMX_SEGMENT_TR, (struct vmx_segment){0, 0, 0, RIGHTS_BUSY_TSS});
    vmx_image_add(image, VMCS_GUEST_GDTR_BASE, 0);
    vmx_image_add(image, VMCS_GUEST_GDTR_LIMIT, 0);
    vmx_image_add(image, VMCS_GUEST_IDTR_BASE, 0);
    vmx_image_add(image, VMCS_GUEST_IDTR_LIMIT, 0);
}

void vmx_isolated_build(struct vmx_image *image, const struct vmx_config *config,
                        const struct vmx_controls *controls, const struct hw_host_state *host)
{
    const struct vmx_caps *caps = config->caps;
    uint64_t cr0 = vmx_isolated_cr0(caps, false);

    vmx_image_build(image, config, controls, host);
    vmx_image_add(image, VMCS_EXCEPTION_BITMAP, EVERY_EXCEPTION); /* in place of the guest's 0 */
    vmx_image_add(image, VMCS_GUEST_CR0, cr0);
    vmx_image_add(image, VMCS_CR0_READ_SHADOW, cr0);
    vmx_image_add(image, VMCS_GUEST_CR4, vmx_isolated_cr4(caps, false));
    vmx_image_add(image, VMCS_CR4_READ_SHADOW, 0);
    vmx_image_add(image, VMCS_GUEST_CR3, 0);
    vmx_image_add(image, VMCS_GUEST_IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE);
    add_segments(image);
    vmx_image_add(image, VMCS_GUEST_RIP, 0);
    vmx_image_add(image, VMCS_GUEST_RSP, 0);
    vmx_image_add(image, VMCS_GUEST_RFLAGS, RFLAGS_FIXED1);
    vmx_image_add(image, VMCS_GUEST_DR7, DR7_INIT);
    vmx_image_add(image, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    vmx_image_add(image, VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmx_image_add(image, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
}
