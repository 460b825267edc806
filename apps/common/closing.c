/* The closing summary's numbers, gathered from all CPUs. */
#include "nacre.h"
#include "stacks.h"
#include "summary.h"

#include <hw/console.h>
#include <hw/cpu.h>
#include <vmx/exit.h>

/* Why the guest still exits for these: what hardware or Nacre would need to do without. */
static const char *why(unsigned reason)
{
    switch (reason) {
    case VMX_EXIT_CPUID:
        return "VMX makes every CPUID exit";
    case VMX_EXIT_EPT_VIOLATION:
        return "xAPIC stores: trapped to see INIT and SIPI; an x2APIC guest has none; calls of "
               "PALs";
    case VMX_EXIT_WRMSR:
    case VMX_EXIT_RDMSR:
        return "MTRRs, APIC base, x2APIC ICR and MSRs beyond the bitmap's range";
    case VMX_EXIT_XSETBV:
        return "VMX makes every XSETBV exit";
    case VMX_EXIT_EXCEPTION_NMI:
        return "NMIs: kicks of ours between CPUs, and the guest's own; faults of isolated code";
    case VMX_EXIT_CR_ACCESS:
        return "CR0.NE and CR4.VMXE, which VMX fixes";
    case VMX_EXIT_VMCALL:
        return "hypercalls, and the BIOS's memory calls in chain mode";
    case VMX_EXIT_IO:
        return "ports of power-off; while there are PALs, of reset too";
    case VMX_EXIT_PREEMPTION_TIMER:
        return "isolated code that used up its time";
    case VMX_EXIT_INVD:
        return "VMX makes every INVD exit";
    default:
        return NULL;
    }
}

void nacre_summary(void)
{
    static struct app_summary_exit exits[VMX_EXIT_REASON_COUNT];
    uint64_t cpu_exits[CONFIG_MAX_CPUS] = {0};

    for (unsigned reason = 0; reason < VMX_EXIT_REASON_COUNT; reason++) {
        exits[reason] = (struct app_summary_exit){
            .name = vmx_exit_reason_text(reason), .why = why(reason), .count = 0};
        for (unsigned cpu = 0; cpu < nacre.table.count; cpu++) {
            uint64_t count =
                nacre.cpu[cpu].vcpu.exits[reason] + nacre.cpu[cpu].isolated.exits[reason];
            exits[reason].count += count;
            cpu_exits[cpu] += count;
        }
    }
    struct app_summary_input input = {
        .exit_count = VMX_EXIT_REASON_COUNT,
        .exits = exits,
        .cpu_count = nacre.table.count,
        .cpu_exits = cpu_exits,
        .resident_bytes = nacre.boot->region_bytes,
        .text_bytes = nacre.boot->text_bytes,
        .data_bytes = nacre.boot->data_bytes,
        .tables_bytes = (nacre.pool.page_count - nacre.pool.free_pages) * PAGE_BYTES,
        .uptime_ticks = hw_rdtsc(),
    };
    app_summary_print(&input);
    stacks_print(nacre.table.count);
    app_summary();
    hw_console_flush();
}
