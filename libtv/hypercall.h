/* Hypercalls of PALs, on the CPU that the PAL runs on. */
#ifndef LIBTV_HYPERCALL_H
#define LIBTV_HYPERCALL_H

#include <tv/tv.h>

/* VMCALL of the PAL that is loaded: stores the result in its RAX and steps over the instruction. */
void tv_hypercall_of_pal(struct tv *tv, struct vcpu *isolated);

#endif
