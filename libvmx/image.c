/* The VMCS as an array of fields (SDM vol. 3, chapter "Virtual Machine Control Structures"). */
#include <base/check.h>
#include <base/log.h>
#include <vmx/image.h>
#include <vmx/vmcs.h>
#include <vmx/x86.h>

#include "owned.h"

#define NO_VMCS_LINK ~0ULL
/* Power-up value of IA32_PAT (SDM vol. 3, "Page Attribute Table"). */
#define PAT_RESET 0x0007040600070406ULL

void vmx_image_clear(struct vmx_image *image)
{
    image->count = 0;
}

void vmx_image_add(struct vmx_image *image, uint32_t field, uint64_t value)
{
    CHECK(image->count < VMX_IMAGE_FIELDS);
    image->fields[image->count++] = (struct vmx_field){field, value};
}

static void add_execution_controls(struct vmx_image *image, const struct vmx_config *config,
                                   const struct vmx_controls *controls)
{
    vmx_image_add(image, VMCS_PIN_CONTROLS, controls->pin);
    vmx_image_add(image, VMCS_PROC_CONTROLS, controls->proc);
    vmx_image_add(image, VMCS_PROC2_CONTROLS, controls->proc2);
    vmx_image_add(image, VMCS_EXCEPTION_BITMAP, 0);
    vmx_image_add(image, VMCS_PAGE_FAULT_ERROR_MASK, 0);
    vmx_image_add(image, VMCS_PAGE_FAULT_ERROR_MATCH, 0);
    vmx_image_add(image, VMCS_IO_BITMAP_A, config->io_bitmap_a.v);
    vmx_image_add(image, VMCS_IO_BITMAP_B, config->io_bitmap_b.v);
    vmx_image_add(image, VMCS_TSC_OFFSET, 0);
    vmx_image_add(image, VMCS_CR0_MASK, vmx_cr0_host_owned(config->caps));
    vmx_image_add(image, VMCS_CR4_MASK, vmx_cr4_host_owned());
    vmx_image_add(image, VMCS_CR3_TARGET_COUNT, 0);
    vmx_image_add(image, VMCS_MSR_BITMAP, config->msr_bitmap.v);
    vmx_image_add(image, VMCS_EPT_POINTER, config->ept_pointer);
    if (controls->proc2 & PROC2_VPID) {
        vmx_image_add(image, VMCS_VPID, config->vpid);
    }
    if (controls->proc2 & PROC2_XSAVES) {
        vmx_image_add(image, VMCS_XSS_EXITING_BITMAP, 0);
    }
}

static void add_exit_and_entry_controls(struct vmx_image *image,
                                        const struct vmx_controls *controls)
{
    vmx_image_add(image, VMCS_EXIT_CONTROLS, controls->exit);
    vmx_image_add(image, VMCS_EXIT_MSR_STORE_COUNT, 0);
    vmx_image_add(image, VMCS_EXIT_MSR_LOAD_COUNT, 0);
    vmx_image_add(image, VMCS_ENTRY_CONTROLS, controls->entry);
    vmx_image_add(image, VMCS_ENTRY_MSR_LOAD_COUNT, 0);
    vmx_image_add(image, VMCS_ENTRY_INTERRUPTION_INFO, 0);
}

/* HOST_RSP is hw_vmx_enter()'s. */
static void add_host_state(struct vmx_image *image, const struct hw_host_state *host)
{
    vmx_image_add(image, VMCS_HOST_CR0, host->cr0);
    vmx_image_add(image, VMCS_HOST_CR3, host->cr3);
    vmx_image_add(image, VMCS_HOST_CR4, host->cr4);
    vmx_image_add(image, VMCS_HOST_RIP, host->rip);
    vmx_image_add(image, VMCS_HOST_ES_SELECTOR, host->es);
    vmx_image_add(image, VMCS_HOST_CS_SELECTOR, host->cs);
    vmx_image_add(image, VMCS_HOST_SS_SELECTOR, host->ss);
    vmx_image_add(image, VMCS_HOST_DS_SELECTOR, host->ds);
    vmx_image_add(image, VMCS_HOST_FS_SELECTOR, host->fs);
    vmx_image_add(image, VMCS_HOST_GS_SELECTOR, host->gs);
    vmx_image_add(image, VMCS_HOST_TR_SELECTOR, host->tr);
    vmx_image_add(image, VMCS_HOST_FS_BASE, host->fs_base);
    vmx_image_add(image, VMCS_HOST_GS_BASE, host->gs_base);
    vmx_image_add(image, VMCS_HOST_TR_BASE, host->tr_base);
    vmx_image_add(image, VMCS_HOST_GDTR_BASE, host->gdtr_base);
    vmx_image_add(image, VMCS_HOST_IDTR_BASE, host->idtr_base);
    vmx_image_add(image, VMCS_HOST_IA32_SYSENTER_CS, host->sysenter_cs);
    vmx_image_add(image, VMCS_HOST_IA32_SYSENTER_ESP, host->sysenter_esp);
    vmx_image_add(image, VMCS_HOST_IA32_SYSENTER_EIP, host->sysenter_eip);
    vmx_image_add(image, VMCS_HOST_IA32_PAT, host->pat);
    vmx_image_add(image, VMCS_HOST_IA32_EFER, host->efer);
}

/* Guest MSRs that an INIT leaves alone: their power-up values. */
static void add_guest_constants(struct vmx_image *image)
{
    vmx_image_add(image, VMCS_LINK_POINTER, NO_VMCS_LINK);
    vmx_image_add(image, VMCS_GUEST_IA32_DEBUGCTL, 0);
    vmx_image_add(image, VMCS_GUEST_IA32_PAT, PAT_RESET);
    vmx_image_add(image, VMCS_GUEST_IA32_SYSENTER_CS, 0);
    vmx_image_add(image, VMCS_GUEST_IA32_SYSENTER_ESP, 0);
    vmx_image_add(image, VMCS_GUEST_IA32_SYSENTER_EIP, 0);
}

void vmx_image_build(struct vmx_image *image, const struct vmx_config *config,
                     const struct vmx_controls *controls, const struct hw_host_state *host)
{
    vmx_image_clear(image);
    add_execution_controls(image, config, controls);
    add_exit_and_entry_controls(image, controls);
    add_host_state(image, host);
    add_guest_constants(image);
}

enum status vmx_image_write(const struct vmx_image *image)
{
    for (unsigned i = 0; i < image->count; i++) {
        if (hw_vmwrite(image->fields[i].field, image->fields[i].value) != HW_VMX_OK) {
            log_error("the CPU refuses VMCS field %#x", (unsigned)image->fields[i].field);
            return STATUS_HARDWARE;
        }
    }
    return STATUS_OK;
}
