/*
 * The guest interface as a hypapp uses it: detection and hypercalls.
 *
 * The hypapp owns struct tv and calls from its run loop, on the vCPU's own CPU while it is stopped
 * in an exit: tv_cpuid() for the leaf TV_CPUID_LEAF, tv_hypercall() for VMCALL.  Both may run on
 * all CPUs at once.  Nothing here fails for the hypapp: what a guest does wrong is a number in its
 * EAX.
 */
#ifndef TV_TV_H
#define TV_TV_H

#include <base/spinlock.h>
#include <tv/registry.h>

struct tv {
    struct spinlock lock; /* of the registry */
    struct tv_registry registry;
    uint32_t running[CONFIG_MAX_CPUS]; /* id of the PAL on each CPU, or TV_CPUID_NO_PAL */
};

/* Boot CPU, before the guest runs. */
void tv_init(struct tv *tv);

struct tv_cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};

/* Answers TV_CPUID_LEAF; false for an ecx that is not ours: let the guest have what the CPU says.
 */
bool tv_cpuid(const struct tv *tv, const struct vcpu *vcpu, uint32_t ecx,
              struct tv_cpuid_result *result);

/* Does the hypercall, stores its result in RAX and steps over the VMCALL. */
void tv_hypercall(struct tv *tv, struct vcpu *vcpu);

#endif
