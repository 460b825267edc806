/*
 * hw/vmx.h: VM entries that fail at each of the three stages (SDM "VM Entries"): controls, host
 * state, guest state.  The last one loads the host state, so it shows hw_host_state() to be right.
 */
#include "contract.h"

#include <hw/cpu.h>
#include <hw/mem.h>
#include <hw/vmx.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOT_AN_ACTIVITY_STATE 9
#define INVALID_GUEST_STATE 0x80000021u

struct field {
    uint32_t field;
    uint64_t value;
};

static bool write_all(const struct field *fields, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (hw_vmwrite(fields[i].field, fields[i].value) != HW_VMX_OK) {
            return false;
        }
    }
    return true;
}

static uint64_t wanted_and_must(uint32_t msr, uint32_t wanted)
{
    return (uint32_t)hw_rdmsr(msr) | wanted;
}

/* Controls with nothing optional: no EPT, no bitmaps, no MSR areas. */
static bool write_controls(void)
{
    const struct field fields[] = {
        {0x4000, wanted_and_must(0x481, 0)},     /* pin-based */
        {0x4002, wanted_and_must(0x482, 0)},     /* primary */
        {0x400c, wanted_and_must(0x483, 0x200)}, /* VM-exit: 64-bit host */
        {0x4012, wanted_and_must(0x484, 0)},     /* VM-entry */
        {0x4004, 0},
        {0x4006, 0},
        {0x4008, 0},
        {0x400a, 0},
        {0x400e, 0},
        {0x4010, 0},
        {0x4014, 0},
        {0x4016, 0},
        {0x6000, 0},
        {0x6002, 0},
        {0x6004, 0},
        {0x6006, 0},
    };
    return write_all(fields, COUNT(fields));
}

static bool write_host(void)
{
    struct hw_host_state host;
    hw_host_state(&host);
    const struct field fields[] = {
        {0x0c00, host.es},           {0x0c02, host.cs},          {0x0c04, host.ss},
        {0x0c06, host.ds},           {0x0c08, host.fs},          {0x0c0a, host.gs},
        {0x0c0c, host.tr},           {0x4c00, host.sysenter_cs}, {0x6c10, host.sysenter_esp},
        {0x6c12, host.sysenter_eip}, {0x6c00, host.cr0},         {0x6c02, host.cr3},
        {0x6c04, host.cr4},          {0x6c16, host.rip},         {0x6c06, host.fs_base},
        {0x6c08, host.gs_base},      {0x6c0a, host.tr_base},     {0x6c0c, host.gdtr_base},
        {0x6c0e, host.idtr_base},
    };
    return write_all(fields, COUNT(fields));
}

/* Flat 32-bit guest with paging; right but for its activity state. */
static bool write_guest(void)
{
    for (uint32_t i = 0; i < 8; i++) {
        static const uint64_t rights[] = {0xc093, 0xc09b, 0xc093,  0xc093,
                                          0xc093, 0xc093, 0x10000, 0x8b};
        const struct field segment[] = {
            {0x0800 + 2 * i, i < 6 ? 8 : 0},
            {0x4800 + 2 * i, i < 6 ? 0xffffffff : 0xffff},
            {0x4814 + 2 * i, rights[i]},
            {0x6806 + 2 * i, 0},
        };
        if (!write_all(segment, COUNT(segment))) {
            return false;
        }
    }
    const struct field fields[] = {
        {0x6800, hw_rdmsr(0x486) | 0x80000001},
        {0x6802, 0},
        {0x6804, hw_rdmsr(0x488)},
        {0x681a, 0x400},
        {0x681c, 0},
        {0x681e, 0x7c00},
        {0x6820, 2},
        {0x6822, 0},
        {0x6816, 0},
        {0x6818, 0},
        {0x4810, 0xffff},
        {0x4812, 0xffff},
        {0x6824, 0},
        {0x6826, 0},
        {0x482a, 0},
        {0x2800, ~0ULL},
        {0x2802, 0},
        {0x4824, 0},
        {0x4826, NOT_AN_ACTIVITY_STATE},
    };
    return write_all(fields, COUNT(fields));
}

struct outcome {
    bool prepared, closed;
    enum hw_vmx_result result;
    uint64_t instruction_error, reason;
    uint64_t cr0, cr4, efer; /* of the host, after it */
};

/* One entry with one field made wrong (0 = none besides the activity state). */
static struct outcome enter(const struct contract_machine *machine, struct field wrong)
{
    struct outcome outcome = {0};
    struct hw_gprs gprs = {{0}};
    uint64_t revision = hw_rdmsr(0x480) & 0x7fffffff, cr0 = hw_read_cr0(), cr4 = hw_read_cr4();
    struct hpa vmxon = machine->scratch, vmcs = hpa(machine->scratch.v + PAGE_BYTES);
    hw_phys_write64(vmxon, revision);
    hw_phys_write64(vmcs, revision);
    hw_write_cr0(cr0 | hw_rdmsr(0x486));
    hw_write_cr4(cr4 | hw_rdmsr(0x488));
    if (hw_vmxon(vmxon) == HW_VMX_OK) {
        outcome.prepared = hw_vmclear(vmcs) == HW_VMX_OK && hw_vmptrld(vmcs) == HW_VMX_OK &&
                           write_controls() && write_host() && write_guest() &&
                           (wrong.field == 0 || write_all(&wrong, 1));
        outcome.result = outcome.prepared ? hw_vmx_enter(&gprs, false) : HW_VMX_FAIL_INVALID;
        outcome.cr0 = hw_read_cr0();
        outcome.cr4 = hw_read_cr4();
        outcome.efer = hw_rdmsr(0xc0000080);
        hw_vmread(0x4400, &outcome.instruction_error);
        hw_vmread(0x4402, &outcome.reason);
        outcome.closed = hw_vmclear(vmcs) == HW_VMX_OK && hw_vmxoff() == HW_VMX_OK;
    }
    hw_write_cr4(cr4);
    hw_write_cr0(cr0);
    return outcome;
}

static void bad_controls_are_error_7(const struct contract_machine *machine)
{
    /* VM-entry controls without their mandatory bits. */
    struct outcome outcome = enter(machine, (struct field){0x4012, 0});
    REQUIRE(outcome.prepared && outcome.closed);
    REQUIRE(outcome.result == HW_VMX_FAIL_VALID);
    REQUIRE(outcome.instruction_error == 7);
}

static void bad_host_state_is_error_8(const struct contract_machine *machine)
{
    struct outcome outcome = enter(machine, (struct field){0x0c0c, 0}); /* TR selector */
    REQUIRE(outcome.prepared && outcome.closed);
    REQUIRE(outcome.result == HW_VMX_FAIL_VALID);
    REQUIRE(outcome.instruction_error == 8);
}

static void bad_guest_state_is_an_exit(const struct contract_machine *machine)
{
    uint64_t efer = hw_rdmsr(0xc0000080);
    struct outcome outcome = enter(machine, (struct field){0, 0});
    REQUIRE(outcome.prepared && outcome.closed);
    REQUIRE(outcome.result == HW_VMX_OK);
    REQUIRE(outcome.reason == INVALID_GUEST_STATE);
    REQUIRE(outcome.efer == efer);
    REQUIRE(outcome.cr0 & 0x80000000);
    REQUIRE(outcome.cr4 & 0x2000);
}

const struct contract_check contract_entry[] = {
    {"entry: bad controls are error 7", bad_controls_are_error_7, true},
    {"entry: bad host state is error 8", bad_host_state_is_error_8, true},
    {"entry: bad guest state is an exit", bad_guest_state_is_an_exit, true},
    {0},
};
