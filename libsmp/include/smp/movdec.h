/*
 * Decodes one MOV that stores to memory, for writes to the write-protected local APIC page.
 *
 * Pure, and strict: opcodes 88, 89, C6 /0, C7 /0, A2, A3 (SDM vol. 2, "MOV") with at most one each
 * of 66, 67, a segment override and REX.  Anything else is "not decoded" and the caller decides.
 * Segment limits, rights and paging need no second check (REQ-SMP-6): the CPU made them before the
 * EPT violation that brings us here.  What the caller does check is that smp_mov_address() is the
 * faulting linear address, since another CPU may have changed the code bytes meanwhile.
 */
#ifndef SMP_MOVDEC_H
#define SMP_MOVDEC_H

#include <hw/vmx.h>
#include <stdbool.h>
#include <stdint.h>

#define SMP_MOV_MAX_BYTES 15
#define SMP_MOV_NONE 0xff

/* In the order of segment register encoding. */
enum smp_mov_segment { SMP_MOV_ES, SMP_MOV_CS, SMP_MOV_SS, SMP_MOV_DS, SMP_MOV_FS, SMP_MOV_GS };

struct smp_mov {
    uint8_t length;        /* of the instruction, in bytes */
    uint8_t operand_bytes; /* 1, 2, 4 or 8 */
    uint8_t address_bytes; /* 2, 4 or 8 */
    uint8_t code_bytes;    /* as passed in */
    uint8_t source;        /* register number, SMP_MOV_NONE: immediate */
    bool source_high;      /* AH, CH, DH, BH: bits 15:8 of register source */
    uint8_t base;          /* register number or SMP_MOV_NONE */
    uint8_t index;         /* register number or SMP_MOV_NONE */
    uint8_t scale_shift;   /* index << scale_shift */
    bool rip_relative;
    uint8_t segment;       /* enum smp_mov_segment */
    uint64_t displacement; /* sign-extended */
    uint64_t immediate;    /* sign-extended */
};

/*
 * bytes[0, count): what could be read at RIP, at most 15 are looked at.  code_bytes: 2, 4 or 8 for
 * 16-, 32- and 64-bit code.  False: not such a MOV, or it ends past count; *mov is then undefined.
 */
bool smp_mov_decode(struct smp_mov *mov, const uint8_t *bytes, unsigned count, unsigned code_bytes);

/* The value stored, zero-extended from operand_bytes.  gprs->gpr[HW_RSP] is not used, rsp is. */
uint64_t smp_mov_value(const struct smp_mov *mov, const struct hw_gprs *gprs, uint64_t rsp);

/*
 * The linear address stored to.  rip: of the instruction; segment_base: of mov->segment (64-bit
 * code uses it for FS and GS only).
 */
uint64_t smp_mov_address(const struct smp_mov *mov, const struct hw_gprs *gprs, uint64_t rsp,
                         uint64_t rip, uint64_t segment_base);

#endif
