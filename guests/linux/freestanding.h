/*
 * What the guests' small programs share: a line of text and the two system calls that they need.
 * They have no C library, so that one source gives a static program for amd64 and for i386.
 */
#ifndef GUESTS_LINUX_FREESTANDING_H
#define GUESTS_LINUX_FREESTANDING_H

#include <stddef.h>
#include <stdint.h>

static char line[200];
static size_t line_bytes;

static void put_text(const char *text)
{
    while (*text != '\0' && line_bytes < sizeof(line)) {
        line[line_bytes++] = *text++;
    }
}

/* Divides by ten in 32-bit halves: i386 would otherwise call libgcc. */
static void put_decimal(uint64_t value)
{
    char digits[21];
    size_t first = sizeof(digits) - 1;

    digits[first] = '\0';
    do {
        uint64_t quotient = 0, rest = 0;
        for (int bit = 63; bit >= 0; bit--) {
            rest = (rest << 1) | ((value >> bit) & 1);
            if (rest >= 10) {
                rest -= 10;
                quotient |= 1ULL << bit;
            }
        }
        digits[--first] = (char)('0' + rest);
        value = quotient;
    } while (value != 0);
    put_text(&digits[first]);
}

static long system_call(long number, long first, long second, long third)
{
    long result;

#ifdef __x86_64__
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
#else
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(third)
                     : "memory");
#endif
    return result;
}

#ifdef __x86_64__
enum { SYSCALL_WRITE = 1, SYSCALL_EXIT = 60 };
#else
enum { SYSCALL_WRITE = 4, SYSCALL_EXIT = 1 };
#endif

#endif
