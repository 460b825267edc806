/* Into ring 3 and back, the code of user processes, and the PALs that they register. */
#include "layout.h"

    .text
/*
 * void user_enter(struct try *, const struct frame *)
 * Leaves for what the frame says; trap() comes back as from try_call.  No exception may come while
 * RSP is in the frame; NMIs have a stack of their own.
 */
    .globl user_enter
user_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    mov %rsp, TRY_RSP(%rdi)
    movq $try_over, TRY_RIP(%rdi)
    mov $SEL_USER_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rbp
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

/* void user_on_stack(rsp, code): code gets a stack that cannot be returned on. */
    .globl user_on_stack
user_on_stack:
    mov %rdi, %rsp
    jmp *%rsi

/* Copied to USER; the same bytes in all three widths. */
    .section .rodata
    .globl user_stubs, user_stubs_end
user_stubs:
    vmcall
    int $0x80
    .org user_stubs + STUB_CALL
    call *%rbx
    int $0x80
    .org user_stubs + STUB_JUMP
    jmp *%rbx
    .org user_stubs + STUB_LOAD
    mov (%rdi), %eax
    int $0x80
    .org user_stubs + STUB_STORE
    mov %eax, (%rdi)
    int $0x80
    .org user_stubs + STUB_CPUID
    cpuid
    int $0x80
    .org user_stubs + STUB_RETURN
    int $0x80
    .org user_stubs + STUB_WATCH
1:  mov (%rdi), %eax
    cmp %edx, %eax
    je 1b
    int $0x80
    .org user_stubs + STUB_HAMMER
1:  mov %eax, (%rdi)
    jmp 1b
user_stubs_end:

    .macro OP number, label
    cmp $\number, %edi
    je \label
    .endm

/* A PAL: RDI = what to do, RSI = value, RDX = pointer to two words; its data is the next page. */
    .globl pal_code64, pal_code64_end
#define DATA64 pal_code64 + 4096(%rip)
pal_code64:
    OP OP_LEAK, leak
    OP OP_DOUBLE, double
    OP OP_SECRET, secret
    OP OP_LOOP, loop
    OP OP_ENDLESS, endless
    OP OP_POINTER, pointer
    OP OP_LOAD, load
    OP OP_STORE, store
    OP OP_GARBLE, garble
    OP OP_VMCALL, hypercall
    OP OP_CPUID, detect
    OP OP_UD2, undefined
    OP OP_CLI, clear_if
    OP OP_COUNT, count
    OP OP_FLAGS, flags
    OP OP_JUMP, jump
    OP OP_VECTOR, vector
    mov $-1, %rax
    ret
double:
    lea 1(%rsi, %rsi), %rax
    ret
secret:
    mov DATA64, %rax
    mov %rsi, DATA64
    ret
loop:
    mov %rsi, %rcx
1:  dec %rcx
    jnz 1b
    incq 8 + DATA64
    mov %rsi, %rax
    ret
endless:
    jmp endless
pointer:
    mov (%rdx), %rax
    incq (%rdx)
    ret
load:
    mov (%rsi), %rax
    ret
store:
    movq $0x5a5a, (%rsi)
    mov $1, %eax
    ret
garble:
    mov $-1, %rax
    mov %rax, %rbx
    mov %rax, %rcx
    mov %rax, %rdx
    mov %rax, %rbp
    mov %rax, %rsi
    mov %rax, %rdi
    mov %rax, %r8
    mov %rax, %r9
    mov %rax, %r10
    mov %rax, %r11
    mov %rax, %r12
    mov %rax, %r13
    mov %rax, %r14
    mov %rax, %r15
    pushq $0x44cd7              /* AC, DF and the arithmetic flags, NT */
    popfq
    ret
hypercall:
    mov %esi, %eax
    vmcall
    ret
detect:
    mov %esi, %eax
    xor %ecx, %ecx
    cpuid
    mov %ebx, %eax
    ret
undefined:
    ud2
leak:
    or %rbx, %rax
    or %rcx, %rax
    or %rbp, %rax
    or %r8, %rax
    or %r9, %rax
    or %r10, %rax
    or %r11, %rax
    or %r12, %rax
    or %r13, %rax
    or %r14, %rax
    or %r15, %rax
    ret
clear_if:
    cli
    ret
count:
    mov 8 + DATA64, %rax
    ret
flags:
    pushfq
    pop %rax
    ret
jump:
    jmp *%rsi
vector:
    movq %rsi, %xmm0
    movq %xmm0, %rax
    ret
pal_code64_end:

/* cdecl; doubles its second parameter. */
    .code32
    .globl pal_code32, pal_code32_end
pal_code32:
    mov 8(%esp), %eax
    lea 1(%eax, %eax), %eax
    ret
pal_code32_end:
