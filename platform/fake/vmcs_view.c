/* VMCS and VMX state as tests see it. */
#include "internal.h"

static struct vmcs *known(struct hpa address)
{
    struct vmcs *vmcs = vmcs_find(address.v);
    if (!vmcs) {
        fake_misuse("no VMCS at %#llx", (unsigned long long)address.v);
    }
    return vmcs;
}

static struct vmcs *current_of(unsigned cpu)
{
    struct vmcs *vmcs = fake_cpu(cpu)->current;
    if (!vmcs) {
        fake_misuse("CPU %u has no current VMCS", cpu);
    }
    return vmcs;
}

static void check_exists(uint32_t field)
{
    if (!vmcs_field_exists(field)) {
        fake_misuse("VMCS field %#x does not exist on this CPU model", field);
    }
}

bool fake_vmx_on(unsigned cpu)
{
    return fake_cpu(cpu)->vmxon;
}

uint64_t fake_current_vmcs(unsigned cpu)
{
    return fake_cpu(cpu)->current ? fake_cpu(cpu)->current->address : NO_ADDRESS;
}

int fake_vmcs_active_cpu(struct hpa vmcs)
{
    return known(vmcs)->cpu;
}

bool fake_vmcs_launched(struct hpa vmcs)
{
    return known(vmcs)->launched;
}

uint64_t fake_vmcs_get(struct hpa vmcs, uint32_t field)
{
    check_exists(field);
    return vmcs_get(known(vmcs), field);
}

void fake_vmcs_set(struct hpa vmcs, uint32_t field, uint64_t value)
{
    check_exists(field);
    vmcs_set(known(vmcs), field, value);
}

uint64_t fake_field(unsigned cpu, uint32_t field)
{
    check_exists(field);
    return vmcs_get(current_of(cpu), field);
}

void fake_field_set(unsigned cpu, uint32_t field, uint64_t value)
{
    check_exists(field);
    vmcs_set(current_of(cpu), field, value);
}

bool fake_field_written(unsigned cpu, uint32_t field)
{
    check_exists(field);
    return current_of(cpu)->written[vmcs_slot(field)];
}
