/* NMI, INIT, SIPI and external interrupts; how further CPUs start. */
#include "internal.h"

#include <string.h>

#define AP_PAGE 0x8000u

static fake_pause_fn *pause_fn;
static void *pause_arg;
static fake_start_fn *start_fn;
static void *start_arg;
static uint8_t ap_page_saved[PAGE_BYTES];

void fake_events_reset(void)
{
    pause_fn = NULL;
    start_fn = NULL;
    fake_ipis_clear();
}

void fake_on_pause(fake_pause_fn *fn, void *arg)
{
    pause_fn = fn;
    pause_arg = arg;
}

void fake_run_pause_hook(void)
{
    if (pause_fn) {
        pause_fn(pause_arg);
    }
}

void fake_send_nmi(unsigned cpu)
{
    atomic_store(&fake_cpu(cpu)->nmi_latch, true);
}

void fake_send_interrupt(unsigned cpu, uint8_t vector)
{
    atomic_fetch_or(&fake_cpu(cpu)->interrupts[vector / 64], BIT(vector % 64));
}

/* Outside VMX operation INIT resets the CPU at once; the sender's thread does it for the target. */
static void init_take(struct fake_cpu *cpu)
{
    fake_cpu_reset_state(cpu, false);
    fake_apic_reset(cpu);
    if (cpu->index != 0) {
        cpu->state = FAKE_CPU_WAIT_FOR_SIPI;
    } else {
        cpu->state = FAKE_CPU_DEAD; /* the boot CPU starts the firmware again */
    }
}

void fake_send_init(unsigned index)
{
    struct fake_cpu *cpu = fake_cpu(index);
    fake_lock();
    if (cpu->vmxon) {
        atomic_store(&cpu->init_latch, true);
    } else if (cpu->state == FAKE_CPU_RUNNING) {
        init_take(cpu);
    }
    fake_unlock();
}

void fake_send_sipi(unsigned index, uint8_t vector)
{
    struct fake_cpu *cpu = fake_cpu(index);
    if (cpu->vmxon) {
        bool waits = cpu->in_guest && guest_field(cpu, F_ACTIVITY) == ACTIVITY_WAIT_FOR_SIPI;
        if (waits) {
            atomic_store(&cpu->sipi_latch, vector);
        }
        return;
    }
    fake_lock();
    bool starts = cpu->state == FAKE_CPU_WAIT_FOR_SIPI && !cpu->broken;
    bool is_ours = starts && cpu->prepared && fake_m.ap_begun && vector == AP_PAGE >> PAGE_SHIFT;
    if (starts) {
        cpu->sipi_vector = vector;
        cpu->state = is_ours ? FAKE_CPU_RUNNING : FAKE_CPU_DEAD; /* whatever code lies there */
    }
    if (is_ours) {
        fake_cpu_long_mode(cpu);
        cpu->prepared = false;
        cpu->started = true;
    }
    fake_unlock();
    if (is_ours && start_fn) {
        start_fn(start_arg, index, vector);
    }
}

void fake_poll(struct fake_cpu *cpu)
{
    if (cpu->in_guest) {
        return;
    }
    if (!cpu->nmi_blocked && atomic_exchange(&cpu->nmi_latch, false)) {
        cpu->nmi_count++; /* the handler runs and ends with IRET */
    }
}

unsigned hw_nmi_take(void)
{
    int result;
    if (fake_enter(FAKE_NMI_TAKE, &result)) {
        return 0;
    }
    struct fake_cpu *cpu = fake_this();
    fake_poll(cpu);
    unsigned count = (unsigned)cpu->nmi_count;
    cpu->nmi_count = 0;
    return count;
}

void hw_nmi_note(void)
{
    fake_this()->nmi_count++;
}

void hw_nmi_unblock(void)
{
    fake_count(FAKE_NMI_UNBLOCK);
    struct fake_cpu *cpu = fake_this();
    cpu->nmi_blocked = false;
    fake_poll(cpu);
}

bool fake_nmi_blocked(unsigned cpu)
{
    return fake_cpu(cpu)->nmi_blocked;
}

bool fake_nmi_latched(unsigned cpu)
{
    return atomic_load(&fake_cpu(cpu)->nmi_latch);
}

bool fake_init_latched(unsigned cpu)
{
    return atomic_load(&fake_cpu(cpu)->init_latch);
}

enum fake_cpu_state fake_cpu_state(unsigned cpu)
{
    return fake_cpu(cpu)->state;
}

int fake_cpu_sipi_vector(unsigned cpu)
{
    return fake_cpu(cpu)->sipi_vector;
}

void fake_cpu_run(unsigned index)
{
    struct fake_cpu *cpu = fake_cpu(index);
    cpu->state = FAKE_CPU_RUNNING;
    cpu->started = true;
    fake_cpu_long_mode(cpu);
}

void fake_cpu_break(unsigned cpu)
{
    fake_cpu(cpu)->broken = true;
}

void fake_on_cpu_start(fake_start_fn *fn, void *arg)
{
    start_fn = fn;
    start_arg = arg;
}

bool hw_ap_begin(uint8_t *sipi_vector)
{
    int result;
    if (fake_enter(FAKE_AP_BEGIN, &result)) {
        return false;
    }
    CHECK(fake_this()->index == 0 && !fake_m.ap_begun);
    uint8_t *page = fake_backing(AP_PAGE, PAGE_BYTES);
    if (!page) {
        return false;
    }
    memcpy(ap_page_saved, page, PAGE_BYTES);
    memset(page, 0xf4, PAGE_BYTES);
    fake_m.ap_begun = true;
    *sipi_vector = AP_PAGE >> PAGE_SHIFT;
    return true;
}

void hw_ap_prepare(unsigned cpu, uint32_t apic_id)
{
    fake_count(FAKE_AP_PREPARE);
    CHECK(fake_this()->index == 0 && fake_m.ap_begun);
    CHECK(cpu > 0 && cpu < CONFIG_MAX_CPUS);
    for (unsigned i = 0; i < fake_m.config.cpus; i++) {
        fake_m.cpus[i].prepared = false;
        if (fake_m.cpus[i].apic_id == apic_id) {
            if (i != cpu) {
                fake_misuse("hw_ap_prepare(%u, %u): that APIC ID is fake CPU %u's; use "
                            "fake_apic_id_set to number them as the code under test does",
                            cpu, apic_id, i);
            }
            fake_m.cpus[i].prepared = true;
        }
    }
}

bool hw_ap_started(unsigned cpu)
{
    int result;
    if (fake_enter(FAKE_AP_STARTED, &result)) {
        return false;
    }
    return cpu < fake_m.config.cpus && fake_m.cpus[cpu].started;
}

void hw_ap_finish(void)
{
    fake_count(FAKE_AP_FINISH);
    CHECK(fake_m.ap_begun);
    memcpy(fake_backing(AP_PAGE, PAGE_BYTES), ap_page_saved, PAGE_BYTES);
    fake_m.ap_begun = false;
}
