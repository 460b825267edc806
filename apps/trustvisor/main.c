/* The default hypapp: TrustVisor, which keeps PALs away from the guest (libtv). */
#include "nacre.h"
#include "root.h"

#include <base/bits.h>
#include <base/log.h>
#include <hw/cpu.h>
#include <tv/abi.h>
#include <tv/tv.h>
#include <vcpu/isolated.h>

static struct tv tv;

static void start_trustvisor(void)
{
    struct tv_config config = {
        .guest_map = &nacre.ept,
        .budget_ticks = nacre_pal_budget(),
        .guest_tables = CONFIG_GUEST_TABLE_PAGES,
        .mtrr = &nacre.ept_mtrr,
        .phys_bits = nacre.caps.phys_bits,
        .pages_1g = (nacre.caps.extended1_edx & BIT(26)) != 0,
    };

    for (unsigned cpu = 0; cpu < nacre.table.count; cpu++) {
        config.isolated[cpu] = &nacre.cpu[cpu].isolated;
    }
    tv_init(&tv, &config);
}

_Noreturn void app_main(const struct hw_boot_info *boot)
{
    nacre_options(boot);
    nacre_gate();
    nacre_find_cpus();
    nacre_build_tables();
    nacre_isolate();
    start_trustvisor();
    root_make(&tv);
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

static __attribute__((noinline)) bool answer_cpuid(struct vcpu *vcpu)
{
    struct tv_cpuid_result result;

    if (!tv_cpuid(&tv, vcpu, (uint32_t)vcpu_gpr(vcpu, VCPU_RCX), &result)) {
        return false;
    }
    vcpu_set_gpr(vcpu, VCPU_RAX, result.eax);
    vcpu_set_gpr(vcpu, VCPU_RBX, result.ebx);
    vcpu_set_gpr(vcpu, VCPU_RCX, result.ecx);
    vcpu_set_gpr(vcpu, VCPU_RDX, result.edx);
    vcpu_skip_instruction(vcpu);
    return true;
}

/* Most of CPUID is not ours: no more than a look at the leaf. */
bool app_cpuid(struct vcpu *vcpu)
{
    return vmx_vcpu_cpuid_leaf(vcpu) == TV_CPUID_LEAF && answer_cpuid(vcpu);
}

bool app_violation(struct vcpu *vcpu, const struct vmx_exit *exit)
{
    uint64_t why = exit->qualification;
    bool has_linear = (why & EPT_VIOLATION_LINEAR_VALID) != 0;
    struct tv_access access = {
        .gpa = exit->gpa,
        .has_linear = has_linear,
        .is_table = has_linear && (why & EPT_VIOLATION_TRANSLATED) == 0,
        .write = (why & EPT_VIOLATION_WRITE) != 0,
        .execute = (why & EPT_VIOLATION_FETCH) != 0,
    };

    if (has_linear) {
        access.linear = vmx_exit_linear_address();
    }

    return tv_violation(&tv, vcpu, &access);
}

void app_isolated_exit(struct vcpu *isolated, const struct vcpu_stop *stop)
{
    if (!tv_isolated_stop(&tv, isolated, stop) && !app_cpuid(isolated)) {
        (void)vmx_emulate(isolated, &(struct vmx_exit){.reason = VMX_EXIT_CPUID});
    }
}

void app_closing(unsigned cpu)
{
    tv_wipe_all(&tv, cpu);
}

void app_summary(void)
{
    log_info("summary: PALs registered=%u total=%llu ended=%llu taken=%llu refusals=%llu",
             tv.registry.count, (unsigned long long)tv.registrations,
             (unsigned long long)tv.calls_ended, (unsigned long long)tv.taken,
             (unsigned long long)tv.refusals);
    log_info("summary: PALs measuring=%llu/%llu wiping=%llu/%llu (TSC ticks/times)",
             (unsigned long long)tv.measuring.ticks, (unsigned long long)tv.measuring.count,
             (unsigned long long)tv.wiping.ticks, (unsigned long long)tv.wiping.count);
}
