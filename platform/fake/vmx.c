/*
 * VMX instructions but VM entry (SDM vol. 3, chapter "VMX Instruction Reference").  What the manual
 * leaves undefined, such as a VMCS that is active on two CPUs, ends the test.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum instruction_error { /* SDM table "VM-Instruction Error Numbers" */
                         ERROR_VMCLEAR_ADDRESS = 2,
                         ERROR_VMCLEAR_VMXON = 3,
                         ERROR_VMPTRLD_ADDRESS = 9,
                         ERROR_VMPTRLD_VMXON = 10,
                         ERROR_VMPTRLD_REVISION = 11,
                         ERROR_UNSUPPORTED_FIELD = 12,
                         ERROR_READ_ONLY_FIELD = 13,
                         ERROR_VMXON_IN_ROOT = 15,
                         ERROR_INVALIDATE = 28
};

#define POISON 0xa5a5a5a5a5a5a5a5ULL

void vmcs_reset(void)
{
    while (fake_m.vmcss) {
        struct vmcs *next = fake_m.vmcss->next;
        free(fake_m.vmcss);
        fake_m.vmcss = next;
    }
}

struct vmcs *vmcs_find(uint64_t address)
{
    fake_lock();
    struct vmcs *vmcs = fake_m.vmcss;
    while (vmcs && vmcs->address != address) {
        vmcs = vmcs->next;
    }
    fake_unlock();
    return vmcs;
}

static struct vmcs *vmcs_make(uint64_t address)
{
    struct vmcs *vmcs = calloc(1, sizeof *vmcs);
    if (!vmcs) {
        fake_misuse("no memory for a VMCS");
    }
    vmcs->address = address;
    vmcs->cpu = -1;
    for (unsigned slot = 0; slot < VMCS_SLOTS; slot++) {
        static const unsigned bits[] = {16, 64, 32, 64};
        vmcs->value[slot] = POISON & bits_mask(0, bits[slot >> 8]);
    }
    fake_lock();
    vmcs->next = fake_m.vmcss;
    fake_m.vmcss = vmcs;
    fake_unlock();
    return vmcs;
}

enum hw_vmx_result vmx_fail(struct fake_cpu *cpu, unsigned error)
{
    if (!cpu->current) {
        return HW_VMX_FAIL_INVALID;
    }
    vmcs_set(cpu->current, F_INSTRUCTION_ERROR, error);
    return HW_VMX_FAIL_VALID;
}

/* True when the test planned this call to fail. */
static bool injected(enum fake_call call, enum hw_vmx_result *result)
{
    int planned;
    if (!fake_enter(call, &planned)) {
        return false;
    }
    *result = (enum hw_vmx_result)(planned & 0xff);
    struct fake_cpu *cpu = fake_this();
    if (*result == HW_VMX_FAIL_VALID && cpu->current) {
        vmcs_set(cpu->current, F_INSTRUCTION_ERROR, (unsigned)planned >> 8);
    }
    return true;
}

static struct fake_cpu *vmx_cpu(const char *instruction)
{
    struct fake_cpu *cpu = fake_this();
    if (!cpu->vmxon) {
        fake_trap("#UD: %s outside VMX operation", instruction);
    }
    return cpu;
}

static uint32_t revision(void)
{
    return (uint32_t)bits_get(fake_msr_raw(&fake_m.cpus[0], MSR_VMX_BASIC), 0, 31);
}

static bool region_valid(uint64_t address)
{
    bool only_32 = fake_msr_raw(&fake_m.cpus[0], MSR_VMX_BASIC) & BIT(48);
    return fake_is_physical(address, PAGE_BYTES) && !(only_32 && address >> 32) &&
           fake_backing(address, PAGE_BYTES);
}

enum hw_vmx_result hw_vmxon(struct hpa region)
{
    enum hw_vmx_result result;
    if (injected(FAKE_VMXON, &result)) {
        return result;
    }
    struct fake_cpu *cpu = fake_this();
    if (!(cpu->cr4 & CR4_VMXE) || !(fake_cpuid_get(1, 0, FAKE_ECX) & (1u << 5))) {
        fake_trap("#UD: VMXON with CR4.VMXE clear");
    }
    if (cpu->vmxon) {
        return vmx_fail(cpu, ERROR_VMXON_IN_ROOT);
    }
    if (!fake_cr_vmx_fixed(0, cpu->cr0, 0) || !fake_cr_vmx_fixed(4, cpu->cr4, 0)) {
        fake_trap("#GP: VMXON with CR0 %#llx, CR4 %#llx: a fixed bit is wrong",
                  (unsigned long long)cpu->cr0, (unsigned long long)cpu->cr4);
    }
    if ((fake_msr_raw(cpu, MSR_FEATURE_CONTROL) & 5) != 5) {
        fake_trap("#GP: VMXON without IA32_FEATURE_CONTROL locked and enabled");
    }
    if (!region_valid(region.v) || (uint32_t)fake_read64(region.v) != revision()) {
        return HW_VMX_FAIL_INVALID;
    }
    cpu->vmxon = true;
    cpu->vmxon_region = region.v;
    cpu->current = NULL;
    return HW_VMX_OK;
}

enum hw_vmx_result hw_vmxoff(void)
{
    enum hw_vmx_result result;
    if (injected(FAKE_VMXOFF, &result)) {
        return result;
    }
    struct fake_cpu *cpu = vmx_cpu("VMXOFF");
    cpu->vmxon = false;
    cpu->vmxon_region = NO_ADDRESS;
    cpu->current = NULL;
    if (atomic_exchange(&cpu->init_latch, false)) {
        fake_send_init(cpu->index); /* no longer blocked */
        fake_this();                /* ends here: the CPU is reset */
    }
    return HW_VMX_OK;
}

static void check_not_elsewhere(const struct fake_cpu *cpu, const struct vmcs *vmcs)
{
    if (vmcs && vmcs->cpu >= 0 && vmcs->cpu != (int)cpu->index) {
        fake_trap("VMCS %#llx is active on CPU %d and used on CPU %u",
                  (unsigned long long)vmcs->address, vmcs->cpu, cpu->index);
    }
}

enum hw_vmx_result hw_vmclear(struct hpa address)
{
    enum hw_vmx_result result;
    if (injected(FAKE_VMCLEAR, &result)) {
        return result;
    }
    struct fake_cpu *cpu = vmx_cpu("VMCLEAR");
    if (!region_valid(address.v)) {
        return vmx_fail(cpu, ERROR_VMCLEAR_ADDRESS);
    }
    if (address.v == cpu->vmxon_region) {
        return vmx_fail(cpu, ERROR_VMCLEAR_VMXON);
    }
    struct vmcs *vmcs = vmcs_find(address.v);
    check_not_elsewhere(cpu, vmcs);
    if (!vmcs) {
        vmcs = vmcs_make(address.v);
    }
    vmcs->launched = false;
    vmcs->cpu = -1;
    if (cpu->current == vmcs) {
        cpu->current = NULL;
    }
    return HW_VMX_OK;
}

enum hw_vmx_result hw_vmptrld(struct hpa address)
{
    enum hw_vmx_result result;
    if (injected(FAKE_VMPTRLD, &result)) {
        return result;
    }
    struct fake_cpu *cpu = vmx_cpu("VMPTRLD");
    if (!region_valid(address.v)) {
        return vmx_fail(cpu, ERROR_VMPTRLD_ADDRESS);
    }
    if (address.v == cpu->vmxon_region) {
        return vmx_fail(cpu, ERROR_VMPTRLD_VMXON);
    }
    if ((uint32_t)fake_read64(address.v) != revision()) {
        return vmx_fail(cpu, ERROR_VMPTRLD_REVISION);
    }
    struct vmcs *vmcs = vmcs_find(address.v);
    if (!vmcs) {
        fake_trap("VMPTRLD of %#llx, which was never cleared by VMCLEAR",
                  (unsigned long long)address.v);
    }
    check_not_elsewhere(cpu, vmcs);
    vmcs->cpu = (int)cpu->index;
    cpu->current = vmcs;
    return HW_VMX_OK;
}

enum hw_vmx_result hw_vmread(uint32_t field, uint64_t *value)
{
    enum hw_vmx_result result;
    if (injected(FAKE_VMREAD, &result)) {
        return result;
    }
    struct fake_cpu *cpu = vmx_cpu("VMREAD");
    if (!cpu->current) {
        return HW_VMX_FAIL_INVALID;
    }
    if (!vmcs_field_exists(field)) {
        return vmx_fail(cpu, ERROR_UNSUPPORTED_FIELD);
    }
    *value = vmcs_get(cpu->current, field);
    return HW_VMX_OK;
}

enum hw_vmx_result hw_vmwrite(uint32_t field, uint64_t value)
{
    enum hw_vmx_result result;
    if (injected(FAKE_VMWRITE, &result)) {
        return result;
    }
    struct fake_cpu *cpu = vmx_cpu("VMWRITE");
    if (!cpu->current) {
        return HW_VMX_FAIL_INVALID;
    }
    if (!vmcs_field_exists(field)) {
        return vmx_fail(cpu, ERROR_UNSUPPORTED_FIELD);
    }
    bool any_field = fake_msr_raw(cpu, MSR_VMX_MISC) & BIT(29);
    if (bits_get(field, 10, 2) == 1 && !any_field) {
        return vmx_fail(cpu, ERROR_READ_ONLY_FIELD);
    }
    vmcs_set(cpu->current, field, value);
    cpu->current->written[vmcs_slot(field)] = true;
    return HW_VMX_OK;
}

uint64_t hw_vmcs_read(uint64_t field)
{
    uint64_t value = 0;
    CHECK(field <= UINT32_MAX && hw_vmread((uint32_t)field, &value) == HW_VMX_OK);
    return value;
}

void hw_vmcs_write(uint64_t field, uint64_t value)
{
    CHECK(field <= UINT32_MAX && hw_vmwrite((uint32_t)field, value) == HW_VMX_OK);
}

static bool by_ept_tag(const struct tlb_entry *entry, const void *arg)
{
    const uint64_t *tag = arg;
    return !tag || entry->ept_tag == *tag;
}

static void invalidation_note(struct fake_cpu *cpu, bool was_useful)
{
    if (was_useful) {
        cpu->useful++;
    } else {
        cpu->superfluous++;
    }
}

enum hw_vmx_result hw_invept(uint64_t type, uint64_t ept_pointer)
{
    enum hw_vmx_result result;
    if (injected(FAKE_INVEPT, &result)) {
        return result;
    }
    struct fake_cpu *cpu = vmx_cpu("INVEPT");
    uint64_t capabilities = fake_msr_raw(cpu, MSR_VMX_EPT_VPID);
    if (!(capabilities & BIT(20))) {
        fake_trap("#UD: INVEPT is not supported");
    }
    bool supported = (type == HW_INVEPT_SINGLE_CONTEXT && (capabilities & BIT(25))) ||
                     (type == HW_INVEPT_ALL_CONTEXTS && (capabilities & BIT(26)));
    bool pointer_valid = fake_is_physical(addr_align_down(ept_pointer, PAGE_BYTES), PAGE_BYTES) &&
                         bits_get(ept_pointer, 3, 3) == 3 && !(ept_pointer & 0xf80);
    if (!supported || (type == HW_INVEPT_SINGLE_CONTEXT && !pointer_valid)) {
        return vmx_fail(cpu, ERROR_INVALIDATE);
    }
    uint64_t tag = bits_get(ept_pointer, 12, 40) << 12;
    const uint64_t *only = type == HW_INVEPT_SINGLE_CONTEXT ? &tag : NULL;
    invalidation_note(cpu, tlb_drop(cpu, by_ept_tag, only) > 0);
    return HW_VMX_OK;
}

struct vpid_filter {
    bool any_vpid, one_address;
    uint16_t vpid;
    uint64_t linear;
};

static bool by_vpid(const struct tlb_entry *entry, const void *arg)
{
    const struct vpid_filter *filter = arg;
    return entry->linear && (filter->any_vpid ? entry->vpid != 0 : entry->vpid == filter->vpid) &&
           (!filter->one_address ||
            addr_align_down(filter->linear, entry->page_bytes) == entry->from);
}

enum hw_vmx_result hw_invvpid(uint64_t type, uint16_t vpid, uint64_t linear_address)
{
    enum hw_vmx_result result;
    if (injected(FAKE_INVVPID, &result)) {
        return result;
    }
    struct fake_cpu *cpu = vmx_cpu("INVVPID");
    uint64_t capabilities = fake_msr_raw(cpu, MSR_VMX_EPT_VPID);
    if (!(capabilities & BIT(32))) {
        fake_trap("#UD: INVVPID is not supported");
    }
    bool all = type == HW_INVVPID_ALL_CONTEXTS;
    bool individual = type == HW_INVVPID_INDIVIDUAL;
    if (type > 3 || !(capabilities & BIT(40 + type)) || (!all && vpid == 0) ||
        (individual && !fake_is_canonical(linear_address))) {
        return vmx_fail(cpu, ERROR_INVALIDATE);
    }
    struct vpid_filter filter = {all, individual, vpid, linear_address};
    size_t before = cpu->tlb_count;
    tlb_drop(cpu, by_vpid, &filter);
    invalidation_note(cpu, cpu->tlb_count != before);
    return HW_VMX_OK;
}
