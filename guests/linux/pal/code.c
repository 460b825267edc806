#include "code.h"

#include <tv/abi.h>

#define PAL __attribute__((section("pal_code"), noinline, used))
#define INLINE static inline __attribute__((always_inline))

/* Where the copy of the section starts that runs. */
INLINE uint8_t *home(void)
{
    uint8_t *start;

#ifdef __x86_64__
    __asm__("lea __start_pal_code(%%rip), %0" : "=r"(start));
#else
    __asm__("call 1f\n1: pop %0\n add $__start_pal_code - 1b, %0" : "=r"(start)::"cc");
#endif
    return start;
}

INLINE struct pal_data *data(void)
{
    return (struct pal_data *)(home() - PAGE);
}

PAL uintptr_t pal_zero(void)
{
    return PAL_ZERO;
}

PAL uintptr_t pal_add_one(uintptr_t value)
{
    return value + 1;
}

PAL uintptr_t pal_double(uintptr_t factor, uintptr_t *words)
{
    uintptr_t sum = factor;

    for (unsigned i = 0; i < PAL_DOUBLE_WORDS; i++) {
        sum += words[i];
        words[i] *= 2;
    }
    return sum;
}

PAL uintptr_t pal_weighted(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e,
                           uintptr_t f, uintptr_t g, uintptr_t h, uintptr_t i, uintptr_t j)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j;
}

PAL uintptr_t pal_cpuid(uintptr_t which)
{
    uint32_t eax = TV_CPUID_LEAF, ebx, ecx = 0, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return which == 0 ? eax : which == 1 ? ebx : which == 2 ? ecx : edx;
}

PAL uintptr_t pal_flags(void)
{
    uintptr_t flags;

    __asm__ volatile("pushf\n pop %0" : "=r"(flags));
    return flags;
}

/* How much a value counts depends on its place, so that none can be taken for another. */
INLINE uintptr_t mix_pointer(uintptr_t place, uintptr_t *words, uint32_t count)
{
    uintptr_t sum = 0;

    for (uint32_t word = 0; word < count; word++) {
        sum += words[word] * (place + word * 13);
        words[word] ^= place;
    }
    return sum;
}

/* pal_mix comes here: parameters 0 to 5 of 64-bit code lie in registers, the rest in stack. */
PAL uintptr_t pal_mix_body(const uintptr_t *registers, const uintptr_t *stack)
{
    const struct pal_data *plan = data();
    const unsigned in_registers = sizeof(uintptr_t) == 8 ? 6 : 0;
    uintptr_t sum = plan->count;

    for (unsigned i = 0; i < plan->count; i++) {
        uintptr_t value = i < in_registers ? registers[i] : stack[i - in_registers];
        if (plan->param[i].type == TV_PARAM_INTEGER) {
            sum += value * (i * 2 + 3);
            continue;
        }
        uintptr_t end = value + plan->param[i].words * sizeof(uintptr_t);
        if (value < plan->param_start || end > plan->param_end) {
            return PAL_MIX_STRAY;
        }
        sum += mix_pointer(i * 2 + 3, (uintptr_t *)value, plan->param[i].words);
    }
    return sum;
}

PAL uintptr_t pal_secret(uintptr_t store, uintptr_t value)
{
    volatile uintptr_t *secret = &data()->secret;
    uintptr_t before = *secret;

    if (store != 0) {
        *secret = value;
    }
    return before;
}

PAL uintptr_t pal_count(uintptr_t loops)
{
    volatile uintptr_t *calls = &data()->calls;
    uintptr_t before = *calls;

    for (volatile uintptr_t i = 0; i < loops; i++) {
    }
    *calls = before + 1;
    return before + 1;
}

PAL uintptr_t pal_peek(uintptr_t address)
{
    return *(volatile uintptr_t *)address;
}

PAL uintptr_t pal_poke(uintptr_t address, uintptr_t value)
{
    *(volatile uintptr_t *)address = value;
    return value;
}

PAL uintptr_t pal_call_at(uintptr_t address, uintptr_t value)
{
    return ((uintptr_t(*)(uintptr_t))address)(value) + 1;
}

PAL uintptr_t pal_checksum(const uint8_t *in, uint8_t *out, uintptr_t bytes)
{
    uintptr_t sum = bytes;

    for (uintptr_t i = 0; i < bytes; i++) {
        sum = sum * 31 + in[i];
        out[i] = (uint8_t)~in[i];
    }
    return sum;
}

PAL uintptr_t pal_vector(void)
{
    uint32_t word[4];

    __asm__ volatile("movups %%xmm0, %0" : "=m"(word));
    __asm__ volatile("fld1\n pcmpeqd %xmm0, %xmm0\n pcmpeqd %xmm1, %xmm1\n pcmpeqd %xmm6, %xmm6\n"
                     "pcmpeqd %xmm7, %xmm7");
    return word[0] | word[1] | word[2] | word[3];
}

PAL uintptr_t pal_hypercall(uintptr_t number, uintptr_t argument)
{
    uintptr_t result = number;

    __asm__ volatile("vmcall"
                     : "+a"(result)
                     : "c"(argument), "d"(argument), "S"(argument), "D"(argument)
                     : "memory", "cc");
    return result;
}

PAL uintptr_t pal_service(struct pal_request *request)
{
    uintptr_t start = (uintptr_t)request, result = request->number, argument[4];

    for (uint32_t i = 0; i < request->address_count; i++) {
        *(volatile uintptr_t *)(start + request->address_at[i]) += start;
    }
    for (unsigned i = 0; i < 4; i++) {
        argument[i] = request->argument[i] + (request->plain[i] == 0 ? start : 0);
    }
    uint64_t before = sys_tsc();
    __asm__ volatile("vmcall"
                     : "+a"(result)
                     : "c"(argument[0]), "d"(argument[1]), "S"(argument[2]), "D"(argument[3])
                     : "memory", "cc");
    request->ticks = sys_tsc() - before;
    return result;
}
