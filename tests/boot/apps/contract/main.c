/*
 * Runs the checks of tests/contract on the real platform, and those of isolated code, which need a
 * CPU that executes; on the boot CPU, and starts no guest.
 */
#include "isolated.h"
#include "nacre.h"
#include "no_pals.h"

/* The check files are parts of this program, as in tests/contract/test_contract.c. */
#include "../../../contract/check_apic.c"
#include "../../../contract/check_cpu.c"
#include "../../../contract/check_crypto.c"
#include "../../../contract/check_entry.c"
#include "../../../contract/check_keys.c"
#include "../../../contract/check_memory.c"
#include "../../../contract/check_vmx.c"
#include "../../../contract/check_xsave.c"

#include <base/check.h>
#include <base/log.h>
#include <hw/cpu.h>
#include <hw/mem.h>

static unsigned passed, failed;
static bool current_failed;

void contract_failed(const char *file, unsigned line, const char *expression)
{
    log_error("contract: %s:%u: %s", file, line, expression);
    current_failed = true;
}

static void run(const struct contract_check *checks, const struct contract_machine *machine)
{
    for (; checks->name; checks++) {
        if (checks->needs_vmx && !machine->has_vmx) {
            continue;
        }
        CHECK(hw_phys_zero(machine->scratch, machine->scratch_bytes) == STATUS_OK);
        current_failed = false;
        checks->run(machine);
        passed += !current_failed;
        failed += current_failed;
        log_info("contract: %s %s", current_failed ? "FAIL" : "ok", checks->name);
    }
}

_Noreturn void app_main(const struct hw_boot_info *boot)
{
    struct vmx_caps caps;
    struct contract_machine machine = {
        .scratch = boot->pool,
        .scratch_bytes = ISOLATED_SCRATCH_BYTES,
        .region_end = hpa(boot->region.v + boot->region_bytes),
    };

    nacre_options(boot);
    vmx_caps_read(&caps);
    machine.has_vmx = vmx_gate(&caps) == VMX_MISSING_NOTHING;
    run(contract_cpu, &machine);
    run(contract_memory, &machine);
    run(contract_vmx, &machine);
    run(contract_entry, &machine);
    run(contract_apic, &machine);
    run(contract_crypto, &machine);
    run(contract_keys, &machine);
    run(contract_xsave, &machine);
    run(contract_isolated, &machine);
    run(contract_isolated_resources, &machine);
    log_info("contract: %u passed, %u failed", passed, failed);
    hw_halt();
}

_Noreturn void app_ap_main(unsigned cpu)
{
    nacre_run_ap(cpu);
}

bool app_vmcall(struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}

bool app_cpuid(struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}

void app_summary(void)
{
}
