/* Every mode of the processor, and hardware task switches (REQ-CR-2, -4, -6, -8). */
#include "apic.h"
#include "cpu.h"
#include "lib.h"
#include "probe.h"
#include "trap.h"
#include "window.h"

#define STAGES 5
#define LEAF1_HYPERVISOR BIT(31)
#define EFER_LMA BIT(10)
#define GATE32 0x8e00U
#define TASK_GATE 0x8500U
#define IVT_UD 6
#define IVT_GP 13
#define IVT_OURS 0x62

struct note {
    uint32_t cr0, cr4, efer, ecx;
};

struct fault32 {
    int32_t vector;
    uint32_t error;
};

struct note16 {
    uint32_t protected_ecx, real_ecx, cr0, interrupts, efer;
    uint16_t sp_after, sp_gp, sp_ud, pad;
    uint32_t virtual_ecx;
};
_Static_assert(offsetof(struct note16, virtual_ecx) == 28, "modes.S");

struct tss32 {
    uint32_t link, esp0, ss0, unused[4], cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt, io_map;
};
_Static_assert(sizeof(struct tss32) == 104, "SDM vol. 3, figure \"32-Bit Task-State Segment\"");

extern uint32_t tour_pd32[1024], tour_idt[512], tour_hidden, tour_differs, tour_alias[3],
    tour_magic;
extern uint64_t tour_pdpt_a[4], tour_pdpt_b[4];
extern struct note tour_note[STAGES];
extern struct fault32 tour_fault[8];
extern char tour_stubs[], tour_task[], tour_stack_end[], pd[];
extern char tour16[], tour16_end[], tour16_notes[], tour16_gp[], tour16_ud[], tour16_int[];
void mode_tour(void);

static struct tss32 task_a, task_b;

static void make_tables(void)
{
    for (uint32_t i = 0; i < 1024; i++) {
        tour_pd32[i] = i << 22 | 0x87;
    }
    for (uint32_t i = 0; i < 4; i++) {
        tour_pdpt_a[i] = tour_pdpt_b[i] = ((uint64_t)pd + i * 4096) | 1;
    }
    tour_pdpt_b[3] = (uint64_t)pd | 1;
    for (uint32_t vector = 0; vector < 32; vector++) {
        uint32_t entry = (uint32_t)(uint64_t)tour_stubs + vector * 16;
        tour_idt[2 * vector] = SEL_CODE32 << 16 | (entry & 0xffff);
        tour_idt[2 * vector + 1] = (entry & 0xffff0000) | GATE32;
    }
    tour_idt[2 * 0x30] = SEL_TSS32_B << 16;
    tour_idt[2 * 0x30 + 1] = TASK_GATE;
}

static void make_task(struct tss32 *task, unsigned selector)
{
    uint64_t base = (uint64_t)task;
    uint64_t descriptor =
        (sizeof(*task) - 1) | (base & 0xffffff) << 16 | 0x89ULL << 40 | (base >> 24 & 0xff) << 56;

    *task = (struct tss32){.esp0 = (uint32_t)(uint64_t)tour_stack_end - 1024,
                           .ss0 = SEL_DATA,
                           .cr3 = (uint32_t)(uint64_t)tour_pdpt_a,
                           .eip = (uint32_t)(uint64_t)tour_task,
                           .eflags = 2,
                           .cs = SEL_CODE32,
                           .ss = SEL_DATA,
                           .ds = SEL_DATA,
                           .es = SEL_DATA,
                           .io_map = 104 << 16};
    memcpy(gdt + selector, &descriptor, 8);
}

static void make_low(void)
{
    uint32_t *ivt = (uint32_t *)0;
    const char *const handlers[] = {tour16_ud, tour16_gp, tour16_int};
    const unsigned vectors[] = {IVT_UD, IVT_GP, IVT_OURS};

    memcpy((void *)TOUR16, tour16, (size_t)(tour16_end - tour16));
    for (unsigned i = 0; i < 3; i++) {
        ivt[vectors[i]] = TOUR16_SEGMENT << 16 | (uint32_t)(handlers[i] - tour16);
    }
}

static void check_notes(void)
{
    static const uint32_t paging[STAGES] = {1, 0, 1, 1, 0}, pae[STAGES] = {1, 1, 0, 1, 0};
    uint32_t hypervisor = cpuid(1, 0).ecx & (uint32_t)LEAF1_HYPERVISOR;

    for (unsigned i = 0; i < STAGES; i++) {
        const struct note *note = &tour_note[i];
        REQUIRE(note->cr0 >> 31 == paging[i] && (note->cr0 & 1), "stage %u: CR0 %x", i, note->cr0);
        REQUIRE((note->cr4 >> 5 & 1) == pae[i], "stage %u: CR4 %x", i, note->cr4);
        REQUIRE(!(note->efer & EFER_LMA) == (i != 0), "stage %u: EFER %x", i, note->efer);
        REQUIRE((note->ecx & LEAF1_HYPERVISOR) == hypervisor, "stage %u: CPUID %x", i, note->ecx);
    }
    REQUIRE(tour_differs == 0, "CR0 did not read back");
}

static void check_note16(void)
{
    const struct note16 *note = (const struct note16 *)(TOUR16 + (uint64_t)(tour16_notes - tour16));
    uint32_t hypervisor = cpuid(1, 0).ecx & (uint32_t)LEAF1_HYPERVISOR;

    REQUIRE((note->protected_ecx & LEAF1_HYPERVISOR) == hypervisor &&
                (note->real_ecx & LEAF1_HYPERVISOR) == hypervisor &&
                (note->virtual_ecx & LEAF1_HYPERVISOR) == hypervisor,
            "CPUID in 16-bit code: %x %x %x", note->protected_ecx, note->real_ecx,
            note->virtual_ecx);
    REQUIRE((note->cr0 & 0x80000001) == 0, "CR0 in real mode: %x", note->cr0);
    REQUIRE(note->interrupts == 1, "%u interrupts in real mode", note->interrupts);
    REQUIRE(!(note->efer & (EFER_LMA | BIT(8))), "EFER in real mode: %x", note->efer);
    /* A hypapp may answer VMCALL in real mode too: no #UD then. */
    REQUIRE(note->sp_gp == 0xf00 - 6 && note->sp_after == 0xf00 &&
                (note->sp_ud == 0xf00 - 6 || (note->sp_ud == 0 && hypapp_answers())),
            "SP in real mode's #GP %x, #UD %x, after %x", note->sp_gp, note->sp_ud, note->sp_after);
}

static void check_fault(unsigned slot, int vector, uint32_t error, const char *what)
{
    REQUIRE(tour_fault[slot].vector == vector &&
                (vector == NO_FAULT || (tour_fault[slot].error & ~1U) == error),
            "%s: exception %d error %x", what, tour_fault[slot].vector, tour_fault[slot].error);
}

static void check_pae(void)
{
    REQUIRE(tour_alias[0] == tour_magic, "MOV CR3 does not load PDPTEs");
    REQUIRE(tour_alias[1] == tour_magic, "PDPTEs follow memory");
    REQUIRE(tour_alias[2] != tour_magic, "CR4.PGE does not load PDPTEs");
}

static void tour(void)
{
    struct region region = {0, 0};
    bool nacre = on_nacre();

    if (nacre) {
        REQUIRE(region_find(&region), "no region");
    }
    make_tables();
    make_task(&task_a, SEL_TSS32_A);
    make_task(&task_b, SEL_TSS32_B);
    make_low();
    tour_hidden = nacre ? (uint32_t)region.start : (uint32_t)(uint64_t)tour_pdpt_a;
    tour_differs = 0;
    mode_tour();
    trap_init(0);
    check_notes();
    check_note16();
    check_fault(0, GP, 0, "RDMSR in 32-bit code");
    check_fault(1, GP, 0, "CR0.PG without PE");
    check_pae();
    check_fault(2, GP, 0, "PDPTE with reserved bits");
    check_fault(3, nacre ? GP : NO_FAULT, 0, "PDPTEs in the hypervisor's region");
    check_fault(6, GP, 0, "HLT in virtual-8086 mode");
    /* libvmx's documented answer (emulate.c): #GP with the selector. */
    check_fault(4, nacre ? GP : NO_FAULT, SEL_TSS32_B, "task switch by JMP");
    if (nacre) { /* bare, the second task is busy after the first switch */
        check_fault(5, GP, SEL_TSS32_B, "task switch by a task gate");
    }
}

static void again(void)
{
    for (unsigned i = 0; i < 20; i++) {
        tour();
    }
}

const struct probe mode_probes[] = {
    {"mode-tour", tour, ANYWHERE},
    {"mode-again", again, ANYWHERE},
    {0},
};
