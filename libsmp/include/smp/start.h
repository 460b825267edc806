/*
 * Starts the other CPUs (SDM vol. 3, 9.4.4.1 "Typical BSP Initialization Sequence"): INIT, 10 ms,
 * SIPI, 200 us, SIPI; one CPU after another, because they share one trampoline. Boot CPU only,
 * once, before any guest runs.
 */
#ifndef SMP_START_H
#define SMP_START_H

#include <base/status.h>
#include <smp/table.h>

/*
 * Returns when every CPU of the table has left the trampoline.  With one log line each:
 * STATUS_TIMEOUT: a CPU did not answer within CONFIG_AP_START_TIMEOUT_US; it was sent INIT again,
 * so that it cannot wake up late in memory that is no longer ours; the caller must not start a
 * guest. STATUS_UNSUPPORTED: its APIC ID cannot be addressed in xAPIC mode. STATUS_NO_MEMORY: no
 * page below 1 MiB for the trampoline.
 */
enum status smp_start_all(const struct smp_table *table);

#endif
