/* Stores to the xAPIC's page, which Nacre has write-protected when there are several CPUs. */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"
#include "window.h"

#define REGISTER (APIC_PAGE + APIC_ICR_HIGH) /* keeps bits 31:24, sends nothing */
#define VALUE 0x5a000000U

/* A code page that a probe fills: bytes, then RET. */
static uint8_t code[4096] __attribute__((aligned(4096)));

static int run_bytes(const uint8_t *bytes, unsigned count, uint64_t a, uint64_t b)
{
    memcpy(code, bytes, count);
    code[count] = 0xc3;
    return try_at(code, a, b);
}

static uint32_t read_register(void)
{
    return *(volatile uint32_t *)REGISTER;
}

static void clear_register(void)
{
    *(volatile uint32_t *)REGISTER = 0;
}

/* RDI = RCX = the register's address, RSI = RAX = VALUE. */
static const struct form {
    const char *name;
    uint8_t bytes[16], count;
} movs[] = {
    {"mov %eax,(%rdi)", {0x89, 0x07}, 2},
    {"mov %esi,(%rcx)", {0x89, 0x31}, 2},
    {"mov %eax,(,%rdi,1)", {0x89, 0x04, 0x3d, 0, 0, 0, 0}, 7},
    {"mov %eax,16-16(%rdi)", {0x89, 0x47, 0x00}, 3},
    {"mov %eax,disp32(%rdi)", {0x89, 0x87, 0, 0, 0, 0}, 6},
    {"movl $imm,(%rdi)", {0xc7, 0x07, 0, 0, 0, 0x5a}, 6},
    {"moffs32", {0x67, 0xa3, 0x10, 0x03, 0xe0, 0xfe}, 6},
    {"moffs64", {0xa3, 0x10, 0x03, 0xe0, 0xfe, 0, 0, 0, 0}, 9},
    {"addr32 mov %eax,(%edi)", {0x67, 0x89, 0x07}, 3},
    {"ds mov %eax,(%rdi)", {0x3e, 0x89, 0x07}, 3},
    {"gs mov %eax,(%rdi)", {0x65, 0x89, 0x07}, 3}, /* GS base is 0 */
    {"mov %r8d,(%rdi)", {0x49, 0x89, 0xf0, 0x44, 0x89, 0x07}, 6},
    {"mov %eax,(%r9)", {0x49, 0x89, 0xf9, 0x41, 0x89, 0x01}, 6},
    {"mov %esp,(%rdi)", {0x48, 0x94, 0x89, 0x27, 0x48, 0x94}, 6},
    {"rex mov %eax,(%rdi)", {0x40, 0x89, 0x07}, 3},
};

/* Every form of MOV with 32 bits does what it does on a bare machine. */
static void moves(void)
{
    for (unsigned i = 0; i < sizeof(movs) / sizeof(movs[0]); i++) {
        clear_register();
        int vector = run_bytes(movs[i].bytes, movs[i].count, REGISTER, VALUE);
        REQUIRE(vector == NO_FAULT, "%s: exception %d", movs[i].name, vector);
        REQUIRE(read_register() == VALUE, "%s: the register is %x", movs[i].name, read_register());
    }
    clear_register();
}

/* RIP-relative: code and page side by side in the window. */
static void rip_relative(void)
{
    static const uint8_t bytes[] = {0x89, 0x05, 0x0a, 0x13, 0, 0, 0xc3}; /* 6 + 0x130a = 0x1310 */
    uint64_t linear = window_map(8, (uint64_t)code, PTE_NORMAL);

    (void)window_map(9, APIC_PAGE, PTE_NORMAL | PTE_UC);
    memcpy(code, bytes, sizeof(bytes));
    clear_register();
    int vector = try_at((const void *)linear, 0, VALUE);
    REQUIRE(vector == NO_FAULT, "exception %d", vector);
    REQUIRE(read_register() == VALUE, "the register is %x", read_register());
    /* The instruction lies across two pages, the second of which is not there: a page fault. */
    code[0xfff] = 0x89;
    (void)window_map(10, 0, 0);
    linear = window_map(9, (uint64_t)code, PTE_NORMAL);
    vector = try_at((const void *)(linear + 0xfff), 0, VALUE);
    REQUIRE(vector == PF, "code across a page that is absent: exception %d", vector);
}

static void fs_base(void)
{
    static const uint8_t bytes[] = {0x64, 0x89, 0x07};
    uint64_t old = rdmsr(0xc0000100);

    wrmsr(0xc0000100, 0x1000);
    clear_register();
    int vector = run_bytes(bytes, sizeof(bytes), REGISTER - 0x1000, VALUE);
    wrmsr(0xc0000100, old);
    REQUIRE(vector == NO_FAULT && read_register() == VALUE, "exception %d, register %x", vector,
            read_register());
}

/* What is no 32-bit MOV: #GP at the instruction, or #UD; never anything else (REQ-SMP-6). */
static const struct form odd[] = {
    {"or %eax,(%rdi)", {0x09, 0x07}, 2},
    {"and %eax,(%rdi)", {0x21, 0x07}, 2},
    {"xor %eax,(%rdi)", {0x31, 0x07}, 2},
    {"lock or %eax,(%rdi)", {0xf0, 0x09, 0x07}, 3},
    {"xchg %eax,(%rdi)", {0x87, 0x07}, 2},
    {"cmpxchg %eax,(%rdi)", {0x0f, 0xb1, 0x07}, 3},
    {"incl (%rdi)", {0xff, 0x07}, 2},
    {"mov %al,(%rdi)", {0x88, 0x07}, 2},
    {"mov %ax,(%rdi)", {0x66, 0x89, 0x07}, 3},
    {"mov %rax,(%rdi)", {0x48, 0x89, 0x07}, 3},
    {"movq $imm,(%rdi)", {0x48, 0xc7, 0x07, 0, 0, 0, 0}, 7},
    {"movnti %eax,(%rdi)", {0x0f, 0xc3, 0x07}, 3},
    {"movbe %eax,(%rdi)", {0x0f, 0x38, 0xf1, 0x07}, 4},
    {"stosl", {0xab}, 1},
    {"movsl to itself", {0x48, 0x89, 0xfe, 0xa5}, 4},
    {"pushq, RSP on the page", {0x48, 0x87, 0xfc, 0x50, 0x58, 0x48, 0x87, 0xfc}, 8},
    {"call, RSP on the page", {0x48, 0x87, 0xfc, 0xe8, 0, 0, 0, 0, 0x58, 0x48, 0x87, 0xfc}, 12},
    {"sete (%rdi)", {0x0f, 0x94, 0x07}, 3},
    {"btsl $0,(%rdi)", {0x0f, 0xba, 0x2f, 0x00}, 4},
    {"xadd %eax,(%rdi)", {0x0f, 0xc1, 0x07}, 3},
    {"sgdt (%rdi)", {0x0f, 0x01, 0x07}, 3},
    {"str (%rdi)", {0x0f, 0x00, 0x0f}, 3},
    {"fnstcw (%rdi)", {0xd9, 0x3f}, 2},
    {"cmpxchg8b (%rdi)", {0x0f, 0xc7, 0x0f}, 3},
    {"two prefixes 66", {0x66, 0x66, 0x89, 0x07}, 4},
    {"lock mov (undefined)", {0xf0, 0x89, 0x07}, 3},
};

static void other_instructions(void)
{
    trap_set_gate(&idt[GP], GP, IST_FAULT); /* RSP may be on the page */
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        int vector = run_bytes(odd[i].bytes, odd[i].count, REGISTER, VALUE);
        REQUIRE(vector == NO_FAULT || vector == GP || vector == UD, "%s: exception %d", odd[i].name,
                vector);
        REQUIRE(vector == NO_FAULT || (cpu_self()->try.fault_rip - (uint64_t)code) < 16,
                "%s: fault at %llx", odd[i].name, (unsigned long long)cpu_self()->try.fault_rip);
    }
    clear_register();
}

/* Odd places: not aligned, between registers, across the end of the page, code on the page. */
static void odd_places(void)
{
    for (unsigned offset = 0; offset < 4096; offset += 1 + (unsigned)(random_next() % 7)) {
        bool command = (offset & 0xff0) == 0x300 || (offset & 0xff0) == 0x0b0;
        bool state = (offset & 0xff0) == 0x020 || (offset & 0xff0) == 0x0f0;
        if (command || state || offset > 0xffc) {
            continue; /* would send something, change the ID, or switch the APIC off */
        }
        int vector = try(store32, APIC_PAGE + offset, 0x10000);
        REQUIRE(vector == NO_FAULT || vector == GP, "store at %x: exception %d", offset, vector);
    }
    (void)try(store32, APIC_PAGE - 2, 0);
    (void)try(store32, APIC_PAGE + 0xffe, 0);
    (void)try(fetch, APIC_PAGE + 0xff0, 0);
    expect("store at CPL 3", try_user(insn_store32, REGISTER, VALUE), NO_FAULT, insn_store32);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SPURIOUS, 0x1ff);
    apic_write(0x320, 0x10000);
}

/* One CPU executes an instruction while another one writes other instructions over it. */
static volatile bool patching;

static void patch(void *argument)
{
    static const uint16_t variants[] = {0x0789, 0x0709, 0x0787, 0x9090, 0x0788, 0x3789, 0x078b};
    volatile uint16_t *at = (volatile uint16_t *)(uintptr_t)code;

    (void)argument;
    for (unsigned i = 0; patching; i++) {
        *at = variants[i % (sizeof(variants) / sizeof(variants[0]))];
    }
}

static void patched(void)
{
    code[0] = code[1] = 0x90;
    code[2] = 0xc3;
    patching = true;
    smp_call(1, patch, NULL);
    int vector = NO_FAULT;
    unsigned faults = 0, stores = 0;
    for (unsigned i = 0; i < 1500 && (vector == NO_FAULT || vector == GP || vector == UD); i++) {
        clear_register();
        delay(random_next() % 50); /* out of step with the other CPU */
        vector = try_at(code, REGISTER, VALUE);
        faults += vector != NO_FAULT;
        stores += read_register() == VALUE;
    }
    patching = false;
    REQUIRE(vector == NO_FAULT || vector == GP || vector == UD, "exception %d", vector);
    REQUIRE(smp_wait(1, 1000000), "CPU 1 does not answer");
    REQUIRE(stores > 0, "no store arrived, %u faults, last %d at %llx", faults, vector,
            (unsigned long long)cpu_self()->try.fault_rip);
    clear_register();
}

/* The same page under other names: by other linear addresses it is as protected. */
static void alias(void)
{
    uint64_t linear = window_map(11, APIC_PAGE, PTE_NORMAL | PTE_UC);

    clear_register();
    EXPECT(NO_FAULT, store32, linear + APIC_ICR_HIGH, VALUE);
    REQUIRE(read_register() == VALUE, "the register is %x", read_register());
    unsigned before = cpus[0].nmi_count;
    EXPECT(NO_FAULT, store32, linear + APIC_ICR_HIGH, 0);
    EXPECT(NO_FAULT, store32, linear + APIC_ICR_LOW, IPI_NMI);
    delay(5000);
    REQUIRE(cpus[0].nmi_count == before + 1, "%u NMIs", cpus[0].nmi_count - before);
}

/* The page table entry read-only: the guest's page fault, not an exit's business. */
static void read_only(void)
{
    uint64_t cr0 = read_cr0();
    uint64_t linear = window_map(11, APIC_PAGE, PTE_P | PTE_US | PTE_UC);

    write_cr0(cr0 | CR0_WP);
    EXPECT(PF, store32, linear + APIC_ICR_HIGH, VALUE);
    REQUIRE(cpu_self()->try.cr2 == linear + APIC_ICR_HIGH, "CR2 is %llx",
            (unsigned long long)cpu_self()->try.cr2);
    write_cr0(cr0);
    (void)window_map(11, spare_page(0), PTE_NORMAL);
}

/* Interrupts by all destination forms still go through the hardware. */
static void interrupts(void)
{
    for (unsigned i = 0; i < 20; i++) {
        unsigned before = cpu_self()->irq_count;
        ipi(0, IPI_FIXED | (0x40 + i));
        ipi(0, IPI_FIXED | IPI_SELF | (0x60 + i));
        __asm__ volatile("sti");
        delay(2000);
        __asm__ volatile("cli");
        REQUIRE(cpu_self()->irq_count == before + 2, "%u interrupts of 2",
                cpu_self()->irq_count - before);
    }
}

/* Bochs itself panics on stores that are no 32 bits, so only where Nacre keeps them from it. */
#define PAGE_GUARDED (ON_NACRE | SEVERAL)

const struct probe xapic_probes[] = {
    {"xapic-moves", moves, ANYWHERE},
    {"xapic-rip", rip_relative, ANYWHERE},
    {"xapic-fs", fs_base, ANYWHERE},
    {"xapic-other", other_instructions, PAGE_GUARDED},
    {"xapic-places", odd_places, PAGE_GUARDED},
    {"xapic-patched", patched, PAGE_GUARDED},
    {"xapic-alias", alias, ANYWHERE},
    {"xapic-read-only", read_only, ANYWHERE},
    {"xapic-interrupts", interrupts, ANYWHERE},
    {0},
};
