/* The steps before the guest: options, capability gate, CPUs, tables, VMX on every CPU. */
#include "nacre.h"

#include "apic.h"
#include "power.h"

#include <base/bits.h>
#include <base/check.h>
#include <base/log.h>
#include <ept/identity.h>
#include <hw/apic.h>
#include <hw/console.h>
#include <hw/cpu.h>
#include <hw/mem.h>
#include <smp/rendezvous.h>
#include <smp/start.h>
#include <stdarg.h>
#include <stdio.h>
#include <vmx/cpu.h>
#include <vmx/io_bitmap.h>
#include <vmx/msr.h>
#include <vmx/msr_bitmap.h>
#include <vmx/state.h>

#define FOUR_GIB (4ULL << 30)
#define AP_READY_POLL_US 10

struct nacre nacre;

void nacre_refuse(const char *format, ...)
{
    char text[LOG_LINE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    log_error("cannot start: %s.", text);
    hw_halt();
}

void nacre_options(const struct hw_boot_info *boot)
{
    char message[OPTIONS_MESSAGE_BYTES];

    nacre.boot = boot;
    enum status status = options_parse(boot->cmdline, &nacre.options, message);
    hw_console_configure(&nacre.options.console);
    log_set_level(nacre.options.log);
    hw_panic_reset(nacre.options.panic_reset);
    if (status != STATUS_OK) {
        nacre_refuse("%s", message);
    }
    log_debug("loaded at 0x%llx, copied to 0x%llx", (unsigned long long)boot->loaded.v,
              (unsigned long long)boot->region.v);
}

void nacre_gate(void)
{
    vmx_caps_read(&nacre.caps);
    enum vmx_missing missing = vmx_gate(&nacre.caps);
    if (missing != VMX_MISSING_NOTHING) {
        nacre_refuse("%s; %s", vmx_missing_text(missing), vmx_missing_advice(missing));
    }
}

void nacre_find_cpus(void)
{
    size_t bytes;
    enum status status = smp_table_read(&nacre.table, &nacre.acpi, nacre.boot->rsdp, hw_apic_id());

    if (status != STATUS_OK) {
        hw_halt(); /* libsmp has said why, and what to change */
    }
    if (smp_acpi_find(&nacre.acpi, SMP_FADT_SIGNATURE, &bytes) != STATUS_OK ||
        smp_fadt_parse(&nacre.fadt, nacre.acpi.table, bytes) != STATUS_OK) {
        log_warn("no usable FADT: power-off will not be seen");
    }
    smp_init(&nacre.smp, &nacre.table);
    log_info("Nacre " NACRE_VERSION ", %u CPUs, %llu MiB at 0x%llx for the hypervisor",
             nacre.table.count, (unsigned long long)(nacre.boot->region_bytes >> 20),
             (unsigned long long)nacre.boot->region.v);
}

static struct hpa page_for(const char *what)
{
    struct hpa page;
    if (pool_alloc(&nacre.pool, &page) != STATUS_OK) {
        nacre_refuse("no page left for %s; raise CONFIG_SPARE_TABLE_PAGES", what);
    }
    CHECK(hw_phys_zero(page, PAGE_BYTES) == STATUS_OK);
    return page;
}

/* The pool's bitmap lives in its own first pages. */
static void make_pool(void)
{
    uint64_t pages = nacre.boot->pool_bytes / PAGE_BYTES;
    uint64_t bitmap_pages =
        addr_align_up(pool_bitmap_words(pages) * sizeof(uint64_t), PAGE_BYTES) / PAGE_BYTES;
    uint64_t *bitmap = hw_region_pointer(nacre.boot->pool, bitmap_pages * PAGE_BYTES);

    CHECK(bitmap != NULL && bitmap_pages < pages);
    pool_init(&nacre.pool, hpa(nacre.boot->pool.v + bitmap_pages * PAGE_BYTES),
              pages - bitmap_pages, bitmap);
}

static void make_bitmaps(void)
{
    nacre.msr_bitmap = page_for("the MSR bitmap");
    nacre.io_bitmap_a = page_for("I/O bitmap A");
    nacre.io_bitmap_b = page_for("I/O bitmap B");
    void *msr_bitmap = hw_region_pointer(nacre.msr_bitmap, PAGE_BYTES);
    struct vmx_controls controls;
    vmx_controls_compute(&controls, &nacre.caps);
    vmx_msr_policy(msr_bitmap, &controls);
    vmx_msr_intercept(msr_bitmap, IA32_APIC_BASE, VMX_MSR_READ_WRITE, true);
    power_intercept(hw_region_pointer(nacre.io_bitmap_a, PAGE_BYTES),
                    hw_region_pointer(nacre.io_bitmap_b, PAGE_BYTES));
}

static uint64_t end_of_ram(void)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < nacre.boot->memory_count; i++) {
        if (nacre.boot->memory[i].type == HW_MEMORY_RAM && nacre.boot->memory[i].end > end) {
            end = nacre.boot->memory[i].end;
        }
    }
    return end;
}

void nacre_build_tables(void)
{
    struct ept_features features = ept_features_from(nacre.caps.ept_vpid);
    uint64_t end = addr_align_up(end_of_ram(), PAGE_2M_BYTES);
    enum status status;

    make_pool();
    make_bitmaps();
    nacre.ept_end = end < FOUR_GIB ? FOUR_GIB : end;
    mtrr_read(&nacre.ept_mtrr, nacre.caps.phys_bits);
    status = ept_init(&nacre.ept, &nacre.pool, &features, nacre.caps.phys_bits);
    if (status == STATUS_OK) {
        status = ept_identity_map(&nacre.ept, nacre.ept_end, &nacre.ept_mtrr, nacre.boot->region,
                                  nacre.boot->region_bytes);
    }
    if (status != STATUS_OK) {
        nacre_refuse("the nested page tables cannot be built (%s); raise CONFIG_SPARE_TABLE_PAGES",
                     status_text(status));
    }
    apic_intercept();
    for (unsigned cpu = 0; cpu < nacre.table.count; cpu++) {
        nacre.cpu[cpu].vmxon_region = page_for("a VMXON region");
        nacre.cpu[cpu].vmcs = page_for("a VMCS");
        smp_startup_init(&nacre.cpu[cpu].startup, nacre.table.cpu[cpu].boot);
    }
}

void nacre_isolate(void)
{
    nacre.isolated = true;
    for (unsigned cpu = 0; cpu < nacre.table.count; cpu++) {
        nacre.cpu[cpu].isolated_vmcs = page_for("the VMCS of isolated code");
        nacre.cpu[cpu].vector_area =
            hw_region_pointer(page_for("saved vector registers"), PAGE_BYTES);
    }
}

uint64_t nacre_pal_budget(void)
{
    return hw_tsc_hz() / 1000 * nacre.options.pal_budget_ms;
}

/* How long isolated code may run at a time. */
static void set_budget(struct nacre_cpu *self)
{
    if (!vcpu_isolated_set_budget(&self->isolated, nacre_pal_budget())) {
        log_warn("CPU %u has no timer for pal-budget=: a PAL that loops keeps its CPU",
                 self->vcpu.cpu);
    }
}

/* On the CPU itself: into VMX operation with a VMCS of its own. */
static enum status enter_vmx(unsigned cpu)
{
    struct nacre_cpu *self = &nacre.cpu[cpu];
    struct vmx_config config = {
        .caps = &nacre.caps,
        .msr_bitmap = nacre.msr_bitmap,
        .io_bitmap_a = nacre.io_bitmap_a,
        .io_bitmap_b = nacre.io_bitmap_b,
        .ept_pointer = ept_pointer(&nacre.ept),
        .vpid = 1, /* one guest CPU on each CPU: the tag need not differ between them */
    };

    self->mtrr = nacre.ept_mtrr;
    self->apic_base = hw_rdmsr(IA32_APIC_BASE);
    apic_track(cpu);
    enum status status = vmx_cpu_enable(&nacre.caps, self->vmxon_region);
    if (status == STATUS_OK) {
        status = vmx_vcpu_init(&self->vcpu, cpu, &config, self->vmcs);
    }
    if (status == STATUS_OK && nacre.isolated) {
        status = vmx_vcpu_init_isolated(&self->isolated, &self->vcpu, &config, self->isolated_vmcs,
                                        self->vector_area);
        set_budget(self);
    }
    return status;
}

_Noreturn void nacre_run_ap(unsigned cpu)
{
    struct nacre_cpu *self = &nacre.cpu[cpu];
    struct vmx_caps caps;

    vmx_caps_read(&caps);
    enum vmx_missing missing = vmx_gate(&caps);
    enum status status = missing == VMX_MISSING_NOTHING ? enter_vmx(cpu) : STATUS_UNSUPPORTED;
    if (status != STATUS_OK) {
        log_error("CPU %u: %s", cpu,
                  missing != VMX_MISSING_NOTHING ? vmx_missing_text(missing) : status_text(status));
        __atomic_store_n(&self->stopped, true, __ATOMIC_RELEASE);
        hw_halt();
    }
    vmx_state_park(&self->vcpu);
    smp_set_online(&nacre.smp, cpu);
    __atomic_store_n(&self->ready, true, __ATOMIC_RELEASE);
    nacre_run(cpu);
}

void nacre_start_cpus(void)
{
    enum status status = enter_vmx(0);
    if (status != STATUS_OK) {
        nacre_refuse("VMX cannot be entered (%s); check the firmware's virtualization setting",
                     status_text(status));
    }
    smp_set_online(&nacre.smp, 0);
    if (nacre.table.count == 1) {
        return;
    }
    status = smp_start_all(&nacre.table);
    if (status != STATUS_OK) {
        hw_halt(); /* libsmp has said why, and what to change */
    }
    for (unsigned cpu = 1; cpu < nacre.table.count; cpu++) {
        struct nacre_cpu *other = &nacre.cpu[cpu];
        for (unsigned us = 0; !__atomic_load_n(&other->ready, __ATOMIC_ACQUIRE);
             us += AP_READY_POLL_US) {
            if (us > CONFIG_AP_START_TIMEOUT_US ||
                __atomic_load_n(&other->stopped, __ATOMIC_ACQUIRE)) {
                nacre_refuse("CPU %u cannot run VMX like CPU 0; switch it off in the firmware's "
                             "setup",
                             cpu);
            }
            hw_delay_us(AP_READY_POLL_US);
        }
    }
}
