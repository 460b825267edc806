/*
 * Limits and features of the image.  Every number has its reason beside it; changing it here is all
 * that has to be done.  Stack sizes and budgets are in stack.h.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#define NACRE_VERSION "0.1"
#define NACRE_VERSION_NUMBER 0x00000001U /* the same: major << 16 | minor */

/* CPUs that one image can run; each costs its stacks and about 28 KiB of per-CPU pages. */
#define CONFIG_MAX_CPUS 8

/* Entries of the firmware's memory map that are kept; real machines report 10 to 60. */
#define CONFIG_MAX_MEMORY_RANGES 128

/* Multiboot modules: kernel and initrd, and some for hypapps. */
#define CONFIG_MAX_MODULES 8

/* Longest command line, of Nacre and of each module, with its NUL (Linux takes 2048 on x86). */
#define CONFIG_CMDLINE_BYTES 2048

/* Physical memory that the host's direct map covers; guests with more RAM are refused at boot. */
#define CONFIG_MAX_PHYS_BYTES (512ULL << 30)

/* Nested page tables beyond those of the identity map: splits, the window above RAM, and what PALs
 * have: a small one takes 8 pages for its tables and 1 for a split of the guest's. */
#define CONFIG_GUEST_TABLE_PAGES 128 /* of these: PALs leave them alone */
#define CONFIG_SPARE_TABLE_PAGES (CONFIG_GUEST_TABLE_PAGES + 9 * CONFIG_MAX_PALS)

/* How long a rendezvous or the start of a CPU may take before it is reported. */
#define CONFIG_RENDEZVOUS_TIMEOUT_US 1000000
#define CONFIG_AP_START_TIMEOUT_US 200000

/* PALs registered at once, and 4-KiB pages that one of them may have (64 MiB). */
#define CONFIG_MAX_PALS 128
#define CONFIG_MAX_PAL_PAGES 16384

#endif
