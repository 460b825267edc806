/* Control registers in 64-bit mode (REQ-CR-1, -2, -3, -5). */
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"

/* REQ-CR-1: NE is the guest's to read and write, though VMX wants it set. */
static void numeric_error(void)
{
    uint64_t old = read_cr0();

    for (unsigned i = 0; i < 4; i++) {
        uint64_t value = i & 1 ? old | CR0_NE : old & ~CR0_NE;
        EXPECT(NO_FAULT, write_cr0, value, 0);
        REQUIRE(read_cr0() == value, "CR0 is %llx instead of %llx", (unsigned long long)read_cr0(),
                (unsigned long long)value);
    }
    /* Together with others: all of them arrive. */
    EXPECT(NO_FAULT, write_cr0, (old ^ CR0_NE) | CR0_WP | CR0_CD, 0);
    REQUIRE(read_cr0() == ((old ^ CR0_NE) | CR0_WP | CR0_CD), "CR0 is %llx",
            (unsigned long long)read_cr0());
    write_cr0(old | 8); /* TS */
    __asm__ volatile("clts");
    REQUIRE(!(read_cr0() & 8), "CLTS does nothing");
    EXPECT(NO_FAULT, lmsw, (old & 0xffff) | 8 | CR0_NE, 0);
    REQUIRE((read_cr0() & 0x2e) == ((old & 0x26) | 8), "LMSW gives %llx",
            (unsigned long long)read_cr0()); /* MP, EM and TS; NE is none of LMSW's */
    write_cr0(old);
    REQUIRE(read_cr0() == old, "CR0 is not restored");
}

/* A MOV that faults changes nothing, in the shadow either. */
static void cr0_illegal(void)
{
    uint64_t old = read_cr0();
    const uint64_t illegal[] = {
        old & ~CR0_PE, /* PG without PE */
        old & ~CR0_PG, /* paging off in 64-bit mode */
        old | CR0_NW,  /* NW without CD */
        old | BIT(32), old | BIT(63),
    };

    for (unsigned i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++) {
        EXPECT(GP, write_cr0, illegal[i], 0);
        EXPECT(GP, write_cr0, illegal[i] ^ CR0_NE, 0);
        REQUIRE(read_cr0() == old, "CR0 is %llx", (unsigned long long)read_cr0());
    }
    expect("write CR0 at CPL 3", try_user(insn_write_cr0, old, 0), GP, insn_write_cr0);
}

/* REQ-CR-3: VMXE does not exist for the guest. */
static void cr4_vmxe(void)
{
    uint64_t old = read_cr4();

    REQUIRE(!(old & CR4_VMXE), "CR4.VMXE reads 1");
    EXPECT(GP, write_cr4, old | CR4_VMXE, 0);
    EXPECT(GP, write_cr4, old | CR4_VMXE | CR4_PGE, 0);
    EXPECT(GP, write_cr4, old | CR4_SMXE, 0); /* REQ-MSR-4 */
    REQUIRE(read_cr4() == old, "CR4 is %llx", (unsigned long long)read_cr4());
    for (unsigned i = 0; i < 8; i++) {
        EXPECT(NO_FAULT, write_cr4, old ^ CR4_PGE, 0);
        REQUIRE(read_cr4() == (old ^ CR4_PGE), "CR4.PGE is lost");
        EXPECT(NO_FAULT, write_cr4, old, 0);
    }
}

static void cr4_illegal(void)
{
    uint64_t old = read_cr4();

    EXPECT(GP, write_cr4, old & ~CR4_PAE, 0);
    for (unsigned bit = 26; bit < 64; bit++) {
        EXPECT(GP, write_cr4, old | BIT(bit), 0);
    }
    EXPECT(GP, write_cr4, old | BIT(15), 0);
    REQUIRE(read_cr4() == old, "CR4 is %llx", (unsigned long long)read_cr4());
    if (cpuid(1, 0).ecx & BIT(17)) { /* PCID */
        EXPECT(NO_FAULT, write_cr4, old | CR4_PCIDE, 0);
        EXPECT(GP, write_cr0, read_cr0() & ~CR0_PG, 0);
        EXPECT(NO_FAULT, write_cr3, read_cr3() | 5 | BIT(63), 0);
        EXPECT(NO_FAULT, write_cr4, old, 0);
        EXPECT(GP, write_cr4, old | CR4_PCIDE, 0); /* CR3 has low bits */
        EXPECT(NO_FAULT, write_cr3, read_cr3() & ~0xfffULL, 0);
    }
}

static void cr3_cr8(void)
{
    uint64_t cr3 = read_cr3();

    EXPECT(GP, write_cr3, cr3 | BIT(52), 0);
    EXPECT(GP, write_cr3, cr3 | BIT(cpuid(0x80000008, 0).eax & 0xff), 0);
    EXPECT(NO_FAULT, write_cr3, cr3, 0);
    EXPECT(GP, write_cr8, 16, 0);
    for (uint64_t priority = 0; priority < 16; priority++) {
        write_cr8(priority);
        REQUIRE(read_cr8() == priority, "CR8 reads %llx", (unsigned long long)read_cr8());
    }
    write_cr8(0);
}

/* REQ-CR-5: all 16 registers, RSP is the guest's. Each writes CR0 with NE toggled, which exits. */
#define MOVE(reg, number)                                                                          \
    do {                                                                                           \
        uint64_t value = old ^ ((number)&1 ? CR0_NE : 0);                                          \
        __asm__ volatile("mov %%rsp, %%r11\n\t"                                                    \
                         "push %%rbx\n\tpush %%rbp\n\tmov %%rsp, cr_saved_rsp\n\t"                 \
                         "mov %0, %%" reg "\n\tmov %%" reg ", %%cr0\n\t"                           \
                         "mov cr_saved_rsp, %%rsp\n\tpop %%rbp\n\tpop %%rbx" ::"r"(value)          \
                         : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",     \
                           "r13", "r14", "r15", "memory");                                         \
        REQUIRE(read_cr0() == value, "MOV CR0 from " reg " gives %llx",                            \
                (unsigned long long)read_cr0());                                                   \
    } while (0)

extern uint64_t cr_saved_rsp;
uint64_t cr_saved_rsp;

static void every_register(void)
{
    uint64_t old = read_cr0();

    MOVE("rax", 1);
    MOVE("rcx", 2);
    MOVE("rdx", 3);
    MOVE("rsp", 4);
    MOVE("rsp", 5);
    MOVE("rbp", 6);
    MOVE("rsi", 7);
    MOVE("rdi", 8);
    MOVE("r8", 9);
    MOVE("r9", 10);
    MOVE("r10", 11);
    MOVE("r11", 12);
    MOVE("r12", 13);
    MOVE("r13", 14);
    MOVE("r14", 15);
    MOVE("r15", 16);
    write_cr0(old);
}

const struct probe cr_probes[] = {
    {"cr0-ne", numeric_error, ANYWHERE},
    {"cr0-illegal", cr0_illegal, ANYWHERE},
    {"cr4-vmxe", cr4_vmxe, ON_NACRE},
    {"cr4-illegal", cr4_illegal, ANYWHERE},
    {"cr3-cr8", cr3_cr8, ANYWHERE},
    {"cr0-registers", every_register, ANYWHERE},
    {0},
};
