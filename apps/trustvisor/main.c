/* The default hypapp: TrustVisor, which keeps PALs away from the guest (libtv). */
#include "nacre.h"

#include <base/log.h>
#include <base/spinlock.h>
#include <tv/abi.h>
#include <tv/tv.h>

static struct tv tv;

_Noreturn void app_main(const struct hw_boot_info *boot)
{
    nacre_options(boot);
    nacre_gate();
    nacre_find_cpus();
    nacre_build_tables();
    tv_init(&tv);
    nacre_start_cpus();
    nacre_load_guest();
    nacre_run(0);
}

_Noreturn void app_ap_main(unsigned cpu)
{
    nacre_run_ap(cpu);
}

bool app_vmcall(struct vcpu *vcpu)
{
    tv_hypercall(&tv, vcpu);
    return true;
}

bool app_cpuid(struct vcpu *vcpu)
{
    struct tv_cpuid_result result;
    uint32_t subleaf = (uint32_t)vcpu_gpr(vcpu, VCPU_RCX);

    if ((uint32_t)vcpu_gpr(vcpu, VCPU_RAX) != TV_CPUID_LEAF ||
        !tv_cpuid(&tv, vcpu, subleaf, &result)) {
        return false;
    }
    vcpu_set_gpr(vcpu, VCPU_RAX, result.eax);
    vcpu_set_gpr(vcpu, VCPU_RBX, result.ebx);
    vcpu_set_gpr(vcpu, VCPU_RCX, result.ecx);
    vcpu_set_gpr(vcpu, VCPU_RDX, result.edx);
    vcpu_skip_instruction(vcpu);
    return true;
}

bool app_violation(struct vcpu *vcpu, const struct vmx_exit *exit)
{
    (void)vcpu;
    (void)exit;
    return false;
}

void app_isolated_exit(struct vcpu *isolated, const struct vcpu_stop *stop)
{
    (void)isolated;
    (void)stop;
}

void app_summary(void)
{
    spinlock_lock(&tv.lock);
    log_info("summary: PALs registered=%u", tv.registry.count);
    spinlock_unlock(&tv.lock);
}
