/* The part of a C library that a PAL has: compilers call these four by themselves. */
#include <nacre/pal.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes)::"memory");
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *target = to;
    const uint8_t *source = from;

    if ((uintptr_t)to - (uintptr_t)from >= bytes) { /* before, or past the end */
        return memcpy(to, from, bytes);
    }
    while (bytes > 0) {
        bytes--;
        target[bytes] = source[bytes];
    }
    return to;
}

void *memset(void *start, int value, size_t bytes)
{
    void *at = start;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(value) : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *left = a, *right = b;

    for (size_t i = 0; i < bytes; i++) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}

bool pal_equal(const void *a, const void *b, size_t bytes)
{
    const volatile uint8_t *left = a, *right = b;
    unsigned different = 0;

    for (size_t i = 0; i < bytes; i++) {
        different |= left[i] ^ right[i];
    }
    return different == 0;
}

void pal_wipe(void *start, size_t bytes)
{
    memset(start, 0, bytes); /* volatile assembly: it stays */
    __asm__ volatile("" ::"r"(start) : "memory");
}
