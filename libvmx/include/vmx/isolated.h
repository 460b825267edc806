/*
 * The isolated vCPU on VMX: implements <vcpu/isolated.h> with a second VMCS on the same CPU.
 *
 * The caller owns the memory of the structure, the VMCS page and the vector area and keeps them for
 * ever, as for vmx/vcpu.h.  vmx_vcpu_run() runs it like the guest's vCPU; of what else vmx/vcpu.h
 * offers, vmx_emulate() for CPUID is for it too, and nothing that injects.  On the vCPU's own CPU;
 * no locks.
 */
#ifndef VMX_ISOLATED_H
#define VMX_ISOLATED_H

#include <base/addr.h>
#include <base/status.h>
#include <vcpu/isolated.h>
#include <vmx/exit.h>
#include <vmx/image.h>

/*
 * Makes the isolated vCPU of guest's CPU, out of the guest's config: it uses the next VPID.  guest
 * is loaded before and after.  vector_area: 4-KiB page in the hypervisor's region for the guest's
 * vector state, or NULL: isolated code gets no vector registers.
 * STATUS_HARDWARE when the CPU refuses something.
 */
enum status vmx_vcpu_init_isolated(struct vcpu *isolated, struct vcpu *guest,
                                   const struct vmx_config *config, struct hpa vmcs,
                                   void *vector_area);

/* An exit of isolated code in terms of <vcpu/isolated.h>; INIT and SIPI are the caller's.  Pure. */
void vmx_isolated_stop(const struct vmx_exit *exit, struct vcpu_stop *stop);

/* The pure part: controls, and the guest state that vcpu_isolated_start() does not write. */
void vmx_isolated_controls(struct vmx_controls *controls, const struct vmx_caps *caps);
void vmx_isolated_build(struct vmx_image *image, const struct vmx_config *config,
                        const struct vmx_controls *controls, const struct hw_host_state *host);

#endif
