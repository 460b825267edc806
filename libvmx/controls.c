/* Controls from capabilities: what we need, what we want, what must be (SDM vol. 3, A.2 to A.5). */
#include <base/bits.h>
#include <vmx/controls.h>

#define EXTENDED1_EDX_RDTSCP BIT(27)
#define LEAF7_EBX_INVPCID BIT(10)
#define LEAF7_ECX_WAITPKG BIT(5)
#define XSAVE1_EAX_XSAVES BIT(3)

/* Bits that must be 1 are added, bits that cannot be 1 dropped: the gate saw that none is needed.
 */
static uint32_t adjust(uint64_t capability, uint32_t wanted)
{
    return (wanted | (uint32_t)capability) & (uint32_t)(capability >> 32);
}

/*
 * Instructions that raise #UD in the guest unless the control is on.  adjust() drops those whose
 * control does not exist; CPUID then hides them (cpuid.c).
 */
static uint32_t optional_proc2(const struct vmx_caps *caps)
{
    uint32_t wanted = 0;
    if (caps->extended1_edx & EXTENDED1_EDX_RDTSCP) {
        wanted |= PROC2_RDTSCP;
    }
    if (caps->leaf7_ebx & LEAF7_EBX_INVPCID) {
        wanted |= PROC2_INVPCID;
    }
    if (caps->leaf7_ecx & LEAF7_ECX_WAITPKG) {
        wanted |= PROC2_USER_WAIT;
    }
    if (caps->xsave1_eax & XSAVE1_EAX_XSAVES) {
        wanted |= PROC2_XSAVES;
    }
    /* A VPID is of use only if its translations can be invalidated. */
    if ((caps->ept_vpid & VPID_CAP_INVVPID) &&
        (caps->ept_vpid & (VPID_CAP_INVVPID_SINGLE | VPID_CAP_INVVPID_ALL))) {
        wanted |= PROC2_VPID;
    }
    return wanted;
}

void vmx_controls_compute(struct vmx_controls *controls, const struct vmx_caps *caps)
{
    controls->pin = adjust(caps->pin, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
    controls->proc = adjust(caps->proc, PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_SECONDARY);
    controls->proc2 =
        adjust(caps->proc2, PROC2_EPT | PROC2_UNRESTRICTED_GUEST | optional_proc2(caps));
    controls->exit = adjust(caps->exit, EXIT_SAVE_DEBUG | EXIT_HOST_64BIT | EXIT_SAVE_PAT |
                                            EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER);
    controls->entry = adjust(caps->entry, ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
}
