/* Bit helpers; pure. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define BIT(n) (1ULL << (n))

/* Bits [low, low + count) of value, shifted down; count < 64. */
static inline uint64_t bits_get(uint64_t value, unsigned low, unsigned count)
{
    return (value >> low) & ((1ULL << count) - 1);
}

/* Mask with bits [low, high) set; 0 <= low < high <= 64. */
static inline uint64_t bits_mask(unsigned low, unsigned high)
{
    uint64_t below_high = high == 64 ? ~0ULL : (1ULL << high) - 1;
    return below_high & ~((1ULL << low) - 1);
}

#endif
