/*
 * Multiboot 2 header and entry: from 32-bit protected mode to long mode at IMAGE_VIRTUAL.
 *
 * Multiboot 2 rather than 1: its tags are self-describing and bounded, it hands over ACPI's root
 * pointer, and the same header carries the entry from UEFI.  The code here is position independent
 * (%ebp = load address), so a loader may place the image at any 2-MiB boundary (REQ-BOOT-6).
 */
#include "percpu.h"

#include <config/stack.h>

#define MB2_MAGIC 0xe85250d6
#define MB2_BOOT_MAGIC 0x36d76289
#define MB2_TAG_INFO_REQUEST 1
#define MB2_TAG_MODULE_ALIGN 6
#define MB2_TAG_RELOCATABLE 10

#define CR0_PE 0x1
#define CR0_WP 0x10000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define EFER_NXE 0x800
/* Offset from image_start, which is -0x80000000 modulo 2^32: a relocation the linker has. */
#define OFFSET(symbol) (symbol + 0x80000000)
#define PTE_P_RW 0x3
#define PTE_P_RW_PS 0x83

    .section .multiboot2, "ax"
    .balign 8
mb2_header:
    .long MB2_MAGIC
    .long 0 /* architecture: i386 */
    .long mb2_header_end - mb2_header
    .long -(MB2_MAGIC + (mb2_header_end - mb2_header))
    .balign 8
    .word MB2_TAG_INFO_REQUEST, 0
    .long 16
    .long 1, 6 /* command line, memory map */
    .balign 8
    .word MB2_TAG_MODULE_ALIGN, 0
    .long 8
    .balign 8
    .word MB2_TAG_RELOCATABLE, 0
    .long 24
    .long 0x100000   /* lowest */
    .long 0xffffffff /* highest */
    .long 0x200000   /* alignment: the early tables map it with 2-MiB pages */
    .long 1          /* prefer low: the top is wanted for the hypervisor's region */
    .balign 8
    .word 0, 0
    .long 8
mb2_header_end:

    .section .boot32, "ax"
    .code32
    .globl boot32_entry
boot32_entry:
    cli
    cld
    /* No stack is defined yet: borrow the reserved word of the information structure (offset 4). */
    leal 8(%ebx), %esp
    call 1f
1:  popl %ebp
    subl $OFFSET(1b), %ebp
    leal OFFSET(boot_stack_top)(%ebp), %esp
    cmpl $MB2_BOOT_MAGIC, %eax
    jne boot32_stop

    pushl %ebx
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb boot32_no_long_mode
    movl $0x80000001, %eax
    cpuid
    popl %ebx
    btl $29, %edx
    jnc boot32_no_long_mode
    movl %edx, %esi /* bit 20: NX */

    /* Identity map of 4 GiB by 2-MiB pages; also seen at the direct map's address. */
    leal OFFSET(early_pd)(%ebp), %edi
    movl $PTE_P_RW_PS, %eax
    movl $2048, %ecx
2:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    loop 2b
    leal OFFSET(early_pdpt)(%ebp), %edi
    leal OFFSET(early_pd) + PTE_P_RW(%ebp), %eax
    movl $4, %ecx
3:  movl %eax, (%edi)
    addl $8, %edi
    addl $4096, %eax
    loop 3b
    leal OFFSET(early_pml4)(%ebp), %edi
    leal OFFSET(early_pdpt) + PTE_P_RW(%ebp), %eax
    movl %eax, (%edi)
    movl %eax, 256 * 8(%edi)
    leal OFFSET(early_high_pdpt) + PTE_P_RW(%ebp), %eax
    movl %eax, 511 * 8(%edi)
    /* The image itself: 2 MiB at IMAGE_VIRTUAL, by 4-KiB pages. */
    leal OFFSET(early_high_pdpt)(%ebp), %edi
    leal OFFSET(early_high_pd) + PTE_P_RW(%ebp), %eax
    movl %eax, 510 * 8(%edi)
    leal OFFSET(early_high_pd)(%ebp), %edi
    leal OFFSET(early_high_pt) + PTE_P_RW(%ebp), %eax
    movl %eax, (%edi)
    leal OFFSET(early_high_pt)(%ebp), %edi
    leal PTE_P_RW(%ebp), %eax
    movl $512, %ecx
8:  movl %eax, (%edi)
    addl $8, %edi
    addl $4096, %eax
    loop 8b
    /* No mapping for the guard pages: 8 bytes of table for each 4 KiB of image. */
    movl $OFFSET(boot_guard), %eax
    shrl $9, %eax
    movl $0, OFFSET(early_high_pt)(%ebp, %eax)
    movl $OFFSET(boot_df_guard), %eax
    shrl $9, %eax
    movl $0, OFFSET(early_high_pt)(%ebp, %eax)

    movl %cr4, %eax
    orl $CR4_PAE, %eax
    movl %eax, %cr4
    leal OFFSET(early_pml4)(%ebp), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    btl $20, %esi
    jnc 4f
    orl $EFER_NXE, %eax
4:  wrmsr
    movl %cr0, %eax
    orl $(CR0_PG | CR0_WP | CR0_PE), %eax
    movl %eax, %cr0
    /* The far jump's operand is patched with where we are. */
    leal OFFSET(boot_gdt)(%ebp), %eax
    movl %eax, OFFSET(boot_gdtr) + 2(%ebp)
    lgdt OFFSET(boot_gdtr)(%ebp)
    leal OFFSET(boot64)(%ebp), %eax
    pushl $0x08
    pushl %eax
    lret

boot32_no_long_mode:
    leal OFFSET(no_long_mode_text)(%ebp), %esi
    /* 115200 8N1: nobody has set the port up. */
    movw $0x3fb, %dx
    movb $0x83, %al
    outb %al, %dx
    movw $0x3f9, %dx
    xorl %eax, %eax
    outb %al, %dx
    movw $0x3f8, %dx
    incl %eax
    outb %al, %dx
    movw $0x3fb, %dx
    movb $0x03, %al
    outb %al, %dx
5:  lodsb
    testb %al, %al
    jz boot32_stop
    movb %al, %cl
    movw $0x3fd, %dx
    movl $0x10000, %edi /* bounded: there may be no UART */
6:  inb %dx, %al
    testb $0x20, %al
    jnz 7f
    decl %edi
    jnz 6b
7:  movw $0x3f8, %dx
    movb %cl, %al
    outb %al, %dx
    outb %al, $0xe9
    jmp 5b
boot32_stop:
    cli
    hlt
    jmp boot32_stop

no_long_mode_text:
    .ascii "nacre: cannot start: the CPU has no 64-bit mode; "
    .asciz "run on an x86-64 CPU with Intel VT-x.\r\n"

    .code64
boot64:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movq $boot_stack, %rdi
    movl $STACK_BOOT_BYTES / 8, %ecx
    movabsq $STACK_PAINT, %rax
    rep stosq
    movq $boot_stack_top, %rsp
    movl %ebx, %edi /* Multiboot information */
    movl %ebp, %esi /* load address */
    xorl %ebp, %ebp /* ends stack traces */
    movq $start_early, %rax
    call *%rax
    ud2

    /* Leaves the load address for the copy in the region: same virtual addresses, new tables. */
    .text
    .globl boot_switch
    /* void boot_switch(uint64_t cr3, uint64_t stack_top, void (*next)(void)) */
boot_switch:
    movq %rdi, %cr3
    movq %rsi, %rsp
    xorl %ebp, %ebp
    call *%rdx
    ud2

    .section .rodata
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 64-bit code */
    .quad 0x00cf93000000ffff /* data */
    .section .data
    .balign 8
boot_gdtr:
    .word 23
    .long 0
    .long 0

    .section .bss.pages, "aw", @nobits
    .balign 4096
early_pml4:
    .skip 4096
early_pdpt:
    .skip 4096
early_pd:
    .skip 4 * 4096
early_high_pdpt:
    .skip 4096
early_high_pd:
    .skip 4096
early_high_pt:
    .skip 4096
    .globl boot_df_guard, boot_df_stack_top, boot_guard, boot_stack
boot_df_guard:
    .skip 4096
    .skip STACK_DF_BYTES
boot_df_stack_top:
boot_guard:
    .skip 4096
boot_stack:
    .skip STACK_BOOT_BYTES
    .globl boot_stack_top
boot_stack_top:
