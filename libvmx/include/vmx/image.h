/*
 * A VMCS as data: an array of {field, value}, computed by pure code, written by one loop.
 *
 * The caller owns the image and everything that it points to.  vmx_image_write() acts on the
 * current VMCS of the calling CPU.
 */
#ifndef VMX_IMAGE_H
#define VMX_IMAGE_H

#include <base/addr.h>
#include <base/status.h>
#include <hw/vmx.h>
#include <stdint.h>
#include <vmx/caps.h>
#include <vmx/controls.h>

struct vmx_field {
    uint32_t field;
    uint64_t value;
};

#define VMX_IMAGE_FIELDS 128

struct vmx_image {
    unsigned count;
    struct vmx_field fields[VMX_IMAGE_FIELDS];
};

/* What differs between machines and vCPUs.  All pages stay the caller's and outlive the vCPU. */
struct vmx_config {
    const struct vmx_caps *caps; /* of the CPU that runs this vCPU; outlives it */
    struct hpa msr_bitmap, io_bitmap_a, io_bitmap_b;
    uint64_t ept_pointer; /* EPTP, as the hardware takes it */
    uint16_t vpid;        /* not 0; unused when the CPU has no VPIDs */
};

void vmx_image_clear(struct vmx_image *image);
/* CHECKs that there is room. */
void vmx_image_add(struct vmx_image *image, uint32_t field, uint64_t value);

/*
 * Controls, host state and the guest state that does not depend on how the guest starts
 * (vmx/state.h adds the rest), in the order of SDM vol. 3 appendix B groups: control, exit, entry,
 * host, guest.
 */
void vmx_image_build(struct vmx_image *image, const struct vmx_config *config,
                     const struct vmx_controls *controls, const struct hw_host_state *host);

/* STATUS_HARDWARE when the CPU refuses a field; the field is logged. */
enum status vmx_image_write(const struct vmx_image *image);

#endif
