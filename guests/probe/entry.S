/* From the 32-bit entry of the boot protocol to main(), and the same way for the other CPUs. */
#include "layout.h"

    .section .entry, "ax"
    .code32
    .globl entry32
entry32:
    cli
    cld
    mov %esi, %ebx
    mov $bss_start, %edi
    mov $bss_end, %ecx
    sub %edi, %ecx
    xor %eax, %eax
    rep stosb
    mov %ebx, boot_params_address
    mov $boot_stack + STACK_BYTES, %esp

    /* Identity map of 4 GiB in pages of 2 MiB, open to user code. */
    movl $pdpt + 7, pml4
    mov $pd + 7, %eax
    mov $pdpt, %edi
1:  mov %eax, (%edi)
    add $4096, %eax
    add $8, %edi
    cmp $pdpt + 32, %edi
    jne 1b
    mov $0x87, %eax
    mov $pd, %edi
2:  cmp $0xc0000087, %eax       /* devices: uncached */
    jne 3f
    or $0x18, %eax
3:  mov %eax, (%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 2b
    lgdt gdt_pointer
    mov $boot_entry64, %ebx

/* To the address in EBX in long mode; ESI is kept. */
    .globl enter_long_mode
enter_long_mode:
    mov %cr4, %eax
    or $0x20, %eax              /* PAE */
    mov %eax, %cr4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax             /* EFER.LME */
    wrmsr
    mov %cr0, %eax
    and $0x9fffffff, %eax       /* CD, NW as INIT sets them */
    or $0x80000000, %eax
    mov %eax, %cr0
    ljmp $SEL_CODE64, $1f
    .code64
1:  mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov %ebx, %ebx
    jmp *%rbx

boot_entry64:
    mov $boot_stack + STACK_BYTES, %rsp
    xor %ebp, %ebp
    call main
1:  hlt
    jmp 1b

/* Another CPU: ESI is its trampoline page. */
ap_entry64:
    mov %esi, %esi
    mov %r8, STATE + STATE_HIGH(%rsi)
    mov %r9, STATE + STATE_HIGH + 8(%rsi)
    mov %r10, STATE + STATE_HIGH + 16(%rsi)
    mov %r11, STATE + STATE_HIGH + 24(%rsi)
    mov %r12, STATE + STATE_HIGH + 32(%rsi)
    mov %r13, STATE + STATE_HIGH + 40(%rsi)
    mov %r14, STATE + STATE_HIGH + 48(%rsi)
    mov %r15, STATE + STATE_HIGH + 56(%rsi)
    mov $1, %eax
    cpuid
    shr $24, %ebx               /* initial APIC ID */
    mov %ebx, %edi
    inc %ebx
    imul $STACK_BYTES, %rbx, %rbx
    lea ap_stacks(%rbx), %rsp
    xor %ebp, %ebp
    call ap_main
1:  hlt
    jmp 1b

    .code32
ap_entry32:
    mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $ap_entry64, %ebx
    jmp enter_long_mode

/*
 * What a start-up IPI starts, copied to a page of low memory: notes the registers before it uses
 * any, then joins the code above.
 */
    .section .rodata
    .code16
    .globl trampoline, trampoline_end
#define SAVED(offset) %cs:(STATE + offset)
trampoline:
    mov %eax, SAVED(STATE_GPR)
    mov %ecx, SAVED(STATE_GPR + 4)
    mov %edx, SAVED(STATE_GPR + 8)
    mov %ebx, SAVED(STATE_GPR + 12)
    mov %esp, SAVED(STATE_GPR + 16)
    mov %ebp, SAVED(STATE_GPR + 20)
    mov %esi, SAVED(STATE_GPR + 24)
    mov %edi, SAVED(STATE_GPR + 28)
    mov %es, SAVED(STATE_SEG)
    mov %cs, SAVED(STATE_SEG + 2)
    mov %ss, SAVED(STATE_SEG + 4)
    mov %ds, SAVED(STATE_SEG + 6)
    mov %fs, SAVED(STATE_SEG + 8)
    mov %gs, SAVED(STATE_SEG + 10)
    mov %cr0, %eax
    mov %eax, SAVED(STATE_CR)
    mov %cr2, %eax
    mov %eax, SAVED(STATE_CR + 4)
    mov %cr3, %eax
    mov %eax, SAVED(STATE_CR + 8)
    mov %cr4, %eax
    mov %eax, SAVED(STATE_CR + 12)
    mov %dr6, %eax
    mov %eax, SAVED(STATE_DR)
    mov %dr7, %eax
    mov %eax, SAVED(STATE_DR + 4)
    sgdtl SAVED(STATE_GDT)
    sidtl SAVED(STATE_IDT)
    mov %cs, %ax
    mov %ax, %ss
    mov $0xffc, %sp
    pushfl
    popl %eax
    mov %eax, SAVED(STATE_FLAGS)
    mov $0xc0000080, %ecx
    rdmsr
    mov %eax, SAVED(STATE_EFER)
    mov $0x1b, %ecx
    rdmsr
    mov %eax, SAVED(STATE_APIC_BASE)
    xor %esi, %esi
    mov %cs, %si
    shl $4, %esi
    lgdtl %cs:(trampoline_gdt - trampoline)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $SEL_CODE32, $ap_entry32
trampoline_gdt:
    .word gdt_end - gdt - 1
    .long gdt
trampoline_end:

    .data
    .balign 16
    .globl gdt, gdt_end, gdt_pointer
gdt:
    .quad 0
    .quad 0x00af9b000000ffff    /* 64-bit code */
    .quad 0x00cf93000000ffff    /* data */
    .quad 0x00cf9b000000ffff    /* 32-bit code */
    .quad 0x00009b000000ffff + (TOUR16 << 16) /* 16-bit code */
    .quad 0x000093000000ffff    /* 16-bit data */
    .quad 0x00cff3000000ffff    /* user data */
    .quad 0x00affb000000ffff    /* user 64-bit code */
    .quad 0, 0                  /* 32-bit TSSs of the task switch probe */
    .fill 2 * MAX_CPUS, 8, 0
    .quad 0x00cffb000000ffff    /* user 32-bit code */
    .quad 0x0000fb000000ffff + (USER >> 24 << 56) /* user 16-bit code, base USER */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt

    .bss
    .balign 4096
    .globl pml4, pdpt, pd
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4 * 4096
    .globl ap_stacks
boot_stack: .skip STACK_BYTES
ap_stacks: .skip MAX_CPUS * STACK_BYTES
    .globl boot_params_address
boot_params_address: .skip 8
