/*
 * hw_vmx_enter: VM entry as a function that returns on the VM exit.
 *
 * The check for a pending NMI and the entry form a window; the NMI handler (traps.S) that finds its
 * interrupted RIP in it moves RIP to hw_vmx_entry_aborted, so no NMI slips between check and entry.
 */
#include "percpu.h"

#define VMCS_HOST_RSP 0x6c14
#define RESULT_OK 0
#define RESULT_FAIL_INVALID 1
#define RESULT_FAIL_VALID 2
#define RESULT_NMI_PENDING 3

    .macro load_guest_registers
    movq 0x00(%rdi), %rax
    movq 0x08(%rdi), %rcx
    movq 0x10(%rdi), %rdx
    movq 0x18(%rdi), %rbx
    movq 0x28(%rdi), %rbp
    movq 0x30(%rdi), %rsi
    movq 0x40(%rdi), %r8
    movq 0x48(%rdi), %r9
    movq 0x50(%rdi), %r10
    movq 0x58(%rdi), %r11
    movq 0x60(%rdi), %r12
    movq 0x68(%rdi), %r13
    movq 0x70(%rdi), %r14
    movq 0x78(%rdi), %r15
    .endm

    .text
    .globl hw_vmx_enter
    .type hw_vmx_enter, @function
hw_vmx_enter:
    pushq %rbp
    movq %rsp, %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rdi /* struct hw_gprs: on top of the stack at the exit */
    movl $VMCS_HOST_RSP, %eax
    vmwrite %rsp, %rax
    jbe 3f
    testb %sil, %sil
    jz 2f

    load_guest_registers
    .globl hw_vmx_window_start
hw_vmx_window_start:
    cmpl $0, %gs:PERCPU_NMI_PENDING
    jne hw_vmx_entry_aborted
    movq 0x38(%rdi), %rdi
    vmresume
    jmp 3f
2:  load_guest_registers
    cmpl $0, %gs:PERCPU_NMI_PENDING
    jne hw_vmx_entry_aborted
    movq 0x38(%rdi), %rdi
    vmlaunch
    .globl hw_vmx_window_end
hw_vmx_window_end:
3:  movl $RESULT_FAIL_INVALID, %eax /* MOV keeps the flags of VMRESUME/VMLAUNCH/VMWRITE */
    jc 4f
    movl $RESULT_FAIL_VALID, %eax
    jmp 4f
    .globl hw_vmx_entry_aborted
hw_vmx_entry_aborted:
    movl $RESULT_NMI_PENDING, %eax
4:  addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret

    .globl hw_vmx_exit
hw_vmx_exit:
    pushq %rdi
    movq 8(%rsp), %rdi
    movq %rax, 0x00(%rdi)
    movq %rcx, 0x08(%rdi)
    movq %rdx, 0x10(%rdi)
    movq %rbx, 0x18(%rdi)
    movq %rbp, 0x28(%rdi)
    movq %rsi, 0x30(%rdi)
    movq %r8, 0x40(%rdi)
    movq %r9, 0x48(%rdi)
    movq %r10, 0x50(%rdi)
    movq %r11, 0x58(%rdi)
    movq %r12, 0x60(%rdi)
    movq %r13, 0x68(%rdi)
    movq %r14, 0x70(%rdi)
    movq %r15, 0x78(%rdi)
    popq %rax
    movq %rax, 0x38(%rdi)
    movl $RESULT_OK, %eax
    jmp 4b
    .size hw_vmx_enter, . - hw_vmx_enter
