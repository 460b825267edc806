/* What is written in assembly: asm_amd64.S and asm_i386.S. */
#ifndef PAL_ASM_H
#define PAL_ASM_H

#include <stdint.h>

/* Up to six arguments; the result is negative (-errno) after an error. */
long sys_call(long number, long a, long b, long c, long d, long e, long f);

/* What a signal handler returns to. */
void sys_signal_return(void);

/* CLONE with the thread's number at *tid; the child calls function(argument) and ends. */
long sys_clone(unsigned long flags, void *stack_end, int *tid, void (*function)(void *),
               void *argument);

/* As setjmp() and longjmp(): 0, then what context_restore() was given. */
struct context {
    uintptr_t word[8];
};
uintptr_t context_save(struct context *context) __attribute__((returns_twice));
_Noreturn void context_restore(const struct context *context, uintptr_t value);

struct pal_frame {
    uintptr_t entry, count, argument[10];
    uintptr_t result, flags; /* RAX and RFLAGS after the call */
    uintptr_t damage;        /* not 0: a callee-saved register or the stack pointer changed */
};
/* With CF = 1, so that a PAL's CF = 0 is seen to be set. */
void pal_frame_call(struct pal_frame *frame);

/* Jumps to the entry with this stack pointer; whoever has pal_stack_return there comes back. */
void pal_stack_call(struct pal_frame *frame, uintptr_t stack);
extern const uint8_t pal_stack_return[];

#endif
