/* cmocka and what it needs before it. */
#ifndef TESTS_APPS_CMOCKA_ALL_H
#define TESTS_APPS_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Xorshift: random tests repeat exactly. */
static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
