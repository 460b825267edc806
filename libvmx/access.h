/*
 * VMREAD and VMWRITE of fields that exist on every CPU that passed the gate, on the current VMCS.
 * A refusal would be a bug of ours, hence the CHECK.
 */
#ifndef LIBVMX_ACCESS_H
#define LIBVMX_ACCESS_H

#include <base/check.h>
#include <hw/vmx.h>
#include <stdint.h>
#include <vmx/vmcs.h>

static inline uint64_t vmcs_read(uint32_t field)
{
    return hw_vmcs_read(field);
}

static inline uint32_t vmcs_read32(uint32_t field)
{
    return (uint32_t)vmcs_read(field);
}

static inline void vmcs_write(uint32_t field, uint64_t value)
{
    hw_vmcs_write(field, value);
}

#endif
