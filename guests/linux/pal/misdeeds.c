/* What a PAL must not do: pal_misbehave() of code.h. */
#include "code.h"

#define PAL __attribute__((section("pal_code"), noinline, used))
#define INLINE static inline __attribute__((always_inline))

#ifdef __x86_64__
#define STACK_POINTER "rsp"
#else
#define STACK_POINTER "esp"
#endif

INLINE void forbidden_instruction(uintptr_t misdeed)
{
    if (misdeed == MISDEED_DIVIDE) {
        uint32_t low = 1, high = 0, zero = 0;
        __asm__ volatile("divl %2" : "+a"(low), "+d"(high) : "r"(zero) : "cc");
    } else if (misdeed == MISDEED_UD2) {
        __asm__ volatile("ud2");
    } else if (misdeed == MISDEED_HLT) {
        __asm__ volatile("hlt");
    } else if (misdeed == MISDEED_INT80) {
        long number = sizeof(long) == 8 ? 39 : 20; /* getpid */
        __asm__ volatile("int $0x80" : "+a"(number)::"memory");
    } else if (misdeed == MISDEED_SYSCALL) {
        long number = 39;
        __asm__ volatile("syscall" : "+a"(number)::"ecx", "memory");
    } else if (misdeed == MISDEED_SYSENTER) {
        __asm__ volatile("sysenter");
    } else if (misdeed == MISDEED_PORT) {
        __asm__ volatile("inb $0x80, %%al" ::: "eax");
    } else if (misdeed == MISDEED_CR3) {
        uintptr_t cr3;
        __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    } else if (misdeed == MISDEED_BREAKPOINT) {
        __asm__ volatile("int3");
    } else if (misdeed == MISDEED_VECTOR) {
        __asm__ volatile("pxor %xmm0, %xmm0");
    }
}

PAL uintptr_t pal_misbehave(uintptr_t misdeed, uintptr_t address)
{
    volatile uintptr_t *word = (volatile uintptr_t *)address;

    forbidden_instruction(misdeed);
    if (misdeed == MISDEED_WRITE) {
        *word = address;
    } else if (misdeed == MISDEED_READ) {
        return *word;
    } else if (misdeed == MISDEED_JUMP) {
        __asm__ volatile("jmp *%0" ::"r"(address));
    } else if (misdeed == MISDEED_SMASH) {
        ((volatile uintptr_t *)__builtin_frame_address(0))[1] = address;
    } else if (misdeed == MISDEED_STACK) {
        __asm__ volatile("mov %0, %%" STACK_POINTER "\n push %0" ::"r"(address));
    } else if (misdeed == MISDEED_LOOP) {
        for (;;) {
            __asm__ volatile("pause");
        }
    }
    return misdeed;
}
