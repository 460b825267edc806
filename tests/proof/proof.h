/*
 * What the proofs share.  A harness is a main() for CBMC: it takes inputs of which nothing is
 * known, assumes what the callers promise, calls the code, and states what must hold for all of
 * them.  Its opening comment names the sources and CBMC's options (tools/prove.py reads both).
 */
#ifndef TESTS_PROOF_H
#define TESTS_PROOF_H

#include <stdbool.h>
#include <stdint.h>

/* A value of the type of which nothing is known: to CBMC, functions of these names are that. */
bool nondet_bool(void);
uint8_t nondet_u8(void);
uint16_t nondet_u16(void);
uint32_t nondet_u32(void);
uint64_t nondet_u64(void);
unsigned nondet_unsigned(void);

#define proof_assume(condition) __CPROVER_assume(condition)
#define proof_assert(condition) __CPROVER_assert(condition, #condition)

/*
 * The last statement of every harness.  It must fail: if it does not, the assumptions contradict
 * each other and whatever was "proved" is true of no input.
 */
#define proof_reached() __CPROVER_assert(false, "the end is reached")

/* A CHECK of the code under proof must hold, and nothing runs after a broken one. */
_Noreturn void base_check_failed(const char *file, unsigned line, const char *expression)
{
    (void)file;
    (void)line;
    (void)expression;
    __CPROVER_assert(false, "CHECK holds");
    __CPROVER_assume(false);
}

#endif
