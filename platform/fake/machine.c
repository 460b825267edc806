/* The machine as a whole: configuration, reset, which CPU a thread plays, boot information. */
#include "internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct fake_machine fake_m;

static pthread_mutex_t machine_lock;
static pthread_once_t machine_lock_once = PTHREAD_ONCE_INIT;
static _Thread_local unsigned this_cpu;
static _Thread_local uint64_t this_thread_counted; /* reset number in which we were counted */
static uint64_t resets;

static void lock_init(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&machine_lock, &attributes);
}

void fake_lock(void)
{
    pthread_once(&machine_lock_once, lock_init);
    pthread_mutex_lock(&machine_lock);
}

void fake_unlock(void)
{
    pthread_mutex_unlock(&machine_lock);
}

struct fake_config fake_config_default(void)
{
    struct fake_config config = {
        .cpus = 1,
        .model = FAKE_MODEL_SKYLAKE,
        .range_count = 3,
        .ranges = {{0, 0xa0000, HW_MEMORY_RAM},
                   {0xf0000, 0x10000, HW_MEMORY_RESERVED},
                   {0x100000, 127 << 20, HW_MEMORY_RAM}},
        .region_end = 128 << 20,
        .pool_bytes = 16 << 20,
        .x2apic = false,
        .tsc_hz = 2000000000,
    };
    return config;
}

static void boot_info_build(void)
{
    struct hw_boot_info *info = &fake_m.boot;
    memset(info, 0, sizeof *info);
    for (unsigned i = 0; i < fake_m.config.range_count; i++) {
        const struct fake_range *range = &fake_m.config.ranges[i];
        info->memory[i].start = range->start;
        info->memory[i].end = range->start + range->bytes;
        info->memory[i].type = range->type;
    }
    info->memory_count = fake_m.config.range_count;
    info->bios_drive = 0x80;
    info->region = hpa(fake_m.region_start);
    info->region_bytes = fake_m.config.region_end - fake_m.region_start;
    info->pool = hpa(fake_m.config.region_end - fake_m.config.pool_bytes);
    info->pool_bytes = fake_m.config.pool_bytes;
    info->text_bytes = fake_m.image_bytes / 2;
    info->data_bytes = fake_m.image_bytes - info->text_bytes;
}

static void cpus_reset(void)
{
    for (unsigned i = 0; i < CONFIG_MAX_CPUS; i++) {
        struct fake_cpu *cpu = &fake_m.cpus[i];
        tlb_reset(cpu);
        memset(cpu, 0, sizeof *cpu);
        cpu->index = i;
        cpu->apic_id = i * 2;
        cpu->sipi_vector = -1;
        atomic_store(&cpu->sipi_latch, -1);
        cpu->delivery_stack = NO_ADDRESS;
        cpu->fake_linear = NO_ADDRESS;
        cpu->vmxon_region = NO_ADDRESS;
        cpu->entry_error = "";
        cpu->state = i == 0 ? FAKE_CPU_RUNNING : FAKE_CPU_WAIT_FOR_SIPI;
        fake_cpu_reset_state(cpu, true);
        fake_apic_reset(cpu);
    }
    fake_cpu_long_mode(&fake_m.cpus[0]);
}

void fake_machine_reset(const struct fake_config *config)
{
    struct fake_config chosen = config ? *config : fake_config_default();
    if (chosen.cpus < 1 || chosen.cpus > CONFIG_MAX_CPUS || chosen.range_count > FAKE_MAX_RANGES) {
        fake_misuse("fake_machine_reset: %u CPUs, %u ranges", chosen.cpus, chosen.range_count);
    }
    fake_m.config = chosen;
    fake_m.ready = true;
    fake_m.ap_begun = false;
    resets++;
    atomic_store(&fake_m.threads, 0);
    fake_calls_clear();
    fake_fail_none();
    fake_time_reset();
    fake_ram_reset();
    fake_writes_reset();
    fake_mmio_reset();
    fake_console_clear();
    fake_events_reset();
    vmcs_reset();
    fake_model_build(chosen.model);
    cpus_reset();
    boot_info_build();
    fake_select_cpu(0);
}

void fake_machine_reset_cpus(unsigned cpus)
{
    struct fake_config config = fake_config_default();
    config.cpus = cpus;
    fake_machine_reset(&config);
}

void fake_select_cpu(unsigned cpu)
{
    if (cpu >= fake_m.config.cpus) {
        fake_misuse("fake_select_cpu(%u): the machine has %u CPUs", cpu, fake_m.config.cpus);
    }
    this_cpu = cpu;
    if (this_thread_counted != resets) {
        this_thread_counted = resets;
        atomic_fetch_add(&fake_m.threads, 1);
    }
}

bool fake_alone(void)
{
    return atomic_load(&fake_m.threads) <= 1;
}

unsigned fake_cpu_count(void)
{
    return fake_m.config.cpus;
}

struct fake_cpu *fake_cpu(unsigned cpu)
{
    if (!fake_m.ready || cpu >= fake_m.config.cpus) {
        fake_misuse("CPU %u of a machine with %u", cpu, fake_m.config.cpus);
    }
    return &fake_m.cpus[cpu];
}

struct fake_cpu *fake_this(void)
{
    if (!fake_m.ready) {
        fake_machine_reset(NULL);
    }
    struct fake_cpu *cpu = &fake_m.cpus[this_cpu];
    if (cpu->state != FAKE_CPU_RUNNING) {
        fake_trap("CPU %u executes although it is stopped (INIT without SIPI)", this_cpu);
    }
    return cpu;
}

unsigned hw_this_cpu(void)
{
    return this_cpu;
}

const struct hw_boot_info *fake_boot_info(void)
{
    return &fake_m.boot;
}
