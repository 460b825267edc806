/* hw/vmx.h: operation on and off, the current VMCS, fields (SDM "VMX Instruction Reference"). */
#include "contract.h"

#include <hw/cpu.h>
#include <hw/mem.h>
#include <hw/vmx.h>

#define MSR_VMX_BASIC 0x480u
#define MSR_VMX_MISC 0x485u
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR4_FIXED0 0x488u
#define CR4_VMXE 0x2000u
#define FIELD_ERROR 0x4400u
#define FIELD_GUEST_CS 0x0802u
#define FIELD_GUEST_RIP 0x681eu
#define FIELD_IO_BITMAP_A 0x2000u
#define FIELD_NONE 0x6ffeu

/* Pages of the scratch memory. */
#define VMXON_PAGE 0
#define VMCS_PAGE PAGE_BYTES
#define OTHER_PAGE (2 * PAGE_BYTES)

static uint64_t old_cr0, old_cr4;

static struct hpa page(const struct contract_machine *machine, uint64_t offset)
{
    return hpa(machine->scratch.v + offset);
}

static void set_revision(const struct contract_machine *machine, uint64_t offset)
{
    hw_phys_write64(page(machine, offset), hw_rdmsr(MSR_VMX_BASIC) & 0x7fffffff);
}

static void cr_open(void)
{
    old_cr0 = hw_read_cr0();
    old_cr4 = hw_read_cr4();
    hw_write_cr0(old_cr0 | hw_rdmsr(MSR_VMX_CR0_FIXED0));
    hw_write_cr4(old_cr4 | hw_rdmsr(MSR_VMX_CR4_FIXED0));
}

static void cr_close(void)
{
    hw_write_cr4(old_cr4);
    hw_write_cr0(old_cr0);
}

/* VMX operation with a current VMCS; false if that failed. */
static bool vmx_open(const struct contract_machine *machine)
{
    cr_open();
    set_revision(machine, VMXON_PAGE);
    set_revision(machine, VMCS_PAGE);
    hw_phys_write64(page(machine, OTHER_PAGE), 0x7fffffff); /* no CPU's revision */
    return hw_vmxon(page(machine, VMXON_PAGE)) == HW_VMX_OK &&
           hw_vmclear(page(machine, VMCS_PAGE)) == HW_VMX_OK &&
           hw_vmptrld(page(machine, VMCS_PAGE)) == HW_VMX_OK;
}

static bool vmx_close(const struct contract_machine *machine)
{
    bool ok = hw_vmclear(page(machine, VMCS_PAGE)) == HW_VMX_OK;
    ok = hw_vmxoff() == HW_VMX_OK && ok;
    cr_close();
    return ok;
}

/* The instruction failed and said why. */
static bool failed_with(enum hw_vmx_result result, uint64_t error)
{
    uint64_t said = ~0ULL;
    return result == HW_VMX_FAIL_VALID && hw_vmread(FIELD_ERROR, &said) == HW_VMX_OK &&
           said == error;
}

static void vmxon_checks_its_region(const struct contract_machine *machine)
{
    cr_open();
    hw_phys_write64(page(machine, OTHER_PAGE), 0x7fffffff);
    set_revision(machine, VMXON_PAGE);
    enum hw_vmx_result revision = hw_vmxon(page(machine, OTHER_PAGE));
    enum hw_vmx_result unaligned = hw_vmxon(page(machine, VMXON_PAGE + 8));
    enum hw_vmx_result beyond = hw_vmxon(hpa(1ULL << 60));
    enum hw_vmx_result good = hw_vmxon(page(machine, VMXON_PAGE));
    enum hw_vmx_result again = hw_vmxon(page(machine, VMXON_PAGE));
    enum hw_vmx_result off = good == HW_VMX_OK ? hw_vmxoff() : HW_VMX_OK;
    cr_close();
    REQUIRE(revision == HW_VMX_FAIL_INVALID);
    REQUIRE(unaligned == HW_VMX_FAIL_INVALID);
    REQUIRE(beyond == HW_VMX_FAIL_INVALID);
    REQUIRE(good == HW_VMX_OK);
    REQUIRE(again == HW_VMX_FAIL_INVALID); /* in root operation, without a current VMCS */
    REQUIRE(off == HW_VMX_OK);
    REQUIRE(!(hw_read_cr4() & CR4_VMXE) || (old_cr4 & CR4_VMXE));
}

static void pointers_are_checked(const struct contract_machine *machine)
{
    REQUIRE(vmx_open(machine));
    bool clear_address = failed_with(hw_vmclear(page(machine, VMCS_PAGE + 8)), 2);
    bool clear_vmxon = failed_with(hw_vmclear(page(machine, VMXON_PAGE)), 3);
    bool load_address = failed_with(hw_vmptrld(hpa(1ULL << 60)), 9);
    bool load_vmxon = failed_with(hw_vmptrld(page(machine, VMXON_PAGE)), 10);
    bool load_revision = failed_with(hw_vmptrld(page(machine, OTHER_PAGE)), 11);
    bool on_again = failed_with(hw_vmxon(page(machine, VMXON_PAGE)), 15);
    REQUIRE(vmx_close(machine));
    REQUIRE(clear_address);
    REQUIRE(clear_vmxon);
    REQUIRE(load_address);
    REQUIRE(load_vmxon);
    REQUIRE(load_revision);
    REQUIRE(on_again);
}

static void no_current_vmcs_is_fail_invalid(const struct contract_machine *machine)
{
    REQUIRE(vmx_open(machine));
    uint64_t value = 0x1234;
    struct hw_gprs gprs = {{0}};
    enum hw_vmx_result clear = hw_vmclear(page(machine, VMCS_PAGE));
    enum hw_vmx_result read = hw_vmread(FIELD_GUEST_RIP, &value);
    enum hw_vmx_result write = hw_vmwrite(FIELD_GUEST_RIP, 0);
    enum hw_vmx_result enter = hw_vmx_enter(&gprs, false);
    enum hw_vmx_result load = hw_vmptrld(hpa(1));
    REQUIRE(vmx_close(machine));
    REQUIRE(clear == HW_VMX_OK);
    REQUIRE(read == HW_VMX_FAIL_INVALID && value == 0x1234);
    REQUIRE(write == HW_VMX_FAIL_INVALID);
    REQUIRE(enter == HW_VMX_FAIL_INVALID);
    REQUIRE(load == HW_VMX_FAIL_INVALID);
}

/* REQ-MEM-1 */
static void fields_have_their_width(const struct contract_machine *machine)
{
    REQUIRE(vmx_open(machine));
    uint64_t selector = ~0ULL, rip = 0, low = 0, high = 0, untouched = 0x77;
    bool can_write_all = hw_rdmsr(MSR_VMX_MISC) & (1u << 29);
    bool ok = hw_vmwrite(FIELD_GUEST_CS, 0x8877665544332211) == HW_VMX_OK &&
              hw_vmread(FIELD_GUEST_CS, &selector) == HW_VMX_OK &&
              hw_vmwrite(FIELD_GUEST_RIP, 0x8877665544332211) == HW_VMX_OK &&
              hw_vmread(FIELD_GUEST_RIP, &rip) == HW_VMX_OK &&
              hw_vmwrite(FIELD_IO_BITMAP_A, 0x8877665544332211) == HW_VMX_OK &&
              hw_vmread(FIELD_IO_BITMAP_A, &low) == HW_VMX_OK &&
              hw_vmread(FIELD_IO_BITMAP_A + 1, &high) == HW_VMX_OK;
    bool missing = failed_with(hw_vmread(FIELD_NONE, &untouched), 12);
    bool missing_write = failed_with(hw_vmwrite(FIELD_NONE, 0), 12);
    bool read_only = can_write_all || failed_with(hw_vmwrite(FIELD_ERROR, 0), 13);
    REQUIRE(vmx_close(machine));
    REQUIRE(ok);
    REQUIRE(selector == 0x2211);
    REQUIRE(rip == 0x8877665544332211);
    REQUIRE(low == 0x8877665544332211);
    REQUIRE(high == 0x88776655);
    REQUIRE(missing && untouched == 0x77);
    REQUIRE(missing_write);
    REQUIRE(read_only);
}

static void launch_state_is_kept(const struct contract_machine *machine)
{
    REQUIRE(vmx_open(machine));
    struct hw_gprs gprs = {{0}};
    bool resume = failed_with(hw_vmx_enter(&gprs, true), 5);
    REQUIRE(vmx_close(machine));
    REQUIRE(resume);
}

const struct contract_check contract_vmx[] = {
    {"vmx: VMXON checks its region", vmxon_checks_its_region, true},
    {"vmx: pointers are checked", pointers_are_checked, true},
    {"vmx: no current VMCS is fail-invalid", no_current_vmcs_is_fail_invalid, true},
    {"vmx: fields have their width", fields_have_their_width, true},
    {"vmx: the launch state is kept", launch_state_is_kept, true},
    {0},
};
