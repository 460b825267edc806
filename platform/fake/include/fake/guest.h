/*
 * The guest of a fake CPU: a function that is called by each VM entry and plays what the guest does
 * until the next VM exit.
 *
 * Each "instruction" below obeys the VMCS: it either completes (and RIP moves on), or raises a
 * guest exception (returns false, see fake_guest_exception), or causes a VM exit - then it does not
 * return: hw_vmx_enter does, with the exit fields filled and state saved as by hardware.  On the
 * next entry the function starts from its top; guest->entry (0, 1, 2, ...) tells it how far it got.
 * Returning from the function without an exit means that the guest waits, as HLT without HLT
 * exiting does: a pending event ends the wait; without one the machine is stuck, which is an ending
 * (FAKE_END_TRAP).
 */
#ifndef FAKE_GUEST_H
#define FAKE_GUEST_H

#include <hw/vmx.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_guest {
    unsigned cpu;
    uint64_t entry;       /* entries that got as far as the guest, since fake_guest_set */
    struct hw_gprs *gprs; /* live registers; RSP is a VMCS field */
    void *arg;
};

typedef void fake_guest_fn(struct fake_guest *guest);
void fake_guest_set(unsigned cpu, fake_guest_fn *fn, void *arg);

/* Guest state as the guest's own hardware holds it (field encodings of the guest-state area). */
uint64_t fake_guest_get(struct fake_guest *guest, uint32_t field);
void fake_guest_put(struct fake_guest *guest, uint32_t field, uint64_t value);
/* MSRs as they are while the guest runs, around the bitmap. */
uint64_t fake_guest_msr(struct fake_guest *guest, uint32_t msr);

/* Instructions.  false: a guest exception was raised instead. */
bool fake_guest_cpuid(struct fake_guest *guest, uint32_t leaf, uint32_t subleaf);
bool fake_guest_rdmsr(struct fake_guest *guest, uint32_t msr, uint64_t *value);
bool fake_guest_wrmsr(struct fake_guest *guest, uint32_t msr, uint64_t value);
bool fake_guest_in(struct fake_guest *guest, uint16_t port, unsigned bytes, uint32_t *value);
bool fake_guest_out(struct fake_guest *guest, uint16_t port, unsigned bytes, uint32_t value);
/* String I/O always goes through memory at the linear address; exits or #UD of the fake only. */
void fake_guest_string_io(struct fake_guest *guest, uint16_t port, unsigned bytes, bool in,
                          bool rep, uint64_t linear_address);
bool fake_guest_mov_to_cr(struct fake_guest *guest, unsigned cr, enum hw_gpr from);
bool fake_guest_mov_from_cr(struct fake_guest *guest, unsigned cr, enum hw_gpr to);
bool fake_guest_clts(struct fake_guest *guest);
bool fake_guest_lmsw(struct fake_guest *guest, uint16_t value);
bool fake_guest_xsetbv(struct fake_guest *guest, uint32_t index, uint64_t value);
void fake_guest_vmcall(struct fake_guest *guest);
/* VMXON .. INVVPID: the exit reason says which (SDM appendix "VMX Basic Exit Reasons"). */
void fake_guest_vmx_instruction(struct fake_guest *guest, uint32_t exit_reason);
void fake_guest_hlt(struct fake_guest *guest);
bool fake_guest_invd(struct fake_guest *guest);
bool fake_guest_wbinvd(struct fake_guest *guest);
bool fake_guest_rdtsc(struct fake_guest *guest, uint64_t *value);
bool fake_guest_invlpg(struct fake_guest *guest, uint64_t linear_address);
bool fake_guest_mov_dr(struct fake_guest *guest, unsigned dr, enum hw_gpr gpr, bool to_dr);
void fake_guest_iret(struct fake_guest *guest); /* only its effect on NMI blocking */
void fake_guest_sti(struct fake_guest *guest);
void fake_guest_triple_fault(struct fake_guest *guest);
/* Any exit at all, as hardware would store it; for exits the functions above do not have. */
_Noreturn void fake_guest_exit(struct fake_guest *guest, uint32_t reason, uint64_t qualification,
                               uint32_t instruction_bytes);
/* Cycles in which nothing exits by itself: events, windows, preemption timer, MTF. */
void fake_guest_run(struct fake_guest *guest, uint64_t cycles);

/* An exception raised by the guest: VM exit if the exception bitmap says so, else recorded. */
bool fake_guest_raise(struct fake_guest *guest, unsigned vector, bool has_error_code,
                      uint32_t error_code);

/*
 * Guest-physical accesses through EPT (or identity without EPT) and this CPU's cache, at most to
 * the end of the page; EPT violations and misconfigurations exit.  The linear address reported is
 * the physical one, unless fake_guest_linear was called before.
 */
void fake_guest_read(struct fake_guest *guest, uint64_t gpa, void *to, size_t bytes);
void fake_guest_write(struct fake_guest *guest, uint64_t gpa, const void *from, size_t bytes);
void fake_guest_fetch(struct fake_guest *guest, uint64_t gpa, void *to, size_t bytes);
void fake_guest_linear(struct fake_guest *guest, uint64_t linear_address);

/* The same by linear address: guest paging (32-bit, PAE, 4-level) under EPT; page faults raise #PF.
 */
bool fake_guest_load(struct fake_guest *guest, uint64_t linear, void *to, size_t bytes);
bool fake_guest_store(struct fake_guest *guest, uint64_t linear, const void *from, size_t bytes);
bool fake_guest_execute(struct fake_guest *guest, uint64_t linear);

/* What reached the guest: injected events and exceptions it raised, oldest first. */
struct fake_delivery {
    uint8_t vector;
    uint8_t
        type; /* interruption type of the SDM: 0 external, 2 NMI, 3 exception, 4 .. 6 software */
    bool has_error_code;
    uint32_t error_code;
    bool injected;  /* by VM entry, else raised by the guest itself */
    uint64_t entry; /* guest->entry at that time */
    uint64_t rip, cr2;
};
size_t fake_delivery_count(unsigned cpu);
const struct fake_delivery *fake_delivery_at(unsigned cpu, size_t index);
void fake_deliveries_clear(unsigned cpu);
/* Delivery pushes to the guest's stack at this guest-physical address; an EPT violation there cuts
 * it short with IDT-vectoring information.  ~0 (default): delivery touches no memory. */
void fake_delivery_stack(unsigned cpu, uint64_t gpa);

/* VM exits since fake_guest_set, by basic exit reason, and all of them. */
uint64_t fake_exits(unsigned cpu, uint32_t reason);
uint64_t fake_exits_all(unsigned cpu);

#endif
