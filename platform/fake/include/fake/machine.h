/*
 * The fake machine: the hw contract (platform/include/hw) in user space, with state and rules of
 * its own, for tests.  It is a machine, not a list of expectations: a test resets it, runs the code
 * under test on one of its CPUs, and looks at what the machine has become.
 *
 * One machine per process.  The calling thread is a CPU: fake_select_cpu() says which one, so one
 * thread can play all CPUs in turn, or each CPU can have a thread of its own.  Anything that would
 * crash a real machine (a #GP in root mode, access outside RAM, a broken CHECK, halt, reset) ends
 * the statement inside FAKE_CATCH, or aborts the process when the test did not expect it.
 */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include <base/addr.h>
#include <hw/boot.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ending.h"
#include "events.h"
#include "guest.h"
#include "inject.h"
#include "model.h"
#include "vector.h"
#include "vmx.h"

#define FAKE_MAX_RANGES 12

/* Backed memory; type as in hw_boot_info.  Backing is sparse: gigabytes cost nothing. */
struct fake_range {
    uint64_t start, bytes;
    uint32_t type;
};

struct fake_config {
    unsigned cpus; /* 1 .. CONFIG_MAX_CPUS */
    enum fake_model model;
    unsigned range_count;
    struct fake_range ranges[FAKE_MAX_RANGES]; /* sorted; the one holding the region is RAM */
    uint64_t region_end;                       /* multiple of 2 MiB, at most 4 GiB */
    uint64_t pool_bytes;                       /* free part of the region */
    bool x2apic;                               /* mode of the local APICs after reset */
    uint64_t tsc_hz;
};

/* 1 CPU, FAKE_MODEL_SKYLAKE, RAM [0, 640K) and [1M, 128M), ROM at 0xF0000, 16 MiB of pool. */
struct fake_config fake_config_default(void);

/* Throws the old machine away; NULL = default.  The calling thread is CPU 0 afterwards. */
void fake_machine_reset(const struct fake_config *config);
/* fake_machine_reset of the default with that many CPUs. */
void fake_machine_reset_cpus(unsigned cpus);

/* The calling thread is this CPU from now on (hw_this_cpu). */
void fake_select_cpu(unsigned cpu);
unsigned fake_cpu_count(void);

/* What the platform would hand to app_main. */
const struct hw_boot_info *fake_boot_info(void);

/* Backed memory for the test itself to read and change; NULL if not all of it is backed. */
void *fake_ram(uint64_t address, uint64_t bytes);
/* Memory inside the region, outside the pool, zeroed, for objects that need hw_region_address. */
void *fake_region_alloc(uint64_t bytes, uint64_t alignment);

/* Memory-mapped registers; a page without handler reads as all ones and ignores writes.  Accesses
 * of one byte come to the handler like those of four, with that byte's address. */
typedef uint32_t fake_mmio_fn(void *arg, uint64_t address, bool is_write, uint32_t value);
void fake_mmio_handler(uint64_t start, uint64_t bytes, fake_mmio_fn *fn, void *arg);

/* Every hw_phys_write64 and successful hw_phys_cas64, oldest first, since fake_writes_clear. */
struct fake_write {
    uint64_t address, old_value, new_value;
    unsigned cpu;
};
size_t fake_write_count(void);
const struct fake_write *fake_write_at(size_t index); /* NULL past the end */
void fake_writes_clear(void);
/* Called right after each such write took effect; NULL = none. */
typedef void fake_write_fn(void *arg, const struct fake_write *write);
void fake_on_write(fake_write_fn *fn, void *arg);

/* Port I/O: log of every access; values read: queued per port, else handler, else all ones. */
struct fake_io {
    uint16_t port;
    uint8_t bytes;
    bool is_write;
    uint32_t value;
};
size_t fake_io_count(void);
const struct fake_io *fake_io_at(size_t index);
void fake_io_set(uint16_t port, uint32_t value); /* what the port reads from now on */
typedef uint32_t fake_io_fn(void *arg, uint16_t port, unsigned bytes, bool is_write,
                            uint32_t value);
void fake_on_io(uint16_t first, uint16_t last, fake_io_fn *fn, void *arg);

/* Virtual time: every hw_rdtsc and hw_pause takes a few cycles, hw_delay_us what it was asked. */
uint64_t fake_tsc(void);
void fake_tsc_advance(uint64_t cycles);

/* Text that went through base_log_sink since the last clear, NUL-terminated. */
const char *fake_console_text(void);
void fake_console_clear(void);
bool fake_console_contains(const char *text);
/* What the code under test asked for, NULL before. */
struct hw_console_config;
const struct hw_console_config *fake_console_config(void);
bool fake_panic_resets(void);

#endif
