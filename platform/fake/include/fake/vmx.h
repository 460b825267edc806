/*
 * VMX state of the fake CPUs as a test sees it: VMCS content, why an entry failed, translations
 * that the CPUs have cached.
 */
#ifndef FAKE_VMX_H
#define FAKE_VMX_H

#include <base/addr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool fake_vmx_on(unsigned cpu);
/* Address of the current VMCS, ~0 if none. */
uint64_t fake_current_vmcs(unsigned cpu);
/* CPU on which the VMCS is active; -1 = none. */
int fake_vmcs_active_cpu(struct hpa vmcs);
bool fake_vmcs_launched(struct hpa vmcs);

/* A field, around all rules but its width (read-only ones can be set); the field exists: CHECKed.
 */
uint64_t fake_vmcs_get(struct hpa vmcs, uint32_t field);
void fake_vmcs_set(struct hpa vmcs, uint32_t field, uint64_t value);
/* The same for the current VMCS of a CPU. */
uint64_t fake_field(unsigned cpu, uint32_t field);
void fake_field_set(unsigned cpu, uint32_t field, uint64_t value);
bool fake_field_exists(uint32_t field);
/* True once software wrote the field since its VMCLEAR of a new region. */
bool fake_field_written(unsigned cpu, uint32_t field);

/* First rule that the last entry on this CPU broke, in the SDM's terms; "" if none. */
const char *fake_entry_error(unsigned cpu);
/* Runs the checks of a VM entry on the current VMCS without entering; NULL = would enter. */
const char *fake_entry_check(unsigned cpu);

/* EPT walker of the machine, without its cache. */
enum fake_walk_result { FAKE_WALK_OK, FAKE_WALK_VIOLATION, FAKE_WALK_MISCONFIGURED };
struct fake_walk {
    enum fake_walk_result result;
    uint64_t hpa;        /* of the address itself */
    uint64_t page_bytes; /* of the leaf, or of what the missing entry would map */
    uint8_t rights;      /* R, W, X in bits 0, 1, 2: the AND of all levels */
    uint8_t memory_type; /* of the leaf */
    bool ignore_pat;
    uint64_t entry_address; /* of the last entry read */
    uint64_t entry;
};
struct fake_walk fake_ept_walk(uint64_t ept_pointer, uint64_t gpa);

/* Cached translations of one CPU.  They stay until INVEPT, INVVPID or an EPT violation. */
size_t fake_tlb_count(unsigned cpu);
/* Cached ones that the tables in memory no longer give: each is a missing invalidation. */
size_t fake_tlb_stale(unsigned cpu);
/* Puts the translation into the cache as a speculative access would; false if not present. */
bool fake_tlb_fill(unsigned cpu, uint64_t ept_pointer, uint64_t gpa);
void fake_tlb_flush(unsigned cpu);

/* INVEPT and INVVPID that dropped nothing stale; a table change that takes rights away and is
 * followed by one invalidation on each CPU leaves this at 0 if the CPU had used the translation. */
uint64_t fake_superfluous_invalidations(unsigned cpu);
uint64_t fake_useful_invalidations(unsigned cpu);

#endif
