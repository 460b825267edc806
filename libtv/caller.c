#include "caller.h"

#include <base/bits.h>
#include <string.h>

#define EFER_LMA BIT(10)

uint64_t tv_argument(const struct vcpu *vcpu, enum vcpu_gpr gpr)
{
    uint64_t value = vcpu_gpr(vcpu, gpr);
    return vcpu_width(vcpu) == VCPU_64BIT ? value : (uint32_t)value;
}

uint64_t tv_linear(const struct vcpu *vcpu, enum vcpu_seg seg, uint64_t offset)
{
    if (vcpu_width(vcpu) == VCPU_64BIT) {
        return offset;
    }
    return (uint32_t)(vcpu_segment_base(vcpu, seg) + offset);
}

void tv_caller_memory(const struct vcpu *vcpu, struct tv_memory *memory)
{
    struct vcpu_paging paging;

    vcpu_paging(vcpu, &paging);
    memory->paging.cr0 = paging.cr0;
    memory->paging.cr3 = paging.cr3;
    memory->paging.cr4 = paging.cr4;
    memory->paging.efer = paging.efer;
    memory->paging.rflags = paging.rflags;
    memory->paging.cpl = paging.cpl;
    memory->width = paging.width;
    if ((paging.efer & EFER_LMA) == 0) {
        memcpy(memory->paging.pdpte, paging.pdpte, sizeof(paging.pdpte));
    }
}

enum tv_error tv_caller_check(const struct vcpu *vcpu)
{
    if (vcpu_cpl(vcpu) != 3) {
        return TV_ERROR_NOT_USER;
    }
    return vcpu_width(vcpu) == VCPU_16BIT ? TV_ERROR_WIDTH : TV_OK;
}
