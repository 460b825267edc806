/* What a guest process learns from the CPU itself: the time-stamp counter and some CPUID bits.
 * Needs no C library, so that one source gives a small static program for amd64 and for i386.
 * Prints one line: tsc=N hypervisor=yes|no vmx=yes|no signature=TEXT */
#include "freestanding.h"

struct cpuid_leaf {
    uint32_t eax, ebx, ecx, edx;
};

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
