/*
 * Takes the root secret from the machine's TPM through its FIFO interface, twice: the second time
 * it must be locked.  What it gets is told, so that two boots can be compared.  Starts no guest.
 */
#include "nacre.h"
#include "no_pals.h"

#include <base/log.h>
#include <hw/cpu.h>
#include <stdio.h>
#include <string.h>
#include <tpm/root.h>

static const char *const outcomes[] = {
    [TPM_ROOT_FOUND] = "found", [TPM_ROOT_NO_TPM] = "no TPM", [TPM_ROOT_UNUSABLE] = "unusable"};

static void take(void)
{
    uint8_t fresh[TPM_ROOT_BYTES], secret[TPM_ROOT_BYTES];
    char text[2 * TPM_ROOT_BYTES + 1];

    memset(fresh, 0x5a, sizeof(fresh));
    uint64_t start = hw_rdtsc();
    enum tpm_root outcome = tpm_root_secret(fresh, secret);
    uint64_t ms = (hw_rdtsc() - start) / (hw_tsc_hz() / 1000);
    for (unsigned i = 0; i < TPM_ROOT_BYTES; i++) {
        snprintf(text + 2 * i, 3, "%02x", secret[i]);
    }
    log_info("test: %s %s after %llu ms", outcomes[outcome], text, (unsigned long long)ms);
}

_Noreturn void app_main(const struct hw_boot_info *boot)
{
    nacre_options(boot);
    take();
    take();
    log_info("test: done");
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
