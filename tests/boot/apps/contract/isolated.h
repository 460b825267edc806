/* Isolated code for the checks: a few bytes in a page of its own, on the boot CPU. */
#ifndef CONTRACT_ISOLATED_H
#define CONTRACT_ISOLATED_H

#include "../../../contract/contract.h"

#include <vmx/cpu.h>
#include <vmx/isolated.h>
#include <vmx/vcpu.h>

/* What its page tables map. */
#define ISOLATED_CODE 0x400000ULL
#define ISOLATED_DATA 0x401000ULL       /* its stack ends here + 4 KiB */
#define ISOLATED_SUPERVISOR 0x402000ULL /* present, for supervisors only */
#define ISOLATED_NO_EPT 0x403000ULL     /* in its page tables, not in its nested ones */
#define ISOLATED_NOT_PRESENT 0x404000ULL
#define ISOLATED_STACK (ISOLATED_DATA + 0x1000)

#define ISOLATED_SCRATCH_BYTES (32 * PAGE_BYTES)

struct isolated_machine {
    struct vmx_caps caps;
    struct vcpu guest, isolated;
    struct vcpu_isolated_start start; /* the last one */
    struct hpa scratch;
    uint64_t cr0, cr4;
};

/* VMX operation, a guest's vCPU that is loaded, and one for isolated code; false: it failed. */
bool isolated_open(const struct contract_machine *machine, struct isolated_machine *on);
bool isolated_close(struct isolated_machine *on);

/* Puts the code in place and starts it; isolated_run() goes on with it. */
void isolated_start(struct isolated_machine *on, enum vcpu_width width, bool vector,
                    const uint8_t *code, unsigned bytes);
struct vcpu_stop isolated_run(struct isolated_machine *on);
void isolated_end(struct isolated_machine *on);

extern const struct contract_check contract_isolated[], contract_isolated_resources[];

#endif
