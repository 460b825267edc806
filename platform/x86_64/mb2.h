/* Multiboot 2 information structure: parsed into hw_boot_info, every length bounded (REQ-MEM-4). */
#ifndef X86_MB2_H
#define X86_MB2_H

#include <hw/boot.h>

/*
 * Reads the structure at information (mapped, limit_bytes of it readable).  NULL on success, else
 * what is wrong, for the one line of the refusal.
 */
const char *mb2_parse(const void *information, uint64_t limit_bytes, struct hw_boot_info *info);

#endif
