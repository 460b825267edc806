/*
 * vcpu/isolated.h on a CPU that executes: what a few bytes of isolated code can do, and what stops
 * it.  The unit tests of libvmx have the same on the fake machine, whose guests are functions.
 */
#include "isolated.h"

#include <base/log.h>
#include <hw/apic.h>
#include <hw/cpu.h>
#include <hw/mem.h>
#include <hw/xsave.h>
#include <vmx/x86.h>

#define RUN(on, width, vector, ...)                                                                \
    do {                                                                                           \
        static const uint8_t code[] = {__VA_ARGS__};                                               \
        isolated_start(on, width, vector, code, sizeof(code));                                     \
    } while (0)
#define VMCALL 0x0f, 0x01, 0xc1
#define UD2 0x0f, 0x0b

static struct isolated_machine m;

/* REQ-PAL-9 */
static void code_runs_and_calls(const struct contract_machine *machine)
{
    REQUIRE(isolated_open(machine, &m));
    RUN(&m, VCPU_64BIT, false, 0xb8, 0x34, 0x12, 0, 0, /* mov $0x1234, %eax */
        0x50,                                          /* push %rax */
        VMCALL, UD2);
    struct vcpu_stop call = isolated_run(&m);
    uint64_t rax = vcpu_gpr(&m.isolated, VCPU_RAX), rsp = vcpu_gpr(&m.isolated, VCPU_RSP);
    uint64_t rip = vcpu_rip(&m.isolated), rbx = vcpu_gpr(&m.isolated, VCPU_RBX);
    vcpu_skip_instruction(&m.isolated);
    struct vcpu_stop undefined = isolated_run(&m);
    isolated_end(&m);
    REQUIRE(isolated_close(&m));
    REQUIRE(call.reason == VCPU_STOP_CALL);
    REQUIRE(rax == 0x1234);
    REQUIRE(rbx == 0);
    REQUIRE(rsp == ISOLATED_STACK - 8);
    REQUIRE(rip == ISOLATED_CODE + 6);
    REQUIRE(undefined.reason == VCPU_STOP_EXCEPTION && undefined.vector == X86_UD);
}

static void both_widths_alternate(const struct contract_machine *machine)
{
    REQUIRE(isolated_open(machine, &m));
    uint64_t rax[4];
    bool called = true;
    for (unsigned i = 0; i < 4; i++) {
        /* inc %eax; 64-bit code takes the byte for a prefix */
        RUN(&m, i % 2 ? VCPU_32BIT : VCPU_64BIT, i == 3, 0x40, VMCALL);
        called = isolated_run(&m).reason == VCPU_STOP_CALL && called;
        rax[i] = vcpu_gpr(&m.isolated, VCPU_RAX);
        isolated_end(&m);
    }
    REQUIRE(isolated_close(&m));
    REQUIRE(called);
    REQUIRE(rax[0] == 0 && rax[2] == 0);
    REQUIRE(rax[1] == 1 && rax[3] == 1);
}

struct refusal {
    uint8_t code[8];
    uint8_t vector;
};

/* The same bytes mean the same in 64-bit and in 32-bit code. */
static const struct refusal refusals[] = {
    {{0x0f, 0x20, 0xc0}, X86_GP},       /* mov %cr0, %rax */
    {{0x0f, 0x21, 0xc0}, X86_GP},       /* mov %dr0, %rax */
    {{0x0f, 0x32}, X86_GP},             /* rdmsr */
    {{0x0f, 0x30}, X86_GP},             /* wrmsr */
    {{0x0f, 0x33}, X86_GP},             /* rdpmc */
    {{0xe4, 0x60}, X86_GP},             /* in $0x60, %al */
    {{0xe6, 0x80}, X86_GP},             /* out %al, $0x80 */
    {{0xf4}, X86_GP},                   /* hlt */
    {{0xfa}, X86_GP},                   /* cli */
    {{0xfb}, X86_GP},                   /* sti */
    {{0x0f, 0x08}, X86_GP},             /* invd */
    {{0x0f, 0x01, 0x38}, X86_GP},       /* invlpg (%rax) */
    {{0xcd, 0x80}, X86_GP},             /* int $0x80 */
    {{0xcd, 0x02}, X86_GP},             /* int $2 */
    {{0xcc}, X86_BP},                   /* int3 */
    {{0xf1}, X86_DB},                   /* int1 */
    {{0xcf}, X86_GP},                   /* iretl: a null selector on the stack */
    {{0x0f, 0x05}, X86_UD},             /* syscall */
    {{0x0f, 0x34}, X86_GP},             /* sysenter */
    {{0x8e, 0xd0}, X86_GP},             /* mov %eax, %ss: a null selector */
    {{0x0f, 0x01, 0xf9}, X86_UD},       /* rdtscp */
    {{0xf3, 0x0f, 0xae, 0xc0}, X86_UD}, /* rdfsbase %rax */
    {{0x0f, 0x01, 0xd0}, X86_UD},       /* xgetbv */
    {{0x0f, 0x01, 0xee}, X86_UD},       /* rdpkru */
    {{0x0f, 0xae, 0x04, 0x24}, X86_NM}, /* fxsave (%rsp) */
    {{0x0f, 0xae, 0x1c, 0x24}, X86_UD}, /* stmxcsr (%rsp) */
    {{0xd9, 0xee}, X86_NM},             /* fldz */
    {{0x9b}, X86_NM},                   /* fwait */
    {{0x0f, 0x77}, X86_UD},             /* emms */
    {{0x66, 0x0f, 0x6f, 0xc1}, X86_UD}, /* movdqa %xmm1, %xmm0 */
    {{0xc5, 0xfc, 0x28, 0xc1}, X86_UD}, /* vmovaps %ymm1, %ymm0 */
};

/* REQ-PAL-4, REQ-PAL-9 */
static void forbidden_instructions_stop(const struct contract_machine *machine)
{
    unsigned failed = 0;
    REQUIRE(isolated_open(machine, &m));
    for (unsigned i = 0; i < 2 * sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *refusal = &refusals[i / 2];
        enum vcpu_width width = i % 2 ? VCPU_32BIT : VCPU_64BIT;
        isolated_start(&m, width, false, refusal->code, sizeof(refusal->code));
        vcpu_set_gpr(&m.isolated, VCPU_RSP, ISOLATED_DATA);
        struct vcpu_stop stop = isolated_run(&m);
        bool moved = vcpu_rip(&m.isolated) != ISOLATED_CODE;
        isolated_end(&m);
        if (stop.reason != VCPU_STOP_EXCEPTION || stop.vector != refusal->vector ||
            (moved && refusal->vector != X86_DB)) {
            log_error("contract: code %02x %02x %02x, width %u: reason %u, vector %u",
                      refusal->code[0], refusal->code[1], refusal->code[2], (unsigned)width,
                      (unsigned)stop.reason, stop.vector);
            failed++;
        }
    }
    REQUIRE(isolated_close(&m));
    REQUIRE(failed == 0);
}

/* REQ-PAL-9 */
static void bad_addresses_stop(const struct contract_machine *machine)
{
    static const struct {
        uint64_t address;
        enum vcpu_stop_reason reason;
        uint32_t error_code;
    } cases[] = {
        {ISOLATED_NOT_PRESENT, VCPU_STOP_EXCEPTION, 4},
        {ISOLATED_SUPERVISOR, VCPU_STOP_EXCEPTION, 5},
        {ISOLATED_NO_EPT, VCPU_STOP_OTHER, 0},
    };
    bool right = true;
    REQUIRE(isolated_open(machine, &m));
    hw_write_cr2(0x77);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        RUN(&m, VCPU_64BIT, false, 0x8a, 0x03); /* mov (%rbx), %al */
        vcpu_set_gpr(&m.isolated, VCPU_RBX, cases[i].address + 5);
        struct vcpu_stop stop = isolated_run(&m);
        isolated_end(&m);
        right = right && stop.reason == cases[i].reason;
        if (stop.reason == VCPU_STOP_EXCEPTION) {
            right = right && stop.vector == X86_PF && stop.error_code == cases[i].error_code &&
                    stop.address == cases[i].address + 5;
        }
    }
    uint64_t cr2 = hw_read_cr2();
    REQUIRE(isolated_close(&m));
    REQUIRE(right);
    REQUIRE(cr2 == 0x77); /* REQ-PAL-4: the guest's */
}

static void cpuid_is_emulated(const struct contract_machine *machine)
{
    REQUIRE(isolated_open(machine, &m));
    RUN(&m, VCPU_64BIT, false, 0xb8, 1, 0, 0, 0, 0x0f, 0xa2, VMCALL); /* mov $1, %eax; cpuid */
    struct vcpu_stop stop = isolated_run(&m);
    const struct vmx_exit exit = {.reason = VMX_EXIT_CPUID};
    bool emulated = vmx_emulate(&m.isolated, &exit) == VMX_RESUME;
    struct vcpu_stop call = isolated_run(&m);
    uint64_t ecx = vcpu_gpr(&m.isolated, VCPU_RCX);
    isolated_end(&m);
    REQUIRE(isolated_close(&m));
    REQUIRE(stop.reason == VCPU_STOP_CPUID);
    REQUIRE(emulated);
    REQUIRE(call.reason == VCPU_STOP_CALL);
    REQUIRE(!(ecx & 1U << 27)); /* OSXSAVE: it has no vector registers */
}

/* REQ-PAL-4: flags, null selectors and a single step of one run are not seen by the next. */
static void next_start_is_clean(const struct contract_machine *machine)
{
    REQUIRE(isolated_open(machine, &m));
    RUN(&m, VCPU_64BIT, false, 0xb8, 3, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xe0, /* 3 into DS and FS */
        0x9c, 0x80, 0x4c, 0x24, 1, 1, 0x9d,                              /* RFLAGS.TF = 1 */
        0x90, VMCALL);
    struct vcpu_stop step = isolated_run(&m);
    uint64_t rip = vcpu_rip(&m.isolated);
    isolated_end(&m);
    RUN(&m, VCPU_32BIT, false, 0x8c, 0xda, 0x8c, 0xe6,           /* DS to EDX, FS to ESI */
        0x8b, 0x0d, 0x00, 0x10, 0x40, 0x00, 0x9c, 0x58, VMCALL); /* a load by DS; EFLAGS */
    struct vcpu_stop call = isolated_run(&m);
    uint64_t ds = vcpu_gpr(&m.isolated, VCPU_RDX), fs = vcpu_gpr(&m.isolated, VCPU_RSI);
    uint64_t flags = vcpu_gpr(&m.isolated, VCPU_RAX);
    isolated_end(&m);
    REQUIRE(isolated_close(&m));
    REQUIRE(step.reason == VCPU_STOP_EXCEPTION && step.vector == X86_DB);
    REQUIRE(rip == ISOLATED_CODE + 17);
    REQUIRE(call.reason == VCPU_STOP_CALL);
    REQUIRE(ds == fs && ds > 3);
    REQUIRE(flags == 2);
}

const struct contract_check contract_isolated[] = {
    {"isolated: code runs and calls", code_runs_and_calls, true},
    {"isolated: both widths alternate", both_widths_alternate, true},
    {"isolated: forbidden instructions stop", forbidden_instructions_stop, true},
    {"isolated: bad addresses stop", bad_addresses_stop, true},
    {"isolated: CPUID is emulated", cpuid_is_emulated, true},
    {"isolated: the next start is clean", next_start_is_clean, true},
    {0},
};
