/* VMXON regions and VMCSs (SDM vol. 3, "Format of the VMCS Region"). */
#ifndef LIBVMX_REGION_H
#define LIBVMX_REGION_H

#include <base/addr.h>
#include <vmx/caps.h>

/* Zeroes the page and writes the VMCS revision identifier.  CHECKs that the page is ours. */
void vmx_region_prepare(const struct vmx_caps *caps, struct hpa region);

#endif
