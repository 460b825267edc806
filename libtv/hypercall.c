#include <tv/tv.h>

#include <base/log.h>

void tv_init(struct tv *tv)
{
    tv->lock = (struct spinlock){0};
    tv_registry_init(&tv->registry);
    for (unsigned cpu = 0; cpu < CONFIG_MAX_CPUS; cpu++) {
        tv->running[cpu] = TV_CPUID_NO_PAL;
    }
}

bool tv_cpuid(const struct tv *tv, const struct vcpu *vcpu, uint32_t ecx,
              struct tv_cpuid_result *result)
{
    if (ecx != 0) {
        return false;
    }
    /* VMX is hidden from the guest, so that no caller is in a nested guest. */
    *result = (struct tv_cpuid_result){
        .eax = TV_CPUID_PRESENT,
        .ebx = tv->running[vcpu_cpu(vcpu)],
        .ecx = vcpu_width(vcpu) == VCPU_64BIT ? TV_CPUID_64BIT : 0,
    };
    return true;
}

/* Addresses and integers have the width of the calling code. */
static uint64_t argument(const struct vcpu *vcpu, enum vcpu_gpr gpr)
{
    uint64_t value = vcpu_gpr(vcpu, gpr);
    return vcpu_width(vcpu) == VCPU_64BIT ? value : (uint32_t)value;
}

static enum tv_error test(const struct vcpu *vcpu)
{
    log_info("CPU %u: guest test call, argument %#llx", vcpu_cpu(vcpu),
             (unsigned long long)argument(vcpu, VCPU_RCX));
    return TV_OK;
}

static enum tv_error dispatch(const struct vcpu *vcpu, uint32_t number)
{
    switch (number) {
    case TV_TEST:
        return test(vcpu);
    case TV_REG:
    case TV_UNREG:
    case TV_SEAL_1:
    case TV_UNSEAL_1:
    case TV_QUOTE_1:
    case TV_SHARE:
    case TV_PCRREAD:
    case TV_PCREXT:
    case TV_GENRAND:
    case TV_SEAL:
    case TV_UNSEAL:
    case TV_QUOTE:
    case TV_ID_GETPUB:
    case TV_NV_GETSIZE:
    case TV_NV_READALL:
    case TV_NV_WRITEALL:
        return TV_ERROR_NOT_AVAILABLE;
    default:
        return TV_ERROR_UNKNOWN_NUMBER;
    }
}

void tv_hypercall(struct tv *tv, struct vcpu *vcpu)
{
    (void)tv; /* the calls of this build change nothing in it */
    enum tv_error error = dispatch(vcpu, (uint32_t)vcpu_gpr(vcpu, VCPU_RAX));
    vcpu_set_gpr(vcpu, VCPU_RAX, error);
    vcpu_skip_instruction(vcpu);
}
