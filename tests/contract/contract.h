/*
 * Checks of the hw contract that hold on every machine: the fake one and a booted one.  Besides,
 * known answers of the cryptography, because those too must hold where the image runs.
 *
 * A file named check_... uses the headers of hw, crypto, libbase and this one only, so that it
 * links into the tests of this host (test_contract.c) and into an image.  Whoever runs the checks
 * provides contract_failed() and the machine's description; each check leaves the CPU as it found
 * it.
 */
#ifndef CONTRACT_CONTRACT_H
#define CONTRACT_CONTRACT_H

#include <base/addr.h>
#include <stdbool.h>
#include <stdint.h>

struct contract_machine {
    struct hpa scratch;     /* pages of the hypervisor's region that the checks may use, zeroed */
    uint64_t scratch_bytes; /* at least CONTRACT_SCRATCH_BYTES */
    struct hpa region_end;  /* of the hypervisor's region */
    bool has_vmx;           /* and the firmware allows it: the VMX checks may run */
};
#define CONTRACT_SCRATCH_BYTES (8 * PAGE_BYTES)

struct contract_check {
    const char *name;
    void (*run)(const struct contract_machine *machine);
    bool needs_vmx;
};

/* Tables that end with a NULL name; every check in them runs on the boot CPU, alone. */
extern const struct contract_check contract_cpu[], contract_memory[], contract_vmx[],
    contract_entry[], contract_apic[], contract_crypto[], contract_keys[], contract_xsave[];

/* Provided by the runner; may return, the check ends then. */
void contract_failed(const char *file, unsigned line, const char *expression);

#define REQUIRE(expression)                                                                        \
    do {                                                                                           \
        if (!(expression)) {                                                                       \
            contract_failed(__FILE__, __LINE__, #expression);                                      \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#endif
