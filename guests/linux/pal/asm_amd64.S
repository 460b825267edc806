/* What C cannot say, for 64-bit programs: see asm.h. asm_i386.S is its twin. */
    .text

    .globl _start
_start:
    mov %rsp, %rdi
    and $-16, %rsp
    call start
    ud2

    .globl sys_call
sys_call:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 8(%rsp), %r9
    syscall
    ret

    .globl sys_signal_return
sys_signal_return:
    mov $15, %eax
    syscall
    ud2

    .globl sys_clone
sys_clone:
    sub $16, %rsi
    mov %rcx, (%rsi)
    mov %r8, 8(%rsi)
    mov %rdx, %r10
    xor %r8d, %r8d
    mov $56, %eax
    syscall
    test %rax, %rax
    jz 1f
    ret
1:  xor %ebp, %ebp
    pop %rax
    pop %rdi
    call *%rax
    xor %edi, %edi
    mov $60, %eax
    syscall
    ud2

    .globl context_save
context_save:
    mov %rbx, (%rdi)
    mov %rbp, 8(%rdi)
    mov %r12, 16(%rdi)
    mov %r13, 24(%rdi)
    mov %r14, 32(%rdi)
    mov %r15, 40(%rdi)
    lea 8(%rsp), %rax
    mov %rax, 48(%rdi)
    mov (%rsp), %rax
    mov %rax, 56(%rdi)
    xor %eax, %eax
    ret

    .globl context_restore
context_restore:
    mov (%rdi), %rbx
    mov 8(%rdi), %rbp
    mov 16(%rdi), %r12
    mov 24(%rdi), %r13
    mov 32(%rdi), %r14
    mov 40(%rdi), %r15
    mov 48(%rdi), %rsp
    mov %rsi, %rax
    cld
    jmp *56(%rdi)

/* struct pal_frame: entry 0, count 8, argument 16, result 96, flags 104, damage 112. */
    .globl pal_frame_call
pal_frame_call:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    mov %rsp, %rbp
    mov %rdi, %rax
    mov 8(%rax), %rcx
    sub $6, %rcx
    jbe 2f
    test $1, %cl
    jz 1f
    sub $8, %rsp
1:  pushq 56(%rax, %rcx, 8)
    dec %rcx
    jnz 1b
2:  mov 16(%rax), %rdi
    mov 24(%rax), %rsi
    mov 32(%rax), %rdx
    mov 40(%rax), %rcx
    mov 48(%rax), %r8
    mov 56(%rax), %r9
    mov (%rax), %rax
    movabs $0x6e61637265727862, %rbx
    movabs $0x6e61637265723132, %r12
    movabs $0x6e61637265723133, %r13
    mov %rbp, %r14
    mov %rsp, %r15
    cld
    stc
    call *%rax
    pushf
    pop %rcx
    mov (%rbp), %rdi
    mov %rax, 96(%rdi)
    mov %rcx, 104(%rdi)
    cld
    xor %eax, %eax
    movabs $0x6e61637265727862, %rcx
    cmp %rcx, %rbx
    jne 3f
    movabs $0x6e61637265723132, %rcx
    cmp %rcx, %r12
    jne 3f
    movabs $0x6e61637265723133, %rcx
    cmp %rcx, %r13
    jne 3f
    cmp %rbp, %r14
    jne 3f
    cmp %rsp, %r15
    je 4f
3:  inc %eax
4:  mov %rax, 112(%rdi)
    mov %rbp, %rsp
    pop %rdi
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .globl pal_stack_call
pal_stack_call:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rdi, %rbx
    mov %rsp, %rbp
    mov (%rdi), %rax
    mov %rsi, %rsp
    jmp *%rax
    .globl pal_stack_return
pal_stack_return:
    mov %rbp, %rsp
    mov %rax, 96(%rbx)
    pushf
    pop %rcx
    mov %rcx, 104(%rbx)
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* Functions that become PALs. */
    .section pal_code, "ax", @progbits

    .globl pal_stack_pointer
pal_stack_pointer:
    mov %rsp, %rax
    ret

    .globl pal_mix
pal_mix:
    lea 8(%rsp), %rax
    push %r9
    push %r8
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    mov %rsp, %rdi
    mov %rax, %rsi
    sub $8, %rsp
    call pal_mix_body
    add $56, %rsp
    ret

    .section .note.GNU-stack, "", @progbits
