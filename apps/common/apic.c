#include "apic.h"

#include "guestmem.h"
#include "nacre.h"

#include <base/bits.h>
#include <base/log.h>
#include <hw/apic.h>
#include <hw/cpu.h>
#include <hw/mem.h>
#include <smp/icr.h>
#include <smp/movdec.h>
#include <vmx/msr.h>

#define APIC_BASE_BSP BIT(8)
#define APIC_BASE_EXTD BIT(10)
#define APIC_BASE_EN BIT(11)
#define APIC_BASE_ADDRESS bits_mask(12, 52)
#define LVT_MASKED 0x10000u

static uint64_t apic_page(unsigned cpu)
{
    return nacre.cpu[cpu].apic_base & APIC_BASE_ADDRESS;
}

void apic_intercept(void)
{
    uint64_t page = hw_rdmsr(IA32_APIC_BASE) & APIC_BASE_ADDRESS;
    enum ept_invalidate need;

    if (nacre.table.count == 1) {
        return; /* nobody to start: the APIC is the guest's alone */
    }
    enum status status = ept_protect(&nacre.ept, gpa(page), PAGE_BYTES, EPT_READ, &need);
    if (status != STATUS_OK) {
        nacre_refuse("the local APIC's page cannot be protected (%s); raise "
                     "CONFIG_SPARE_TABLE_PAGES",
                     status_text(status));
    }
}

void apic_track(unsigned cpu)
{
    struct smp_apic *apic = &nacre.apic[cpu];

    apic->x2apic = hw_apic_is_x2apic();
    apic->id = hw_apic_id();
    apic->ldr = hw_apic_read(HW_APIC_LDR);
    apic->dfr = apic->x2apic ? ~0U : hw_apic_read(HW_APIC_DFR);
    apic->icr_high = 0;
}

static void post(enum smp_ipi_action action, uint8_t vector, uint64_t targets, unsigned self)
{
    for (unsigned cpu = 0; cpu < nacre.table.count; cpu++) {
        if (!(targets & BIT(cpu))) {
            continue;
        }
        struct smp_startup *startup = &nacre.cpu[cpu].startup;
        if (action == SMP_IPI_INIT) {
            smp_startup_post_init(startup);
        } else if (action == SMP_IPI_START_UP) {
            smp_startup_post_sipi(startup, vector);
        } else {
            smp_startup_post_nmi(startup);
        }
        if (cpu != self) {
            smp_kick(&nacre.smp, cpu);
        }
    }
}

static void send(const struct smp_icr *icr, unsigned self)
{
    enum smp_ipi_action action = smp_icr_action(icr);

    if (action == SMP_IPI_HARDWARE) {
        hw_apic_send_ipi(smp_icr_hardware(icr));
    } else if (action != SMP_IPI_IGNORE) {
        uint64_t targets = smp_icr_targets(icr, nacre.apic, nacre.table.count, self);
        log_debug("CPU %u sends IPI: delivery %u vector 0x%x to CPUs 0x%llx", self, icr->delivery,
                  icr->vector, (unsigned long long)targets);
        post(action, icr->vector, targets, self);
    }
}

/* One aligned 32-bit store to a register of this CPU's xAPIC. */
static void store(unsigned cpu, uint32_t reg, uint32_t value)
{
    struct smp_apic *apic = &nacre.apic[cpu];
    struct smp_icr icr;

    switch (reg) {
    case HW_APIC_ICR_LOW:
        smp_icr_decode_xapic(&icr, value, apic->icr_high);
        send(&icr, cpu);
        return;
    case HW_APIC_ICR_HIGH:
        apic->icr_high = value;
        break;
    case HW_APIC_LDR:
        apic->ldr = value;
        break;
    case HW_APIC_DFR:
        apic->dfr = value;
        break;
    case HW_APIC_ID:
        return; /* read-only on every CPU with VMX; the table of targets relies on it */
    default:
        break;
    }
    hw_apic_write(reg, value);
}

/* The store that trapped, taken from the code at RIP and verified against the faulting address. */
static bool decode(struct vcpu *vcpu, const struct vmx_exit *exit, uint32_t *value)
{
    uint8_t code[SMP_MOV_MAX_BYTES];
    struct smp_mov mov;
    uint64_t rip = vcpu_rip(vcpu);
    uint64_t rsp = vcpu_gpr(vcpu, VCPU_RSP);
    unsigned width = vcpu_width(vcpu);
    unsigned count = guest_fetch(vcpu, code, sizeof(code));

    if (!smp_mov_decode(&mov, code, count, width) || mov.operand_bytes != 4) {
        return false;
    }
    uint64_t base = 0;
    if (width != VCPU_64BIT || mov.segment == SMP_MOV_FS || mov.segment == SMP_MOV_GS) {
        base = vcpu_segment_base(vcpu, (enum vcpu_seg)mov.segment);
    }
    if (!(exit->qualification & EPT_VIOLATION_LINEAR_VALID) ||
        smp_mov_address(&mov, &vcpu->gprs, rsp, rip, base) != vmx_exit_linear_address()) {
        return false;
    }
    *value = (uint32_t)smp_mov_value(&mov, &vcpu->gprs, rsp);
    vcpu_set_rip(vcpu, rip + mov.length);
    return true;
}

bool apic_handle_violation(struct vcpu *vcpu, const struct vmx_exit *exit)
{
    unsigned cpu = vcpu_cpu(vcpu);
    uint32_t value;

    if (addr_align_down(exit->gpa.v, PAGE_BYTES) != apic_page(cpu) || nacre.table.count == 1) {
        return false;
    }
    uint32_t reg = (uint32_t)(exit->gpa.v & PAGE_MASK);
    uint64_t write = exit->qualification & EPT_VIOLATION_WRITE;
    uint64_t data = exit->qualification & EPT_VIOLATION_TRANSLATED;
    if (!write || !data || !decode(vcpu, exit, &value)) {
        log_debug("CPU %u: access to the local APIC that is no plain MOV, at 0x%llx", cpu,
                  (unsigned long long)vcpu_rip(vcpu));
        vmx_vcpu_inject_gp(vcpu);
        return true;
    }
    if (reg % 16 == 0 && !nacre.apic[cpu].x2apic) {
        store(cpu, reg, value);
    }
    return true;
}

void apic_write_x2apic_icr(struct vcpu *vcpu)
{
    unsigned cpu = vcpu_cpu(vcpu);
    uint64_t value = vmx_vcpu_msr_value(vcpu);
    struct smp_icr icr;

    if (!nacre.apic[cpu].x2apic || smp_icr_x2apic_faults(value)) {
        vmx_vcpu_inject_gp(vcpu);
        return;
    }
    smp_icr_decode_x2apic(&icr, value);
    send(&icr, cpu);
    vcpu_skip_instruction(vcpu);
}

void apic_read_base(struct vcpu *vcpu)
{
    vmx_vcpu_set_msr_value(vcpu, nacre.cpu[vcpu_cpu(vcpu)].apic_base);
    vcpu_skip_instruction(vcpu);
}

/*
 * The address and the boot flag stay as they are.  Switching the APIC off is remembered but not
 * done: a CPU without it could no longer be called to a rendezvous.
 */
void apic_write_base(struct vcpu *vcpu)
{
    unsigned cpu = vcpu_cpu(vcpu);
    uint64_t value = vmx_vcpu_msr_value(vcpu);
    uint64_t old = nacre.cpu[cpu].apic_base;
    bool was_x2apic = old & APIC_BASE_EXTD, to_x2apic = value & APIC_BASE_EXTD;
    bool enabled = value & APIC_BASE_EN;

    if ((value ^ old) & ~(APIC_BASE_EN | APIC_BASE_EXTD) || (to_x2apic && !enabled) ||
        (was_x2apic && enabled && !to_x2apic)) {
        vmx_vcpu_inject_gp(vcpu);
        return;
    }
    if (enabled && to_x2apic != nacre.apic[cpu].x2apic) {
        if (!hw_wrmsr_safe(IA32_APIC_BASE, value)) {
            vmx_vcpu_inject_gp(vcpu);
            return;
        }
        apic_track(cpu);
    }
    nacre.cpu[cpu].apic_base = value;
    vcpu_skip_instruction(vcpu);
}

void apic_reset_registers(unsigned cpu)
{
    static const uint16_t masked[] = {0x320, 0x330, 0x340, 0x350, 0x360, 0x370};
    struct smp_apic *apic = &nacre.apic[cpu];

    for (unsigned i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
        hw_apic_write(masked[i], LVT_MASKED);
    }
    hw_apic_write(0x380, 0); /* initial count: stops the timer */
    hw_apic_write(0x080, 0); /* task priority */
    hw_apic_write(0x3e0, 0); /* divide configuration */
    if (!apic->x2apic) {
        hw_apic_write(HW_APIC_DFR, ~0U);
        hw_apic_write(HW_APIC_LDR, 0);
        smp_apic_reset(apic);
    }
    hw_apic_write(HW_APIC_SPURIOUS, 0xff); /* software-disabled */
}
