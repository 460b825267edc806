/*
 * hw/xsave.h: state goes round, by component (SDM vol. 1, "Managing State Using the XSAVE Feature
 * Set").  CPUs without XSAVE have nothing to check.
 */
#include "contract.h"

#include <hw/cpu.h>
#include <hw/mem.h>
#include <hw/xsave.h>

#define LEAF1_ECX_XSAVE (1u << 26)
#define CR4_OSXSAVE (1u << 18)
#define CR0_TS 8u
#define X87 1u
#define SSE 2u
#define AVX 4u

/* Standard format: XMM0 to XMM15, MXCSR, XSTATE_BV. */
#define XMM_OFFSET 160
#define XMM_BYTES 256
#define MXCSR_OFFSET 24
#define HEADER_OFFSET 512

struct areas {
    uint8_t *first, *second;
    uint64_t cr4, xcr0;
    uint32_t avx_offset; /* 0: no AVX */
};

static bool open_xsave(const struct contract_machine *machine, struct areas *areas)
{
    if (!(hw_cpuid(1, 0).ecx & LEAF1_ECX_XSAVE)) {
        return false;
    }
    areas->first = hw_region_pointer(machine->scratch, PAGE_BYTES);
    areas->second = hw_region_pointer(hpa(machine->scratch.v + PAGE_BYTES), PAGE_BYTES);
    areas->cr4 = hw_read_cr4();
    hw_write_cr4(areas->cr4 | CR4_OSXSAVE);
    areas->xcr0 = hw_xgetbv(0);
    bool has_avx = hw_cpuid(0xd, 0).eax & AVX;
    areas->avx_offset = has_avx ? hw_cpuid(0xd, 2).ebx : 0;
    return hw_xsetbv_safe(0, X87 | SSE | (has_avx ? AVX : 0));
}

static bool close_xsave(const struct areas *areas)
{
    bool ok = hw_xsetbv_safe(0, areas->xcr0);
    hw_write_cr4(areas->cr4);
    return ok;
}

static void fill(uint8_t *to, unsigned bytes, uint8_t value)
{
    for (unsigned i = 0; i < bytes; i++) {
        to[i] = value;
    }
}

static bool all_are(const uint8_t *bytes, unsigned count, uint8_t value)
{
    for (unsigned i = 0; i < count; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

/* An area with these components, filled with a value; the others are initial. */
static void prepare(uint8_t *area, uint64_t components, uint32_t avx_offset, uint8_t value)
{
    fill(area, PAGE_BYTES, 0);
    *(uint32_t *)(void *)(area + MXCSR_OFFSET) = 0x1f80;
    *(uint64_t *)(void *)(area + HEADER_OFFSET) = components;
    if (components & SSE) {
        fill(area + XMM_OFFSET, XMM_BYTES, value);
    }
    if (components & AVX) {
        fill(area + avx_offset, XMM_BYTES, value);
    }
}

/* REQ-PAL-4 */
static void state_goes_round(const struct contract_machine *machine)
{
    struct areas areas;
    if (!open_xsave(machine, &areas)) {
        return;
    }
    prepare(areas.first, X87 | SSE, 0, 0x5a);
    *(uint32_t *)(void *)(areas.first + MXCSR_OFFSET) = 0x3f80;
    fill(areas.first, 2, 0x3); /* x87 control word 0x303 */
    hw_xrstor(areas.first, X87 | SSE);
    hw_xsave(areas.second, X87 | SSE);
    bool xmm = all_are(areas.second + XMM_OFFSET, XMM_BYTES, 0x5a);
    uint32_t mxcsr = *(uint32_t *)(void *)(areas.second + MXCSR_OFFSET);
    uint64_t present = *(uint64_t *)(void *)(areas.second + HEADER_OFFSET);
    prepare(areas.first, 0, 0, 0); /* everything initial */
    hw_xrstor(areas.first, X87 | SSE);
    hw_xsave(areas.second, X87 | SSE);
    bool zero = all_are(areas.second + XMM_OFFSET, XMM_BYTES, 0);
    uint32_t initial_mxcsr = *(uint32_t *)(void *)(areas.second + MXCSR_OFFSET);
    REQUIRE(close_xsave(&areas));
    REQUIRE(xmm);
    REQUIRE(mxcsr == 0x3f80);
    REQUIRE((present & SSE) == SSE);
    REQUIRE(zero);
    REQUIRE(initial_mxcsr == 0x1f80);
}

/* REQ-PAL-4 */
static void components_are_apart(const struct contract_machine *machine)
{
    struct areas areas;
    if (!open_xsave(machine, &areas)) {
        return;
    }
    bool has_avx = areas.avx_offset != 0, upper = true, lower = true, header = true;
    if (has_avx) {
        prepare(areas.first, SSE | AVX, areas.avx_offset, 0x11);
        hw_xrstor(areas.first, X87 | SSE | AVX);
        prepare(areas.first, SSE, 0, 0x22);
        hw_xrstor(areas.first, X87 | SSE); /* leaves the upper halves alone */
        hw_xsave(areas.second, X87 | SSE | AVX);
        upper = all_are(areas.second + areas.avx_offset, XMM_BYTES, 0x11);
        lower = all_are(areas.second + XMM_OFFSET, XMM_BYTES, 0x22);
        fill(areas.second, PAGE_BYTES, 0xcc);
        fill(areas.second + HEADER_OFFSET, 64, 0);
        hw_xsave(areas.second, SSE);
        header = all_are(areas.second + areas.avx_offset, XMM_BYTES, 0xcc);
        prepare(areas.first, 0, 0, 0);
        hw_xrstor(areas.first, X87 | SSE | AVX);
    }
    REQUIRE(close_xsave(&areas));
    REQUIRE(upper);
    REQUIRE(lower);
    REQUIRE(header);
}

static void xcr0_is_read(const struct contract_machine *machine)
{
    struct areas areas;
    if (!open_xsave(machine, &areas)) {
        return;
    }
    bool set = hw_xsetbv_safe(0, X87);
    uint64_t narrow = hw_xgetbv(0);
    set = hw_xsetbv_safe(0, X87 | SSE) && set;
    uint64_t wide = hw_xgetbv(0);
    bool no_ts = !(hw_read_cr0() & CR0_TS); /* else XSAVE would be #NM */
    REQUIRE(close_xsave(&areas));
    REQUIRE(set);
    REQUIRE(narrow == X87);
    REQUIRE(wide == (X87 | SSE));
    REQUIRE(no_ts);
    REQUIRE(hw_read_cr4() == areas.cr4);
}

const struct contract_check contract_xsave[] = {
    {"xsave: XCR0 is read", xcr0_is_read, false},
    {"xsave: state goes round", state_goes_round, false},
    {"xsave: components are apart", components_are_apart, false},
    {0},
};
