/*
 * For programs that run in a guest, 32-bit or 64-bit: is Nacre's TrustVisor there, and calls to it.
 *
 * Nothing here keeps state, takes memory or needs a C library; any thread of ring 3 or ring 0 may
 * call it on any CPU.  Numbers, structures, errors and their texts (tv_error_text()) are those of
 * <tv/abi.h>, the hypervisor's own header.
 */
#ifndef NACRE_NACRE_H
#define NACRE_NACRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tv/abi.h>

struct nacre_presence {
    uint32_t pal;   /* id of the PAL that this code is, TV_CPUID_NO_PAL outside of one */
    bool is_64bit;  /* what the hypervisor takes this code for */
    bool is_nested; /* this system runs in a virtual machine of another one */
};

/*
 * True if there is a TrustVisor: without one every call below raises an invalid-opcode exception
 * (SIGILL), so ask first.  Never fails, on any CPU.  presence may be NULL.
 */
bool nacre_detect(struct nacre_presence *presence);

/* Arguments in the order of the registers of the interface: CX, DX, SI, DI. */
struct nacre_arguments {
    uintptr_t cx, dx, si, di;
};

/* A hypercall by its number: TV_OK or another value of enum tv_error. */
enum tv_error nacre_call(uint32_t number, const struct nacre_arguments *arguments);

/* TV_TEST: the hypervisor logs the value with one line and does nothing else. */
enum tv_error nacre_test(uintptr_t value);

#endif
