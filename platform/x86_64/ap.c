/* Other CPUs: their start-up page below 1 MiB, and what each does until app_ap_main(). */
#include "layout.h"
#include "memory_map.h"
#include "percpu.h"

#include <hw/apic.h>
#include <hw/boot.h>
#include <hw/cpu.h>
#include <string.h>

#define MSR_EFER 0xc0000080
#define EFER_NXE 0x800
#define CONVENTIONAL_END 0x9f000ULL
#define CONVENTIONAL_START 0x8000ULL

extern const char ap_trampoline[], ap_trampoline_words[], ap_trampoline_end[];

struct trampoline_words { /* trampoline.S */
    uint64_t stack, entry;
    uint32_t cr3, efer, cpu;
} __attribute__((packed));

static uint64_t page; /* 0: not set up */
static uint8_t saved[PAGE_BYTES];

void start_cpu_features(void);
_Noreturn void ap_start_c(unsigned cpu);

/* The highest whole page of RAM that the firmware leaves free below 640 KiB. */
static uint64_t find_page(void)
{
    for (unsigned i = boot_info.memory_count; i > 0; i--) {
        const struct hw_memory_range *range = &boot_info.memory[i - 1];
        uint64_t end = range->end < CONVENTIONAL_END ? range->end : CONVENTIONAL_END;
        uint64_t start = addr_align_down(end, PAGE_BYTES) - PAGE_BYTES;
        if (range->type == HW_MEMORY_RAM && range->start < end && start >= range->start &&
            start >= CONVENTIONAL_START) {
            return start;
        }
    }
    return 0;
}

bool hw_ap_begin(uint8_t *sipi_vector)
{
    page = find_page();
    if (page == 0) {
        return false;
    }
    memcpy(saved, direct_pointer(page), PAGE_BYTES);
    memcpy(direct_pointer(page), ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
    *sipi_vector = (uint8_t)(page >> PAGE_SHIFT);
    return true;
}

void hw_ap_prepare(unsigned cpu, uint32_t apic_id)
{
    struct trampoline_words words = {
        .stack = stack_range(cpu, STACK_MAIN).top,
        .entry = (uint64_t)ap_start_c,
        .cr3 = (uint32_t)host_space.trampoline_cr3,
        .efer = (uint32_t)hw_rdmsr(MSR_EFER) & EFER_NXE,
        .cpu = cpu,
    };

    percpu[cpu].apic_id = apic_id;
    memcpy((char *)direct_pointer(page) + (ap_trampoline_words - ap_trampoline), &words,
           sizeof(words));
}

bool hw_ap_started(unsigned cpu)
{
    return __atomic_load_n(&percpu[cpu].online, __ATOMIC_ACQUIRE);
}

void hw_ap_finish(void)
{
    memcpy(direct_pointer(page), saved, PAGE_BYTES);
    page = 0;
}

_Noreturn void ap_start_c(unsigned cpu)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(host_space.cr3) : "memory");
    percpu_load(cpu, true);
    start_cpu_features();
    __atomic_store_n(&percpu[cpu].online, 1, __ATOMIC_RELEASE);
    app_ap_main(cpu);
}
