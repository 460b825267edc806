/*
 * What the CPUs can do: CPUID, MSRs, VMX capabilities, control registers.  All CPUs are alike;
 * setters change every one of them unless they name a CPU.  Effective until the next reset.
 */
#ifndef FAKE_MODEL_H
#define FAKE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum fake_model {
    FAKE_MODEL_SKYLAKE,         /* everything of a server of about 2017 */
    FAKE_MODEL_SANDY_BRIDGE,    /* 2011: no INVPCID, no XSAVES, no EPT A/D bits */
    FAKE_MODEL_NO_1G_EPT,       /* as Skylake, EPT with 4-KiB and 2-MiB pages only */
    FAKE_MODEL_NO_UNRESTRICTED, /* Nehalem-like: EPT and VPID, no unrestricted guest */
    FAKE_MODEL_NO_EPT,          /* Penryn-like: VMX with no EPT, no VPID, no true controls */
    FAKE_MODEL_LOCKED_OFF,      /* as Skylake, IA32_FEATURE_CONTROL locked without VMX */
    FAKE_MODEL_NO_VMX,          /* CPUID.1:ECX.VMX clear, no VMX MSR exists */
    FAKE_MODEL_COUNT
};
const char *fake_model_name(enum fake_model model);

enum fake_reg { FAKE_EAX, FAKE_EBX, FAKE_ECX, FAKE_EDX };

/* CPUID.  OSXSAVE, OSPKE, the APIC ID and the x2APIC ID are computed when read. */
void fake_cpuid_set(uint32_t leaf, uint32_t subleaf, enum fake_reg reg, uint32_t value);
uint32_t fake_cpuid_get(uint32_t leaf, uint32_t subleaf, enum fake_reg reg);
void fake_cpuid_clear_bits(uint32_t leaf, uint32_t subleaf, enum fake_reg reg, uint32_t bits);
void fake_cpuid_set_bits(uint32_t leaf, uint32_t subleaf, enum fake_reg reg, uint32_t bits);
void fake_maxphyaddr_set(unsigned bits);
/* stuck: every random number is this; else they follow from it. */
void fake_random_stick(bool stuck, uint64_t value);

/* MSRs.  A write with a reserved bit set, and any write to a read-only one, raises #GP. */
void fake_msr_define(uint32_t msr, uint64_t value, uint64_t reserved, bool read_only);
void fake_msr_remove(uint32_t msr);
bool fake_msr_exists(uint32_t msr);
/* Around all rules; on one CPU.  CHECKs that the MSR exists. */
uint64_t fake_msr_get(unsigned cpu, uint32_t msr);
void fake_msr_set(unsigned cpu, uint32_t msr, uint64_t value);

/* VMX capabilities (SDM appendix "VMX Capability Reporting Facility"). */
enum fake_controls { FAKE_PIN, FAKE_PRIMARY, FAKE_SECONDARY, FAKE_EXIT, FAKE_ENTRY };
/* These control bits can no longer be 1, in the old and the "true" MSR. */
void fake_vmx_deny(enum fake_controls controls, uint32_t bits);
/* These control bits must be 1. */
void fake_vmx_force(enum fake_controls controls, uint32_t bits);
void fake_vmx_ept_vpid_clear(uint64_t bits);
/* IA32_VMX_BASIC[55] = 0: the "true" MSRs do not exist. */
void fake_vmx_no_true_controls(void);

/* Control registers of any CPU, around all rules. */
uint64_t fake_cr_get(unsigned cpu, unsigned cr);
void fake_cr_set(unsigned cpu, unsigned cr, uint64_t value);
uint64_t fake_xcr0(unsigned cpu);

#endif
