/* hw/apic.h, hw/nmi.h: who this CPU is, and an NMI to itself. */
#include "contract.h"

#include <hw/apic.h>
#include <hw/cpu.h>
#include <hw/mem.h>
#include <hw/nmi.h>
#include <hw/vmx.h>

#define ICR_NMI 0x4400u /* level assert */
#define WAIT_US 1000u
#define WAIT_ROUNDS 100u

static void apic_id_is_cpuids(const struct contract_machine *machine)
{
    (void)machine;
    uint32_t id = hw_apic_id();
    REQUIRE((hw_cpuid(1, 0).ebx >> 24) == (id & 0xff));
    if (hw_apic_is_x2apic()) {
        REQUIRE(hw_apic_read(HW_APIC_ID) == id);
    } else {
        REQUIRE(hw_apic_read(HW_APIC_ID) >> 24 == id);
    }
}

static void noted_nmi_is_taken_once(const struct contract_machine *machine)
{
    (void)machine;
    hw_nmi_take(); /* whatever came before */
    REQUIRE(!hw_nmi_take());
    hw_nmi_note();
    REQUIRE(hw_nmi_take());
    REQUIRE(!hw_nmi_take());
}

static bool nmi_arrives(void)
{
    hw_apic_send_ipi((uint64_t)hw_apic_id() << 32 | ICR_NMI);
    for (unsigned i = 0; i < WAIT_ROUNDS; i++) {
        if (hw_nmi_take()) {
            return true;
        }
        hw_delay_us(WAIT_US);
    }
    return false;
}

/* REQ-SMP-3: twice, so that the handler's IRET did unblock NMIs. */
static void nmi_to_itself_is_counted(const struct contract_machine *machine)
{
    (void)machine;
    hw_nmi_take();
    REQUIRE(nmi_arrives());
    REQUIRE(nmi_arrives());
    REQUIRE(!hw_nmi_take());
    hw_nmi_unblock();
    REQUIRE(!hw_nmi_take());
}

/* REQ-SMP-3, REQ-STK-5: what is not collected keeps the guest from running. */
static void nmi_stops_the_entry(const struct contract_machine *machine)
{
    struct hw_gprs gprs = {{0}};
    uint64_t cr0 = hw_read_cr0(), cr4 = hw_read_cr4();
    struct hpa vmcs = hpa(machine->scratch.v + PAGE_BYTES);
    hw_phys_write64(machine->scratch, hw_rdmsr(0x480) & 0x7fffffff);
    hw_phys_write64(vmcs, hw_rdmsr(0x480) & 0x7fffffff);
    hw_write_cr0(cr0 | hw_rdmsr(0x486));
    hw_write_cr4(cr4 | hw_rdmsr(0x488));
    enum hw_vmx_result on = hw_vmxon(machine->scratch);
    enum hw_vmx_result loaded = HW_VMX_OK, first = HW_VMX_OK, second = HW_VMX_OK, off = HW_VMX_OK;
    unsigned taken = 0;
    if (on == HW_VMX_OK) {
        loaded = hw_vmclear(vmcs) == HW_VMX_OK ? hw_vmptrld(vmcs) : HW_VMX_FAIL_INVALID;
        hw_nmi_note();
        first = hw_vmx_enter(&gprs, false);
        taken = hw_nmi_take();
        second = hw_vmx_enter(&gprs, false); /* tries now, and the VMCS is blank */
        off = hw_vmxoff();
    }
    hw_write_cr4(cr4);
    hw_write_cr0(cr0);
    REQUIRE(on == HW_VMX_OK);
    REQUIRE(loaded == HW_VMX_OK);
    REQUIRE(first == HW_VMX_NMI_PENDING);
    REQUIRE(taken == 1);
    REQUIRE(second == HW_VMX_FAIL_VALID);
    REQUIRE(off == HW_VMX_OK);
}

const struct contract_check contract_apic[] = {
    {"apic: the ID is CPUID's", apic_id_is_cpuids, false},
    {"apic: a noted NMI is taken once", noted_nmi_is_taken_once, false},
    {"apic: an NMI to itself is counted", nmi_to_itself_is_counted, false},
    {"apic: an NMI stops the entry", nmi_stops_the_entry, true},
    {0},
};
