/*
 * The guest's BIOS memory calls (INT 15h AX=E820h, E801h, E881h, AH=88h) answered from the guest's
 * map, so that the hypervisor's memory stays hidden from whoever asks the BIOS.  A few bytes at the
 * top of conventional memory take the interrupt: those four calls go to VMCALL (in virtual-8086
 * mode, where addresses may be paged, to an error), all others to the BIOS.  Installed by the boot
 * CPU before the guest runs; int15_handle() runs on any CPU, needs no lock (the map is read-only by
 * then) and treats every register as hostile.
 */
#ifndef APPS_INT15_H
#define APPS_INT15_H

#include "memmap.h"

#include <base/status.h>
#include <stdbool.h>
#include <stdint.h>

#define INT15_HOOK_BYTES 1024

struct int15_hook {
    uint64_t start;  /* INT15_HOOK_BYTES there are reserved in the map */
    uint32_t vmcall; /* linear address (CS base + IP) of the VMCALL */
};

/* Guest registers at the VMCALL, in real mode. */
struct int15_regs {
    uint32_t eax, ebx, ecx, edx, edi, esp;
    uint64_t es_base, ss_base;
};

/*
 * Reserves the hook in map, takes it off the BIOS's count of conventional memory (0:0413) and
 * redirects vector 15h.  STATUS_UNSUPPORTED: the machine has no usable conventional memory (no
 * BIOS); nothing was changed then.
 */
enum status int15_install(struct memmap *map, struct int15_hook *hook);

/*
 * Answers one call: changes regs, the caller's buffer, and the carry flag of the FLAGS image that
 * INT pushed at SS:SP+4 (only SP[15:0] counts).  The caller then steps over the VMCALL.  Bad
 * arguments set carry and AH=86h.  STATUS_FAULT: the stack is no RAM of the guest's, so the guest
 * could not be told; resume it all the same.
 */
enum status int15_handle(const struct memmap *map, struct int15_regs *regs);

#endif
