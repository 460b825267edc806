/* Runs all checks of the contract on the fake machine, for every CPU model and both APIC modes,
 * and those of the cryptography. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake/machine.h>

/* The check files are parts of this program here; in an image they are linked. */
#include "check_apic.c"
#include "check_cpu.c"
#include "check_crypto.c"
#include "check_entry.c"
#include "check_keys.c"
#include "check_memory.c"
#include "check_vmx.c"
#include "check_xsave.c"

#include <hw/mem.h>

static const char *current_check;

void contract_failed(const char *file, unsigned line, const char *expression)
{
    fail_msg("%s:%u: %s: %s", file, line, current_check, expression);
}

static void run(const struct contract_check *checks, const struct fake_config *config)
{
    for (; checks->name; checks++) {
        fake_machine_reset(config);
        const struct hw_boot_info *info = fake_boot_info();
        void *scratch = fake_region_alloc(CONTRACT_SCRATCH_BYTES, PAGE_BYTES);
        struct contract_machine machine = {
            .scratch = hw_region_address(scratch),
            .scratch_bytes = CONTRACT_SCRATCH_BYTES,
            .region_end = hpa(info->region.v + info->region_bytes),
            .has_vmx = config->model < FAKE_MODEL_LOCKED_OFF,
        };
        current_check = checks->name;
        if (machine.has_vmx || !checks->needs_vmx) {
            checks->run(&machine);
        }
    }
}

static void test_contract(void **state)
{
    (void)state;
    for (unsigned model = 0; model < 2 * FAKE_MODEL_COUNT; model++) {
        struct fake_config config = fake_config_default();
        config.model = (enum fake_model)(model / 2);
        config.x2apic = model % 2 && config.model != FAKE_MODEL_NO_EPT;
        run(contract_cpu, &config);
        run(contract_memory, &config);
        run(contract_vmx, &config);
        run(contract_entry, &config);
        run(contract_apic, &config);
        run(contract_xsave, &config);
    }
}

/* Nothing of the machine's: once is enough. */
static void test_crypto(void **state)
{
    (void)state;
    struct fake_config config = fake_config_default();
    run(contract_crypto, &config);
    run(contract_keys, &config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_contract),
                                       cmocka_unit_test(test_crypto)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
