/* VMX is not there (REQ-MSR-10), and instructions that exit do what they should. */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"
#include "window.h"

static uint64_t operand[512] __attribute__((aligned(4096)));

/* #UD for all, whatever the operand and CPL, bare (VMXE is clear) as on Nacre. */
static void all_undefined(void)
{
    EXPECT(UD, vmxon, operand, 0);
    EXPECT(UD, vmxoff, 0, 0);
    EXPECT(UD, vmclear, operand, 0);
    EXPECT(UD, vmptrld, operand, 0);
    EXPECT(UD, vmptrst, operand, 0);
    EXPECT(UD, vmread, 0, 0x681e);
    EXPECT(UD, vmwrite, 0, 0x681e);
    EXPECT(UD, vmlaunch, 0, 0);
    EXPECT(UD, vmresume, 0, 0);
    EXPECT(UD, invept, operand, 1);
    EXPECT(UD, invvpid, operand, 1);
    EXPECT(UD, vmfunc, 0, 0);
    EXPECT(UD, vmmcall, 0, 0);
    EXPECT(UD, getsec, 0, 0);
    EXPECT(UD, rsm, 0, 0);
    EXPECT(UD, encls, 0, 0);
}

static void undefined_bad_operand(void)
{
    const uint64_t bad[] = {BIT(47), ~0ULL, 0xdeadbeef0000, 0};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int vectors[] = {try(vmxon, bad[i], 0), try(vmptrld, bad[i], 0), try(invept, bad[i], 1)};
        for (unsigned k = 0; k < 3; k++) {
            REQUIRE(vectors[k] == UD, "operand at %llx: exception %d", (unsigned long long)bad[i],
                    vectors[k]);
        }
    }
    int vector = try_user(insn_vmxoff, 0, 0);
    REQUIRE(vector == UD || vector == GP, "vmxoff at CPL 3: exception %d", vector);
    vector = try_user(insn_vmlaunch, 0, 0);
    REQUIRE(vector == UD || vector == GP, "vmlaunch at CPL 3: exception %d", vector);
}

/* A hypercall that nobody knows: #UD, or a hypapp's error code (REQ-PAL-10). */
static void vmcall(void)
{
    for (unsigned i = 0; i < 200; i++) {
        uint64_t number = random_next() >> (random_next() & 63);
        if ((uint32_t)number != 0x68656c6c) {
            int vector = try(vmcall, i, number);
            int user = try_user(insn_vmcall, i, number);
            REQUIRE((vector == UD || (vector == NO_FAULT && hypapp_answers())) && user == vector,
                    "VMCALL %llx: exception %d, at CPL 3 %d", (unsigned long long)number, vector,
                    user);
        }
    }
}

/* What may exit but works: INVD (made a write-back), WBINVD, RDTSCP, INVPCID, MONITOR. */
static void allowed(void)
{
    operand[0] = operand[1] = 0;
    operand[2] = 0x1122334455667788;
    EXPECT(NO_FAULT, wbinvd, 0, 0);
    if (on_nacre()) { /* a bare machine would lose data that is only in its cache */
        EXPECT(NO_FAULT, invd, 0, 0);
        REQUIRE(operand[2] == 0x1122334455667788, "INVD dropped data");
    }
    expect("invd at CPL 3", try_user(insn_invd, 0, 0), GP, insn_invd);
    expect("wbinvd at CPL 3", try_user(insn_wbinvd, 0, 0), GP, insn_wbinvd);
    if (cpuid(0x80000001, 0).edx & BIT(27)) {
        wrmsr(0xc0000103, 0x1234);
        EXPECT(NO_FAULT, rdtscp, 0, 0);
        uint32_t aux;
        __asm__ volatile("rdtscp" : "=c"(aux)::"eax", "edx");
        REQUIRE(aux == 0x1234, "RDTSCP gives %x", aux);
    }
    if (cpuid(7, 0).ebx & BIT(10)) {
        EXPECT(NO_FAULT, invpcid, operand, 0);
        EXPECT(NO_FAULT, invpcid, operand, 2);
        EXPECT(GP, invpcid, operand, 4); /* no such type */
    } else {
        EXPECT(UD, invpcid, operand, 0);
    }
    if (cpuid(1, 0).ecx & BIT(3)) {
        EXPECT(NO_FAULT, monitor, 0, (uint64_t)operand);
    }
    (void)try(rdpmc, 0, 0);
    (void)try(rdpmc, 0xffffffff, 0);
    if (cpuid(0xd, 1).eax & BIT(3)) {
        (void)try(xsaves, operand, 7);
    } else {
        EXPECT(UD, xsaves, operand, 0);
    }
}

/* HLT ends with the next interrupt: one from this CPU to itself. */
static void halt(void)
{
    unsigned before = cpu_self()->irq_count;

    for (unsigned i = 0; i < 20; i++) {
        ipi(0, IPI_FIXED | IPI_SELF | 0x40);
        __asm__ volatile("sti; hlt; cli");
    }
    REQUIRE(cpu_self()->irq_count == before + 20, "%u interrupts of 20",
            cpu_self()->irq_count - before);
}

const struct probe vmx_probes[] = {
    {"vmx-undefined", all_undefined, ANYWHERE},
    {"vmx-operand", undefined_bad_operand, ANYWHERE},
    {"vmx-vmcall", vmcall, ANYWHERE},
    {"insn-allowed", allowed, ANYWHERE},
    {"insn-hlt", halt, ANYWHERE},
    {0},
};
