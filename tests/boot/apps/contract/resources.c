/* What isolated code shares with the guest one after the other: vector registers and time. */
#include "isolated.h"

#include <base/log.h>
#include <hw/apic.h>
#include <hw/cpu.h>
#include <hw/mem.h>
#include <hw/xsave.h>
#include <vmx/x86.h>

#define VMCALL 0x0f, 0x01, 0xc1
#define HEADER_OFFSET 512
#define X87_SSE 3
#define AVX 4

#define APIC_SOFTWARE_ENABLE 0x100
#define ICR_SELF_FIXED (1U << 18 | 1U << 14)

static struct isolated_machine m;
static uint8_t area[PAGE_BYTES] __attribute__((aligned(HW_XSAVE_ALIGNMENT)));

/* Places of a component in the area; x87 is left initial. */
static uint8_t *place_of(unsigned component, unsigned *bytes)
{
    struct hw_cpuid leaf = hw_cpuid(0xd, component);
    *bytes = component == 1 ? 256 : leaf.eax;
    return area + (component == 1 ? 160 : leaf.ebx);
}

static void set_guest_vectors(uint64_t components, uint8_t value)
{
    for (unsigned i = 0; i < PAGE_BYTES; i++) {
        area[i] = 0;
    }
    for (unsigned component = 1; component < 8; component++) {
        unsigned bytes;
        uint8_t *place = place_of(component, &bytes);
        for (unsigned i = 0; i < bytes && (components >> component & 1); i++) {
            place[i] = value;
        }
    }
    area[25] = 0x1f; /* MXCSR */
    area[24] = 0x80;
    area[HEADER_OFFSET] = (uint8_t)(components & ~1ULL);
    hw_xrstor(area, components);
}

static bool guest_vectors_are(uint64_t components, uint8_t value)
{
    hw_xsave(area, components);
    for (unsigned component = 1; component < 8; component++) {
        unsigned bytes;
        const uint8_t *place = place_of(component, &bytes);
        for (unsigned i = 0; i < bytes && (components >> component & 1); i++) {
            if (place[i] != value) {
                log_error("contract: state component %u, byte %u: %x", component, i, place[i]);
                return false;
            }
        }
    }
    return true;
}

/* Reads XMM0, the x87 control word and MXCSR. */
#define READS                                                                                      \
    0x66, 0x48, 0x0f, 0x7e, 0xc0,                             /* movq %xmm0, %rax */               \
        0xd9, 0x7c, 0x24, 0xf0, 0x0f, 0xb7, 0x5c, 0x24, 0xf0, /* fstcw; movzwl into %ebx */        \
        0x0f, 0xae, 0x5c, 0x24, 0xf0, 0x8b, 0x54, 0x24, 0xf0  /* stmxcsr; movl into %edx */
#define SECRET 0x31, 0xc9, 0x48, 0xff, 0xc9, 0x66, 0x48, 0x0f, 0x6e, 0xc1 /* %xmm0 = ~0 */
#define VZEROALL 0xc5, 0xfc, 0x77
static const uint8_t sse_code[] = {READS, SECRET, VMCALL};
static const uint8_t avx_code[] = {READS, VZEROALL, SECRET, VMCALL};

/* The guest's XCR0 has less than its registers hold: that must come back too. */
static void run_with_vectors(uint64_t components, bool *clean, bool *kept)
{
    bool avx = components & AVX;
    set_guest_vectors(components, 0xa7);
    bool set = hw_xsetbv_safe(0, X87_SSE);
    isolated_start(&m, VCPU_64BIT, true, avx ? avx_code : sse_code,
                   avx ? sizeof(avx_code) : sizeof(sse_code));
    bool called = isolated_run(&m).reason == VCPU_STOP_CALL;
    *clean = *clean && called && vcpu_gpr(&m.isolated, VCPU_RAX) == 0 &&
             vcpu_gpr(&m.isolated, VCPU_RBX) == 0x37f && vcpu_gpr(&m.isolated, VCPU_RDX) == 0x1f80;
    isolated_end(&m);
    *kept = *kept && set && hw_xgetbv(0) == X87_SSE && hw_xsetbv_safe(0, components) &&
            guest_vectors_are(components, 0xa7);
}

/* REQ-PAL-4 */
static void vector_registers_are_apart(const struct contract_machine *machine)
{
    REQUIRE(isolated_open(machine, &m));
    bool clean = true, kept = true, restored = true;
    uint64_t components = m.isolated.isolated.components;
    if (vcpu_isolated_has_vector(&m.isolated)) {
        uint64_t xcr0 = hw_xgetbv(0);
        restored = hw_xsetbv_safe(0, components);
        run_with_vectors(components, &clean, &kept);
        run_with_vectors(components, &clean, &kept);
        set_guest_vectors(components, 0);
        restored = hw_xsetbv_safe(0, xcr0) && restored;
    }
    REQUIRE(isolated_close(&m));
    log_info("contract: vector components %x", (unsigned)components);
    REQUIRE(restored);
    REQUIRE(clean);
    REQUIRE(kept);
}

/* REQ-PAL-6, REQ-PAL-9 */
static void time_ends_loops(const struct contract_machine *machine)
{
    static const uint8_t loop[] = {0xeb, 0xfe};
    const uint64_t budget = 200000;
    REQUIRE(isolated_open(machine, &m));
    if (!vcpu_isolated_set_budget(&m.isolated, budget)) {
        log_info("contract: this CPU has no timer for isolated code");
        REQUIRE(isolated_close(&m));
        return;
    }
    struct vcpu_stop stop[2];
    uint64_t ticks[2];
    for (unsigned i = 0; i < 2; i++) {
        if (i == 1) { /* stays pending: the next guest with IF = 1 would get it */
            hw_apic_write(HW_APIC_SPURIOUS, APIC_SOFTWARE_ENABLE | 0xff);
            hw_apic_send_ipi(ICR_SELF_FIXED | 0x40);
        }
        isolated_start(&m, VCPU_64BIT, false, loop, sizeof(loop));
        uint64_t start = hw_rdtsc();
        stop[i] = isolated_run(&m);
        ticks[i] = hw_rdtsc() - start;
        isolated_end(&m);
    }
    bool pending = hw_apic_read(0x200 + 0x40 / 32 * 16) & 1;
    REQUIRE(isolated_close(&m));
    log_info("contract: a budget of %u ticks ended after %u and %u", (unsigned)budget,
             (unsigned)ticks[0], (unsigned)ticks[1]);
    REQUIRE(stop[0].reason == VCPU_STOP_TIMER);
    REQUIRE(ticks[0] > budget / 2 && ticks[0] < 2 * budget);
    REQUIRE(stop[1].reason == VCPU_STOP_TIMER);
    REQUIRE(pending);
}

/* Re-entries go on with the time that is left. */
static void time_is_kept_over_exits(const struct contract_machine *machine)
{
    /* Counts 20,000 down, calls, again. */
    static const uint8_t code[] = {0xb9, 0x20, 0x4e, 0,      0,    0xff,
                                   0xc9, 0x75, 0xfc, VMCALL, 0xeb, 0xf2};
    const uint64_t budget = 200000;
    unsigned calls = 0;
    REQUIRE(isolated_open(machine, &m));
    bool has_timer = vcpu_isolated_set_budget(&m.isolated, budget);
    struct vcpu_stop stop = {.reason = VCPU_STOP_TIMER};
    if (has_timer) {
        isolated_start(&m, VCPU_64BIT, false, code, sizeof(code));
        stop = isolated_run(&m);
        while (stop.reason == VCPU_STOP_CALL && calls < 100) {
            calls++;
            vcpu_skip_instruction(&m.isolated);
            stop = isolated_run(&m);
        }
        isolated_end(&m);
    }
    REQUIRE(isolated_close(&m));
    REQUIRE(stop.reason == VCPU_STOP_TIMER);
    REQUIRE(!has_timer || (calls >= 2 && calls <= 10));
}

/* Where a TSC tick is an instruction, this is what a call costs without libtv. */
static void a_call_is_cheap(const struct contract_machine *machine)
{
    static const uint8_t code[] = {VMCALL};
    struct vmx_exit exit;
    uint64_t total = 0;
    REQUIRE(isolated_open(machine, &m));
    vcpu_isolated_set_budget(&m.isolated, 1000000);
    isolated_start(&m, VCPU_64BIT, false, code, sizeof(code)); /* sets what the others find set */
    isolated_end(&m);
    for (unsigned i = 0; i < 3; i++) {
        struct vcpu_isolated_start start = m.start;
        start.vector = i > 0 && vcpu_isolated_has_vector(&m.isolated);
        uint64_t before = hw_rdtsc();
        vcpu_isolated_start(&m.isolated, &start);
        uint64_t started = hw_rdtsc();
        vmx_vcpu_run(&m.isolated, &exit);
        uint64_t stopped = hw_rdtsc();
        vcpu_isolated_end(&m.isolated, &m.guest);
        uint64_t ended = hw_rdtsc();
        log_info("contract: %s call: start %u, run %u, end %u ticks",
                 start.vector ? "vector" : "plain", (unsigned)(started - before),
                 (unsigned)(stopped - started), (unsigned)(ended - stopped));
        total += ended - before;
    }
    REQUIRE(isolated_close(&m));
    REQUIRE(exit.reason == VMX_EXIT_VMCALL);
    REQUIRE(total < 100000); /* even where a tick is less than an instruction */
}

const struct contract_check contract_isolated_resources[] = {
    {"isolated: vector registers are apart", vector_registers_are_apart, true},
    {"isolated: time ends loops", time_ends_loops, true},
    {"isolated: time is kept over exits", time_is_kept_over_exits, true},
    {"isolated: a call is cheap", a_call_is_cheap, true},
    {0},
};
