#include "chain.h"

#include <base/log.h>
#include <hw/mem.h>
#include <stddef.h>

/* Offsets within the code below. */
#define RETRY 0x1d
#define FAILED 0x3b
#define PRINT 0x41
#define STOP 0x4f
#define LOADED 0x52
#define CODE_BYTES 0x71

/* INT 13h AH=42h disk address packet (EDD, "Disk Address Packet"). */
struct disk_packet {
    uint8_t bytes, reserved;
    uint16_t sectors, offset, segment;
    uint64_t first_sector;
} __attribute__((packed));

struct stub {
    uint8_t code[CODE_BYTES];
    uint8_t drive;
    struct disk_packet packet;
    char message[48];
} __attribute__((packed));

#define AT(member) (CHAIN_STUB_ADDRESS + offsetof(struct stub, member))
#define LOW(address) ((address)&0xff)
#define HIGH(address) ((address) >> 8)
/* Distance of a short jump whose instruction ends at end. */
#define JUMP(target, end) (((target) - (end)) & 0xff)

_Static_assert(sizeof(struct disk_packet) == 16, "EDD: disk address packet of 16 bytes");
_Static_assert(sizeof(struct stub) <= CHAIN_STUB_MAX_BYTES, "the stub fits where it is put");

/* Runs at 0:0600 in real mode. */
/* clang-format off */
static const struct stub STUB = {
    .code =
        {
            0x31, 0xc0,                                     /* 00: xor ax, ax */
            0x8e, 0xd8,                                     /* 02: mov ds, ax */
            0x8e, 0xc0,                                     /* 04: mov es, ax */
            0x8e, 0xd0,                                     /* 06: mov ss, ax */
            0xbc, 0x00, 0x7c,                               /* 08: mov sp, 7c00h */
            0xfc,                                           /* 0b: cld */
            0xfb,                                           /* 0c: sti */
            0x8a, 0x16, LOW(AT(drive)), HIGH(AT(drive)),    /* 0d: mov dl, [drive] */
            0xb4, 0x42,                                     /* 11: mov ah, 42h  extended read */
            0xbe, LOW(AT(packet)), HIGH(AT(packet)),        /* 13: mov si, packet */
            0xcd, 0x13,                                     /* 16: int 13h */
            0x73, JUMP(LOADED, 0x1a),                       /* 18: jnc loaded */
            0xbd, 0x03, 0x00,                               /* 1a: mov bp, 3  floppies need it */
            0x31, 0xc0,                                     /* 1d: retry: xor ax, ax  reset */
            0x8a, 0x16, LOW(AT(drive)), HIGH(AT(drive)),    /* 1f: mov dl, [drive] */
            0xcd, 0x13,                                     /* 23: int 13h */
            0xb8, 0x01, 0x02,                               /* 25: mov ax, 0201h  read 1 sector */
            0xbb, 0x00, 0x7c,                               /* 28: mov bx, 7c00h */
            0xb9, 0x01, 0x00,                               /* 2b: mov cx, 1  first sector */
            0x31, 0xd2,                                     /* 2e: xor dx, dx  head 0 */
            0x8a, 0x16, LOW(AT(drive)), HIGH(AT(drive)),    /* 30: mov dl, [drive] */
            0xcd, 0x13,                                     /* 34: int 13h */
            0x73, JUMP(LOADED, 0x38),                       /* 36: jnc loaded */
            0x4d,                                           /* 38: dec bp */
            0x75, JUMP(RETRY, 0x3b),                        /* 39: jnz retry */
            0x0f, 0x01, 0xc1,                               /* 3b: failed: vmcall  chain_report() */
            0xbe, LOW(AT(message)), HIGH(AT(message)),      /* 3e: mov si, message */
            0xac,                                           /* 41: print: lodsb */
            0x84, 0xc0,                                     /* 42: test al, al */
            0x74, JUMP(STOP, 0x46),                         /* 44: jz stop */
            0xb4, 0x0e,                                     /* 46: mov ah, 0eh  teletype */
            0xbb, 0x07, 0x00,                               /* 48: mov bx, 7 */
            0xcd, 0x10,                                     /* 4b: int 10h */
            0xeb, JUMP(PRINT, 0x4f),                        /* 4d: jmp print */
            0xf4,                                           /* 4f: stop: hlt */
            0xeb, JUMP(STOP, 0x52),                         /* 50: jmp stop */
            0x31, 0xc0,                                     /* 52: loaded: xor ax, ax */
            0x81, 0x3e, 0xfe, 0x7d, 0x55, 0xaa,             /* 54: cmp word [7dfeh], 0aa55h */
            0x75, JUMP(FAILED, 0x5c),                       /* 5a: jne failed */
            0x31, 0xdb,                                     /* 5c: xor bx, bx */
            0x31, 0xc9,                                     /* 5e: xor cx, cx */
            0x31, 0xd2,                                     /* 60: xor dx, dx */
            0x31, 0xf6,                                     /* 62: xor si, si */
            0x31, 0xff,                                     /* 64: xor di, di */
            0x31, 0xed,                                     /* 66: xor bp, bp */
            0x8a, 0x16, LOW(AT(drive)), HIGH(AT(drive)),    /* 68: mov dl, [drive] */
            /* 6c: jmp 0:7c00h */
            0xea, LOW(CHAIN_SECTOR_ADDRESS), HIGH(CHAIN_SECTOR_ADDRESS), 0, 0,
        },
    .packet = {.bytes = 16, .sectors = 1, .offset = CHAIN_SECTOR_ADDRESS},
    .message = "nacre: cannot boot from this drive\r\n",
};
/* clang-format on */

enum status chain_install(const struct memmap *map, uint8_t drive, struct chain_entry *entry)
{
    const uint64_t sector_end = CHAIN_SECTOR_ADDRESS + 512;

    if (!memmap_is(map, CHAIN_STUB_ADDRESS, sector_end, HW_MEMORY_RAM)) {
        return STATUS_UNSUPPORTED;
    }
    enum status status = hw_phys_write(hpa(CHAIN_STUB_ADDRESS), &STUB, sizeof(STUB));
    if (status == STATUS_OK) {
        status = hw_phys_write(hpa(AT(drive)), &drive, sizeof(drive));
    }
    *entry = (struct chain_entry){
        .ip = CHAIN_STUB_ADDRESS,
        .sp = CHAIN_SECTOR_ADDRESS,
        .vmcall = CHAIN_STUB_ADDRESS + FAILED,
    };
    return status;
}

void chain_report(uint8_t drive, uint16_t ax)
{
    unsigned bios_error = ax >> 8;

    if (bios_error == 0) {
        log_error("chain: sector 0 of drive 0x%02x is no boot sector; name another with drive=",
                  drive);
    } else {
        log_error("chain: cannot read drive 0x%02x (BIOS error 0x%02x); name another with drive=",
                  drive, bios_error);
    }
}
