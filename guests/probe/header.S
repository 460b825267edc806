/* Setup header of Linux's boot protocol (boot.rst): loaders take us for a bzImage by it. */
    .section .header, "a"
    .org 0x1f1
    .byte 1                     /* setup_sects: one sector behind this one */
    .word 0
    .long probe_paragraphs      /* syssize, in 16-byte units */
    .word 0, 0xffff, 0
    .word 0xaa55                /* boot_flag */
    .byte 0xeb, header_end - header_magic
header_magic:
    .ascii "HdrS"
    .word 0x020f                /* version */
    .long 0
    .word 0x1000, 0
    .byte 0                     /* type_of_loader */
    .byte 1                     /* loadflags: LOADED_HIGH */
    .word 0x8000
    .long 0x100000              /* code32_start: GRUB adds how far pref_address is from here */
    .long 0, 0, 0               /* ramdisk_image, ramdisk_size, bootsect_kludge */
    .word 0, 0
    .long 0                     /* cmd_line_ptr */
    .long 0x7fffffff            /* initrd_addr_max */
    .long 0x200000              /* kernel_alignment */
    .byte 1, 21                 /* relocatable (GRUB reads pref_address only then), min_alignment */
    .word 0
    .long 2047                  /* cmdline_size */
    .long 0
    .quad 0
    .long 0, 0                  /* payload */
    .quad 0                     /* setup_data */
    .quad probe_start           /* pref_address */
    .long probe_init_bytes      /* init_size */
    .long 0
header_end:
    .org 0x400
