/* Entries of the IDT, and calls that survive a fault. */
#include "layout.h"

    .text
    .macro STUB vector
    .balign 16
    .if \vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21
    .else
    push $0
    .endif
    push $\vector
    jmp trap_common
    .endm

    .balign 16
    .globl trap_stubs
trap_stubs:
    .altmacro
    .set i, 0
    .rept 256
    STUB %i
    .set i, i + 1
    .endr
    .noaltmacro

trap_common:
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $-16, %rsp
    call trap
    mov %rbp, %rsp
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

/*
 * void try_call(struct try *, const void *code, uint64_t a, uint64_t b, bool user)
 * Calls code with RDI = RCX = a, RSI = RAX = b, EDX = b's upper half; trap() comes back to try_over
 * with RSP restored when it faults. user: at CPL 3, on a stack of its own.
 */
    .globl try_call, try_over
try_call:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    mov %rsp, TRY_RSP(%rdi)
    movq $try_over, TRY_RIP(%rdi)
    mov %rsi, %r10
    mov %rdx, %r11
    mov %rcx, %rax
    mov %rcx, %rsi
    mov %rcx, %rdx
    shr $32, %rdx
    test %r8d, %r8d
    jnz 1f
    mov %r11, %rdi
    mov %r11, %rcx
    call *%r10
    mov (%rsp), %rdi
    mov %rax, TRY_RAX(%rdi)
    mov %rdx, TRY_RDX(%rdi)
try_over:
    pop %rdi
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    movq $0, TRY_RIP(%rdi)
    ret
1:  lea -512(%rsp), %r9         /* the user code's stack: below ours, which nobody uses meanwhile */
    movq $user_return, (%r9)
    mov %r11, %rdi
    mov %r11, %rcx
    pushq $SEL_USER_DATA
    push %r9
    pushq $2
    pushq $SEL_USER_CODE64
    push %r10
    iretq
user_return:
    int $0x80

/* One instruction each, so that a fault's RIP can be compared with its name. */
    .macro INSN name, code:vararg
    .globl insn_\name
insn_\name:
    \code
    ret
    .endm
    INSN rdmsr, rdmsr
    INSN wrmsr, wrmsr
    INSN xsetbv, xsetbv
    INSN xgetbv, xgetbv
    INSN cpuid, cpuid
    INSN load, mov (%rdi), %al
    INSN store, mov %al, (%rdi)
    INSN store32, mov %eax, (%rdi)
    INSN fetch, jmp *%rdi
    INSN write_cr0, mov %rdi, %cr0
    INSN write_cr3, mov %rdi, %cr3
    INSN write_cr4, mov %rdi, %cr4
    INSN write_cr8, mov %rdi, %cr8
    INSN lmsw, lmsw %di
    INSN vmcall, vmcall
    INSN vmclear, vmclear (%rdi)
    INSN vmlaunch, vmlaunch
    INSN vmptrld, vmptrld (%rdi)
    INSN vmptrst, vmptrst (%rdi)
    INSN vmread, vmread %rax, %rsi
    INSN vmresume, vmresume
    INSN vmwrite, vmwrite %rsi, %rax
    INSN vmxoff, vmxoff
    INSN vmxon, vmxon (%rdi)
    INSN invept, invept (%rdi), %rsi
    INSN invvpid, invvpid (%rdi), %rsi
    INSN vmfunc, vmfunc
    INSN getsec, getsec
    INSN rsm, rsm
    INSN invd, invd
    INSN wbinvd, wbinvd
    INSN rdtscp, rdtscp
    INSN invpcid, invpcid (%rdi), %rsi
    INSN monitor, .byte 0x0f, 0x01, 0xc8
    INSN rdpmc, rdpmc
    INSN int3, int3
    INSN int21, int $0x21
    INSN ltr, ltr %di
    INSN load_fs, mov %edi, %fs
    INSN swapgs, swapgs
    INSN encls, .byte 0x0f, 0x01, 0xcf
    INSN xsaves, .byte 0x0f, 0xc7, 0x2f /* XSAVES (%rdi) */
    INSN vmmcall, .byte 0x0f, 0x01, 0xd9
    INSN outw, xchg %rdi, %rdx; out %ax, %dx
