/*
 * Every stack of the hypervisor, in bytes, each with its reason.  Each one has an unmapped guard
 * page directly below it (platform/x86_64/stacks.c).  Sizes are multiples of the page size.
 */
#ifndef CONFIG_STACK_H
#define CONFIG_STACK_H

/* Per-CPU main stack: the run loop, exit handling and log formatting; interrupts never nest on it.
 */
#define STACK_MAIN_BYTES 16384
/* NMI (IST 1): sets one flag; the stop of all CPUs on a panic formats its report here. */
#define STACK_NMI_BYTES 8192
/* #DF (IST 2): prints the report of an overflow of any other stack. */
#define STACK_DF_BYTES 8192
/* #MC (IST 3): prints the report of a machine check. */
#define STACK_MC_BYTES 8192

_Static_assert(STACK_MAIN_BYTES % 4096 == 0 && STACK_NMI_BYTES % 4096 == 0 &&
                   STACK_DF_BYTES % 4096 == 0 && STACK_MC_BYTES % 4096 == 0,
               "guard pages need page-sized stacks");

#endif
