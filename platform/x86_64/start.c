/*
 * From the boot loader to app_main(): read what it told, choose the region at the top of RAM below
 * 4 GiB, build the final address space there, copy the image into it and go on in the copy.
 */
#include "console.h"
#include "layout.h"
#include "mb2.h"
#include "memory_map.h"
#include "percpu.h"
#include "region.h"

#include <base/bits.h>
#include <base/check.h>
#include <hw/apic.h>
#include <hw/boot.h>
#include <hw/console.h>
#include <hw/cpu.h>
#include <stdio.h>
#include <string.h>

#define CR0_HOST (BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(16) | BIT(31)) /* PE MP ET NE WP PG */
#define CR4_HOST (BIT(5) | BIT(7))                                       /* PAE PGE */
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define MSR_EFER 0xc0000080
#define EFER_NXE BIT(11)

_Noreturn void start_early(uint64_t information, uint64_t load_address);
_Noreturn void boot_switch(uint64_t cr3, uint64_t stack_top, void (*next)(void));
void start_cpu_features(void);

/* Nothing has been told about the console yet: the usual serial port and the debug port. */
static const struct hw_console_config early_console = {true, 0x3f8, true};

static _Noreturn void refuse(const char *what)
{
    char line[200];
    hw_console_configure(&early_console);
    int length = snprintf(line, sizeof(line), "nacre: cannot start: %s.\n", what);
    console_write_unlocked(line, length < (int)sizeof(line) ? (size_t)length : sizeof(line) - 1);
    hw_halt();
}

void start_cpu_features(void)
{
    struct hw_cpuid features = hw_cpuid(7, 0);
    uint64_t cr4 = CR4_HOST;

    if (hw_cpuid(0, 0).eax >= 7) {
        cr4 |= features.ebx & BIT(7) ? CR4_SMEP : 0;
        cr4 |= features.ebx & BIT(20) ? CR4_SMAP : 0;
    }
    if (hw_cpuid(0x80000001, 0).edx & BIT(20)) {
        hw_wrmsr(MSR_EFER, hw_rdmsr(MSR_EFER) | EFER_NXE);
    }
    hw_write_cr0(CR0_HOST);
    hw_write_cr4(cr4);
}

/* RAM that the loader's gifts lie in until the copy is made. */
static unsigned loaded_ranges(uint64_t load_address, uint64_t information,
                              struct hw_memory_range ranges[CONFIG_MAX_MODULES + 2])
{
    unsigned count = 0;
    uint64_t information_bytes = *(uint32_t *)direct_pointer(information);

    ranges[count++] = (struct hw_memory_range){
        load_address, load_address + (uint64_t)(image_end - image_start), HW_MEMORY_RESERVED};
    ranges[count++] =
        (struct hw_memory_range){information, information + information_bytes, HW_MEMORY_RESERVED};
    for (unsigned i = 0; i < boot_info.module_count; i++) {
        const struct hw_module *module = &boot_info.modules[i];
        ranges[count++] = (struct hw_memory_range){module->start.v, module->start.v + module->bytes,
                                                   HW_MEMORY_RESERVED};
    }
    return count;
}

static void place_region(uint64_t load_address, uint64_t information)
{
    struct hw_memory_range avoid[CONFIG_MAX_MODULES + 2];
    unsigned count = loaded_ranges(load_address, information, avoid);
    const char *error = region_choose(&boot_info, avoid, count);

    if (error != NULL) {
        refuse(error);
    }
}

/* ACPI's root pointer: only "where to look" is ours; libsmp verifies what is there. */
static uint64_t find_rsdp(void)
{
    uint64_t ebda = (uint64_t) * (uint16_t *)direct_pointer(0x40e) << 4;

    for (unsigned pass = 0; pass < 2; pass++) {
        uint64_t start = pass == 0 ? ebda : 0xe0000;
        uint64_t end = pass == 0 ? ebda + 1024 : 0x100000;
        if (start < 0x400 || end > 0x100000) {
            continue;
        }
        for (uint64_t at = addr_align_up(start, 16); at + 20 <= end; at += 16) {
            if (memcmp(direct_pointer(at), "RSD PTR ", 8) == 0) {
                return at;
            }
        }
    }
    return 0;
}

/* In the copy: the load address is no longer used. */
static _Noreturn void start_in_region(void)
{
    percpu_load(0, true);
    percpu[0].apic_id = hw_apic_id();
    percpu[0].online = 1;
    app_main(&boot_info);
}

_Noreturn void start_early(uint64_t information, uint64_t load_address)
{
    percpu_load(0, false);
    start_cpu_features();
    hw_console_configure(&early_console);
    const char *error = mb2_parse(direct_pointer(information), PAGE_2M_BYTES, &boot_info);
    if (error != NULL) {
        refuse(error);
    }
    place_region(load_address, information);
    if (!paging_build(boot_info.region, boot_info.region_bytes, memory_map_ram_end(&boot_info))) {
        refuse("the hypervisor's private memory is too small for its page tables");
    }
    memory_map_find_main();
    boot_info.loaded = hpa(load_address);
    boot_info.rsdp = find_rsdp();
    boot_info.pool = hpa(boot_info.region.v + REGION_PRIVATE_BYTES);
    boot_info.pool_bytes = boot_info.region_bytes - REGION_PRIVATE_BYTES;
    boot_info.text_bytes = (uint64_t)(rodata_end - image_start);
    boot_info.data_bytes = (uint64_t)(image_end - data_start);
    /* Through the direct map: the image has guard pages that cannot be read. */
    memcpy(direct_pointer(boot_info.region.v), direct_pointer(load_address),
           (size_t)(image_end - image_start));
    boot_switch(host_space.cr3, stack_range(0, STACK_MAIN).top, start_in_region);
}
