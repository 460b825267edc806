/*
 * A hypapp that runs isolated code at each CPUID of its guest, on every CPU, before the guest gets
 * its answer: some that calls, some that never ends, some that faults.  The guest's own work and
 * the interrupts, NMIs and rendezvous that it causes must not notice.
 */
#include "nacre.h"

#include <base/check.h>
#include <base/log.h>
#include <hw/mem.h>
#include <vmx/x86.h>

/* The guest-physical pages of isolated code; its nested tables map these and nothing else. */
enum page { EPT_PML4, EPT_PDPT, EPT_PD, EPT_PT, PML4, PDPT, PD, PT, CODE, DATA, PAGE_COUNT };
#define CONTIGUOUS_PAGES 16

#define EPT_MEMORY_WRITE_BACK (6 << 3)
#define EPT_POINTER_4_LEVELS (3 << 3 | 6)
#define PAGING_RIGHTS 7 /* present, writable, user */
#define CODE_ADDRESS 0x400000ULL
#define STACK_ADDRESS 0x402000ULL
#define BUDGET_TICKS 30000

enum kind { CALLS, CALLS_32BIT, FOREVER, FAULTS, KIND_COUNT };
static const uint8_t code[KIND_COUNT][32] = {
    /* mov $5000, %ecx; 1: dec %ecx; jnz 1b; fldz; pcmpeqd %xmm0, %xmm0; push; pop; vmcall */
    [CALLS] = {0xb9, 0x88, 0x13, 0,    0,    0xff, 0xc9, 0x75, 0xfc, 0xd9, 0xee, 0x66,
               0x0f, 0x76, 0xc0, 0x68, 0x77, 0x07, 0,    0,    0x58, 0x0f, 0x01, 0xc1},
    [CALLS_32BIT] = {0xb9, 0x88, 0x13, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0x68, 0x77, 0x07, 0, 0, 0x58,
                     0x0f, 0x01, 0xc1},
    [FOREVER] = {0xeb, 0xfe},
    [FAULTS] = {0xb8, 0, 0, 0x50, 0, 0x89, 0x00}, /* mov $0x500000, %eax; mov %eax, (%rax) */
};

static struct {
    struct hpa pages;
    enum kind kind;
    uint64_t runs, stops, faults, wrong;
    bool has_budget;
} of_cpu[CONFIG_MAX_CPUS];

static void set(unsigned cpu, enum page table, unsigned index, uint64_t entry)
{
    hw_phys_write64(hpa(of_cpu[cpu].pages.v + table * PAGE_BYTES + 8 * index), entry);
}

static void make_pages(unsigned cpu)
{
    struct hpa pages;
    CHECK(pool_alloc_contiguous(&nacre.pool, CONTIGUOUS_PAGES, &pages) == STATUS_OK);
    CHECK(hw_phys_zero(pages, PAGE_COUNT * PAGE_BYTES) == STATUS_OK);
    of_cpu[cpu].pages = pages;
    for (unsigned level = EPT_PML4; level < EPT_PT; level++) {
        set(cpu, (enum page)level, 0, (pages.v + (level + 1) * PAGE_BYTES) | EPT_RWX);
    }
    for (unsigned page = PML4; page < PAGE_COUNT; page++) {
        set(cpu, EPT_PT, page, (pages.v + page * PAGE_BYTES) | EPT_RWX | EPT_MEMORY_WRITE_BACK);
    }
    set(cpu, PML4, 0, PDPT * PAGE_BYTES | PAGING_RIGHTS);
    set(cpu, PDPT, 0, PD * PAGE_BYTES | PAGING_RIGHTS);
    set(cpu, PD, CODE_ADDRESS >> 21 & 511, PT * PAGE_BYTES | PAGING_RIGHTS);
    set(cpu, PT, 0, CODE * PAGE_BYTES | PAGING_RIGHTS);
    set(cpu, PT, 1, DATA * PAGE_BYTES | PAGING_RIGHTS);
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        CHECK(hw_phys_write(hpa(pages.v + CODE * PAGE_BYTES + kind * sizeof(code[0])), code[kind],
                            sizeof(code[0])) == STATUS_OK);
    }
}

_Noreturn void app_main(const struct hw_boot_info *boot)
{
    nacre_options(boot);
    nacre_gate();
    nacre_find_cpus();
    nacre_build_tables();
    nacre_isolate();
    for (unsigned cpu = 0; cpu < nacre.table.count; cpu++) {
        make_pages(cpu);
    }
    nacre_start_cpus();
    nacre_load_guest();
    nacre_run(0);
}

_Noreturn void app_ap_main(unsigned cpu)
{
    nacre_run_ap(cpu);
}

bool app_vmcall(struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}

bool app_cpuid(struct vcpu *vcpu)
{
    unsigned cpu = vcpu_cpu(vcpu);
    struct vcpu *isolated = &nacre.cpu[cpu].isolated;
    enum kind kind = (enum kind)(of_cpu[cpu].runs++ % KIND_COUNT);
    struct vcpu_isolated_start start = {
        .width = kind == CALLS_32BIT ? VCPU_32BIT : VCPU_64BIT,
        .vector = kind == CALLS,
        .cr3 = PML4 * PAGE_BYTES,
        .nested_root = of_cpu[cpu].pages.v | EPT_POINTER_4_LEVELS,
        .rip = CODE_ADDRESS + kind * sizeof(code[0]),
        .rsp = STACK_ADDRESS,
    };

    if (!of_cpu[cpu].has_budget) {
        of_cpu[cpu].has_budget = vcpu_isolated_set_budget(isolated, BUDGET_TICKS);
        CHECK(of_cpu[cpu].has_budget);
    }
    of_cpu[cpu].kind = kind;
    vcpu_isolated_start(isolated, &start);
    return true;
}

static bool is_as_expected(enum kind kind, const struct vcpu *isolated,
                           const struct vcpu_stop *stop)
{
    switch (kind) {
    case CALLS:
    case CALLS_32BIT:
        return stop->reason == VCPU_STOP_CALL && vcpu_gpr(isolated, VCPU_RAX) == 0x777;
    case FOREVER:
        return stop->reason == VCPU_STOP_TIMER;
    default:
        return stop->reason == VCPU_STOP_EXCEPTION && stop->vector == X86_PF &&
               stop->error_code == 6 && stop->address == 0x500000;
    }
}

void app_isolated_exit(struct vcpu *isolated, const struct vcpu_stop *stop)
{
    unsigned cpu = vcpu_cpu(isolated);
    struct vcpu *guest = &nacre.cpu[cpu].vcpu;
    const struct vmx_exit cpuid = {.reason = VMX_EXIT_CPUID};

    if (stop->reason == VCPU_STOP_KICK) {
        return; /* it goes on */
    }
    of_cpu[cpu].stops++;
    of_cpu[cpu].faults += stop->reason == VCPU_STOP_EXCEPTION;
    if (!is_as_expected(of_cpu[cpu].kind, isolated, stop)) {
        log_error("isolation: kind %u stopped by reason %u, vector %u, RIP 0x%llx",
                  (unsigned)of_cpu[cpu].kind, (unsigned)stop->reason, stop->vector,
                  (unsigned long long)vcpu_rip(isolated));
        of_cpu[cpu].wrong++;
    }
    vcpu_isolated_end(isolated, guest);
    vmx_emulate(guest, &cpuid);
}

bool app_violation(struct vcpu *vcpu, const struct vmx_exit *exit)
{
    (void)vcpu;
    (void)exit;
    return false;
}

void app_closing(unsigned cpu)
{
    (void)cpu;
}

/* NMIs that arrived while isolated code ran: the other exits for this reason are its faults. */
void app_summary(void)
{
    for (unsigned cpu = 0; cpu < nacre.table.count; cpu++) {
        uint64_t nmis = nacre.cpu[cpu].isolated.exits[VMX_EXIT_EXCEPTION_NMI] - of_cpu[cpu].faults;
        log_info("summary: isolation cpu=%u runs=%llu wrong=%llu stops=%llu nmis=%llu", cpu,
                 (unsigned long long)of_cpu[cpu].runs, (unsigned long long)of_cpu[cpu].wrong,
                 (unsigned long long)of_cpu[cpu].stops, (unsigned long long)nmis);
    }
}
