/*
 * A tour through the processor's modes and back: 64-bit, compatibility, 32-bit without paging, with
 * 4-MiB pages, with PAE, 16-bit protected, real.  Each notes what it sees; test_mode.c compares.
 */
#include "layout.h"

    .macro TRY32 slot, insn:vararg
    movl $-1, tour_fault + 8 * \slot
    movl $tour_fault + 8 * \slot, try32_slot
    mov %esp, try32_esp
    movl $9f, try32_resume
    \insn
9:
    .endm

    .macro rdmsr_bad
    mov $0x40000000, %ecx
    rdmsr
    .endm

    .macro enter_virtual86
    pushl $0
    pushl $0
    pushl $0
    pushl $0
    pushl $TOUR16_SEGMENT
    pushl $0xe00
    pushl $0x20002
    pushl $TOUR16_SEGMENT
    pushl $tour16_virtual - tour16
    iret
    .endm

    .macro PAGING_OFF
    mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0
    .endm

    .macro PAGING_ON root
    mov $\root, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
    .endm

    .text
    .code64
    .globl mode_tour
mode_tour:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, tour_rsp
    mov %cr4, %rax
    mov %rax, tour_cr4
    movl $0, tour_stage
    pushq $SEL_CODE32
    pushq $1f
    lretq

    .code32
1:  mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $tour_stack_end, %esp
    call note                   /* 0: compatibility mode */
    PAGING_OFF
    mov $0xc0000080, %ecx
    rdmsr
    and $~0x100, %eax
    wrmsr
    lidt tour_idt_pointer
    call note                   /* 1: no paging */
    mov %cr4, %eax
    and $~0x20, %eax
    or $0x10, %eax              /* PSE, no PAE */
    mov %eax, %cr4
    PAGING_ON tour_pd32
    call note                   /* 2: 32-bit paging */
    TRY32 0, rdmsr_bad          /* a fault injected into 32-bit code */
    mov %cr0, %eax
    and $~1, %eax
    TRY32 1, mov %eax, %cr0     /* PG without PE */
    PAGING_OFF
    mov %cr4, %eax
    or $0x20, %eax
    mov %eax, %cr4
    PAGING_ON tour_pdpt_a
    call note                   /* 3: PAE */
    call pae
    call tasks
    call virtual86
    PAGING_OFF
    mov %cr4, %eax
    and $~0x20, %eax
    mov %eax, %cr4
    ljmp $SEL_CODE16, $tour16_protected - tour16

tour_back32:
    mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $tour_stack_end, %esp
    call note                   /* 4: 32-bit again */
    mov $tour_back64, %ebx
    jmp enter_long_mode

note:
    mov tour_stage, %edi
    shl $4, %edi
    mov %cr0, %eax
    mov %eax, tour_note(%edi)
    mov %cr4, %eax
    mov %eax, tour_note + 4(%edi)
    mov $0xc0000080, %ecx
    rdmsr
    mov %eax, tour_note + 8(%edi)
    mov $1, %eax
    cpuid
    mov %ecx, tour_note + 12(%edi)
    mov %cr0, %eax              /* an exit that writes a control register */
    xor $0x20, %eax
    mov %eax, %cr0
    mov %cr0, %ecx
    sub %eax, %ecx
    add %ecx, tour_differs
    xor $0x20, %eax
    mov %eax, %cr0
    incl tour_stage
    ret


#define ALIAS 0xc0000000
pae:
    mov $tour_pdpt_b, %eax
    mov %eax, %cr3
    mov ALIAS + tour_magic, %eax
    mov %eax, tour_alias
    movl $pd + 3 * 4096 + 1, tour_pdpt_b + 24
    mov ALIAS + tour_magic, %eax /* PDPTEs are registers: nothing has changed yet */
    mov %eax, tour_alias + 4
    mov %cr4, %eax
    xor $0x80, %eax             /* PGE: loads them */
    mov %eax, %cr4
    mov ALIAS + tour_magic, %eax
    mov %eax, tour_alias + 8
    movl $0x1e7, tour_pdpt_b + 24 /* reserved bits */
    mov $tour_pdpt_b, %eax
    TRY32 2, mov %eax, %cr3
    mov tour_hidden, %eax
    TRY32 3, mov %eax, %cr3
    mov $tour_pdpt_a, %eax
    mov %eax, %cr3
    ret

tasks:
    mov $SEL_TSS32_A, %eax
    ltr %ax
    TRY32 4, ljmp $SEL_TSS32_B, $0
    clts
    TRY32 5, int $0x30          /* a task gate */
    clts
    ret
    .globl tour_task
tour_task:                      /* the other task, where task switches work */
    mov try32_esp, %esp
    jmp *try32_resume

virtual86:
    TRY32 6, enter_virtual86
    ret

    .globl tour_stubs
    .altmacro
    .macro STUB32 vector
    .balign 16
    .if \vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17
    .else
    push $0
    .endif
    push $\vector
    jmp fault32
    .endm
    .balign 16
tour_stubs:
    .set j, 0
    .rept 32
    STUB32 %j
    .set j, j + 1
    .endr
    .noaltmacro
fault32:
    mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov try32_slot, %edi
    popl (%edi)
    popl 4(%edi)
    mov try32_esp, %esp
    jmp *try32_resume

    .code64
tour_back64:
    mov tour_rsp, %rsp
    mov tour_cr4, %rax
    mov %rax, %cr4
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* Copied to TOUR16. */
    .section .rodata
    .code16
    .globl tour16, tour16_end, tour16_notes, tour16_gp, tour16_ud, tour16_int
#define LOCAL(name) %cs:(name - tour16)
tour16:
tour16_protected:
    mov $SEL_DATA16, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $1, %eax
    cpuid
    mov %ecx, %esi
    mov %cr0, %eax
    and $0xfe, %al
    mov %eax, %cr0
    ljmp $TOUR16_SEGMENT, $1f - tour16
1:  mov %esi, LOCAL(tour16_notes)
    mov $TOUR16_SEGMENT, %ax
    mov %ax, %ss
    mov $0xf00, %sp
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    lidtl LOCAL(real_idt)
    mov $1, %eax
    cpuid
    mov %ecx, LOCAL(tour16_notes + 4)
    mov %cr0, %eax
    xor $0x20, %al
    mov %eax, %cr0
    mov %cr0, %ecx
    mov %ecx, LOCAL(tour16_notes + 8)
    xor $0x20, %al
    mov %eax, %cr0
    int $0x62
    mov $0x40000000, %ecx
    rdmsr                       /* #GP: two bytes */
    vmcall                      /* #UD: three bytes */
    mov %sp, LOCAL(tour16_notes + 20)
    mov $0xc0000080, %ecx
    rdmsr
    mov %eax, LOCAL(tour16_notes + 16)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $SEL_CODE32, $tour_back32
tour16_int:
    incl LOCAL(tour16_notes + 12)
    iret
tour16_gp:                      /* real mode pushes no error code */
    mov %sp, LOCAL(tour16_notes + 22)
    push %bp
    mov %sp, %bp
    addw $2, 2(%bp)
    pop %bp
    iret
tour16_ud:
    mov %sp, LOCAL(tour16_notes + 24)
    push %bp
    mov %sp, %bp
    addw $3, 2(%bp)
    pop %bp
    iret
tour16_virtual:
    mov $1, %eax
    cpuid
    mov %ecx, LOCAL(tour16_notes + 28)
    hlt                         /* #GP in virtual-8086 mode */
real_idt:
    .word 0x3ff
    .long 0
    .balign 4
tour16_notes:
    .fill 32
tour16_end:

    .bss
    .balign 4096
    .globl tour_pd32, tour_pdpt_a, tour_pdpt_b, tour_idt, tour_note, tour_fault, tour_alias
    .globl tour_hidden, tour_differs
tour_pd32: .skip 4096
tour_pdpt_a: .skip 32
tour_pdpt_b: .skip 32
tour_idt: .skip 256 * 8
tour_note: .skip 16 * 8
tour_fault: .skip 8 * 8
tour_alias: .skip 16
tour_hidden: .skip 4
tour_differs: .skip 4
tour_stage: .skip 4
try32_slot: .skip 4
try32_esp: .skip 4
try32_resume: .skip 4
    .balign 8
tour_rsp: .skip 8
tour_cr4: .skip 8
    .skip 2048
    .globl tour_stack_end
tour_stack_end:
    .data
    .globl tour_magic
tour_magic: .long 0x4d6f6465
tour_idt_pointer:
    .word 256 * 8 - 1
    .long tour_idt
