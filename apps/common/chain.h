/*
 * Chain mode: the guest starts in real mode, as a BIOS would start it, from the boot sector of a
 * drive.  A small program at 0:0600 (free for boot loaders once the BIOS is done) reads that
 * sector to 0:7C00 by INT 13h and jumps to it with DL = drive.  Boot CPU only, before the guest
 * runs.
 */
#ifndef APPS_CHAIN_H
#define APPS_CHAIN_H

#include "memmap.h"

#include <base/status.h>
#include <stdbool.h>
#include <stdint.h>

#define CHAIN_STUB_ADDRESS 0x600
#define CHAIN_SECTOR_ADDRESS 0x7c00
#define CHAIN_STUB_MAX_BYTES 256

/* Real-mode state that the guest's CPU starts with: CS = DS = ES = SS = 0, interrupts off. */
struct chain_entry {
    uint16_t ip;
    uint16_t sp;
    uint32_t vmcall; /* linear address of the VMCALL that reports a failure */
};

/* Puts the program into place.  STATUS_UNSUPPORTED: the memory there is not the guest's. */
enum status chain_install(const struct memmap *map, uint8_t drive, struct chain_entry *entry);

/* Logs the failure that the VMCALL reports; ax is the guest's AX, AH the BIOS's error. */
void chain_report(uint8_t drive, uint16_t ax);

#endif
