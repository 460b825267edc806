/*
 * The decoder of a guest's MOV: no byte past count is read (the copy ends there), at most 15 belong
 * to the instruction, and what it says depends on those bytes alone.
 *
 * sources: libsmp/movdec.c
 * seeds: 02 890425b000e0fe0000000000, 02 c70425b000e0fe00000000, 01 c70300000000,
 *     02 6567884424f0, 00 26c6067800ff
 */
#include "fuzz.h"

#include <smp/movdec.h>

static bool decode(struct smp_mov *mov, const uint8_t *data, size_t count, unsigned code_bytes)
{
    struct fuzz_input input = {data, count};
    uint8_t *copy = fuzz_copy(&input);
    bool decoded = smp_mov_decode(mov, copy, (unsigned)count, code_bytes);
    free(copy);
    return decoded;
}

static bool same(const struct smp_mov *a, const struct smp_mov *b)
{
    return a->length == b->length && a->operand_bytes == b->operand_bytes &&
           a->address_bytes == b->address_bytes && a->source == b->source &&
           a->source_high == b->source_high && a->base == b->base && a->index == b->index &&
           a->scale_shift == b->scale_shift && a->rip_relative == b->rip_relative &&
           a->segment == b->segment && a->displacement == b->displacement &&
           a->immediate == b->immediate;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smp_mov mov, exact;

    if (size < 1 || size > 64) {
        return 0;
    }
    unsigned code_bytes = 2u << data[0] % 3;
    size_t count = size - 1;
    if (!decode(&mov, data + 1, count, code_bytes)) {
        return 0;
    }
    FUZZ_CHECK(mov.length <= SMP_MOV_MAX_BYTES && mov.length <= count);
    FUZZ_CHECK(mov.code_bytes == code_bytes);
    FUZZ_CHECK(mov.base == SMP_MOV_NONE || mov.base < HW_GPR_COUNT);
    FUZZ_CHECK(mov.index == SMP_MOV_NONE || mov.index < HW_GPR_COUNT);
    FUZZ_CHECK(mov.source == SMP_MOV_NONE || mov.source < HW_GPR_COUNT);
    /* The bytes of the instruction alone say the same, and one byte less is none; with too few
     * bytes for the decoder's short cut this also compares that with the general way. */
    FUZZ_CHECK(decode(&exact, data + 1, mov.length, code_bytes) && same(&mov, &exact));
    FUZZ_CHECK(!decode(&exact, data + 1, mov.length - 1u, code_bytes));
    return 0;
}
