/* Exceptions in the hypervisor: fix-ups for the _safe accesses, and the report of all others. */
#ifndef X86_TRAPS_H
#define X86_TRAPS_H

#include <stdbool.h>
#include <stdint.h>

/* As pushed by traps.S; the last five by the CPU. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* An instruction that may fault, and where to go on if it does. */
struct trap_fixup {
    uint64_t rip, landing;
};

void trap_handle(struct trap_frame *frame);

/* Index + 1 of the CPU that reports a panic, 0 while there is none; NMIs then park their CPU. */
extern uint32_t trap_panic_cpu;

/* An NMI while somebody panics: parks the calling CPU, unless it is the one that reports. */
void panic_nmi(uint64_t rip, uint64_t rsp);

/* Parks the calling CPU if another one panicked; used where an NMI came as a VM exit. */
void panic_park_if_stopped(void);

/*
 * Starts a panic report: stops the other CPUs.  If another CPU was first, parks for ever; if this
 * CPU was in its report already, says so and ends.  The report_*() calls wanted and panic_finish()
 * follow.
 */
void panic_begin(uint64_t rip, uint64_t rsp);
void panic_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void panic_finish(void);

/* One line if address is in a guard page; false if it is not. */
bool report_overflow(uint64_t address);
/* Two lines: the budget of the library that rip is in, and the use of the stack of rsp. */
void report_stack_of(uint64_t rip, uint64_t rsp);
void report_backtrace(uint64_t rip, uint64_t rsp, uint64_t rbp);
/* This CPU's guest, then every other CPU: where it was, its stack, its guest. */
void report_cpus(void);

/* Nearest function symbol at or below address; NULL if outside the image's text. */
const char *symbol_find(uint64_t address, uint64_t *offset);
/* Name of the library that the code at address belongs to, and its budget; NULL if unknown. */
const char *symbol_library(uint64_t address, uint32_t *budget_bytes);

#endif
