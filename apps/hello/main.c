/*
 * The smallest hypapp: boots the guest on all CPUs and answers one hypercall.  To write your own,
 * copy this folder and build with `scons app=PATH`.
 */
#include "nacre.h"
#include "no_pals.h"

#include <base/log.h>

#define HELLO_NUMBER 0x68656c6c /* "hell" in EAX; answers with the number of greetings so far */

static uint64_t greetings;

_Noreturn void app_main(const struct hw_boot_info *boot)
{
    nacre_options(boot);
    nacre_gate();
    nacre_find_cpus();
    nacre_build_tables();
    nacre_start_cpus();
    nacre_load_guest();
    log_info("hello from a hypapp");
    nacre_run(0);
}

_Noreturn void app_ap_main(unsigned cpu)
{
    nacre_run_ap(cpu);
}

bool app_vmcall(struct vcpu *vcpu)
{
    if ((uint32_t)vcpu_gpr(vcpu, VCPU_RAX) != HELLO_NUMBER) {
        return false;
    }
    vcpu_set_gpr(vcpu, VCPU_RAX, __atomic_add_fetch(&greetings, 1, __ATOMIC_RELAXED));
    vcpu_skip_instruction(vcpu);
    return true;
}

bool app_cpuid(struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}

void app_summary(void)
{
    log_info("summary: greetings %llu", (unsigned long long)greetings);
}
