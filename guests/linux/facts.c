/* What a guest process learns from the CPU itself: the time-stamp counter and some CPUID bits.
 * Needs no C library, so that one source gives a small static program for amd64 and for i386.
 * Prints one line: tsc=N hypervisor=yes|no vmx=yes|no signature=TEXT */
#include <stddef.h>
#include <stdint.h>

struct cpuid_leaf {
    uint32_t eax, ebx, ecx, edx;
};

static char line[160];
static size_t line_bytes;

static struct cpuid_leaf cpuid(uint32_t number)
{
    struct cpuid_leaf leaf;

    __asm__ volatile("cpuid"
                     : "=a"(leaf.eax), "=b"(leaf.ebx), "=c"(leaf.ecx), "=d"(leaf.edx)
                     : "a"(number), "c"(0));
    return leaf;
}

static uint64_t read_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return ((uint64_t)high << 32) | low;
}

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

/* The vendor's twelve letters of a hypervisor leaf; anything unprintable becomes a dot. */
static void put_signature(const uint32_t words[3])
{
    char text[13];

    for (int i = 0; i < 12; i++) {
        char letter = (char)(words[i / 4] >> (8 * (i % 4)));
        text[i] = letter > ' ' && letter < 127 ? letter : '.';
    }
    text[12] = '\0';
    put_text(text);
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

void _start(void)
{
    uint64_t tsc = read_tsc();
    struct cpuid_leaf features = cpuid(1);
    int hypervisor = (features.ecx >> 31) & 1;

    put_text("tsc=");
    put_decimal(tsc);
    put_text(hypervisor ? " hypervisor=yes" : " hypervisor=no");
    put_text((features.ecx >> 5) & 1 ? " vmx=yes" : " vmx=no");
    put_text(" signature=");
    if (hypervisor) {
        struct cpuid_leaf vendor = cpuid(0x40000000);
        put_signature((const uint32_t[]){vendor.ebx, vendor.ecx, vendor.edx});
    } else {
        put_text("none");
    }
    put_text("\n");
    system_call(SYSCALL_WRITE, 1, (long)line, (long)line_bytes);
    system_call(SYSCALL_EXIT, 0, 0, 0);
    for (;;) {
    }
}
