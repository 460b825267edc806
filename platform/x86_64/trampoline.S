/*
 * Start of a further CPU: real mode at a page below 1 MiB, straight to long mode, onto its own
 * stack, then ap_start_c(cpu).  The code is copied to that page; the words at its end are filled in
 * for one CPU at a time (ap.c).
 */
#define CR0_PE 0x1
#define CR0_WP 0x10000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

    .section .rodata
    .balign 16
    .code16
    .globl ap_trampoline
ap_trampoline:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    xorl %ebx, %ebx
    movw %ax, %bx
    shll $4, %ebx /* where this page is */
    leal (trampoline_gdt - ap_trampoline)(%ebx), %eax
    movl %eax, trampoline_gdtr - ap_trampoline + 2
    leal (trampoline_long - ap_trampoline)(%ebx), %eax
    movl %eax, trampoline_target - ap_trampoline
    movl %cr4, %eax
    orl $CR4_PAE, %eax
    movl %eax, %cr4
    movl trampoline_cr3 - ap_trampoline, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    orl trampoline_efer - ap_trampoline, %eax
    wrmsr
    lgdtl trampoline_gdtr - ap_trampoline
    movl $(CR0_PG | CR0_WP | CR0_PE), %eax
    movl %eax, %cr0
    ljmpl *(trampoline_target - ap_trampoline)

    .code64
trampoline_long:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %ebx, %ebx
    movq (trampoline_stack - ap_trampoline)(%rbx), %rsp
    movl (trampoline_cpu - ap_trampoline)(%rbx), %edi
    movq (trampoline_entry - ap_trampoline)(%rbx), %rax
    xorl %ebp, %ebp
    call *%rax
    ud2

    .balign 8
trampoline_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
trampoline_gdtr:
    .word 23
    .long 0
    .balign 4
trampoline_target:
    .long 0
    .word 0x08
    .balign 8
    .globl ap_trampoline_words
ap_trampoline_words: /* struct trampoline_words in ap.c */
trampoline_stack:
    .quad 0
trampoline_entry:
    .quad 0
trampoline_cr3:
    .long 0
trampoline_efer:
    .long 0
trampoline_cpu:
    .long 0
    .globl ap_trampoline_end
ap_trampoline_end:
