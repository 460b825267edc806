/*
 * Measuring: how the identity of a PAL comes from its sections, and what a measurement register
 * (PCR) of its micro-TPM holds.
 *
 * A measurement is the state of one register in two algorithms.  It starts as zero and is only ever
 * extended, as TPM_Extend does: it becomes H(measurement || digest), so its value tells what was
 * added and in which order.
 *
 * struct tv_measure is one digest under way.  The caller owns both structures and calls
 * tv_measure_begin(), then the adding functions in any number, then tv_measure_extend(); after that
 * it is to be begun again.  There is no other state: any CPU may call, no lock is taken, and
 * whoever shares a structure between CPUs serialises.  Nothing can fail.  Nothing secret is
 * measured, so what is left in the structure need not be wiped.
 */
#ifndef TV_MEASURE_H
#define TV_MEASURE_H

#include <bearssl.h>
#include <stddef.h>
#include <stdint.h>
#include <tv/abi.h>

struct tv_measurement {
    uint8_t sha1[br_sha1_SIZE];
    uint8_t sha256[br_sha256_SIZE];
};

struct tv_measure {
    br_sha1_context sha1;
    br_sha256_context sha256;
};

void tv_measure_begin(struct tv_measure *measure);

void tv_measure_add(struct tv_measure *measure, const void *data, size_t bytes);

/*
 * What describes a section precedes its content: u32 type, u64 start address, u64 size in bytes,
 * little endian.  PARAM and STACK have no address: where the process has them is no part of the
 * PAL's identity.
 */
void tv_measure_section_header(struct tv_measure *measure, uint32_t type, uint64_t start,
                               uint64_t bytes);

/*
 * What is called, and how, is part of the SHA-256 identity, before the sections: the same code is
 * another PAL at another entry point.  The SHA-1 identity is the old interface's, which leaves it
 * out.  width: of a word, 4 or 8 bytes; flags: TV_PAL_VECTOR.
 */
void tv_measure_description(struct tv_measurement *measurement, uint32_t width, uint32_t flags,
                            uint64_t entry, uint32_t count,
                            const struct tv_pal_parameter *parameters);

/* Extends *measurement by the digest of everything added. */
void tv_measure_extend(struct tv_measure *measure, struct tv_measurement *measurement);

#endif
