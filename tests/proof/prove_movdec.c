/*
 * The decoder of a guest's MOV: for all bytes that can stand at its instruction pointer, it reads
 * none past the end, an instruction is at most 15 bytes long and not longer than what was given,
 * and every register number that comes out is one.
 *
 * sources: libsmp/movdec.c
 * options: --unwind 17
 */
#include "proof.h"

#include <smp/movdec.h>

int main(void)
{
    uint8_t bytes[SMP_MOV_MAX_BYTES];
    unsigned count = nondet_unsigned(), code_bytes = 2u << nondet_unsigned() % 3;
    struct smp_mov mov;

    __CPROVER_havoc_object(bytes);
    proof_assume(count <= SMP_MOV_MAX_BYTES);
    /* The bytes lie at the end of the object: one read too many leaves it. */
    const uint8_t *start = bytes + (SMP_MOV_MAX_BYTES - count);
    if (smp_mov_decode(&mov, start, count, code_bytes)) {
        proof_assert(mov.length >= 2 && mov.length <= count);
        proof_assert(mov.operand_bytes == 1 || mov.operand_bytes == 2 || mov.operand_bytes == 4 ||
                     (mov.operand_bytes == 8 && code_bytes == 8));
        proof_assert(mov.address_bytes == 2 || mov.address_bytes == 4 ||
                     (mov.address_bytes == 8 && code_bytes == 8));
        proof_assert(mov.source < HW_GPR_COUNT || mov.source == SMP_MOV_NONE);
        proof_assert(mov.base < HW_GPR_COUNT || mov.base == SMP_MOV_NONE);
        proof_assert(mov.index < HW_GPR_COUNT || mov.index == SMP_MOV_NONE);
        proof_assert(mov.index != HW_RSP && mov.scale_shift <= 3 && mov.segment <= SMP_MOV_GS);
        struct hw_gprs gprs;
        __CPROVER_havoc_object(&gprs);
        uint64_t value = smp_mov_value(&mov, &gprs, nondet_u64());
        proof_assert(mov.operand_bytes == 8 || value >> 8 * mov.operand_bytes == 0);
        uint64_t address = smp_mov_address(&mov, &gprs, nondet_u64(), nondet_u64(), nondet_u64());
        proof_assert(code_bytes == 8 || address >> 32 == 0);
    }
    proof_reached();
    return 0;
}
