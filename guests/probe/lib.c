/* What a C library would give. */
#include "lib.h"

#include "cpu.h"

#define COM1 0x3f8
#define LINE_STATUS_TX_EMPTY 0x20

void *memcpy(void *to, const void *from, size_t bytes)
{
    void *result = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
    return result;
}

void *memset(void *to, int value, size_t bytes)
{
    void *result = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
    return result;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *left = a, *right = b;

    for (size_t i = 0; i < bytes; i++) {
        if (left[i] != right[i]) {
            return left[i] - right[i];
        }
    }
    return 0;
}

bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

void console_init(void)
{
    out8(COM1 + 1, 0);    /* no interrupts */
    out8(COM1 + 3, 0x80); /* divisor 1: 115200 baud */
    out8(COM1 + 0, 1);
    out8(COM1 + 1, 0);
    out8(COM1 + 3, 3); /* 8 bits, no parity */
}

static void put(char c)
{
    for (unsigned i = 0; i < 100000 && !(in8(COM1 + 5) & LINE_STATUS_TX_EMPTY); i++) {
    }
    out8(COM1, (uint8_t)c);
}

static void put_string(const char *text)
{
    while (*text != '\0') {
        put(*text++);
    }
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[24];
    unsigned count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0) {
        put(digits[--count]);
    }
}

void print_list(const char *format, __builtin_va_list list)
{
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        bool is_long = format[1] == 'l';
        format += is_long ? 3 : 1;
        switch (*format) {
        case 's':
            put_string(__builtin_va_arg(list, const char *));
            break;
        case 'd': {
            int value = __builtin_va_arg(list, int);
            put_string(value < 0 ? "-" : "");
            put_number((uint64_t)(value < 0 ? -(int64_t)value : value), 10);
            break;
        }
        default: {
            uint64_t value = is_long ? __builtin_va_arg(list, unsigned long long)
                                     : __builtin_va_arg(list, unsigned);
            put_number(value, *format == 'x' ? 16 : 10);
            break;
        }
        }
    }
}

void print(const char *format, ...)
{
    __builtin_va_list list;

    __builtin_va_start(list, format);
    print_list(format, list);
    __builtin_va_end(list);
}

static uint64_t random_state = 88172645463325252ULL;

void random_seed(uint64_t seed)
{
    random_state ^= seed * 0x9e3779b97f4a7c15ULL;
    random_state |= 1;
}

uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

void delay(uint64_t tsc_ticks)
{
    uint64_t start = rdtsc();

    while (rdtsc() - start < tsc_ticks) {
        pause();
    }
}
