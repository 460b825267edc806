#include "int15.h"

#include <hw/mem.h>

/* Real-mode data of the BIOS. */
#define IVT_15H 0x54ULL         /* offset, segment */
#define BDA_MEMORY_KIB 0x413ULL /* conventional memory */
#define MIN_CONVENTIONAL_KIB 64
#define MAX_CONVENTIONAL_KIB 640
#define VIDEO_MEMORY 0xa0000ULL
#define REAL_MODE_END 0x10fff0ULL /* FFFF:FFFF + 1 */

#define SMAP 0x534d4150U
#define E820_BYTES 20U
#define E820_EXTENDED_BYTES 24U
#define E820_ATTRIBUTE_ENABLED 1U
#define ERROR_NOT_SUPPORTED 0x86U

#define RFLAGS_CF 1U
/* INT pushed IP, CS, FLAGS. */
#define STACK_FLAGS 4U

/* Offsets within the code below. */
#define FAR_JUMP_TARGET 0x15
#define OURS 0x19
#define VMCALL 0x22
#define VIRTUAL_8086 0x26

/* Entry of vector 15h, at offset 0 of its segment; the far jump's target is filled in. */
/* clang-format off */
static const uint8_t HOOK[] = {
    0x3d, 0x20, 0xe8,             /* 00: cmp ax, e820h */
    0x74, OURS - 0x05,            /* 03: je ours */
    0x3d, 0x01, 0xe8,             /* 05: cmp ax, e801h */
    0x74, OURS - 0x0a,            /* 08: je ours */
    0x3d, 0x81, 0xe8,             /* 0a: cmp ax, e881h */
    0x74, OURS - 0x0f,            /* 0d: je ours */
    0x80, 0xfc, 0x88,             /* 0f: cmp ah, 88h */
    0x74, OURS - 0x14,            /* 12: je ours */
    0xea, 0x00, 0x00, 0x00, 0x00, /* 14: jmp far BIOS */
    0x50,                         /* 19: ours: push ax */
    0x0f, 0x01, 0xe0,             /* 1a: smsw ax */
    0xa8, 0x01,                   /* 1d: test al, 1  CR0.PE: in virtual-8086 mode */
    0x58,                         /* 1f: pop ax */
    0x75, VIRTUAL_8086 - 0x22,    /* 20: jnz virtual_8086 */
    0x0f, 0x01, 0xc1,             /* 22: vmcall  int15_handle() */
    0xcf,                         /* 25: iret */
    0xb4, ERROR_NOT_SUPPORTED,    /* 26: virtual_8086: mov ah, 86h  addresses may be paged there */
    0x55,                         /* 28: push bp */
    0x89, 0xe5,                   /* 29: mov bp, sp */
    0x80, 0x4e, 0x06, RFLAGS_CF,  /* 2b: or byte [bp+6], 1  carry in the caller's FLAGS */
    0x5d,                         /* 2f: pop bp */
    0xcf,                         /* 30: iret */
};
/* clang-format on */
_Static_assert(sizeof(HOOK) == 0x31 && sizeof(HOOK) <= INT15_HOOK_BYTES, "hook as commented");

/* End of the conventional memory that both the BIOS and the map know, 0 if there is none. */
static uint64_t conventional_end(const struct memmap *map)
{
    uint16_t kib;

    if (hw_phys_read(hpa(BDA_MEMORY_KIB), &kib, sizeof(kib)) != STATUS_OK ||
        kib < MIN_CONVENTIONAL_KIB || kib > MAX_CONVENTIONAL_KIB) {
        return 0;
    }
    uint64_t end = (uint64_t)kib << 10;
    const uint64_t lowest = MIN_CONVENTIONAL_KIB << 10;
    while (end >= lowest && !memmap_is(map, end - INT15_HOOK_BYTES, end, HW_MEMORY_RAM)) {
        end -= INT15_HOOK_BYTES;
    }
    return end >= lowest ? end : 0;
}

enum status int15_install(struct memmap *map, struct int15_hook *hook)
{
    uint64_t end = conventional_end(map);
    uint32_t bios_vector;

    if (end == 0 || hw_phys_read(hpa(IVT_15H), &bios_vector, sizeof(bios_vector)) != STATUS_OK ||
        bios_vector == 0) {
        return STATUS_UNSUPPORTED;
    }
    uint64_t start = end - INT15_HOOK_BYTES;
    enum status status = memmap_set(map, start, end, HW_MEMORY_RESERVED);
    if (status != STATUS_OK) {
        return status;
    }
    uint16_t kib = (uint16_t)(start >> 10);
    uint32_t our_vector = (uint32_t)(start >> 4) << 16;
    if (hw_phys_write(hpa(start), HOOK, sizeof(HOOK)) != STATUS_OK ||
        hw_phys_write(hpa(start + FAR_JUMP_TARGET), &bios_vector, sizeof(bios_vector)) !=
            STATUS_OK ||
        hw_phys_write(hpa(BDA_MEMORY_KIB), &kib, sizeof(kib)) != STATUS_OK ||
        hw_phys_write(hpa(IVT_15H), &our_vector, sizeof(our_vector)) != STATUS_OK) {
        return STATUS_FAULT;
    }
    *hook = (struct int15_hook){start, (uint32_t)start + VMCALL};
    return STATUS_OK;
}

/* What the guest may have us read or write: conventional memory, or its RAM up to FFFF:FFFF. */
static bool is_guest_memory(const struct memmap *map, uint64_t start, uint64_t bytes)
{
    if (start >= REAL_MODE_END || bytes > REAL_MODE_END - start) {
        return false;
    }
    return start + bytes <= VIDEO_MEMORY || memmap_is(map, start, start + bytes, HW_MEMORY_RAM);
}

/* segment:offset with the offset wrapping in 16 bits, at most once; all or nothing. */
static enum status write_far(const struct memmap *map, uint64_t base, uint16_t offset,
                             const uint8_t *from, unsigned bytes)
{
    unsigned before_wrap = 0x10000U - offset;
    unsigned first = bytes < before_wrap ? bytes : before_wrap;
    unsigned rest = bytes - first;

    if (base >= REAL_MODE_END || !is_guest_memory(map, base + offset, first) ||
        (rest > 0 && !is_guest_memory(map, base, rest))) {
        return STATUS_FAULT;
    }
    enum status status = hw_phys_write(hpa(base + offset), from, first);
    if (status == STATUS_OK && rest > 0) {
        status = hw_phys_write(hpa(base), from + first, rest);
    }
    return status;
}

/* AX=E820h.  false: carry is to be set. */
static bool handle_e820(const struct memmap *map, struct int15_regs *regs)
{
    struct {
        struct memmap_e820 entry;
        uint32_t attributes; /* ACPI 3.0 */
    } __attribute__((packed)) answer;
    _Static_assert(sizeof(answer) == E820_EXTENDED_BYTES, "ACPI: extended address range");

    if (regs->edx != SMAP || regs->ecx < E820_BYTES || regs->ebx >= map->count) {
        return false;
    }
    uint32_t bytes = regs->ecx >= E820_EXTENDED_BYTES ? E820_EXTENDED_BYTES : E820_BYTES;
    answer.entry = memmap_e820(map, regs->ebx);
    answer.attributes = E820_ATTRIBUTE_ENABLED;
    if (write_far(map, regs->es_base, (uint16_t)regs->edi, (const uint8_t *)&answer, bytes) !=
        STATUS_OK) {
        return false;
    }
    regs->eax = SMAP;
    regs->ecx = bytes;
    regs->ebx = regs->ebx + 1 < map->count ? regs->ebx + 1 : 0;
    return true;
}

static uint32_t with_low16(uint32_t value, uint16_t low)
{
    return (value & 0xffff0000U) | low;
}

/* AX=E801h and E881h: the same numbers in 16-bit and in 32-bit registers. */
static void handle_e801(const struct memmap *map, struct int15_regs *regs, bool wide)
{
    uint16_t low;
    uint16_t high;

    memmap_e801(map, &low, &high);
    regs->eax = with_low16(wide ? 0 : regs->eax, low);
    regs->ebx = with_low16(wide ? 0 : regs->ebx, high);
    regs->ecx = with_low16(wide ? 0 : regs->ecx, low);
    regs->edx = with_low16(wide ? 0 : regs->edx, high);
}

static enum status set_carry(const struct memmap *map, const struct int15_regs *regs, bool carry)
{
    uint16_t offset = (uint16_t)(regs->esp + STACK_FLAGS);
    uint8_t flags;

    if (regs->ss_base >= REAL_MODE_END || !is_guest_memory(map, regs->ss_base + offset, 1) ||
        hw_phys_read(hpa(regs->ss_base + offset), &flags, 1) != STATUS_OK) {
        return STATUS_FAULT;
    }
    flags = (uint8_t)((flags & ~RFLAGS_CF) | (carry ? RFLAGS_CF : 0));
    return write_far(map, regs->ss_base, offset, &flags, 1);
}

enum status int15_handle(const struct memmap *map, struct int15_regs *regs)
{
    uint16_t ax = (uint16_t)regs->eax;
    bool ok = true;

    if (ax == 0xe820) {
        ok = handle_e820(map, regs);
    } else if (ax == 0xe801 || ax == 0xe881) {
        handle_e801(map, regs, ax == 0xe881);
    } else if (ax >> 8 == 0x88) {
        regs->eax = with_low16(regs->eax, memmap_int15_88(map));
    } else {
        ok = false;
    }
    if (!ok) {
        regs->eax = (regs->eax & 0xffff00ffU) | ERROR_NOT_SUPPORTED << 8;
    }
    return set_carry(map, regs, !ok);
}
