/* Isolated code on a second VMCS: vcpu/isolated.h and vmx/isolated.h. */
#include <vmx/isolated.h>
#include <vmx/vcpu.h>
#include <vmx/x86.h>

#include "access.h"
#include "inject.h"
#include "isolated_image.h"
#include "region.h"
#include "segment.h"
#include "timer.h"
#include "vector.h"

static enum status make_vmcs(struct vcpu *isolated, const struct vmx_config *config)
{
    vmx_region_prepare(config->caps, isolated->vmcs);
    if (hw_vmclear(isolated->vmcs) != HW_VMX_OK || hw_vmptrld(isolated->vmcs) != HW_VMX_OK) {
        return STATUS_HARDWARE;
    }
    struct hw_host_state host;
    hw_host_state(&host);
    vmx_isolated_build(&isolated->image, config, &isolated->controls, &host);
    return vmx_image_write(&isolated->image);
}

enum status vmx_vcpu_init_isolated(struct vcpu *isolated, struct vcpu *guest,
                                   const struct vmx_config *config, struct hpa vmcs,
                                   void *vector_area)
{
    struct vmx_config own = *config;
    own.vpid = (uint16_t)(config->vpid + 1);
    CHECK(guest->loaded && !guest->peer && own.vpid != 0);
    *isolated = (struct vcpu){.cpu = guest->cpu,
                              .caps = config->caps,
                              .nested_root = config->ept_pointer,
                              .vmcs = vmcs,
                              .peer = guest,
                              .isolated = {.width = VCPU_64BIT, .residue = true},
                              .tag = vmx_vcpu_tag(isolated)};
    vmx_isolated_controls(&isolated->controls, config->caps);
    isolated->vpid = isolated->controls.proc2 & PROC2_VPID ? own.vpid : 0;
    vmx_vector_init(isolated, vector_area);
    enum status status = make_vmcs(isolated, &own);
    if (status == STATUS_OK) {
        vmx_vcpu_flush_translations(isolated);
        guest->peer = isolated;
    }
    vcpu_load(guest);
    return status;
}

void vcpu_load(struct vcpu *vcpu)
{
    CHECK(hw_vmptrld(vcpu->vmcs) == HW_VMX_OK);
    vcpu->loaded = true;
    if (vcpu->peer) {
        vcpu->peer->loaded = false;
    }
}

bool vcpu_is_loaded(const struct vcpu *vcpu)
{
    return vcpu->loaded;
}

bool vcpu_isolated_has_vector(const struct vcpu *isolated)
{
    return isolated->isolated.components != 0;
}

/* The VMCS is not the current one now, so the controls wait for the next start. */
bool vcpu_isolated_set_budget(struct vcpu *isolated, uint64_t tsc_ticks)
{
    uint32_t count;
    /* Without saving the timer, code that exits often would never use up its time. */
    if (!vmx_timer_count(isolated->caps, tsc_ticks, &count) ||
        !vmx_control_may_be_1(isolated->caps->exit, EXIT_SAVE_PREEMPTION_TIMER)) {
        return false;
    }
    vmx_timer_controls(isolated, count != 0);
    isolated->isolated.timer_count = count;
    isolated->isolated.controls_changed = true;
    return true;
}

/* Isolated code can load null selectors into these, which would stay for the next start. */
static void restore_segments(struct vcpu *isolated)
{
    bool same = vmcs_read(VMCS_GUEST_ES_SELECTOR) == ISOLATED_SELECTOR_DATA &&
                vmcs_read(VMCS_GUEST_DS_SELECTOR) == ISOLATED_SELECTOR_DATA &&
                vmcs_read(VMCS_GUEST_FS_SELECTOR) == ISOLATED_SELECTOR_DATA &&
                vmcs_read(VMCS_GUEST_GS_SELECTOR) == ISOLATED_SELECTOR_DATA;
    if (!same) {
        vmx_image_clear(&isolated->image);
        vmx_isolated_add_data_segments(&isolated->image);
        CHECK(vmx_image_write(&isolated->image) == STATUS_OK);
    }
}

/* What is usually as it was at the last start. */
static void set_mode(struct vcpu *isolated, const struct vcpu_isolated_start *start)
{
    struct vmx_isolated *own = &isolated->isolated;
    if (start->width != own->width) {
        own->width = start->width;
        vmcs_write(VMCS_GUEST_CS_ACCESS_RIGHTS, vmx_isolated_code_rights(start->width));
    }
    if (start->vector != own->vector) {
        own->vector = start->vector;
        vmcs_write(VMCS_GUEST_CR0, vmx_isolated_cr0(isolated->caps, start->vector));
        vmcs_write(VMCS_GUEST_CR4, vmx_isolated_cr4(isolated->caps, start->vector));
    }
    if (own->controls_changed) {
        own->controls_changed = false;
        vmx_timer_write_controls(isolated);
    }
}

/*
 * Interruptibility and pending debug exceptions may hold what an exit or a skipped instruction left
 * (SDM vol. 3, "Saving Non-Register State"): INIT with RFLAGS.TF set, for one.
 */
void vcpu_isolated_start(struct vcpu *isolated, const struct vcpu_isolated_start *start)
{
    CHECK(isolated->peer && isolated->peer->loaded);
    CHECK(start->width == VCPU_64BIT || start->width == VCPU_32BIT);
    CHECK(!start->vector || vcpu_isolated_has_vector(isolated));
    vcpu_load(isolated);
    vmx_inject_clear(isolated);
    /* 64-bit code does not use what it can load there, and what it left itself is no secret to it.
     */
    if (start->width != VCPU_64BIT || start->nested_root != isolated->nested_root) {
        restore_segments(isolated);
    }
    set_mode(isolated, start);
    vcpu_set_nested_root(isolated, start->nested_root);
    if (start->invalidate) {
        CHECK(hw_invept(HW_INVEPT_SINGLE_CONTEXT, start->nested_root) == HW_VMX_OK);
    }
    if (start->cr3 != isolated->isolated.cr3) {
        isolated->isolated.cr3 = start->cr3;
        vmcs_write(VMCS_GUEST_CR3, start->cr3);
    }
    vmcs_write(VMCS_GUEST_RIP, start->rip);
    vmcs_write(VMCS_GUEST_RSP, start->rsp);
    vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED1);
    if (isolated->isolated.residue) {
        isolated->isolated.residue = false;
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
        vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    }
    if (isolated->isolated.timer_count != 0) {
        vmcs_write(VMCS_PREEMPTION_TIMER_VALUE, isolated->isolated.timer_count);
    }
    if (start->vector) {
        vmx_vector_begin(isolated);
    }
}

void vcpu_isolated_end(struct vcpu *isolated, struct vcpu *guest)
{
    CHECK(isolated->loaded && isolated->peer == guest);
    isolated->gprs = (struct hw_gprs){0}; /* the VMCS's part is written by each start */
    if (isolated->isolated.vector) {
        vmx_vector_end(isolated);
    }
    vcpu_load(guest);
}

void vmx_isolated_stop(const struct vmx_exit *exit, struct vcpu_stop *stop)
{
    if (exit->reason == VMX_EXIT_EXCEPTION_NMI && !exit->entry_failed) { /* how calls end */
        stop->reason = VCPU_STOP_EXCEPTION;
        stop->vector = exit->interruption_info & INTERRUPTION_VECTOR;
        stop->error_code = exit->interruption_error_code;
        stop->address = stop->vector == X86_PF ? exit->qualification : 0;
        return;
    }
    *stop = (struct vcpu_stop){.reason = VCPU_STOP_OTHER};
    if (exit->entry_failed) {
        return;
    }
    switch (exit->reason) {
    case VMX_EXIT_VMCALL:
        stop->reason = VCPU_STOP_CALL;
        break;
    case VMX_EXIT_CPUID:
        stop->reason = VCPU_STOP_CPUID;
        break;
    case VMX_EXIT_PREEMPTION_TIMER:
        stop->reason = VCPU_STOP_TIMER;
        break;
    default:
        break;
    }
}
