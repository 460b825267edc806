#include "memtype.h"

#include "nacre.h"

#include <base/log.h>
#include <ept/identity.h>
#include <hw/vmx.h>
#include <smp/rendezvous.h>
#include <string.h>

void memtype_read_msr(struct vcpu *vcpu)
{
    uint64_t value;

    if (!mtrr_get_msr(&nacre.cpu[vcpu_cpu(vcpu)].mtrr, vmx_vcpu_msr(vcpu), &value)) {
        vmx_vcpu_inject_gp(vcpu);
        return;
    }
    vmx_vcpu_set_msr_value(vcpu, value);
    vcpu_skip_instruction(vcpu);
}

/* All other CPUs are stopped, and execute INVEPT before they enter their guests again. */
static void retype(const struct mtrr *mtrr)
{
    static bool reported; /* a guest that does this again and again must not fill the console */
    enum ept_invalidate need, merged = EPT_INVALIDATE_NONE;

    enum status status = ept_identity_retype(&nacre.ept, nacre.ept_end, mtrr, &need);
    if (status != STATUS_OK) {
        /* The guest asked for more pieces than there are tables: its types stay as they were. */
        if (!reported) {
            reported = true;
            log_warn("memory types not changed: %s", status_text(status));
        }
        return;
    }
    nacre.ept_mtrr = *mtrr;
    if (need != EPT_INVALIDATE_NONE) {
        hw_invept(HW_INVEPT_SINGLE_CONTEXT, ept_pointer(&nacre.ept));
    }
    do { /* the others are stopped, and invalidate before they go on: tables can go at once */
        status = ept_merge(&nacre.ept, gpa(0), nacre.ept_end, &merged);
        if (merged != EPT_INVALIDATE_NONE) {
            hw_invept(HW_INVEPT_SINGLE_CONTEXT, ept_pointer(&nacre.ept));
        }
        ept_release(&nacre.ept);
    } while (status == STATUS_BUSY);
}

/*
 * Types change once the registers are whole again: while the guest reprograms them it has them
 * disabled.  Every CPU writes the same values; the first one does the work.
 */
static void follow(unsigned cpu)
{
    const struct mtrr *mtrr = &nacre.cpu[cpu].mtrr;

    if (!mtrr_is_enabled(mtrr) || memcmp(mtrr, &nacre.ept_mtrr, sizeof(*mtrr)) == 0) {
        return;
    }
    smp_lock(&nacre.smp, cpu, &nacre.ept_lock);
    smp_rendezvous_begin(&nacre.smp, cpu);
    if (memcmp(mtrr, &nacre.ept_mtrr, sizeof(*mtrr)) != 0) {
        retype(mtrr);
    }
    smp_rendezvous_end(&nacre.smp, cpu);
    spinlock_unlock(&nacre.ept_lock);
    hw_invept(HW_INVEPT_SINGLE_CONTEXT, ept_pointer(&nacre.ept));
}

void memtype_write_msr(struct vcpu *vcpu)
{
    unsigned cpu = vcpu_cpu(vcpu);

    if (!mtrr_set_msr(&nacre.cpu[cpu].mtrr, vmx_vcpu_msr(vcpu), vmx_vcpu_msr_value(vcpu))) {
        vmx_vcpu_inject_gp(vcpu);
        return;
    }
    follow(cpu);
    vcpu_skip_instruction(vcpu);
}
