/*
 * The guest's vector state around isolated code (SDM vol. 1, chapter "Managing State Using the
 * XSAVE Feature Set").
 *
 * XCR0 is the set of components that isolated code may use: it can reach no other, and state that
 * the guest's own XCR0 has switched off, but whose registers still hold data, is saved too.
 */
#include "vector.h"

#include <base/bits.h>
#include <hw/cpu.h>
#include <hw/xsave.h>
#include <vmx/cpuid.h>

#include "access.h"

#define LEAF1_ECX_XSAVE BIT(26)

/* State components (SDM vol. 1, "XSAVE-Supported Features and State-Component Bitmaps"). */
#define XSTATE_X87_SSE (BIT(0) | BIT(1))
#define XSTATE_AVX BIT(2)
#define XSTATE_AVX512 (BIT(5) | BIT(6) | BIT(7))
#define XSTATE_COMPONENTS 8 /* above the last of these */

/* XSAVE area with every component in its initial state: no more than this much of it is read. */
struct xsave_init {
    uint8_t x87[24];
    uint32_t mxcsr;
    uint8_t rest[548];
} __attribute__((aligned(HW_XSAVE_ALIGNMENT)));
_Static_assert(sizeof(struct xsave_init) == 576, "SDM: legacy region and XSAVE header");
static const struct xsave_init initial = {.mxcsr = 0x1f80}; /* all exceptions masked */

/* CPUID.(0DH,n): EAX = bytes, EBX = offset in the standard format. */
static bool fits_a_page(uint64_t components)
{
    for (unsigned n = 2; n < XSTATE_COMPONENTS; n++) {
        if (components >> n & 1) {
            struct hw_cpuid leaf = hw_cpuid(0xd, n);
            if ((uint64_t)leaf.eax + leaf.ebx > PAGE_BYTES) {
                return false;
            }
        }
    }
    return true;
}

static uint64_t usable_components(const struct vmx_caps *caps)
{
    uint64_t has = caps->leaf1_ecx & LEAF1_ECX_XSAVE ? vmx_guest_xcr0_bits(caps) : 0;
    uint64_t components = has & (XSTATE_X87_SSE | XSTATE_AVX | XSTATE_AVX512);
    if ((components & XSTATE_AVX512) != XSTATE_AVX512 || !(components & XSTATE_AVX)) {
        components &= ~XSTATE_AVX512; /* XSETBV takes all three with AVX, or none */
    }
    return (components & XSTATE_X87_SSE) == XSTATE_X87_SSE ? components : 0;
}

void vmx_vector_init(struct vcpu *isolated, void *area)
{
    uint64_t components = area ? usable_components(isolated->caps) : 0;
    if (components == 0 || !fits_a_page(components)) {
        return;
    }
    uint64_t *words = area;
    for (unsigned i = 0; i < PAGE_BYTES / sizeof(*words); i++) {
        words[i] = 0; /* XSAVE leaves most of the header as it is; XRSTOR wants zeros there */
    }
    isolated->isolated.vector_area = area;
    isolated->isolated.components = components;
}

static void set_xcr0(uint64_t value)
{
    CHECK(hw_xsetbv_safe(0, value));
}

void vmx_vector_begin(struct vcpu *isolated)
{
    struct vmx_isolated *own = &isolated->isolated;
    own->guest_xcr0 = hw_xgetbv(0);
    if (own->guest_xcr0 != own->components) {
        set_xcr0(own->components);
    }
    hw_xsave(own->vector_area, own->components);
    hw_xrstor(&initial, own->components);
}

void vmx_vector_end(struct vcpu *isolated)
{
    struct vmx_isolated *own = &isolated->isolated;
    hw_xrstor(own->vector_area, own->components);
    if (own->guest_xcr0 != own->components) {
        set_xcr0(own->guest_xcr0);
    }
}
