/* What C cannot say, for 32-bit programs: see asm.h. asm_amd64.S is its twin. */
    .text

    .globl _start
_start:
    mov %esp, %eax
    and $-16, %esp
    sub $12, %esp
    push %eax
    call start
    ud2

    .globl sys_call
sys_call:
    push %ebx
    push %esi
    push %edi
    push %ebp
    mov 20(%esp), %eax
    mov 24(%esp), %ebx
    mov 28(%esp), %ecx
    mov 32(%esp), %edx
    mov 36(%esp), %esi
    mov 40(%esp), %edi
    mov 44(%esp), %ebp
    int $0x80
    pop %ebp
    pop %edi
    pop %esi
    pop %ebx
    ret

    .globl sys_signal_return
sys_signal_return:
    mov $173, %eax
    int $0x80
    ud2

    .globl sys_clone
sys_clone:
    push %ebx
    push %esi
    push %edi
    mov 16(%esp), %ebx
    mov 20(%esp), %ecx
    mov 24(%esp), %edi
    mov %edi, %edx
    sub $16, %ecx
    mov 28(%esp), %eax
    mov %eax, (%ecx)
    mov 32(%esp), %eax
    mov %eax, 4(%ecx)
    xor %esi, %esi
    mov $120, %eax
    int $0x80
    test %eax, %eax
    jz 1f
    pop %edi
    pop %esi
    pop %ebx
    ret
1:  xor %ebp, %ebp
    pop %eax
    sub $12, %esp
    mov 12(%esp), %ecx
    and $-16, %esp
    mov %ecx, (%esp)
    call *%eax
    xor %ebx, %ebx
    mov $1, %eax
    int $0x80
    ud2

    .globl context_save
context_save:
    mov 4(%esp), %edx
    mov %ebx, (%edx)
    mov %ebp, 4(%edx)
    mov %esi, 8(%edx)
    mov %edi, 12(%edx)
    lea 4(%esp), %eax
    mov %eax, 24(%edx)
    mov (%esp), %eax
    mov %eax, 28(%edx)
    xor %eax, %eax
    ret

    .globl context_restore
context_restore:
    mov 4(%esp), %edx
    mov 8(%esp), %eax
    mov (%edx), %ebx
    mov 4(%edx), %ebp
    mov 8(%edx), %esi
    mov 12(%edx), %edi
    mov 24(%edx), %esp
    cld
    jmp *28(%edx)

/* struct pal_frame: entry 0, count 4, argument 8, result 48, flags 52, damage 56. */
    .globl pal_frame_call
pal_frame_call:
    push %ebx
    push %ebp
    push %esi
    push %edi
    mov 20(%esp), %eax
    push %eax
    mov %esp, %ebp
    mov 4(%eax), %ecx
    lea (, %ecx, 4), %edx
    sub %edx, %esp
    and $-16, %esp
    add %edx, %esp
    jecxz 2f
1:  pushl 4(%eax, %ecx, 4)
    dec %ecx
    jnz 1b
2:  mov (%eax), %eax
    mov $0x6e616362, %ebx
    mov %ebp, %esi
    mov %esp, %edi
    cld
    stc
    call *%eax
    pushf
    pop %ecx
    mov (%ebp), %edx
    mov %eax, 48(%edx)
    mov %ecx, 52(%edx)
    cld
    xor %eax, %eax
    cmp $0x6e616362, %ebx
    jne 3f
    cmp %ebp, %esi
    jne 3f
    cmp %esp, %edi
    je 4f
3:  inc %eax
4:  mov %eax, 56(%edx)
    mov %ebp, %esp
    pop %eax
    pop %edi
    pop %esi
    pop %ebp
    pop %ebx
    ret

    .globl pal_stack_call
pal_stack_call:
    push %ebx
    push %ebp
    push %esi
    push %edi
    mov 20(%esp), %ebx
    mov 24(%esp), %ecx
    mov %esp, %ebp
    mov (%ebx), %eax
    mov %ecx, %esp
    jmp *%eax
    .globl pal_stack_return
pal_stack_return:
    mov %ebp, %esp
    mov %eax, 48(%ebx)
    pushf
    pop %ecx
    mov %ecx, 52(%ebx)
    pop %edi
    pop %esi
    pop %ebp
    pop %ebx
    ret

/* Functions that become PALs. */
    .section pal_code, "ax", @progbits

    .globl pal_stack_pointer
pal_stack_pointer:
    mov %esp, %eax
    ret

    .globl pal_mix
pal_mix:
    lea 4(%esp), %eax
    sub $4, %esp
    push %eax
    push %eax
    call pal_mix_body
    add $12, %esp
    ret

    .section .note.GNU-stack, "", @progbits
