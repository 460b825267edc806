/*
 * XSAVE feature set (SDM vol. 1, chapter 13), standard format.  What real CPUs ignore ends the
 * machine here, because it would be a mistake of the hypervisor's: components outside XCR0.
 */
#include "internal.h"

#include <string.h>

#define LEGACY_BYTES 512u
#define HEADER_BYTES 64u
#define MXCSR_OFFSET 24
#define MXCSR_INIT 0x1f80u
#define MXCSR_RESERVED 0xffff0000u
#define CR4_OSFXSR BIT(9)
#define VECTOR_UD 6
#define VECTOR_NM 7

struct place {
    uint32_t offset, bytes;
};

/* The legacy components have fixed places; MXCSR lies between the two parts of the first. */
static struct place place_of(unsigned component)
{
    if (component == FAKE_X87) {
        return (struct place){32, 128};
    }
    if (component == FAKE_SSE) {
        return (struct place){160, 256};
    }
    return (struct place){fake_cpuid_get(0xd, component, FAKE_EBX),
                          fake_cpuid_get(0xd, component, FAKE_EAX)};
}

static uint64_t supported(void)
{
    return (uint64_t)fake_cpuid_get(0xd, 0, FAKE_EDX) << 32 | fake_cpuid_get(0xd, 0, FAKE_EAX);
}

static uint8_t *state_of(struct fake_cpu *cpu, enum fake_component component, uint32_t *bytes)
{
    struct place place = place_of(component);
    if (component >= FAKE_COMPONENT_COUNT || component == FAKE_PT ||
        place.offset + place.bytes > FAKE_VECTOR_BYTES) {
        fake_misuse("state component %u", component);
    }
    *bytes = place.bytes;
    return cpu->vector + place.offset;
}

void fake_vector_reset(struct fake_cpu *cpu)
{
    memset(cpu->vector, 0, sizeof cpu->vector);
    cpu->mxcsr = MXCSR_INIT;
}

static struct fake_cpu *check(const char *instruction, const void *area, uint64_t components)
{
    struct fake_cpu *cpu = fake_this();
    if (!(cpu->cr4 & CR4_OSXSAVE)) {
        fake_trap("#UD: %s with CR4.OSXSAVE clear", instruction);
    }
    if (cpu->cr0 & CR0_TS) {
        fake_trap("#NM: %s with CR0.TS set", instruction);
    }
    if ((uintptr_t)area % HW_XSAVE_ALIGNMENT != 0) {
        fake_trap("#GP: %s on an address that is not aligned", instruction);
    }
    if (components & ~cpu->xcr0) {
        fake_trap("%s of components %#llx with XCR0 %#llx", instruction,
                  (unsigned long long)components, (unsigned long long)cpu->xcr0);
    }
    return cpu;
}

static bool is_initial(const uint8_t *state, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        if (state[i] != 0) {
            return false;
        }
    }
    return true;
}

void hw_xsave(void *area, uint64_t components)
{
    fake_count(FAKE_XSAVE);
    struct fake_cpu *cpu = check("XSAVE", area, components);
    uint8_t *to = area;
    uint64_t present;
    memcpy(&present, to + LEGACY_BYTES, sizeof present);
    for (unsigned i = 0; i < FAKE_COMPONENT_COUNT; i++) {
        if (components & BIT(i)) {
            uint32_t bytes;
            const uint8_t *state = state_of(cpu, (enum fake_component)i, &bytes);
            memcpy(to + place_of(i).offset, state, bytes);
            present = (present & ~BIT(i)) | (is_initial(state, bytes) ? 0 : BIT(i));
        }
    }
    if (components & (BIT(FAKE_SSE) | BIT(FAKE_AVX))) {
        memcpy(to + MXCSR_OFFSET, &cpu->mxcsr, sizeof cpu->mxcsr);
    }
    memcpy(to + LEGACY_BYTES, &present, sizeof present);
}

static void load_mxcsr(struct fake_cpu *cpu, const uint8_t *from)
{
    uint32_t mxcsr;
    memcpy(&mxcsr, from + MXCSR_OFFSET, sizeof mxcsr);
    if (mxcsr & MXCSR_RESERVED) {
        fake_trap("#GP: XRSTOR of MXCSR %#x: reserved bits", (unsigned)mxcsr);
    }
    cpu->mxcsr = mxcsr;
}

void hw_xrstor(const void *area, uint64_t components)
{
    fake_count(FAKE_XRSTOR);
    struct fake_cpu *cpu = check("XRSTOR", area, components);
    const uint8_t *from = area;
    uint64_t header[HEADER_BYTES / 8];
    memcpy(header, from + LEGACY_BYTES, sizeof header);
    if ((header[0] & ~cpu->xcr0) || header[1] || header[2]) {
        fake_trap("#GP: XRSTOR: XSAVE header");
    }
    for (unsigned i = 0; i < FAKE_COMPONENT_COUNT; i++) {
        if (components & BIT(i)) {
            uint32_t bytes;
            uint8_t *state = state_of(cpu, (enum fake_component)i, &bytes);
            if (header[0] & BIT(i)) {
                memcpy(state, from + place_of(i).offset, bytes);
            } else {
                memset(state, 0, bytes);
            }
        }
    }
    if (components & (BIT(FAKE_SSE) | BIT(FAKE_AVX))) {
        load_mxcsr(cpu, from);
    }
}

uint64_t hw_xgetbv(uint32_t index)
{
    struct fake_cpu *cpu = fake_this();
    if (!(cpu->cr4 & CR4_OSXSAVE)) {
        fake_trap("#UD: XGETBV with CR4.OSXSAVE clear");
    }
    if (index != 0) {
        fake_trap("#GP: XGETBV(%u)", (unsigned)index);
    }
    return cpu->xcr0;
}

void fake_vector_fill(unsigned cpu, enum fake_component component, uint8_t value)
{
    uint32_t bytes;
    uint8_t *state = state_of(fake_cpu(cpu), component, &bytes);
    memset(state, value, bytes);
}

uint8_t fake_vector_get(unsigned cpu, enum fake_component component)
{
    uint32_t bytes;
    return *state_of(fake_cpu(cpu), component, &bytes);
}

bool fake_vector_is_whole(unsigned cpu, enum fake_component component)
{
    uint32_t bytes;
    const uint8_t *state = state_of(fake_cpu(cpu), component, &bytes);
    return bytes != 0 && memcmp(state, state + 1, bytes - 1) == 0;
}

uint32_t fake_mxcsr(unsigned cpu)
{
    return fake_cpu(cpu)->mxcsr;
}

void fake_mxcsr_set(unsigned cpu, uint32_t value)
{
    fake_cpu(cpu)->mxcsr = value;
}

void fake_xcr0_set(unsigned cpu, uint64_t value)
{
    fake_cpu(cpu)->xcr0 = value;
}

/* SDM vol. 3, "Summary of #UD and #NM": 0 = may execute, else the vector. */
static unsigned fault_of(struct fake_cpu *cpu, enum fake_component component)
{
    uint64_t cr0 = guest_field(cpu, F_GUEST_CR0), cr4 = guest_field(cpu, F_GUEST_CR4);
    switch (component) {
    case FAKE_X87:
        return cr0 & (CR0_EM | CR0_TS) ? VECTOR_NM : 0;
    case FAKE_SSE:
        if ((cr0 & CR0_EM) || !(cr4 & CR4_OSFXSR)) {
            return VECTOR_UD;
        }
        break;
    case FAKE_PKRU:
        return cr4 & CR4_PKE ? 0 : VECTOR_UD;
    default:
        if (!(cr4 & CR4_OSXSAVE) || !(cpu->xcr0 & BIT(component))) {
            return VECTOR_UD;
        }
        break;
    }
    return cr0 & CR0_TS ? VECTOR_NM : 0;
}

static struct fake_cpu *guest_access(struct fake_guest *guest, enum fake_component component)
{
    struct fake_cpu *cpu = guest_begin(guest);
    unsigned fault = supported() & BIT(component) ? fault_of(cpu, component) : VECTOR_UD;
    if (fault) {
        guest_fault(cpu, fault, false, 0, 0);
        return NULL;
    }
    guest_retire(cpu, 4);
    return cpu;
}

bool fake_guest_vector_write(struct fake_guest *guest, enum fake_component component, uint8_t value)
{
    struct fake_cpu *cpu = guest_access(guest, component);
    if (cpu) {
        fake_vector_fill(cpu->index, component, value);
    }
    return cpu != NULL;
}

bool fake_guest_vector_read(struct fake_guest *guest, enum fake_component component, uint8_t *value)
{
    struct fake_cpu *cpu = guest_access(guest, component);
    if (cpu) {
        *value = fake_vector_get(cpu->index, component);
    }
    return cpu != NULL;
}
