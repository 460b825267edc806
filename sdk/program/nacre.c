#include <nacre/nacre.h>

bool nacre_detect(struct nacre_presence *presence)
{
    uint32_t eax = TV_CPUID_LEAF, ebx, ecx = 0, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if (eax != TV_CPUID_PRESENT) {
        return false;
    }
    if (presence != NULL) {
        *presence = (struct nacre_presence){
            .pal = ebx,
            .is_64bit = (ecx & TV_CPUID_64BIT) != 0,
            .is_nested = (ecx & TV_CPUID_NESTED) != 0,
        };
    }
    return true;
}

enum tv_error nacre_call(uint32_t number, const struct nacre_arguments *arguments)
{
    uintptr_t result = number;

    /* The hypervisor may read and write what the arguments point to. */
    __asm__ volatile("vmcall"
                     : "+a"(result)
                     : "c"(arguments->cx), "d"(arguments->dx), "S"(arguments->si),
                       "D"(arguments->di)
                     : "memory", "cc");
    return (enum tv_error)result;
}

enum tv_error nacre_test(uintptr_t value)
{
    const struct nacre_arguments arguments = {.cx = value};

    return nacre_call(TV_TEST, &arguments);
}
