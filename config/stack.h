/*
 * Every stack of the hypervisor and every library's share of it, in bytes, each with its reason.
 *
 * A stack has an unmapped guard page directly below it (platform/x86_64/stacks.c); sizes are
 * multiples of the page size.  A budget is what the frames of one library may use between entering
 * it and leaving it.  The build computes both for every image and refuses one that needs more
 * (tools/build/stack.py, docs/stack.md); to give a stack or a library more room, change its number
 * here and nothing else.
 */
#ifndef CONFIG_STACK_H
#define CONFIG_STACK_H

/* Budgets ---------------------------------------------------------------------------------------*/

/* A log line is formatted in a buffer of 256 bytes. */
#define STACK_BUDGET_LIBBASE 512
/* Fetching guest instructions: a walk of the guest's tables, each entry of them through ours. */
#define STACK_BUDGET_LIBEPT 2048
/* Tables of VMCS fields are copied in parts of 100 bytes; nothing is nested deeply. */
#define STACK_BUDGET_LIBVMX 1024
/* Firmware tables are read in chunks of 64 bytes. */
#define STACK_BUDGET_LIBSMP 1024
/* A command and its response, 128 and 256 bytes. */
#define STACK_BUDGET_LIBTPM 1152
/* Quotes of the micro-TPM: registers, keys and a cipher on their way to the crypto library. */
#define STACK_BUDGET_LIBTV 2816
/* printf with newlib needs 624 bytes, with picolibc 328. */
#define STACK_BUDGET_LIBC 768
/* Making an RSA key needs 4296 bytes, signing with it or on P-256 about 2900, hashing 552. */
#define STACK_BUDGET_CRYPTO 4608
/* apps/common and the hypapp: the Linux loader keeps the memory map and its plan. */
#define STACK_BUDGET_APP 2048
/* A panic report whose console fails a CHECK, which is reported by the same functions again. */
#define STACK_BUDGET_PLATFORM 2048

/* Stacks ----------------------------------------------------------------------------------------*/

/* Per-CPU main stack: all of the boot, the run loop, exit handling and log lines. */
#define STACK_MAIN_BYTES 20480
/* NMI (IST 1): the stop of all CPUs, and an exception in it that is reported here. */
#define STACK_NMI_BYTES 12288
/* #DF (IST 2): prints the report of an overflow of any other stack. */
#define STACK_DF_BYTES 8192
/* #MC (IST 3): prints the report of a machine check. */
#define STACK_MC_BYTES 8192
/* Boot stack, in the image, only until app_main(); of the exceptions only #DF has its own yet. */
#define STACK_BOOT_BYTES 16384

/* How they fit together -------------------------------------------------------------------------*/

/* What one exception costs before its handler is called: 6 words of the CPU's, 2 more because it
 * aligns the stack, vector, error code and 15 registers. */
#define STACK_EXCEPTION_BYTES 184
/* Left over on every stack, for what this arithmetic cannot know. */
#define STACK_MARGIN_BYTES 256

/* The longest path through the arrows of LIBS (SConstruct) on the main stack: a hypapp, libtv, then
 * either the crypto library, which calls nothing of ours but what making an RSA key polls with
 * (libtv/rsa.c: the proof's own chain bounds that), or the deeper of the two libraries that
 * libtv uses, the platform, libbase, and what libbase asks of the platform; with the C library
 * below any of them.  The proof compares it with LIBS. */
#define STACK_DEEPER(a, b) ((a) > (b) ? (a) : (b))
#define STACK_PATH_BYTES                                                                           \
    (STACK_BUDGET_APP + STACK_BUDGET_LIBTV +                                                       \
     STACK_DEEPER(STACK_BUDGET_CRYPTO, STACK_DEEPER(STACK_BUDGET_LIBEPT, STACK_BUDGET_LIBVMX) +    \
                                           STACK_BUDGET_PLATFORM + STACK_BUDGET_LIBBASE +          \
                                           STACK_BUDGET_PLATFORM) +                                \
     STACK_BUDGET_LIBC)
/* One exception and its report. */
#define STACK_REPORT_BYTES (STACK_EXCEPTION_BYTES + STACK_BUDGET_PLATFORM + STACK_BUDGET_LIBC)

#ifndef __ASSEMBLER__
_Static_assert(STACK_MAIN_BYTES % 4096 == 0 && STACK_NMI_BYTES % 4096 == 0 &&
                   STACK_DF_BYTES % 4096 == 0 && STACK_MC_BYTES % 4096 == 0,
               "guard pages need page-sized stacks");

/* Only the proof looks at these, after it printed the chain that needs the room. */
#ifdef STACK_PROOF
_Static_assert(STACK_PATH_BYTES + 2 * STACK_REPORT_BYTES + STACK_MARGIN_BYTES <= STACK_MAIN_BYTES,
               "STACK_MAIN_BYTES: the longest path and two nested exceptions do not fit");
_Static_assert(STACK_DEEPER(STACK_DEEPER(STACK_BUDGET_LIBSMP, STACK_BUDGET_LIBTPM),
                            STACK_BUDGET_LIBVMX) <=
                   STACK_BUDGET_LIBTV + STACK_DEEPER(STACK_BUDGET_LIBEPT, STACK_BUDGET_LIBVMX),
               "STACK_PATH_BYTES: a path past libtv is the longer one");
_Static_assert(3 * STACK_REPORT_BYTES + STACK_MARGIN_BYTES <= STACK_NMI_BYTES,
               "STACK_NMI_BYTES: a stop and two nested exceptions do not fit");
_Static_assert(2 * STACK_REPORT_BYTES + STACK_MARGIN_BYTES <= STACK_DF_BYTES,
               "STACK_DF_BYTES: a report and an exception in it do not fit");
_Static_assert(2 * STACK_REPORT_BYTES + STACK_MARGIN_BYTES <= STACK_MC_BYTES,
               "STACK_MC_BYTES: a report and an exception in it do not fit");
_Static_assert(STACK_BUDGET_PLATFORM + STACK_BUDGET_LIBBASE + STACK_BUDGET_LIBC +
                       4 * STACK_REPORT_BYTES + STACK_MARGIN_BYTES <=
                   STACK_BOOT_BYTES,
               "STACK_BOOT_BYTES: the boot, a CHECK, two nested exceptions and an NMI do not fit");
#endif

/* Whose code a function is; the order of the table that a report looks libraries up in. */
enum stack_library {
    STACK_LIBBASE,
    STACK_LIBEPT,
    STACK_LIBVMX,
    STACK_LIBSMP,
    STACK_LIBTPM,
    STACK_LIBTV,
    STACK_LIBC,
    STACK_CRYPTO,
    STACK_APP,
    STACK_PLATFORM,
    STACK_LIBRARY_COUNT
};
#endif

#endif
