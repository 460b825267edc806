/* Hypercalls of PALs, on the CPU that the PAL runs on. */
#ifndef LIBTV_HYPERCALL_H
#define LIBTV_HYPERCALL_H

#include <vcpu/vcpu.h>

/* VMCALL of the PAL that is loaded: stores the result in its RAX and steps over the instruction. */
void tv_hypercall_of_pal(struct vcpu *isolated);

#endif
