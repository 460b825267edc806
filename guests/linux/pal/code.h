/*
 * Functions that become PALs.  They lie in a section of their own, use no address of the program
 * and call nothing outside of it, so that a copy of the section works anywhere: client.c puts one
 * behind a page of data (struct pal_data), which the functions find by their distance.
 */
#ifndef PAL_CODE_H
#define PAL_CODE_H

#include "sys.h"

struct pal_data {
    /* pal_mix: what the parameters are. */
    uintptr_t param_start, param_end;
    uint32_t count;
    struct {
        uint32_t type, words;
    } param[10];
    /* pal_secret and pal_count */
    uintptr_t secret;
    uintptr_t calls;
};

#define PAL_MIX_STRAY 0xbadU /* result: a pointer that is not into the PARAM section */

uintptr_t pal_zero(void);               /* PAL_ZERO */
uintptr_t pal_add_one(uintptr_t value); /* value + 1 */
uintptr_t pal_double(uintptr_t factor, uintptr_t *words);
uintptr_t pal_weighted(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f,
                       uintptr_t g, uintptr_t h, uintptr_t i, uintptr_t j);
uintptr_t pal_cpuid(uintptr_t which); /* EAX, EBX, ECX, EDX of the detection leaf */
uintptr_t pal_stack_pointer(void);    /* at the entry */
uintptr_t pal_flags(void);
uintptr_t pal_mix(void);                                /* as struct pal_data says */
uintptr_t pal_secret(uintptr_t store, uintptr_t value); /* the secret that was there before */
uintptr_t pal_count(uintptr_t loops);                   /* how often it was called */
uintptr_t pal_peek(uintptr_t address);
uintptr_t pal_poke(uintptr_t address, uintptr_t value);
uintptr_t pal_call_at(uintptr_t address, uintptr_t value);
uintptr_t pal_checksum(const uint8_t *in, uint8_t *out, uintptr_t bytes); /* out: in, inverted */
uintptr_t pal_vector(void); /* 0 if XMM0 was; leaves other values in all */
uintptr_t pal_hypercall(uintptr_t number, uintptr_t argument);

#define PAL_ZERO 0x5a45524fU
#define PAL_DOUBLE_WORDS 4U

enum pal_misdeed {
    MISDEED_NONE,
    MISDEED_DIVIDE,
    MISDEED_UD2,
    MISDEED_HLT,
    MISDEED_INT80,
    MISDEED_SYSCALL,
    MISDEED_SYSENTER,
    MISDEED_PORT,
    MISDEED_CR3,
    MISDEED_BREAKPOINT,
    MISDEED_READ, /* of the address given */
    MISDEED_WRITE,
    MISDEED_JUMP,
    MISDEED_SMASH, /* its own return address */
    MISDEED_STACK, /* the address becomes its stack pointer */
    MISDEED_VECTOR,
    MISDEED_LOOP,
    MISDEED_COUNT
};
uintptr_t pal_misbehave(uintptr_t misdeed, uintptr_t address);

/*
 * A hypercall whose structures are a pointer parameter of the PAL's: addresses in them, and those
 * that are arguments, are distances from the parameter's start until the PAL makes them addresses.
 */
struct pal_request {
    uint32_t number;
    uint32_t address_count;
    uint32_t address_at[6]; /* words to which the start is added */
    uintptr_t argument[4];  /* CX, DX, SI, DI */
    uint32_t plain[4];      /* not 0: the argument is no address */
    uint8_t byte[2560];
    uint64_t ticks; /* written: of the time-stamp counter, from before the hypercall to after it */
};
uintptr_t pal_service(struct pal_request *request);

/* The section's bounds, from the linker. */
extern const uint8_t __start_pal_code[], __stop_pal_code[];

#endif
