/* Behaviour of the image's C library that the image relies on; run by test_clib.py. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int *base_errno_location(void);

static int errno_of_this_cpu;

int *base_errno_location(void)
{
    return &errno_of_this_cpu;
}

static long linux_call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

static _Noreturn void end(int status, const char *text)
{
    linux_call(1, 1, (long)text, (long)strlen(text));
    for (;;)
        linux_call(60, status, 0, 0);
}

static void expect(int condition, const char *what)
{
    if (!condition)
        end(1, what);
}

static void expect_text(const char *got, const char *wanted)
{
    if (strcmp(got, wanted) != 0) {
        end(1, got);
    }
}

static void check_formats(void)
{
    char text[96];
    int length = snprintf(text, sizeof(text), "%d %u %llx %zu %5s|%-5s|%c %%", -12, 12U,
                          0x123456789abcdefULL, (size_t)-1, "ab", "cd", 'z');
    expect_text(text, "-12 12 123456789abcdef 18446744073709551615    ab|cd   |z %");
    expect(length == (int)strlen(text), "length of a whole text\n");
    snprintf(text, sizeof(text), "%016" PRIx64 " %#lx %08x %+d %lld %hhu", UINT64_C(0xfee00000),
             255L, 48879U, 5, -1LL, (unsigned char)200);
    expect_text(text, "00000000fee00000 0xff 0000beef +5 -1 200");
    length = snprintf(text, 5, "%s", "123456789");
    expect_text(text, "1234");
    expect(length == 9, "length of a cut text\n");
    snprintf(text, sizeof(text), "%.3s %*d %p", "abcdef", 4, 7, (void *)0x1000);
    expect_text(text, "abc    7 0x1000");
}

static void check_numbers(void)
{
    char *end_of_number;
    expect(strtoul("0x1fz", &end_of_number, 0) == 0x1f && *end_of_number == 'z', "strtoul\n");
    expect(strtol("-42", NULL, 10) == -42, "strtol\n");
    errno = 0;
    expect(strtoull("99999999999999999999", NULL, 10) == ULLONG_MAX, "strtoull\n");
    expect(errno == ERANGE && errno_of_this_cpu == ERANGE, "errno is this CPU's\n");
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void check_memory(void)
{
    char text[16] = "abcdefgh";
    memmove(text + 2, text, 6);
    expect_text(text, "ababcdef");
    memmove(text, text + 2, 6);
    expect_text(text, "abcdefef");
    memset(text, 'x', 3);
    expect(memcmp(text, "xxxdef", 6) == 0 && memchr(text, 'd', 8) == text + 3, "memory\n");
    expect(strlcpy(text, "0123456789abcdefgh", sizeof(text)) == 18 && text[15] == '\0',
           "strlcpy\n");
    int numbers[] = {5, -1, 9, 0, 3};
    qsort(numbers, 5, sizeof(numbers[0]), compare);
    expect(numbers[0] == -1 && numbers[2] == 3 && numbers[4] == 9, "qsort\n");
    expect(isdigit('7') && !isdigit('a') && isspace('\t') && toupper('q') == 'Q', "ctype\n");
}

/* The kernel enters with RSP aligned to 16 bytes, a C function expects it after a call. */
__asm__(".globl _start\n_start: call start\n");
_Noreturn void start(void);

_Noreturn void start(void)
{
    check_formats();
    check_numbers();
    check_memory();
    end(0, "ok\n");
}
