/* The VMCS of an isolated vCPU: what vcpu_isolated_start() changes of it.  Pure. */
#ifndef LIBVMX_ISOLATED_IMAGE_H
#define LIBVMX_ISOLATED_IMAGE_H

#include <vcpu/vcpu.h>
#include <vmx/image.h>

#define ISOLATED_SELECTOR_CODE 0x13 /* RPL 3; there is no table behind it */
#define ISOLATED_SELECTOR_DATA 0x1b

uint64_t vmx_isolated_cr0(const struct vmx_caps *caps, bool vector);
uint64_t vmx_isolated_cr4(const struct vmx_caps *caps, bool vector);
uint32_t vmx_isolated_code_rights(enum vcpu_width width);

/* ES, DS, FS and GS: isolated code can load null selectors into them. */
void vmx_isolated_add_data_segments(struct vmx_image *image);

#endif
