#include "violation.h"

#include "apic.h"
#include "nacre.h"

#include <base/bits.h>
#include <base/log.h>
#include <hw/vmx.h>
#include <smp/rendezvous.h>

static unsigned needed_perms(uint64_t qualification)
{
    return (qualification & EPT_VIOLATION_READ ? EPT_READ : 0) |
           (qualification & EPT_VIOLATION_WRITE ? EPT_WRITE : 0) |
           (qualification & EPT_VIOLATION_FETCH ? EPT_EXECUTE : 0);
}

static bool in_region(uint64_t gpa)
{
    return gpa - nacre.boot->region.v < nacre.boot->region_bytes;
}

/*
 * Device memory above RAM (64-bit BARs) is mapped when it is first touched.  Tables for it are few:
 * when they run out all of them are dropped and the window starts anew.
 */
#define WINDOW_TABLES (CONFIG_GUEST_TABLE_PAGES / 2)
static uint64_t window_tables; /* in use; under the lock of the nested tables */

static enum status map_window(uint64_t gpa_touched)
{
    uint64_t start = addr_align_down(gpa_touched, PAGE_2M_BYTES);
    uint64_t before = nacre.ept.pool->free_pages;
    enum status status =
        ept_map(&nacre.ept, gpa(start), hpa(start), PAGE_2M_BYTES, EPT_RWX, EPT_UC);

    window_tables += before - nacre.ept.pool->free_pages;
    return status;
}

static enum status recycle_window(unsigned cpu)
{
    uint64_t top = BIT(nacre.caps.phys_bits < 48 ? nacre.caps.phys_bits : 48);

    smp_rendezvous_begin(&nacre.smp, cpu); /* the others invalidate before they go on */
    enum status status = ept_drop(&nacre.ept, gpa(nacre.ept_end), top - nacre.ept_end);
    hw_invept(HW_INVEPT_SINGLE_CONTEXT, ept_pointer(&nacre.ept));
    window_tables = 0;
    smp_rendezvous_end(&nacre.smp, cpu);
    return status;
}

/* True when the access can simply be repeated. */
static bool resolve(unsigned cpu, const struct vmx_exit *exit)
{
    struct ept_translation translation;
    unsigned needed = needed_perms(exit->qualification);

    if (ept_lookup(&nacre.ept, exit->gpa, &translation) == STATUS_OK) {
        return (translation.perms & needed) == needed; /* another CPU was faster */
    }
    if (exit->gpa.v < nacre.ept_end || in_region(exit->gpa.v)) {
        return false;
    }
    if (window_tables >= WINDOW_TABLES) { /* the rest is for splits, and for PALs */
        recycle_window(cpu);
    }
    enum status status = map_window(exit->gpa.v);
    if (status == STATUS_NO_MEMORY) {
        recycle_window(cpu);
        status = map_window(exit->gpa.v);
    }
    return status == STATUS_OK;
}

/* Of nobody's that knows it.  Not inline: calls of PALs are violations too, and more frequent. */
static __attribute__((noinline)) void handle_unknown(struct vcpu *vcpu, const struct vmx_exit *exit)
{
    unsigned cpu = vcpu_cpu(vcpu);

    if (smp_lock(&nacre.smp, cpu, &nacre.ept_lock)) {
        hw_invept(HW_INVEPT_SINGLE_CONTEXT, ept_pointer(&nacre.ept));
    }
    bool resolved = resolve(cpu, exit);
    spinlock_unlock(&nacre.ept_lock);
    if (!resolved) {
        log_debug("CPU %u: access 0x%llx to guest-physical 0x%llx refused, RIP 0x%llx", cpu,
                  (unsigned long long)exit->qualification, (unsigned long long)exit->gpa.v,
                  (unsigned long long)vcpu_rip(vcpu));
        vmx_vcpu_inject_gp(vcpu);
    }
}

void violation_handle(struct vcpu *vcpu, const struct vmx_exit *exit)
{
    bool fetch = (exit->qualification & EPT_VIOLATION_FETCH) != 0; /* never the APIC's */

    if ((fetch || !apic_handle_violation(vcpu, exit)) && !app_violation(vcpu, exit)) {
        handle_unknown(vcpu, exit);
    }
}
