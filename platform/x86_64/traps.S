/*
 * Entries of the interrupt descriptor table.  The hypervisor runs with interrupts disabled for
 * ever, so only exceptions and NMI arrive.  Each vector's stub pushes what the CPU did not, then
 * all registers, and calls trap_handle() with a struct trap_frame (traps.h).
 */
#include "percpu.h"

    .text
    .macro stub vector, has_error
    .balign 16
    .if !\has_error
    pushq $0
    .endif
    pushq $\vector
    jmp trap_common
    .endm

    .balign 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept 32
    /* SDM table "Protected-Mode Exceptions and Interrupts": who pushes an error code. */
    .if (0x60227d00 >> vector) & 1
    stub vector, 1
    .else
    stub vector, 0
    .endif
    .set vector, vector + 1
    .endr

    .type trap_common, @function
trap_common:
    cld
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    call trap_handle
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    addq $16, %rsp
    iretq
    .size trap_common, . - trap_common

    /* NMI, on its own stack (IST): counts it, and aborts a VM entry that it interrupted. */
    .balign 16
    .globl trap_nmi
    .type trap_nmi, @function
trap_nmi:
    cmpl $0, trap_panic_cpu(%rip)
    jne 2f
    incl %gs:PERCPU_NMI_PENDING
    pushq %rax
    pushq %rcx
    movq 16(%rsp), %rax /* interrupted RIP */
    leaq hw_vmx_window_start(%rip), %rcx
    cmpq %rcx, %rax
    jb 1f
    leaq hw_vmx_window_end(%rip), %rcx
    cmpq %rcx, %rax
    jae 1f
    leaq hw_vmx_entry_aborted(%rip), %rcx
    movq %rcx, 16(%rsp)
1:  popq %rcx
    popq %rax
    iretq
2:  pushq $0
    pushq $2
    jmp trap_common
    .size trap_nmi, . - trap_nmi

    /* Ends blocking by NMI: IRET to the caller. */
    .globl hw_nmi_unblock
    .type hw_nmi_unblock, @function
hw_nmi_unblock:
    popq %rax
    movq %rsp, %rcx
    pushq $SELECTOR_DATA
    pushq %rcx
    pushfq
    pushq $SELECTOR_CODE
    pushq %rax
    iretq
    .size hw_nmi_unblock, . - hw_nmi_unblock
