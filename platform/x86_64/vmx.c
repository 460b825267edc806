/* VMX instructions, one function each (SDM vol. 3, "VMX Instruction Reference"). */
#include "layout.h"
#include "percpu.h"

#include <base/bits.h>
#include <base/check.h>
#include <hw/cpu.h>
#include <hw/vmx.h>

extern char hw_vmx_exit[];

/* CF: VMfailInvalid; ZF: VMfailValid (SDM "Conventions"). */
static enum hw_vmx_result result_of(bool cf, bool zf)
{
    if (cf) {
        return HW_VMX_FAIL_INVALID;
    }
    return zf ? HW_VMX_FAIL_VALID : HW_VMX_OK;
}

#define VMX_WITH_ADDRESS(instruction, address)                                                     \
    do {                                                                                           \
        __asm__ goto(instruction " %0\n\tjc %l[invalid]\n\tjz %l[valid]"                           \
                     :                                                                             \
                     : "m"(address)                                                                \
                     : "cc", "memory"                                                              \
                     : invalid, valid);                                                            \
        return HW_VMX_OK;                                                                          \
    invalid:                                                                                       \
        return HW_VMX_FAIL_INVALID;                                                                \
    valid:                                                                                         \
        return HW_VMX_FAIL_VALID;                                                                  \
    } while (0)

enum hw_vmx_result hw_vmxon(struct hpa region)
{
    VMX_WITH_ADDRESS("vmxon", region.v);
}

enum hw_vmx_result hw_vmclear(struct hpa vmcs)
{
    VMX_WITH_ADDRESS("vmclear", vmcs.v);
}

enum hw_vmx_result hw_vmptrld(struct hpa vmcs)
{
    VMX_WITH_ADDRESS("vmptrld", vmcs.v);
}

enum hw_vmx_result hw_vmxoff(void)
{
    bool cf, zf;
    __asm__ volatile("vmxoff" : "=@ccc"(cf), "=@ccz"(zf) : : "memory");
    return result_of(cf, zf);
}

/* These two are what an exit consists of: "below or equal" is both failures in one branch. */
enum hw_vmx_result hw_vmread(uint32_t field, uint64_t *value)
{
    uint64_t read;
    bool cf, failed;
    __asm__ volatile("vmread %3, %2"
                     : "=@ccc"(cf), "=@ccbe"(failed), "=r"(read)
                     : "r"((uint64_t)field));
    if (failed) {
        return result_of(cf, true);
    }
    *value = read;
    return HW_VMX_OK;
}

enum hw_vmx_result hw_vmwrite(uint32_t field, uint64_t value)
{
    bool cf, failed;
    __asm__ volatile("vmwrite %2, %3"
                     : "=@ccc"(cf), "=@ccbe"(failed)
                     : "r"(value), "r"((uint64_t)field)
                     : "memory");
    if (failed) {
        return result_of(cf, true);
    }
    return HW_VMX_OK;
}

uint64_t hw_vmcs_read(uint64_t field)
{
    uint64_t value = 0;
    __asm__ goto("vmread %q1, %0\n\tjbe %l[failed]" : "=r"(value) : "r"(field) : "cc" : failed);
    return value;
failed:
    CHECK(!"VMREAD of a field that exists");
    return 0;
}

void hw_vmcs_write(uint64_t field, uint64_t value)
{
    __asm__ goto("vmwrite %0, %q1\n\tjbe %l[failed]"
                 :
                 : "r"(value), "r"(field)
                 : "cc", "memory"
                 : failed);
    return;
failed:
    CHECK(!"VMWRITE of a field that exists");
}

enum hw_vmx_result hw_invept(uint64_t type, uint64_t ept_pointer)
{
    struct {
        uint64_t ept_pointer, reserved;
    } descriptor = {ept_pointer, 0};
    bool cf, zf;
    __asm__ volatile("invept %2, %3"
                     : "=@ccc"(cf), "=@ccz"(zf)
                     : "m"(descriptor), "r"(type)
                     : "memory");
    return result_of(cf, zf);
}

enum hw_vmx_result hw_invvpid(uint64_t type, uint16_t vpid, uint64_t linear_address)
{
    struct {
        uint64_t vpid, linear_address;
    } descriptor = {vpid, linear_address};
    bool cf, zf;
    __asm__ volatile("invvpid %2, %3"
                     : "=@ccc"(cf), "=@ccz"(zf)
                     : "m"(descriptor), "r"(type)
                     : "memory");
    return result_of(cf, zf);
}

#define MSR_EFER 0xc0000080
#define MSR_PAT 0x277

void hw_host_state(struct hw_host_state *state)
{
    struct percpu *self = percpu_this();
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr;

    __asm__ volatile("sidt %0" : "=m"(idtr));
    *state = (struct hw_host_state){
        .cr0 = hw_read_cr0(),
        .cr3 = hw_read_cr3(),
        .cr4 = hw_read_cr4(),
        .rip = (uint64_t)hw_vmx_exit,
        .efer = hw_rdmsr(MSR_EFER),
        .pat = hw_rdmsr(MSR_PAT),
        .gs_base = (uint64_t)self,
        .tr_base = (uint64_t)&self->tss,
        .gdtr_base = (uint64_t)self->gdt,
        .idtr_base = idtr.base,
        .cs = SELECTOR_CODE,
        .ss = SELECTOR_DATA,
        .tr = SELECTOR_TSS,
    };
}
